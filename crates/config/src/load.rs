//! From files to documents: where the configuration is, and what is asked of it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_model::Diagnostic;
use devloop_model::Env;

use crate::Node;
use crate::Source;
use crate::parse_documents;

/// Names of the file that is looked for where none is given.
pub(crate) const FILE_NAMES: [&str; 3] = ["skaffold.yaml", "skaffold.yml", "devloop.yaml"];

/// Where the root configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// In a file: `-f`.
    File(PathBuf),
    /// In a text that was read already: standard input.
    Text {
        /// What to call it in diagnostics: `<stdin>`.
        name: String,
        /// The text.
        text: String,
    },
    /// In the first of `skaffold.yaml`, `skaffold.yml` and `devloop.yaml` that the working directory has.
    Search,
}

/// What the command line and the environment say about the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// The command that is run: `run`, `build`; profiles are activated by it.
    pub command: String,
    /// The directory that relative paths of the root configuration start from: an absolute path.
    pub cwd: PathBuf,
    /// The environment.
    pub env: Env,
    /// `-p`; a name that starts with `-` switches a profile off.
    pub profiles: Vec<String>,
    /// Whether profiles are activated by their `activation` rules.
    pub profile_auto_activation: bool,
    /// Whether `-p` also holds in modules that others require.
    pub propagate_profiles: bool,
    /// The Kubernetes context in use, where one is known: profiles are activated by it.
    pub kube_context: Option<String>,
    /// `--kube-context`, if it is given: it wins over `deploy.kubeContext`.
    pub kube_context_is_forced: bool,
    /// `-m`: only these modules, and what they require.
    pub modules: Vec<String>,
    /// `--tag`: instead of every tagger.
    pub tag: Option<String>,
    /// Whether `test` is left out on purpose.
    pub skip_tests: bool,
}

impl Options {
    /// Returns what holds where the command line says nothing else.
    pub fn new(command: impl Into<String>, cwd: impl Into<PathBuf>, env: Env) -> Self {
        Self {
            command: command.into(),
            cwd: cwd.into(),
            env,
            profiles: Vec::new(),
            profile_auto_activation: true,
            propagate_profiles: true,
            kube_context: None,
            kube_context_is_forced: false,
            modules: Vec::new(),
            tag: None,
            skip_tests: false,
        }
    }
}

/// Returns the text of the root configuration.
///
/// # Errors
/// When there is no such file, or it cannot be read.
pub(crate) fn read_root(root: &ConfigSource, cwd: &Path) -> Result<Arc<Source>, Diagnostic> {
    match root {
        ConfigSource::Text { name, text } => Ok(Source::new(name, text.as_str())),
        ConfigSource::File(file) => read(file, cwd),
        ConfigSource::Search => match FILE_NAMES.iter().find(|name| cwd.join(name).exists()) {
            Some(name) => read(Path::new(name), cwd),
            None => Err(Diagnostic::error("config/no-file", format!("there is no skaffold.yaml in {}", cwd.display()))
                .help("go to the project's directory, or name the file with `--filename`")),
        },
    }
}

/// Returns the text of `file`, relative to `cwd`; its name in diagnostics stays as written.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(file: &Path, cwd: &Path) -> Result<Arc<Source>, Diagnostic> {
    let path = cwd.join(file);
    let fault = |code, what: &str| Diagnostic::error(code, format!("{what} {}", file.display()));
    if path.is_dir() {
        let inside = FILE_NAMES.iter().find(|name| path.join(name).is_file()).unwrap_or(&FILE_NAMES[0]);
        return Err(Diagnostic::error("config/is-directory", format!("{} is a directory, not a configuration file", file.display()))
            .help(format!("use `--filename {}`", file.join(inside).display())));
    }
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => fault("config/no-file", "there is no file").help("check the path given with `--filename`"),
        _ => fault("config/unreadable", "cannot read").because(error.to_string()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        fault("config/not-utf8", "this is not UTF-8 text:").because(format!("line {line} has a byte that UTF-8 does not allow"))
    })?;
    Ok(Source::new(file, text.strip_prefix('\u{feff}').unwrap_or(&text)))
}

/// Returns the documents of a file, in the latest version of the schema.
///
/// # Errors
/// Everything that is wrong with their syntax or version.
pub(crate) fn documents(source: &Arc<Source>) -> Result<Vec<Node>, Vec<Diagnostic>> {
    parse_documents(source)
}
