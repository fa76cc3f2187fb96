//! Artifacts: their names, their builders, and what they require of one another.

use std::collections::BTreeMap;

use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::nearest;

use super::circle::circles;
use super::not_one_of;
use crate::loaded::Loaded;
use crate::schema::Artifact;
use crate::schema::words::JIB_TYPES;
use crate::schema::words::RUNTIMES;

/// An artifact and where it stands.
struct Placed<'m> {
    module: &'m Loaded,
    index: usize,
    artifact: &'m Artifact,
}

impl Placed<'_> {
    fn pointer(&self, rest: &str) -> String {
        format!("/build/artifacts/{}/{rest}", self.index)
    }
}

fn all(modules: &[Loaded]) -> impl Iterator<Item = Placed<'_>> {
    modules.iter().flat_map(|module| {
        module.config.build.artifacts.iter().enumerate().map(move |(index, artifact)| Placed { module, index, artifact })
    })
}

/// Returns images that are no names, and those that are there twice.
pub(super) fn names(modules: &[Loaded]) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<&str, Placed<'_>> = BTreeMap::new();
    let mut faults = Vec::new();
    for placed in all(modules) {
        let image = placed.artifact.image.as_str();
        let pointer = placed.pointer("image");
        if let Err(error) = ImageName::parse(image) {
            let fault = placed.module.error("config/image-name", &pointer, error.to_string());
            let has_version = image.contains('@') || image.rsplit('/').next().is_some_and(|last| last.contains(':'));
            faults.push(if has_version { fault.help("tags come from `build.tagPolicy` or `--tag`: write the name alone") } else { fault });
        }
        match seen.get(image) {
            None => {
                seen.insert(image, placed);
            }
            Some(first) => {
                let first = first.module.location(&first.pointer("image"));
                let label = format!("first at {}:{}", first.file.display(), first.line);
                let what = format!("there are two artifacts with the image `{image}`");
                let at = placed.module.span(&pointer).location(label);
                faults.push(Diagnostic::error("config/duplicate-artifact", what).at(at).help("give each artifact an image of its own"));
            }
        }
    }
    faults
}

/// Returns the faults of one artifact by itself.
pub(super) fn artifact(module: &Loaded, index: usize) -> Vec<Diagnostic> {
    let placed = Placed { module, index, artifact: &module.config.build.artifacts[index] };
    let mut faults = aliases(&placed);
    faults.extend(network(&placed));
    faults.extend(ignore_without_paths(&placed));
    faults.extend(builder_words(&placed));
    faults.extend(sync(&placed));
    faults
}

fn is_variable(alias: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    alias.bytes().next().is_some_and(is_letter) && alias.bytes().all(|b| is_letter(b) || b.is_ascii_digit())
}

fn aliases(placed: &Placed<'_>) -> Vec<Diagnostic> {
    let image = &placed.artifact.image;
    let needs_variable = placed.artifact.docker.is_some() || placed.artifact.custom.is_some();
    let mut faults = Vec::new();
    for (index, requirement) in placed.artifact.requires.iter().enumerate() {
        let alias = requirement.alias.as_str();
        let pointer = placed.pointer(&format!("requires/{index}"));
        let written = format!("{pointer}/alias");
        if needs_variable && !is_variable(alias) {
            let what = format!("artifact `{image}` cannot give `{}` the alias `{alias}`", requirement.image);
            let fault = placed.module.error("config/alias", &written, what);
            let fault = fault.because("it names a build argument or variable: letters, digits and `_`, and no digit first");
            let name: String = alias.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
            faults.push(fault.help(format!("write `alias: {}`", if is_variable(&name) { name } else { "BASE".to_owned() })));
        }
        if placed.artifact.requires[..index].iter().any(|other| other.alias == alias) {
            let what = format!("artifact `{image}` gives two required images the alias `{alias}`");
            faults.push(placed.module.error("config/alias", &written, what));
        }
    }
    faults
}

fn network(placed: &Placed<'_>) -> Option<Diagnostic> {
    let network = &placed.artifact.docker.as_ref()?.network;
    let (mode, container) = network.split_once(':')?;
    if !mode.eq_ignore_ascii_case("container") || container.contains("{{") {
        return None;
    }
    let fits = container.starts_with(|c: char| c.is_ascii_alphanumeric())
        && container.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    (!fits).then(|| {
        let what = format!("artifact `{}` names the network of a container, but `{container}` is no name of one", placed.artifact.image);
        placed.module.error("config/network", &placed.pointer("docker/network"), what)
    })
}

