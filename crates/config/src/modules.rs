//! Modules: the documents of the root file, and those that they require from other files and repositories.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;

use devloop_model::Diagnostic;

use crate::Node;
use crate::Span;
use crate::profile;
use crate::profile::ProfileOptions;
use crate::profile::items;

mod ahead;
mod requirement;

pub(crate) use ahead::Ahead;
pub(crate) use ahead::Parsed;

use requirement::Place;
use requirement::Requirement;

/// A module in a git repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitSource {
    /// The address of the repository.
    pub repo: String,
    /// The branch, tag or commit; none for the default branch.
    pub reference: Option<String>,
    /// Whether a copy that is there may be brought up to date, if `--sync-remote-cache` says so; yes where this says nothing.
    pub sync: Option<bool>,
}

/// Brings repositories to this machine; the configuration itself opens no connection.
pub trait FetchRepo: Sync {
    /// Returns the directory of the work tree, or what went wrong (the place in the file is added to it).
    ///
    /// # Errors
    /// When the repository or its reference cannot be had.
    fn fetch(&self, repo: &GitSource) -> Result<PathBuf, Diagnostic>;
}

/// Refuses every repository, for commands that may not use the network.
#[derive(Debug, Clone, Copy)]
pub struct NoFetch;

impl FetchRepo for NoFetch {
    fn fetch(&self, repo: &GitSource) -> Result<PathBuf, Diagnostic> {
        Err(Diagnostic::error(
            "config/fetch-off",
            format!("cannot fetch `{}`: this command works without the network", devloop_model::without_credentials(&repo.repo)),
        ))
    }
}

/// Modules that require one another more often in a row are refused: they are walked by recursion.
const MAX_DEPTH: usize = 100;

/// What is asked of the modules.
#[derive(Debug, Clone)]
pub struct ModuleOptions {
    /// What decides which profiles are active; its names are those of `-p`.
    pub profiles: ProfileOptions,
    /// Whether `-p` also holds in modules that others require.
    pub propagate_profiles: bool,
    /// `-m`: only these modules, and what they require; empty for all.
    pub modules: Vec<String>,
    /// The directory that relative paths of the root file start from: an absolute path.
    pub cwd: PathBuf,
}

/// One document, with its profiles worked in.
#[derive(Debug)]
pub struct ModuleDocument {
    /// `metadata.name`.
    pub name: Option<String>,
    /// The file that it stands in, as the user would write it.
    pub file: PathBuf,
    /// Its place among the documents of that file, from 0.
    pub index: usize,
    /// The directory that its relative paths start from, absolute: the working directory for the root file, the file's own for others.
    pub dir: PathBuf,
    /// Whether it stands in the root file.
    pub is_root: bool,
    /// Whether it came from a repository.
    pub is_remote: bool,
    /// The document, without `profiles`.
    pub document: Node,
    /// Its active profiles, in the order they were applied.
    pub active_profiles: Vec<String>,
    /// What it says in `profiles`.
    pub profiles: Option<Node>,
}

/// Reads the documents of a file: relative paths start at the working directory.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<Vec<Node>, Vec<Diagnostic>>;

/// Returns the modules to work on, each after those that it requires, and each once, and what was noticed; a circle of requirements ends
/// where it meets itself.
///
/// `root` is the root file and its documents, in the latest version of the schema. Facts: `pkg/skaffold/parser/config.go` of Skaffold.
///
/// Wrong may be: a file that is not there or does not parse, two modules of one name, an unknown module or profile, a module required with
/// different profiles, a source that this version cannot fetch. The other modules are there all the same.
pub(crate) fn collect(root: (PathBuf, Vec<Node>), options: &ModuleOptions, read: ReadFile<'_>, fetch: &dyn FetchRepo) -> Collected {
    let mut collector = Collector {
        options,
        read,
        fetch,
        files: BTreeMap::new(),
        repos: BTreeMap::new(),
        places: BTreeMap::new(),
        visited: BTreeMap::new(),
        seen: BTreeSet::new(),
        known_profiles: BTreeSet::new(),
        errors: Vec::new(),
        warnings: Vec::new(),
        modules: Vec::new(),
    };
    let (file, documents) = root;
    let key = absolute(&options.cwd, &file);
    collector.remember(&key, documents);
    let visit = Visit {
        key,
        file,
        selection: Vec::new(),
        profiles: options.profiles.named.clone(),
        is_required: false,
        asked_at: None,
        is_dependency: false,
        tree: None,
        depth: 0,
    };
    collector.visit_file(&visit);
    collector.finish()
}

