//! `test`, `verify` and `customActions`: names that have to be unique, and what excludes what.

use std::collections::BTreeSet;

use devloop_model::Diagnostic;

use crate::loaded::Loaded;

/// Returns the faults of custom tests.
pub(super) fn tests(module: &Loaded) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (case, test) in module.config.test.iter().enumerate() {
        for (index, custom) in test.custom.iter().enumerate() {
            let Some(dependencies) = &custom.dependencies else { continue };
            if !dependencies.ignore.is_empty() && dependencies.paths.is_empty() {
                let pointer = format!("/test/{case}/custom/{index}/dependencies/ignore");
                let what = format!("{} takes effect only with `paths`", module.subject(&pointer));
                faults.push(module.key_span(&pointer).error("config/ignore-without-paths", what));
            }
        }
    }
    faults
}

/// Returns names of verify tests, custom actions and their containers that are there twice.
pub(super) fn verify_and_actions(modules: &[Loaded]) -> Vec<Diagnostic> {
    let mut unique = Unique::default();
    for module in modules {
        for (index, test) in module.config.verify.iter().enumerate() {
            unique.take("verify test", module, &format!("/verify/{index}/name"), &test.name);
            unique.take("container of verify tests", module, &format!("/verify/{index}/container/name"), &test.container.name);
        }
        for (index, action) in module.config.custom_actions.iter().enumerate() {
            let pointer = format!("/customActions/{index}");
            unique.take("custom action", module, &format!("{pointer}/name"), &action.name);
            if action.containers.is_empty() {
                let what = format!("custom action `{}` has no container", action.name);
                unique.faults.push(module.error("config/no-container", &format!("{pointer}/containers"), what));
            }
            for (container, spec) in action.containers.iter().enumerate() {
                unique.take("container of custom actions", module, &format!("{pointer}/containers/{container}/name"), &spec.name);
            }
        }
    }
    unique.faults
}

#[derive(Default)]
struct Unique {
    seen: BTreeSet<(&'static str, String)>,
    faults: Vec<Diagnostic>,
}

impl Unique {
    fn take(&mut self, kind: &'static str, module: &Loaded, pointer: &str, name: &str) {
        if !self.seen.insert((kind, name.to_owned())) {
            self.faults.push(module.error("config/duplicate-name", pointer, format!("there is another {kind} called `{name}`")));
        }
    }
}
