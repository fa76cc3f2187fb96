//! From files to documents: where the configuration is, and what is asked of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Plan;
use devloop_model::Platform;
use devloop_model::Severity;

use crate::ConfigError;
use crate::FetchRepo;
use crate::ModuleOptions;
use crate::NoFetch;
use crate::Node;
use crate::ProfileOptions;
use crate::Source;
use crate::check;
use crate::decode::decode;
use crate::defaults;
use crate::loaded::Loaded;
use crate::modules;
use crate::modules::Ahead;
use crate::modules::Parsed;
use crate::modules::clean;
use crate::parse_documents;
use crate::plan;
use crate::schema::shape;
use crate::schema::shape::Completeness;
use crate::unsupported;
use crate::upgrade;
use crate::upgrade::Version;

/// A larger file is none of configuration: `/dev/zero` has no end.
const MAX_BYTES: u64 = 4 << 20;

/// Names of the file that is looked for where none is given.
pub const FILE_NAMES: [&str; 3] = ["skaffold.yaml", "skaffold.yml", "devloop.yaml"];

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

/// Texts of files that an editor has and the disk does not, by their absolute paths.
pub type Unsaved = BTreeMap<PathBuf, Arc<str>>;

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
    /// What stands for the content of files that are read.
    pub unsaved: Arc<Unsaved>,
    /// `--platform`: instead of `build.platforms`.
    pub platforms: Vec<Platform>,
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
            unsaved: Arc::default(),
            platforms: Vec::new(),
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
        ConfigSource::Text { name, text } => source(Path::new(name), text),
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
    if let Some(url) = file.to_str().filter(|name| name.starts_with("http://") || name.starts_with("https://")) {
        return Err(Diagnostic::error("config/url", format!("configurations are not downloaded: {url}"))
            .help("pipe it in: `curl -fsSL URL | devloop COMMAND -f -`"));
    }
    let fault = |code, what: &str| Diagnostic::error(code, format!("{what} {}", file.display()));
    if path.is_dir() {
        return Err(Diagnostic::error("config/is-directory", format!("{} is a directory, not a configuration file", file.display()))
            .help(format!("use `--filename {}`", file_in(cwd, file).display())));
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => fault("config/no-file", "there is no file").help("check the path given with `--filename`"),
        _ => fault("config/unreadable", "cannot read").because(error.to_string()),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        fault("config/not-utf8", "this is not UTF-8 text:").because(format!("line {line} has a byte that UTF-8 does not allow"))
    })?;
    source(file, &text)
}

fn source(file: &Path, text: &str) -> Result<Arc<Source>, Diagnostic> {
    if text.len() as u64 > MAX_BYTES {
        let what = format!("{} is larger than {} MiB, which no configuration is", file.display(), MAX_BYTES >> 20);
        return Err(Diagnostic::error("config/too-large", what));
    }
    Ok(Source::new(file, text.strip_prefix('\u{feff}').unwrap_or(text)))
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
pub(crate) fn documents(source: &Arc<Source>) -> Parsed {
    let mut documents = parsed(source)?;
    let mut diagnostics = Vec::new();
    for document in &mut documents {
        match upgrade::version(document) {
            Ok(version) => diagnostics.extend(upgraded(document, version, version.newest())),
            Err(fault) => diagnostics.push(fault),
        }
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.at.as_ref().map(|at| (at.line, at.column)));
    diagnostics.dedup();
    split(diagnostics).map(|warnings| (documents, warnings))
}

/// Returns the documents of a file as they are written; at least one.
///
/// # Errors
/// When it is empty, and everything that is wrong with its syntax.
pub(crate) fn parsed(source: &Arc<Source>) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let documents = parse_documents(source)?;
    if documents.is_empty() {
        let error = Diagnostic::error("config/empty", format!("{} is empty", source.file.display()));
        return Err(vec![error.help("start it with `apiVersion: skaffold/v4beta14` and `kind: Config`")]);
    }
    Ok(documents)
}

/// Brings a document from one version to another, and returns what is wrong with its shape in either, and what there is to say.
pub(crate) fn upgraded(document: &mut Node, from: Version, to: Version) -> Vec<Diagnostic> {
    // What a profile adds is missing only after it was applied.
    let completeness = if document.get("profiles").is_some() { Completeness::BeforeProfiles } else { Completeness::Whole };
    let mut faults = shape::faults(document, from, completeness);
    // Where it is going they have their place.
    faults.retain(|fault| to != Version::LATEST || fault.code != shape::OWN_FIELD);
    if from != to && faults.iter().all(|fault| fault.severity != Severity::Error) {
        faults.extend(upgrade::upgrade(document, from, to));
        // What a step left where it was has no place in the newer version.
        faults.extend(shape::faults(document, to, completeness));
    }
    faults
}

