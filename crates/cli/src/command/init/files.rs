//! The files that `init` writes.

use std::fmt;
use std::path::PathBuf;

use devloop_config::ConfigSource as Source;
use devloop_config::NoFetch;
use devloop_config::Options;
use devloop_init::Outcome;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Severity;
use std::path::Path;

use crate::output;
use crate::settings::ConfigSource;

/// The file that a configuration is written into where none is named.
const USUAL: &str = "skaffold.yaml";
/// Files that would be read in its place, or that it would stand before.
const FOUND: [&str; 3] = [USUAL, "skaffold.yml", "devloop.yaml"];

/// Where the configuration goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Nowhere but the terminal.
    Stdout,
    /// Where it will be looked for.
    Usual,
    /// Into the file that was named.
    Named(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path().display())
    }
}

impl Target {
    /// Returns where a configuration goes that is to be found there.
    pub(super) fn of(source: &ConfigSource) -> Self {
        match source {
            ConfigSource::Found => Self::Usual,
            ConfigSource::Stdin => Self::Stdout,
            ConfigSource::Path(path) => Self::Named(path.clone()),
        }
    }

    /// Fails if there is a configuration already, in the words that Skaffold has for it.
    ///
    /// # Errors
    /// If there is one.
    pub(super) fn refuse_existing(&self) -> Result<(), Diagnostic> {
        let existing = match self {
            Self::Stdout => None,
            Self::Usual => FOUND.into_iter().map(PathBuf::from).find(|path| path.exists()),
            Self::Named(path) => Some(path.clone()).filter(|path| path.exists()),
        };
        let Some(path) = existing else { return Ok(()) };
        Err(Diagnostic::error("init/exists", format!("pre-existing {} found (you may continue with --force)", path.display())))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("-"),
            Self::Usual => FOUND.into_iter().map(Path::new).find(|path| path.exists()).unwrap_or(Path::new(USUAL)),
            Self::Named(path) => path,
        }
    }
}

/// Writes the files, and returns what is to be said of them.
///
/// # Errors
/// When one cannot be written.
pub(super) fn write(outcome: &Outcome, target: &Target) -> Result<String, Diagnostic> {
    let mut said = Vec::new();
    for file in &outcome.files {
        output::to_file(Path::new(&file.path), &file.text)?;
        said.push(format!("Generated manifest {} was written\n", file.path));
    }
    output::to_file(target.path(), &outcome.config)?;
    said.push(format!("Configuration {target} was written\n"));
    let flag = if let Target::Named(path) = target { format!(" -f {}", path.display()) } else { String::new() };
    said.push(format!(
        "`devloop build{flag}` builds the images, `devloop run{flag}` deploys them, `devloop dev{flag}` does so for every save\n"
    ));
    Ok(said.concat())
}

/// Returns what `run` would say of the configuration: an image may have a builder that this version does not have.
pub(super) fn faults(target: &Target, env: &Env) -> Vec<Diagnostic> {
    let options = Options::new("run", std::env::current_dir().unwrap_or_default(), env.clone());
    let faults = devloop_config::load(&Source::File(target.path().to_owned()), &options, &NoFetch).err().map(|error| error.diagnostics);
    let mut faults = faults.unwrap_or_default();
    for fault in &mut faults {
        fault.severity = Severity::Warning;
    }
    faults
}
