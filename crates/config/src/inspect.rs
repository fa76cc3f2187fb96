//! What editors ask of a configuration, answered in JSON: modules, profiles, build environments, tests, containers, namespaces.
//!
//! Names and order of the fields, and what counts: Skaffold's `pkg/skaffold/inspect`.

mod change;
mod namespaces;
mod refusal;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use serde_json::Value as Json;
use serde_json::json;

pub use self::change::Change;
pub use self::change::Fields;
pub use self::refusal::refusal;

use crate::ConfigError;
use crate::ConfigSource;
use crate::FetchRepo;
use crate::Node;
use crate::Options;
use crate::load;
use crate::loaded::Loaded;
use crate::modules::clean;
use crate::profile::items;
use crate::schema::CustomTest;
use crate::schema::ExecutionMode;

/// Where images are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildEnv {
    /// On this machine.
    Local,
    /// On Google Cloud Build.
    GoogleCloudBuild,
    /// In pods.
    Cluster,
}

impl BuildEnv {
    /// Returns its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::GoogleCloudBuild => "googleCloudBuild",
            Self::Cluster => "cluster",
        }
    }

    /// Returns that of a configuration or of a profile; this machine where it names none.
    fn of(pipeline: &Node) -> Self {
        let build = pipeline.get("build");
        let has = |env: &Self| build.and_then(|build| build.get(env.name())).is_some_and(|value| !value.is_null());
        [Self::Cluster, Self::GoogleCloudBuild].into_iter().find(has).unwrap_or(Self::Local)
    }
}

/// A configuration that is asked.
pub struct Inspection {
    modules: Vec<Loaded>,
    cwd: PathBuf,
}

impl Inspection {
    /// Returns what a configuration says, without its checks: an editor may ask of one that is not finished.
    ///
    /// # Errors
    /// Everything wrong with its files, syntax, versions, shapes, profiles and requirements.
    pub fn open(root: &ConfigSource, options: &Options, fetch: &dyn FetchRepo) -> Result<Self, ConfigError> {
        let modules = load::modules(root, options, fetch)?.modules;
        Ok(Self { modules, cwd: options.cwd.clone() })
    }

    /// Returns the modules that have a name; with `unnamed`, also the others, each by its place in its file.
    pub fn modules(&self, unnamed: bool) -> Json {
        let entry = |loaded: &Loaded| {
            let module = &loaded.module;
            let name = module.name.clone().or_else(|| unnamed.then(|| format!("__config_{}", module.index)))?;
            let mut entry = json!({ "name": name, "path": self.file(loaded) });
            for (key, holds) in [("isRemote", module.is_remote), ("isRoot", module.is_root)] {
                if holds {
                    entry[key] = true.into();
                }
            }
            Some(entry)
        };
        json!({ "modules": self.modules.iter().filter_map(entry).collect::<Json>() })
    }

    /// Returns the profiles of all modules; with `of`, those that build there.
    pub fn profiles(&self, of: Option<BuildEnv>) -> Json {
        let mut entries = Vec::new();
        for loaded in &self.modules {
            let profiles = loaded.module.profiles.as_ref().and_then(|profiles| items(profiles, "profiles").ok());
            for profile in profiles.unwrap_or_default().iter().filter(|profile| of.is_none_or(|of| of == BuildEnv::of(profile))) {
                let name = profile.get("name").and_then(Node::as_text).unwrap_or_default();
                entries.push(named(json!({ "name": name, "path": self.file(loaded) }), loaded));
            }
        }
        json!({ "profiles": entries })
    }

    /// Returns where each module builds, with the active profiles.
    pub fn build_envs(&self) -> Json {
        let entry = |loaded: &Loaded| {
            let env = BuildEnv::of(&loaded.module.document).name();
            named(json!({ "type": env, "path": self.file(loaded) }), loaded)
        };
        json!({ "build_envs": self.modules.iter().map(entry).collect::<Json>() })
    }

