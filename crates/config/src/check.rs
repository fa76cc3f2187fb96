//! What a configuration may not say although its shape allows it.
//!
//! The rules are those of Skaffold's `pkg/skaffold/schema/validation/validation.go`.

mod artifacts;
mod circle;
mod containers;
mod docker;
mod helm;

use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::nearest;
use regex::Regex;

use crate::loaded::Loaded;
use crate::schema::PortForwardResource;
use crate::schema::words::FORWARDED;
use crate::schema::words::LOG_PREFIXES;

/// Returns every fault, in the order of the modules.
pub(crate) fn faults(modules: &[Loaded]) -> Vec<Diagnostic> {
    let mut faults = artifacts::names(modules);
    for module in modules {
        faults.extend(kind(module));
        for index in 0..module.config.build.artifacts.len() {
            faults.extend(artifacts::artifact(module, index));
        }
        faults.extend(import_of_sha256(module));
        faults.extend(port_forwards(module));
        faults.extend(selector(module));
        faults.extend(log_prefix(module));
        faults.extend(deadline(module));
        faults.extend(containers::tests(module));
        faults.extend(helm::releases(module));
    }
    faults.extend(artifacts::requirements(modules));
    faults.extend(containers::verify_and_actions(modules));
    faults.extend(docker::images(modules));
    faults.extend(one_status_check(modules));
    faults
}

/// Skaffold does not look at it.
fn kind(module: &Loaded) -> Option<Diagnostic> {
    let kind = &module.config.kind;
    (kind != "Config").then(|| {
        let what = format!("`kind` is always `Config`, not `{kind}`");
        Diagnostic::warning("config/kind", what).at(module.location("/kind")).help("write `kind: Config`")
    })
}

/// Returns an error for each test of an image that no artifact builds.
pub(crate) fn tests_of_no_artifact(modules: &[Loaded]) -> Vec<Diagnostic> {
    let known: Vec<&str> =
        modules.iter().flat_map(|module| &module.config.build.artifacts).map(|artifact| artifact.image.as_str()).collect();
    let mut faults = Vec::new();
    // What is no name at all is told by the plan.
    let is_unknown = |image: &str| !known.contains(&image) && ImageName::parse(image).is_ok();
    for module in modules {
        for (index, test) in module.config.test.iter().enumerate().filter(|(_, test)| is_unknown(&test.image)) {
            let pointer = format!("/test/{index}/image");
            let error = module.error("config/unknown-image", &pointer, format!("`{}` is tested, but no artifact builds it", test.image));
            faults.push(match nearest(&test.image, &known) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("test images that are built elsewhere with `devloop test --images`"),
            });
        }
    }
    faults
}

/// Returns an error that `word` is none of `known`.
fn not_one_of(module: &Loaded, pointer: &str, word: &str, known: &[&str]) -> Diagnostic {
    let what = format!("{} cannot be `{word}`", module.subject(pointer));
    let label = format!("expected one of: {}", known.join(", "));
    let error = Diagnostic::error("config/unknown-value", what).at(module.span(pointer).location(label));
    match nearest(word, known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// `sha256` tags with `latest`, which an import would always find.
fn import_of_sha256(module: &Loaded) -> Option<Diagnostic> {
    let build = &module.config.build;
    let imports = build.local.as_ref().is_some_and(|local| local.try_import_missing);
    (imports && build.tag_policy.sha256.is_some()).then(|| {
        let pointer = "/build/local/tryImportMissing";
        let what = "`build.local.tryImportMissing` cannot be used with the tag policy `sha256`";
        let error = module.key_span(pointer).error("config/import-of-latest", what);
        error.because("that policy tags with `latest`, so an old image would be taken for the new one")
    })
}

fn port_forwards(module: &Loaded) -> Vec<Diagnostic> {
    let forwards = module.config.port_forward.iter().enumerate();
    let wrong = forwards.filter(|(_, forward)| !FORWARDED.contains(&forward.resource_type.to_lowercase().as_str()));
    let fault = |(index, forward): (usize, &PortForwardResource)| {
        let pointer = format!("/portForward/{index}");
        if forward.resource_type.is_empty() {
            let what = format!("{} has no `resourceType`", module.subject(&pointer));
            return module.error("config/missing-field", &pointer, what).help(format!("add one of: {}", FORWARDED.join(", ")));
        }
        not_one_of(module, &format!("{pointer}/resourceType"), &forward.resource_type, &FORWARDED)
    };
    wrong.map(fault).collect()
}

fn selector(module: &Loaded) -> Vec<Diagnostic> {
    let selector = &module.config.resource_selector;
    let mut faults = Vec::new();
    for (list, rules) in [("allow", &selector.allow), ("deny", &selector.deny)] {
        for (index, rule) in rules.iter().enumerate() {
            if let Err(error) = Regex::new(&rule.group_kind) {
                let pointer = format!("/resourceSelector/{list}/{index}/groupKind");
                let what = format!("{} is no regular expression", module.subject(&pointer));
                let why = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                faults.push(module.error("config/pattern", &pointer, what).because(why));
            }
        }
    }
    faults
}

fn log_prefix(module: &Loaded) -> Option<Diagnostic> {
    let prefix = module.config.deploy.logs.prefix.as_str();
    let is_known = prefix.is_empty() || LOG_PREFIXES.contains(&prefix);
    (!is_known).then(|| not_one_of(module, "/deploy/logs/prefix", prefix, &LOG_PREFIXES))
}

fn deadline(module: &Loaded) -> Option<Diagnostic> {
    let pointer = "/deploy/statusCheckDeadlineSeconds";
    (module.config.deploy.status_check_deadline_seconds < 0)
        .then(|| module.error("config/negative", pointer, "`deploy.statusCheckDeadlineSeconds` cannot be negative"))
}

fn one_status_check(modules: &[Loaded]) -> Option<Diagnostic> {
    let says = |wanted| modules.iter().find(|module| module.config.deploy.status_check == Some(wanted));
    let (_, off) = (says(true)?, says(false)?);
    let what = "one module switches the status check on, and this one switches it off";
    Some(off.error("config/two-status-checks", "/deploy/statusCheck", what).help("say the same in all modules, or give `--status-check`"))
}
