//! What editors change in a configuration: build environments and requirements, in the files themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use super::BuildEnv;
use super::Inspection;
use crate::Node;
use crate::edit::Edit;
use crate::edit::Step;
use crate::edit::Step::Item;
use crate::edit::Step::Key;
use crate::edit::Step::Push;
use crate::load;
use crate::loaded::Loaded;

/// Fields of a build environment.
pub type Fields = Map<String, Json>;

/// A change of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A build environment that is not there yet takes the place of another.
    AddBuildEnv {
        /// Which one.
        env: BuildEnv,
        /// What is set in it.
        fields: Fields,
        /// The profile that it is written into, made where it is missing; none for the configuration itself.
        profile: Option<String>,
    },
    /// Fields of a build environment that is there.
    ModifyBuildEnv {
        /// Which one.
        env: BuildEnv,
        /// What is set in it.
        fields: Fields,
        /// The profile that it stands in; none for the configuration itself.
        profile: Option<String>,
        /// Whether each configuration must have it.
        strict: bool,
    },
    /// More entries of `requires`.
    AddRequirements(Vec<Json>),
}

impl Change {
    fn profile(&self) -> Option<&str> {
        match self {
            Self::AddBuildEnv { profile, .. } | Self::ModifyBuildEnv { profile, .. } => profile.as_deref(),
            Self::AddRequirements(_) => None,
        }
    }
}

impl Inspection {
    /// Returns the new text of each file that a change of the modules `named` means, of those of the root file where none is.
    ///
    /// A change of a profile is one of required modules too, so that it can be activated in all of them; copies of repositories stay.
    ///
    /// # Errors
    /// When what is added is there, what is modified is not, or a file would not be right any more.
    pub fn change(&self, change: &Change, named: &[String]) -> Result<Vec<(PathBuf, String)>, Vec<Diagnostic>> {
        let is_named = |loaded: &&Loaded| named.is_empty() || loaded.module.name.as_ref().is_some_and(|name| named.contains(name));
        let is_meant = |loaded: &&Loaded| match change {
            _ if loaded.module.is_remote => false,
            _ if change.profile().is_some() => true,
            Change::AddRequirements(_) if !named.is_empty() => is_named(loaded),
            _ => loaded.module.is_root && is_named(loaded),
        };
        let mut edits: BTreeMap<PathBuf, Edit> = BTreeMap::new();
        let mut has_profile = false;
        for loaded in self.modules.iter().filter(is_meant) {
            let file = self.cwd.join(&loaded.module.file);
            if !edits.contains_key(&file) {
                edits.insert(file.clone(), Edit::of(load::read(&loaded.module.file, &self.cwd).map_err(|error| vec![error])?)?);
            }
            let Some(edit) = edits.get_mut(&file) else { continue };
            let mut target = Target { edit, index: loaded.module.index };
            has_profile |= change.profile().is_some_and(|profile| target.profile(profile).is_some());
            target.apply(change)?;
        }
        if let (Change::ModifyBuildEnv { profile: Some(profile), .. }, false) = (change, has_profile) {
            let what = format!("there is no profile `{profile}`");
            return Err(vec![
                Diagnostic::error("inspect/unknown-profile", what).help("check `--profile`, or make it with `inspect build-env add`"),
            ]);
        }
        edits.into_iter().map(|(file, edit)| Ok((file, checked(edit)?))).collect()
    }
}

/// Returns the text of a file that is still a configuration.
fn checked(edit: Edit) -> Result<String, Vec<Diagnostic>> {
    let source = edit.into_source();
    load::documents(&source)?;
    Ok(source.text.clone())
}

/// A document that is changed.
struct Target<'a> {
    edit: &'a mut Edit,
    index: usize,
}