/// Leaves one of those that say the same of the same place: what an alias stands for is looked at once for each alias.
pub(crate) fn once_each(diagnostics: &mut Vec<Diagnostic>) {
    let mut seen = std::collections::HashSet::new();
    diagnostics.retain(|diagnostic| {
        let place = diagnostic.at.as_ref().map(|at| (at.file.clone(), at.line, at.column));
        seen.insert((diagnostic.code.clone(), diagnostic.what.clone(), place))
    });
}

/// Returns the warnings, or everything if there is an error among them.
pub(crate) fn split(diagnostics: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
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
    let read = |file: &Path| match options.unsaved.get(&modules::clean(&options.cwd.join(file))) {
        Some(text) => self::source(file, text),
        None => read(file, &options.cwd),
    };
    let source = if let ConfigSource::File(file) = root { read(file) } else { read_root(root, &options.cwd) };
    let source = source.map_err(|error| vec![error])?;
    let noticed = RefCell::new((Vec::new(), Vec::new()));
    let understand = |source: &Arc<Source>| {
        let mut noticed = noticed.borrow_mut();
        noticed.0.push(options.cwd.join(&source.file));
        let (documents, warnings) = documents(source)?;
        noticed.1.extend(warnings);
        Ok::<_, Vec<Diagnostic>>(documents)
    };
    let root_documents = match understand(&source) {
        Ok(documents) => documents,
        Err(mut faults) => {
            // What it requires by path may have faults as well; nothing is fetched for a file that has to be mended first.
            let documents = parse_documents(&source).unwrap_or_default();
            faults.extend(Ahead::read((&source.file, &documents), &options.cwd, &read, &NoFetch).faults());
            return Err(faults);
        }
    };
    let ahead = Ahead::read((&source.file, &root_documents), &options.cwd, &read, fetch);
    let read_file = |file: &Path| {
        let key = options.cwd.join(file);
        let parsed = ahead.take(&clean(&key));
        let parsed = parsed.unwrap_or_else(|| read(file).map_err(|error| vec![error]).and_then(|source| documents(&source)));
        let mut noticed = noticed.borrow_mut();
        noticed.0.push(key);
        let (documents, warnings) = parsed?;
        noticed.1.extend(warnings);
        Ok(documents)
    };
    let collected = modules::collect((source.file.clone(), root_documents), &options.for_modules(), &read_file, &ahead);
    let is_alone = collected.modules.len() == 1;
    let is_whole = collected.errors.is_empty();
    let mut faults = collected.errors;
    if !is_whole {
        faults.extend(ahead.faults());
    }
    let mut loaded = Vec::new();
    for mut module in collected.modules {
        if !module.active_profiles.is_empty() {
            let version = upgrade::version(&module.document).unwrap_or(Version::LATEST);
            faults.extend(shape::faults(&module.document, version, Completeness::Whole));
        }
        defaults::fill(&mut module.document, is_alone);
        match decode(&module.document) {
            Ok(config) => loaded.push(Loaded { module, config }),
            // A fault of its shape was found before this one.
            Err(_) if faults.iter().any(|fault| fault.severity == Severity::Error) => {}
            Err(fault) => faults.push(fault),
        }
    }
    let (mut files, mut warnings) = noticed.take();
    if matches!(root, ConfigSource::Text { .. }) {
        files.remove(0);
    }
    warnings.extend(collected.warnings);
    if !is_whole {
        if loaded.len() <= MANY {
            faults.extend(of_some(&loaded, options));
        }
        faults.append(&mut warnings);
        return Err(faults);
    }
    warnings.extend(split(faults)?);
    once_each(&mut warnings);
    Ok(Configuration { modules: loaded, files, warnings })
}

/// Of more modules than this, what is wrong with them is told once they are all there.
const MANY: usize = 200;

/// Returns what is wrong with modules that are not all: what others may mend is left out.
fn of_some(modules: &[Loaded], options: &Options) -> Vec<Diagnostic> {
    let mut faults = check::faults(modules);
    faults.extend(plan::plan(modules, options).err().into_iter().flatten());
    let of_others = ["config/unknown-artifact", "config/unknown-image"];
    faults.retain(|fault| fault.severity == Severity::Error && !of_others.contains(&fault.code.as_ref()));
    faults.sort_by_key(|fault| fault.at.as_ref().map(|at| (at.file.clone(), at.line, at.column)));
    faults
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
    let plan = plan::plan(&modules, options);
    if let Err(faults) = &plan {
        diagnostics.extend(faults.iter().cloned());
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.at.as_ref().map(|at| (at.file.clone(), at.line, at.column)));
    once_each(&mut diagnostics);
    let noticed = split(diagnostics)?;
    let plan = plan?;
    Ok(Plan { files, warnings: warnings.into_iter().chain(noticed).collect(), ..plan })
}

#[cfg(test)]
mod tests;