/// What was collected.
pub(crate) struct Collected {
    /// The modules, each after those that it requires.
    pub(crate) modules: Vec<ModuleDocument>,
    /// What was noticed.
    pub(crate) warnings: Vec<Diagnostic>,
    /// What is wrong.
    pub(crate) errors: Vec<Diagnostic>,
}

/// One walk into a file.
#[derive(Clone)]
struct Visit {
    /// The file, absolute: what it is known by.
    key: PathBuf,
    /// The file, as the user would write it.
    file: PathBuf,
    /// Names to take; empty for all.
    selection: Vec<String>,
    /// Names of profiles to activate.
    profiles: Vec<String>,
    /// Whether a module that is wanted requires this one.
    is_required: bool,
    /// What asks for it; none for the root file.
    asked_at: Option<Span>,
    is_dependency: bool,
    /// The work tree of the repository that it is in.
    tree: Option<PathBuf>,
    /// How many modules lead to it.
    depth: usize,
}

/// What an earlier walk into a module found: the file, the place in it, and whether it was required then.
type VisitKey = (PathBuf, usize, bool);

struct Collector<'a> {
    options: &'a ModuleOptions,
    read: ReadFile<'a>,
    fetch: &'a dyn FetchRepo,
    /// Documents by file; none if it could not be read, which was reported.
    files: BTreeMap<PathBuf, Option<Rc<[Node]>>>,
    /// Work trees by repository; none if it could not be fetched, which was reported.
    repos: BTreeMap<GitSource, Option<PathBuf>>,
    /// Where each name was seen first.
    places: BTreeMap<String, (PathBuf, Node)>,
    visited: BTreeMap<VisitKey, Vec<String>>,
    /// Walks that were done already, with the profiles that were asked for.
    seen: BTreeSet<(PathBuf, usize, bool, Vec<String>)>,
    known_profiles: BTreeSet<String>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    modules: Vec<ModuleDocument>,
}