fn ignore_without_paths(placed: &Placed<'_>) -> Option<Diagnostic> {
    let dependencies = placed.artifact.custom.as_ref()?.dependencies.as_ref()?;
    let is_alone = !dependencies.ignore.is_empty() && (dependencies.dockerfile.is_some() || !dependencies.command.is_empty());
    is_alone.then(|| {
        let pointer = placed.pointer("custom/dependencies/ignore");
        let what = format!("{} takes effect only with `paths`", placed.module.subject(&pointer));
        placed.module.key_span(&pointer).error("config/ignore-without-paths", what)
    })
}

/// Fields that take one of a few words.
fn builder_words(placed: &Placed<'_>) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let runtime = placed.artifact.runtime_type.as_str();
    if !runtime.is_empty() && !RUNTIMES.contains(&runtime) {
        faults.push(not_one_of(placed.module, &placed.pointer("runtimeType"), runtime, &RUNTIMES));
    }
    if let Some(jib) = &placed.artifact.jib
        && !jib.kind.is_empty()
        && !JIB_TYPES.contains(&jib.kind.to_lowercase().as_str())
    {
        faults.push(not_one_of(placed.module, &placed.pointer("jib/type"), &jib.kind, &JIB_TYPES));
    }
    if let Some(bazel) = &placed.artifact.bazel
        && bazel.target.strip_suffix(".tar").is_none()
    {
        let pointer = placed.pointer("bazel/target");
        let what = format!("{} has to end with `.tar`: a target that makes an archive of an image", placed.module.subject(&pointer));
        faults.push(placed.module.error("config/bazel-target", &pointer, what));
    }
    faults
}

fn sync(placed: &Placed<'_>) -> Vec<Diagnostic> {
    let Some(sync) = &placed.artifact.sync else { return Vec::new() };
    let mut faults = Vec::new();
    for (index, rule) in sync.manual.iter().enumerate().filter(|(_, rule)| !rule.src.starts_with(&rule.strip)) {
        let pointer = placed.pointer(&format!("sync/manual/{index}/strip"));
        let what = format!("{} is `{}`, which `{}` does not start with", placed.module.subject(&pointer), rule.strip, rule.src);
        faults.push(placed.module.error("config/sync-strip", &pointer, what));
    }
    let Some(ko) = &placed.artifact.ko else { return faults };
    if !sync.infer.is_empty() && ko.main.contains("...") {
        let what = format!("artifact `{}` cannot infer what to sync from `main: {}`", placed.artifact.image, ko.main);
        faults.push(placed.module.error("config/ko-sync", &placed.pointer("ko/main"), what).help("name one package"));
    }
    for (index, pattern) in sync.infer.iter().enumerate().filter(|(_, pattern)| !pattern.contains("kodata")) {
        let what = format!("artifact `{}` is built by ko, which can sync files of `kodata` only, not `{pattern}`", placed.artifact.image);
        let fault = placed.module.error("config/ko-sync", &placed.pointer(&format!("sync/infer/{index}")), what);
        faults.push(fault.help("write `infer: [\"kodata/**/*\"]`"));
    }
    faults
}

/// Returns required images that no artifact builds, and artifacts that require one another in a circle.
pub(super) fn requirements(modules: &[Loaded]) -> Vec<Diagnostic> {
    let artifacts: BTreeMap<&str, Placed<'_>> = all(modules).map(|placed| (placed.artifact.image.as_str(), placed)).collect();
    let names: Vec<&str> = artifacts.keys().copied().collect();
    let mut faults = Vec::new();
    for placed in all(modules) {
        for (index, requirement) in placed.artifact.requires.iter().enumerate() {
            let image = requirement.image.as_str();
            if !artifacts.contains_key(image) {
                let what = format!("artifact `{}` requires `{image}`, and no artifact builds that", placed.artifact.image);
                let fault = placed.module.error("config/unknown-artifact", &placed.pointer(&format!("requires/{index}/image")), what);
                let near = nearest(image, &names);
                faults.push(near.map_or(fault.clone(), |near| fault.help(format!("did you mean `{near}`?"))));
            }
        }
    }
    let needs = artifacts.iter().map(|(name, placed)| {
        let images = placed.artifact.requires.iter().map(|requirement| requirement.image.as_str());
        (*name, images.collect())
    });
    for circle in circles(&names, &needs.collect()) {
        let placed = &artifacts[circle.names[circle.names.len() - 2]];
        let names: Vec<String> = circle.names.iter().map(|name| format!("`{name}`")).collect();
        let what = format!("artifacts require one another in a circle: {}", names.join(" → "));
        let pointer = placed.pointer(&format!("requires/{}/image", circle.index));
        faults.push(placed.module.error("config/requires-circle", &pointer, what));
    }
    faults
}