impl Target<'_> {
    fn document(&self) -> Option<&Node> {
        self.edit.document(self.index)
    }

    /// Returns the place of a profile in `profiles`.
    fn profile(&self, name: &str) -> Option<usize> {
        let profiles = self.document()?.get("profiles")?.as_list()?;
        profiles.iter().position(|profile| profile.get("name").and_then(Node::as_text).is_some_and(|text| text == name))
    }

    fn set(&mut self, path: &[Step<'_>], value: Option<Json>) -> Result<(), Vec<Diagnostic>> {
        self.edit.set(self.index, path, value)
    }

    fn apply(&mut self, change: &Change) -> Result<(), Vec<Diagnostic>> {
        match change {
            Change::AddRequirements(entries) => {
                entries.iter().try_for_each(|entry| self.set(&[Key("requires"), Push], Some(entry.clone())))
            }
            Change::AddBuildEnv { env, fields, profile } => {
                let index = profile.as_ref().map(|profile| self.profile(profile).ok_or(profile));
                let index = match index {
                    Some(Err(profile)) => {
                        self.set(&[Key("profiles"), Push], Some(json!({ "name": profile, "build": { env.name(): fields } })))?;
                        return self.activate(profile);
                    }
                    Some(Ok(index)) => Some(index),
                    None => None,
                };
                if self.fields_of(*env, index).is_some_and(|fields| !fields.is_empty()) {
                    return Err(vec![
                        self.error("inspect/build-env-exists", format!("there is a build environment `{}` already", env.name()))
                            .help("change it with `inspect build-env modify`, or add the new one to another `--profile`"),
                    ]);
                }
                self.write(*env, fields.clone(), index)?;
                profile.as_ref().map_or(Ok(()), |profile| self.activate(profile))
            }
            Change::ModifyBuildEnv { env, fields, profile, strict } => {
                let index = profile.as_ref().map(|profile| self.profile(profile));
                // Another module may have the profile.
                if index == Some(None) {
                    return Ok(());
                }
                let index = index.flatten();
                let Some(mut all) = self.fields_of(*env, index) else {
                    let what = format!("there is no build environment `{}` to modify", env.name());
                    let error = self.error("inspect/build-env-type", what).help("make it with `inspect build-env add`");
                    return if *strict { Err(vec![error]) } else { Ok(()) };
                };
                all.extend(fields.clone());
                self.write(*env, all, index)
            }
        }
    }

    /// Returns what a build environment has, if it is there.
    fn fields_of(&self, env: BuildEnv, profile: Option<usize>) -> Option<Fields> {
        let document = self.document()?;
        let pipeline = match profile {
            Some(index) => document.get("profiles")?.as_list()?.get(index)?,
            None => document,
        };
        match pipeline.get("build")?.get(env.name())?.to_json() {
            Json::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Writes a build environment, and takes the others away.
    fn write(&mut self, env: BuildEnv, fields: Fields, profile: Option<usize>) -> Result<(), Vec<Diagnostic>> {
        let above: Vec<Step<'_>> = profile.map(|index| vec![Key("profiles"), Item(index)]).unwrap_or_default();
        let path = |env: BuildEnv| [above.as_slice(), &[Key("build"), Key(env.name())]].concat();
        self.set(&path(env), Some(Json::Object(fields)))?;
        let others = [BuildEnv::Local, BuildEnv::GoogleCloudBuild, BuildEnv::Cluster].into_iter().filter(|other| *other != env);
        for other in others {
            let pipeline = match profile {
                Some(index) => self.document().and_then(|document| document.get("profiles")?.as_list()?.get(index)),
                None => self.document(),
            };
            if pipeline.and_then(|pipeline| pipeline.get("build")?.get(other.name())).is_some() {
                self.set(&path(other), None)?;
            }
        }
        Ok(())
    }

    /// Lets a profile activate the one of the same name in the modules that are required by path.
    fn activate(&mut self, profile: &str) -> Result<(), Vec<Diagnostic>> {
        let requires = self.document().and_then(|document| document.get("requires")).map(Node::to_json);
        for (index, entry) in requires.as_ref().and_then(Json::as_array).into_iter().flatten().enumerate() {
            if ["git", "googleCloudStorage", "googleCloudBuildRepoV2"].iter().any(|remote| entry[remote].is_object()) {
                continue;
            }
            let profiles = entry["activeProfiles"].as_array();
            let known = profiles.and_then(|profiles| profiles.iter().position(|known| known["name"] == profile));
            let path = [Key("requires"), Item(index), Key("activeProfiles")];
            match known {
                None => {
                    self.set(&[path.as_slice(), &[Push]].concat(), Some(json!({ "name": profile, "activatedBy": [profile] })))?;
                }
                Some(at) => {
                    let by = entry["activeProfiles"][at]["activatedBy"].as_array();
                    // One that names nothing is always active.
                    if by.is_some_and(|by| !by.is_empty() && !by.contains(&profile.into())) {
                        self.set(&[path.as_slice(), &[Item(at), Key("activatedBy"), Push]].concat(), Some(profile.into()))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn error(&self, code: &'static str, what: String) -> Diagnostic {
        match self.document() {
            Some(document) => document.span.error(code, what),
            None => Diagnostic::error(code, what),
        }
    }
}
