//! From files to documents: where the configuration is, and what is asked of it.

use std::cell::RefCell;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Plan;
use devloop_model::Severity;

use crate::ConfigError;
use crate::FetchRepo;
use crate::ModuleOptions;
use crate::Node;
use crate::ProfileOptions;
use crate::Source;
use crate::check;
use crate::decode::decode;
use crate::defaults;
use crate::loaded::Loaded;
use crate::modules;
use crate::parse_documents;
use crate::plan;
use crate::schema::shape;
use crate::schema::shape::Completeness;
use crate::unsupported;
use crate::upgrade;

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
    /// As [`ConfigSource::Search`], or nowhere: there is an empty one then.
    SearchOrNone,
}

/// What the command line and the environment say about the configuration.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of the command line")]
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

    /// Returns whether the command tests what it builds.
    fn runs_tests(&self) -> bool {
        matches!(self.command.as_str(), "run" | "dev" | "debug")
    }

    fn for_modules(&self) -> ModuleOptions {
        ModuleOptions {
            profiles: ProfileOptions {
                named: self.profiles.clone(),
                auto_activation: self.profile_auto_activation,
                command: self.command.clone(),
                kube_context: self.kube_context.clone(),
                kube_context_is_forced: self.kube_context_is_forced,
                env: self.env.clone(),
            },
            propagate_profiles: self.propagate_profiles,
            modules: self.modules.clone(),
            cwd: self.cwd.clone(),
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
        ConfigSource::SearchOrNone if !FILE_NAMES.iter().any(|name| cwd.join(name).exists()) => {
            Ok(Source::new("<none>", "apiVersion: skaffold/v4beta14\nkind: Config\n"))
        }
        ConfigSource::Search | ConfigSource::SearchOrNone => match FILE_NAMES.iter().find(|name| cwd.join(name).exists()) {
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
        return Err(Diagnostic::error("config/is-directory", format!("{} is a directory, not a configuration file", file.display()))
            .help(format!("use `--filename {}`", file_in(cwd, file).display())));
    }
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => fault("config/no-file", "there is no file").help("check the path given with `--filename`"),
        _ => fault("config/unreadable", "cannot read").because(error.to_string()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        fault("config/not-utf8", "this is not UTF-8 text:").because(format!("line {line} has a byte that UTF-8 does not allow"))
    })?;
    Ok(Source::new(file, text.strip_prefix('\u{feff}').unwrap_or(&text)))
}

/// Returns the configuration file that `path`, a file or a directory, stands for.
pub(crate) fn file_in(cwd: &Path, path: &Path) -> PathBuf {
    if !cwd.join(path).is_dir() {
        return path.to_owned();
    }
    path.join(FILE_NAMES.iter().find(|name| cwd.join(path).join(name).is_file()).unwrap_or(&FILE_NAMES[0]))
}

/// Returns the documents of a file, in the latest version of the schema, and what was noticed in them.
///
/// # Errors
/// Everything that is wrong with their syntax, version and shape.
fn documents(source: &Arc<Source>) -> Result<(Vec<Node>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut documents = parse_documents(source)?;
    if documents.is_empty() {
        let error = Diagnostic::error("config/empty", format!("{} is empty", source.file.display()));
        return Err(vec![error.help("start it with `apiVersion: skaffold/v4beta14` and `kind: Config`")]);
    }
    let mut diagnostics = Vec::new();
    for document in &mut documents {
        let version = match upgrade::version(document) {
            Ok(version) => version,
            Err(fault) => {
                diagnostics.push(fault);
                continue;
            }
        };
        upgrade::upgrade(document, version);
        // What a profile adds is missing only after it was applied.
        let completeness = if document.get("profiles").is_some() { Completeness::BeforeProfiles } else { Completeness::Whole };
        diagnostics.extend(shape::faults(document, version, completeness));
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.at.as_ref().map(|at| (at.line, at.column)));
    diagnostics.dedup();
    split(diagnostics).map(|warnings| (documents, warnings))
}

/// Returns the warnings, or everything if there is an error among them.
fn split(diagnostics: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let has_error = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    if has_error { Err(diagnostics) } else { Ok(diagnostics) }
}

/// All modules, with profiles and defaults worked in.
pub(crate) struct Configuration {
    pub(crate) modules: Vec<Loaded>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Returns the modules of a configuration, dependencies first, checked against the schema.
///
/// # Errors
/// Everything wrong with their files, syntax, versions, shapes, profiles and requirements.
pub(crate) fn modules(root: &ConfigSource, options: &Options, fetch: &dyn FetchRepo) -> Result<Configuration, Vec<Diagnostic>> {
    let source = read_root(root, &options.cwd).map_err(|error| vec![error])?;
    let noticed = RefCell::new((Vec::new(), Vec::new()));
    let understand = |source: &Arc<Source>| {
        let mut noticed = noticed.borrow_mut();
        noticed.0.push(options.cwd.join(&source.file));
        let (documents, warnings) = documents(source)?;
        noticed.1.extend(warnings);
        Ok(documents)
    };
    let read_file = |file: &Path| understand(&read(file, &options.cwd).map_err(|error| vec![error])?);
    let documents = understand(&source)?;
    let found = modules::collect((source.file.clone(), documents), &options.for_modules(), &read_file, fetch)?;
    let is_alone = found.len() == 1;
    let mut faults = Vec::new();
    let mut loaded = Vec::new();
    for mut module in found {
        if !module.active_profiles.is_empty() {
            faults.extend(shape::faults(&module.document, upgrade::LATEST, Completeness::Whole));
        }
        defaults::fill(&mut module.document, is_alone);
        match decode(&module.document) {
            Ok(config) => loaded.push(Loaded { module, config }),
            // A fault of its shape was found before this one.
            Err(_) if faults.iter().any(|fault| fault.severity == Severity::Error) => {}
            Err(fault) => faults.push(fault),
        }
    }
    let shape_warnings = split(faults)?;
    let (mut files, mut warnings) = noticed.into_inner();
    if matches!(root, ConfigSource::Text { .. }) {
        files.remove(0);
    }
    warnings.extend(shape_warnings);
    warnings.dedup();
    Ok(Configuration { modules: loaded, files, warnings })
}

/// Returns the plan of a configuration: what `options.command` is to do.
///
/// # Errors
/// Everything wrong with it that can be told without building or deploying, a field that this version does not act on included.
pub fn load(root: &ConfigSource, options: &Options, fetch: &dyn FetchRepo) -> Result<Plan, ConfigError> {
    let Configuration { modules, files, warnings } = modules(root, options, fetch)?;
    let mut diagnostics = check::faults(&modules);
    if !options.skip_tests && options.runs_tests() {
        diagnostics.extend(check::tests_of_no_artifact(&modules));
    }
    for module in &modules {
        diagnostics.extend(unsupported::diagnostics(module, &options.command));
    }
    diagnostics.extend(unsupported::synced_bases(&modules, &options.command));
    diagnostics.extend(unsupported::synced_containers(&modules, &options.command));
    let plan = plan::plan(&modules, options);
    if let Err(faults) = &plan {
        diagnostics.extend(faults.iter().cloned());
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.at.as_ref().map(|at| (at.file.clone(), at.line, at.column)));
    diagnostics.dedup();
    let noticed = split(diagnostics)?;
    let plan = plan?;
    Ok(Plan { files, warnings: warnings.into_iter().chain(noticed).collect(), ..plan })
}

#[cfg(test)]
mod tests;