impl Collector<'_> {
    fn visit_file(&mut self, visit: &Visit) {
        let Some(documents) = self.documents(&visit.key, &visit.file) else { return };
        for (index, document) in documents.iter().enumerate() {
            let name = name_of(document);
            if visit.selection.is_empty() || name.as_ref().is_some_and(|name| visit.selection.contains(name)) {
                self.visit_module(visit, index, name, document);
            }
        }
    }

    fn visit_module(&mut self, visit: &Visit, index: usize, name: Option<String>, document: &Node) {
        let wanted = &self.options.modules;
        let is_required = visit.is_required || wanted.is_empty() || name.as_ref().is_some_and(|name| wanted.contains(name));
        let profiles = ProfileOptions { named: visit.profiles.clone(), ..self.options.profiles.clone() };
        if !self.seen.insert((visit.key.clone(), index, is_required, visit.profiles.clone())) {
            return;
        }
        let applied = match profile::apply(document.clone(), &profiles) {
            Ok(applied) => applied,
            Err(errors) => return self.report(errors),
        };
        let mut active = applied.active.clone();
        active.sort();
        if let Some(before) = self.visited.insert((visit.key.clone(), index, is_required), active.clone()) {
            if before != active {
                let what = format!("{} is required twice, with different profiles", described(name.as_ref(), index));
                let why = format!("once with {}, once with {}", listed(&before), listed(&active));
                let place = visit.asked_at.as_ref().unwrap_or(&document.span);
                let error = place.error("config/profile-conflict", what).because(why);
                self.report(vec![error.help("let every `requires` of it activate the same profiles")]);
            }
            return;
        }
        self.visit_requirements(visit, is_required, &applied.document, &active);
        if is_required {
            let dir = if visit.is_dependency { parent(&visit.key) } else { self.options.cwd.clone() };
            self.modules.push(ModuleDocument {
                name,
                file: visit.file.clone(),
                index,
                dir,
                is_root: !visit.is_dependency,
                is_remote: visit.tree.is_some(),
                document: applied.document,
                active_profiles: applied.active,
                profiles: applied.profiles,
            });
        }
    }

    fn visit_requirements(&mut self, visit: &Visit, is_required: bool, document: &Node, active: &[String]) {
        let Some(list) = document.get("requires") else { return };
        let entries = match items(list, "requires") {
            Ok(entries) => entries,
            Err(error) => return self.report(vec![error]),
        };
        for entry in entries {
            match Requirement::read(entry) {
                Ok(requirement) => self.visit_requirement(visit, is_required, &requirement, active),
                Err(error) => self.report(vec![error]),
            }
        }
    }

    fn visit_requirement(&mut self, from: &Visit, is_required: bool, requirement: &Requirement<'_>, active: &[String]) {
        let mut profiles = requirement.profiles(active);
        if self.options.propagate_profiles {
            for name in &self.options.profiles.named {
                if !profiles.contains(name) {
                    profiles.push(name.clone());
                }
            }
        }
        let Some((file, tree)) = self.find_file(from, requirement) else { return };
        if from.depth >= MAX_DEPTH {
            let what = format!("modules require one another more than {MAX_DEPTH} deep");
            return self.report(vec![requirement.span().error("config/requires-too-deep", what)]);
        }
        let key = absolute(&self.options.cwd, &file);
        let visit = Visit {
            is_dependency: from.is_dependency || key != from.key,
            tree,
            selection: requirement.names.clone(),
            key,
            file,
            profiles,
            is_required,
            asked_at: Some(requirement.span().clone()),
            depth: from.depth + 1,
        };
        self.check_selection(&visit, requirement);
        self.check_profiles(&visit, requirement);
        self.visit_file(&visit);
    }

    /// Returns the file that a requirement means, and the work tree that it is in.
    fn find_file(&mut self, from: &Visit, requirement: &Requirement<'_>) -> Option<(PathBuf, Option<PathBuf>)> {
        let (file, tree) = match &requirement.place {
            Place::SameFile => return Some((from.file.clone(), from.tree.clone())),
            Place::Path(path) => (clean(&parent(&from.file).join(path)), from.tree.clone()),
            Place::Git { source, path } => {
                let tree = self.work_tree(source, requirement)?;
                (clean(&tree.join(path)), Some(tree))
            }
        };
        if tree.as_ref().is_some_and(|tree| leaves(&self.options.cwd, tree, &file)) {
            let error = requirement.path_span().error("config/outside", format!("`{}` leads out of the repository", requirement.path()));
            let help = match requirement.place {
                Place::Git { .. } => "`path` starts at the root of the repository, and names a file or a directory in it",
                _ => "a module of a repository requires files of that repository, or of others by `git`",
            };
            self.report(vec![error.help(help)]);
            return None;
        }
        let found = file_at(&self.options.cwd, &file);
        if found.is_none() {
            let error = if let Place::Git { source, path } = &requirement.place {
                no_file_in(source, path, requirement.path_span())
            } else {
                let what = format!("there is no file {}, which this module requires", file.display());
                let help = "`path` starts at the directory of the file it stands in, and names a file or a directory with a skaffold.yaml";
                requirement.span().error("config/no-file", what).help(help)
            };
            self.report(vec![error]);
        }
        Some((found?, tree))
    }

    fn work_tree(&mut self, source: &GitSource, requirement: &Requirement<'_>) -> Option<PathBuf> {
        if let Some(known) = self.repos.get(source) {
            return known.clone();
        }
        let fetched = match self.fetch.fetch(source) {
            Ok(tree) => Some(tree),
            Err(error) => {
                let at = requirement.span().location(None);
                self.report(vec![error.at(at)]);
                None
            }
        };
        self.repos.insert(source.clone(), fetched.clone());
        fetched
    }

    fn check_selection(&mut self, visit: &Visit, requirement: &Requirement<'_>) {
        let Some(documents) = self.documents(&visit.key, &visit.file) else { return };
        let known: BTreeSet<String> = documents.iter().filter_map(name_of).collect();
        let unknown = requirement.names.iter().filter(|name| !known.contains(*name));
        let errors = unknown.map(|name| {
            let error = profile::unknown("module", name, &known).code("config/unknown-module");
            let what = format!("{} in {}", error.what, visit.file.display());
            Diagnostic { what, ..error }.at(requirement.name_span(name).location(None))
        });
        let errors = errors.collect();
        self.report(errors);
    }

    /// Skaffold passes over the name of a profile that is not there.
    fn check_profiles(&mut self, visit: &Visit, requirement: &Requirement<'_>) {
        let Some(documents) = self.documents(&visit.key, &visit.file) else { return };
        let is_taken =
            |document: &&Node| visit.selection.is_empty() || name_of(document).is_some_and(|name| visit.selection.contains(&name));
        let known: BTreeSet<String> = documents.iter().filter(is_taken).flat_map(profile::defined).collect();
        for warning in requirement.unknown_profiles(&known) {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    fn documents(&mut self, key: &Path, file: &Path) -> Option<Rc<[Node]>> {
        if !self.files.contains_key(key) {
            match (self.read)(file) {
                Ok(documents) => self.remember(key, documents),
                Err(errors) => {
                    self.report(errors);
                    self.files.insert(key.to_owned(), None);
                }
            }
        }
        self.files.get(key).cloned().flatten()
    }

    /// Keeps the documents of a file, and checks that their names are unique.
    fn remember(&mut self, key: &Path, documents: Vec<Node>) {
        for document in &documents {
            self.known_profiles.extend(profile::defined(document));
            let Some(node) = document.get("metadata").and_then(|metadata| metadata.get("name")) else { continue };
            let Some(name) = node.as_text().filter(|name| !name.is_empty()) else { continue };
            match self.places.get(&*name) {
                None => {
                    self.places.insert(name.into_owned(), (key.to_owned(), node.clone()));
                }
                Some((_, first)) => {
                    let label = format!("first used in {}, line {}", first.span.source.file.display(), first.span.line);
                    let error = Diagnostic::error("config/duplicate-module", format!("there are two modules called `{name}`"));
                    self.errors.push(error.at(node.span.location(label)));
                }
            }
        }
        self.files.insert(key.to_owned(), Some(documents.into()));
    }

    fn report(&mut self, errors: Vec<Diagnostic>) {
        for error in errors {
            if !self.errors.contains(&error) {
                self.errors.push(error);
            }
        }
    }

    fn finish(mut self) -> Collected {
        // What could not be read may define the names that are missing.
        if self.errors.is_empty() {
            let names = profile::unknown_names(&self.options.profiles.named, &self.known_profiles);
            self.report(names);
            let known = self.places.keys().cloned().collect();
            let wanted = self.options.modules.iter().filter(|name| !self.places.contains_key(*name));
            let unknown: Vec<_> = wanted.map(|name| profile::unknown("module", name, &known).code("config/unknown-module")).collect();
            self.report(unknown);
        }
        if self.errors.is_empty() && self.modules.is_empty() {
            let what = match self.options.modules.as_slice() {
                [] => "the configuration has no document".to_owned(),
                names => format!("no module that is required is called {}", listed(names)),
            };
            self.errors.push(Diagnostic::error("config/no-module", what));
        }
        Collected { modules: self.modules, warnings: self.warnings, errors: self.errors }
    }
}

fn no_file_in(source: &GitSource, path: &str, at: &Span) -> Diagnostic {
    let reference = source.reference.as_ref().map(|reference| format!(" at `{reference}`")).unwrap_or_default();
    let what = format!("the repository{reference} has no file `{path}`, which this module requires");
    at.error("config/no-file", what)
        .help("`path` starts at the root of the repository, and names a file or a directory with a skaffold.yaml")
}

fn name_of(document: &Node) -> Option<String> {
    let name = document.get("metadata")?.get("name")?.as_text()?;
    Some(name.into_owned()).filter(|name| !name.is_empty())
}

fn described(name: Option<&String>, index: usize) -> String {
    name.map_or_else(|| format!("module {} of this file", index + 1), |name| format!("module `{name}`"))
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// Returns whether a file is not in a work tree, be it by `..` or by a link. One that is not there is told by who looks for it.
fn leaves(cwd: &Path, tree: &Path, file: &Path) -> bool {
    let on_disk = (cwd.join(file).canonicalize(), cwd.join(tree).canonicalize());
    !absolute(cwd, file).starts_with(absolute(cwd, tree)) || matches!(on_disk, (Ok(file), Ok(tree)) if !file.starts_with(&tree))
}

fn parent(file: &Path) -> PathBuf {
    file.parent().map(Path::to_owned).unwrap_or_default()
}

fn absolute(cwd: &Path, file: &Path) -> PathBuf {
    clean(&cwd.join(file))
}

/// Returns the configuration file that `path` means: itself, or the one in the directory that it is.
pub fn file_at(cwd: &Path, path: &Path) -> Option<PathBuf> {
    let on_disk = cwd.join(path);
    if on_disk.is_dir() {
        return crate::load::FILE_NAMES.iter().map(|name| path.join(name)).find(|file| cwd.join(file).is_file());
    }
    // As for the root file, either spelling of the extension will do.
    [path.to_owned(), path.with_extension("yml")].into_iter().find(|file| cwd.join(file).is_file())
}

/// Returns the path without `.` and with each `..` taken back, without looking at the disk.
pub fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(cleaned.components().next_back(), Some(Component::Normal(_))) => {
                cleaned.pop();
            }
            Component::ParentDir if cleaned.has_root() => {}
            part => cleaned.push(part),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests;
