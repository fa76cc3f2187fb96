//! Files of structure tests: the format of container-structure-test, version 2.0.0, in YAML or JSON
//! (<https://github.com/GoogleContainerTools/container-structure-test>, `pkg/types/v2`). What it does not know is an error,
//! as there.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::Location;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::pattern::Pattern;

/// The only version that is read.
const VERSION: &str = "2.0.0";

/// What has to be in an image.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct StructureFile {
    #[serde(rename = "schemaVersion")]
    _version: String,
    pub(super) global_env_vars: Vec<Variable>,
    pub(super) command_tests: Vec<CommandTest>,
    pub(super) file_existence_tests: Vec<ExistenceTest>,
    pub(super) file_content_tests: Vec<ContentTest>,
    pub(super) metadata_test: Option<MetadataTest>,
    pub(super) license_tests: Vec<Spanned<LicenseTest>>,
    pub(super) container_run_options: RunOptions,
}

/// A command, and what has to come of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CommandTest {
    pub(super) name: Spanned<String>,
    pub(super) command: String,
    #[serde(default)]
    pub(super) args: Vec<String>,
    #[serde(default)]
    pub(super) setup: Vec<Vec<String>>,
    /// Every command has a container of its own, which is gone afterwards: there is nothing to take down.
    #[serde(default, rename = "teardown")]
    _teardown: Vec<Vec<String>>,
    #[serde(default)]
    pub(super) env_vars: Vec<Variable>,
    #[serde(default)]
    pub(super) exit_code: i64,
    #[serde(default)]
    pub(super) expected_output: Vec<Pattern>,
    #[serde(default)]
    pub(super) excluded_output: Vec<Pattern>,
    #[serde(default)]
    pub(super) expected_error: Vec<Pattern>,
    #[serde(default)]
    pub(super) excluded_error: Vec<Pattern>,
}

/// A file that has to be there, or must not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExistenceTest {
    pub(super) name: Spanned<String>,
    pub(super) path: String,
    #[serde(default = "yes")]
    pub(super) should_exist: bool,
    /// As Go writes them: `-rw-r--r--`.
    #[serde(default)]
    pub(super) permissions: String,
    #[serde(default)]
    pub(super) uid: Option<u64>,
    #[serde(default)]
    pub(super) gid: Option<u64>,
    #[serde(default)]
    pub(super) is_executable_by: Option<Who>,
}

/// Who may run a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Who {
    Owner,
    Group,
    Other,
    Any,
}

/// What has to be in a file, or must not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ContentTest {
    pub(super) name: Spanned<String>,
    pub(super) path: String,
    #[serde(default)]
    pub(super) expected_contents: Vec<Pattern>,
    #[serde(default)]
    pub(super) excluded_contents: Vec<Pattern>,
}

/// What the configuration of the image has to say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct MetadataTest {
    pub(super) env_vars: Vec<Variable>,
    pub(super) unbound_env_vars: Vec<Variable>,
    pub(super) labels: Vec<Variable>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) exposed_ports: Vec<String>,
    pub(super) unexposed_ports: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) unmounted_volumes: Vec<String>,
    pub(super) workdir: String,
    pub(super) user: String,
}

/// A variable or label, and its value or what its value has to match.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Variable {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
    #[serde(default)]
    pub(super) is_regex: bool,
}

/// Licences are not looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LicenseTest {
    #[serde(default, rename = "debian")]
    _debian: bool,
    #[serde(default, rename = "files")]
    _files: Vec<String>,
}

/// How the containers of commands run.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RunOptions {
    pub(super) user: String,
    pub(super) privileged: bool,
    pub(super) allocate_tty: bool,
    /// Names of variables of devloop's own environment.
    pub(super) env_vars: Vec<String>,
    pub(super) env_file: Option<PathBuf>,
    pub(super) capabilities: Vec<String>,
    pub(super) bind_mounts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versioned {
    schema_version: Option<Spanned<String>>,
}

fn yes() -> bool {
    true
}

/// A file of structure tests with its name and text, for the places of what is in it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) name: PathBuf,
    text: String,
    pub(super) file: StructureFile,
}

impl Read {
    /// Returns the place of a value of the file.
    pub(super) fn at(&self, place: serde_saphyr::Location) -> Location {
        location(&self.name, &self.text, &place)
    }
}

/// Returns what the file at `path` says; `name` is what the user calls it.
///
/// # Errors
/// When it cannot be read, is of another version, or says what no test can say.
pub(super) fn read(path: &Path, name: PathBuf) -> Result<Read, Diagnostic> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Diagnostic::error("test/unreadable", format!("the structure tests in {} cannot be read", name.display())).because(error.to_string())
    })?;
    let file = parse(&name, &text)?;
    Ok(Read { name, text, file })
}

fn parse(name: &Path, text: &str) -> Result<StructureFile, Diagnostic> {
    let wrong = |error: &serde_saphyr::Error| {
        let what = format!("{} is no valid file of structure tests", name.display());
        let diagnostic = Diagnostic::error("test/invalid-file", what).because(message(error));
        match error.location() {
            Some(place) => diagnostic.at(location(name, text, &place)),
            None => diagnostic,
        }
    };
    let version: Versioned = serde_saphyr::from_str(text).map_err(|error| wrong(&error))?;
    let unversioned = |what: String| Diagnostic::error("test/unknown-version", what).help(format!("write `schemaVersion: {VERSION}`"));
    match version.schema_version {
        None => {
            let error = unversioned(format!("{} does not say its `schemaVersion`", name.display()));
            Err(error.at(location(name, text, &serde_saphyr::Location::UNKNOWN)))
        }
        Some(version) if version.value != VERSION => {
            let what = format!("`{}` is no version of structure tests that this version of devloop reads", version.value);
            Err(unversioned(what).at(location(name, text, &version.referenced)))
        }
        Some(_) => serde_saphyr::from_str(text).map_err(|error| wrong(&error)),
    }
}

/// Returns what is wrong, without the place, which the diagnostic has.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    let end = text.find(" at line ").unwrap_or(text.len());
    match &text[..end] {
        "invalid u64" | "invalid i64" => "expected a whole number".to_owned(),
        text => text.trim_start_matches("error: ").to_owned(),
    }
}

fn location(name: &Path, text: &str, place: &serde_saphyr::Location) -> Location {
    let line = usize::try_from(place.line()).unwrap_or_default().max(1);
    Location {
        file: name.to_owned(),
        line,
        column: usize::try_from(place.column()).unwrap_or_default().max(1),
        text: text.lines().nth(line - 1).unwrap_or_default().to_owned(),
        width: 1,
        label: None,
    }
}

#[cfg(test)]
mod tests;