    /// Returns the tests of images, with the active profiles.
    pub fn tests(&self) -> Json {
        let mut entries = Vec::new();
        for loaded in &self.modules {
            for test in &loaded.config.test {
                entries.extend(test.custom.iter().map(custom_test));
                let arguments = or_null(&test.structure_tests_args);
                let structure = |file: &String| json!({ "testType": "structure-test", "structureTest": path_of(loaded, file), "structureTestArgs": arguments });
                entries.extend(test.structure_tests.iter().map(structure));
            }
        }
        json!({ "tests": entries })
    }

    /// Returns where the containers of `verify` and of custom actions run, by name.
    pub fn execution_modes(&self) -> Json {
        let mode = |mode: &ExecutionMode| {
            let name = if mode.kubernetes_cluster.is_some() { "kubernetesCluster" } else { "local" };
            Some(name.to_owned())
        };
        let (verify, actions) = self.by_name(mode);
        json!({ "verifyExecutionModes": verify, "customActionsExecutionModes": actions })
    }

    /// Returns the files of Jobs that run the containers of `verify` and of custom actions, by name, where there are any.
    pub fn job_manifest_paths(&self) -> Json {
        let path = |mode: &ExecutionMode| {
            mode.kubernetes_cluster.as_ref().map(|cluster| cluster.job_manifest_path.clone()).filter(|path| !path.is_empty())
        };
        let (verify, actions) = self.by_name(path);
        json!({ "verifyJobManifestPaths": verify, "customActionJobManifestPaths": actions })
    }

    /// Returns the namespace of each Deployment of a file of manifests, as `apply` would deploy it.
    ///
    /// # Errors
    /// When the file cannot be read, or is not YAML.
    pub fn namespaces(&self, manifests: &Path) -> Result<Json, Vec<Diagnostic>> {
        namespaces::of_deployments(&self.modules, manifests, &self.cwd)
    }

    /// Returns what `ask` says of each execution mode: of `verify`, and of custom actions.
    fn by_name(&self, ask: impl Fn(&ExecutionMode) -> Option<String>) -> (BTreeMap<&str, String>, BTreeMap<&str, String>) {
        let configs = || self.modules.iter().map(|loaded| &loaded.config);
        let verify = configs().flat_map(|config| &config.verify);
        let actions = configs().flat_map(|config| &config.custom_actions);
        (
            verify.filter_map(|test| Some((test.name.as_str(), ask(&test.execution_mode)?))).collect(),
            actions.filter_map(|action| Some((action.name.as_str(), ask(&action.execution_mode)?))).collect(),
        )
    }

    fn file(&self, loaded: &Loaded) -> String {
        clean(&self.cwd.join(&loaded.module.file)).display().to_string()
    }
}

/// Adds the name of the module, if it has one.
fn named(mut entry: Json, loaded: &Loaded) -> Json {
    if let Some(name) = &loaded.module.name {
        entry["module"] = name.as_str().into();
    }
    entry
}

/// Returns a path as Skaffold has it: as written in the root file, and absolute in others.
fn path_of(loaded: &Loaded, path: &str) -> String {
    if loaded.module.is_root { path.to_owned() } else { clean(&loaded.module.dir.join(path)).display().to_string() }
}

/// The names are those of Go's fields, which have no other there.
fn custom_test(test: &CustomTest) -> Json {
    let dependencies = test.dependencies.as_ref().map(|dependencies| {
        json!({ "Command": dependencies.command, "Paths": or_null(&dependencies.paths), "Ignore": or_null(&dependencies.ignore) })
    });
    json!({ "testType": "custom-test", "Command": test.command, "TimeoutSeconds": test.timeout_seconds, "Dependencies": dependencies })
}

/// Returns a list, which is null in Go where nothing is in it.
fn or_null(list: &[String]) -> Option<&[String]> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests;
