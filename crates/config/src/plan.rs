//! The types of the schema to the plan.

mod artifact;
mod builders;
mod cluster_build;
mod convert;
mod deploy;
mod docker;
mod forward;
mod helm;
mod hooks;
mod kaniko;
mod sync;
mod tagger;
mod task;
mod test;

use std::path::PathBuf;

use devloop_model::Artifact;
use devloop_model::BuildSettings;
use devloop_model::BuildSpec;
use devloop_model::Diagnostic;
use devloop_model::Module;
use devloop_model::Plan;
use devloop_model::Tagger;

use self::convert::Converter;
use crate::Options;
use crate::loaded::Loaded;

/// Returns the plan of `modules`, which were found free of faults, without its files and warnings.
///
/// # Errors
/// Templates that do not parse and values that the plan cannot hold, all of them.
pub(crate) fn plan(modules: &[Loaded], options: &Options) -> Result<Plan, Vec<Diagnostic>> {
    let mut plan = Plan::default();
    let mut faults = Vec::new();
    for module in modules {
        let mut converter =
            Converter { module, env: &options.env, command: &options.command, wanted: &options.platforms, faults: Vec::new() };
        let tagger = options.tag.as_ref().map_or_else(|| converter.tagger(), |tag| Tagger::Fixed(tag.clone()));
        let artifacts: Vec<Artifact> =
            (0..module.config.build.artifacts.len()).filter_map(|index| converter.artifact(index, &tagger)).collect();
        if !options.skip_tests {
            plan.tests.extend(converter.tests());
        }
        let render = converter.render();
        let deploy = converter.deploy();
        plan.port_forward.extend(converter.port_forward());
        plan.verify.extend(converter.verify());
        plan.custom_actions.extend(converter.custom_actions());
        let images = artifacts.iter().map(|artifact| artifact.image.clone()).collect();
        plan.artifacts.extend(artifacts);
        plan.modules.push(Module {
            name: module.module.name.clone(),
            file: PathBuf::clone(&module.module.file),
            dir: module.module.dir.clone(),
            build: BuildSpec { artifacts: images, hooks: converter.host_hooks(&module.config.build.hooks) },
            render,
            deploy,
        });
        faults.extend(converter.faults);
        if module.module.is_root {
            let active = module.module.active_profiles.iter();
            let new: Vec<String> = active.filter(|name| !plan.profiles.contains(name)).cloned().collect();
            plan.profiles.extend(new);
        }
    }
    sync::only_of_leaves(&mut plan.artifacts);
    plan.build = build_settings(modules);
    plan.deploy = deploy::settings(modules);
    plan.resource_selector = deploy::resource_selector(modules);
    if faults.is_empty() { Ok(plan) } else { Err(faults) }
}

fn build_settings(modules: &[Loaded]) -> BuildSettings {
    let mut settings = BuildSettings::default();
    for module in modules {
        for registry in &module.config.build.insecure_registries {
            if !settings.insecure_registries.contains(registry) {
                settings.insecure_registries.push(registry.clone());
            }
        }
        let local = module.config.build.local.as_ref().and_then(|local| local.concurrency);
        let asked = local.or(module.config.build.cluster.as_ref().map(|cluster| cluster.concurrency)).map(|limit| limit.max(0) as usize);
        settings.concurrency = match (settings.concurrency, asked) {
            (Some(0) | None, Some(limit)) | (Some(limit), Some(0) | None) => Some(limit),
            (Some(one), Some(other)) => Some(one.min(other)),
            (None, None) => None,
        };
    }
    settings
}

#[cfg(test)]
mod tests;
