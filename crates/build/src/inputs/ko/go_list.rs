//! One run of `go list`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Platform;
use serde::Deserialize;

use super::Program;
use super::go_files;
use crate::BuildError;
use crate::builder::ko::Settings;
use crate::inputs::memory::Memory;
use crate::inputs::memory::Names;
use crate::inputs::memory::Part;

/// `go list` may have to download modules.
const DEADLINE: Duration = Duration::from_mins(10);
const FIELDS: &str = "-json=Dir,ImportPath,Name,Standard,DepOnly,Module,GoFiles,CgoFiles,IgnoredGoFiles,IgnoredOtherFiles,CFiles,CXXFiles,\
    MFiles,HFiles,FFiles,SFiles,SwigFiles,SwigCXXFiles,SysoFiles,EmbedPatterns,EmbedFiles,Error,Incomplete";

/// Everything that `go list` is asked with.
#[derive(Debug)]
pub(super) struct Question<'a> {
    settings: &'a Settings,
    go: &'a Path,
    env: Vec<(String, String)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Package {
    dir: PathBuf,
    import_path: String,
    name: String,
    standard: bool,
    dep_only: bool,
    module: Option<Module>,
    go_files: Vec<String>,
    cgo_files: Vec<String>,
    ignored_go_files: Vec<String>,
    ignored_other_files: Vec<String>,
    c_files: Vec<String>,
    #[serde(rename = "CXXFiles")]
    cxx_files: Vec<String>,
    m_files: Vec<String>,
    h_files: Vec<String>,
    f_files: Vec<String>,
    s_files: Vec<String>,
    swig_files: Vec<String>,
    #[serde(rename = "SwigCXXFiles")]
    swig_cxx_files: Vec<String>,
    syso_files: Vec<String>,
    embed_patterns: Vec<String>,
    embed_files: Vec<String>,
    error: Option<PackageError>,
    incomplete: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PackageError {
    pos: String,
    err: String,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Module {
    main: bool,
    version: String,
    dir: Option<PathBuf>,
    go_mod: Option<PathBuf>,
    replace: Option<Box<Module>>,
}

impl Package {
    /// Returns whether its files can change: neither Go's own nor from a module cache. A vendored
    /// package has a module without a directory.
    fn is_local(&self) -> bool {
        let module = self.module.as_ref().map(|module| module.replace.as_deref().unwrap_or(module));
        !self.standard && !self.dir.as_os_str().is_empty() && module.is_none_or(|m| m.main || m.version.is_empty() || m.dir.is_none())
    }

    fn go_sources(&self) -> impl Iterator<Item = PathBuf> {
        self.go_files.iter().chain(&self.cgo_files).map(|name| self.dir.join(name))
    }

    fn other_sources(&self) -> impl Iterator<Item = PathBuf> {
        let lists = [&self.c_files, &self.cxx_files, &self.m_files, &self.h_files, &self.f_files, &self.s_files];
        let more = [&self.swig_files, &self.swig_cxx_files, &self.syso_files];
        lists.into_iter().chain(more).flatten().map(|name| self.dir.join(name))
    }
}

impl<'a> Question<'a> {
    /// Returns the question.
    pub(super) fn new(settings: &'a Settings, platform: &Platform, go: &'a Path, cx: &Cx) -> Result<Self, BuildError> {
        Ok(Self { settings, go, env: settings.go_env(platform, &cx.env)? })
    }

    /// Returns what tells this question from others: the settings, and the environment that `go` looks at.
    pub(super) fn key(&self) -> String {
        let mut hash = blake3::Hasher::new();
        let mut add = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        add(&self.go.to_string_lossy());
        add(&self.settings.dir.to_string_lossy());
        add(&self.settings.package);
        self.settings.flags.iter().for_each(|flag| add(flag));
        for (name, value) in &self.env {
            if name.starts_with("GO") || name.starts_with("CGO_") || name == "HOME" || name == "XDG_CONFIG_HOME" {
                add(name);
                add(value);
            }
        }
        hash.finalize().to_hex()[..32].to_owned()
    }

    /// Returns the program, and what has to stay the same for that answer; none of that when the
    /// program has errors, as what repairs them can be anywhere.
    pub(super) async fn ask(&self, cx: &Cx) -> Result<(Program, Option<Memory<Program>>), BuildError> {
        let asked = SystemTime::now();
        let command =
            Command::new(self.go).args(["list", "-e", "-deps", FIELDS]).args(&self.settings.flags).args(["--", &self.settings.package]);
        let command = self.env.iter().fold(command.env_clear(), |command, (name, value)| command.env(name, value));
        let output = command.dir(&self.settings.dir).deadline(DEADLINE).output(cx).await;
        let output = output.map_err(|error| self.refused(error))?;
        let packages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Package>().collect::<Result<Vec<_>, _>>();
        let packages = packages.map_err(|error| self.failure(&error.to_string()))?;
        let work = self.go_work();
        let main = self.main_package(&packages)?;
        let found = Found::of(main, &packages, &self.settings.dir, work, &self.watched_by_go());
        let program = Program { import_path: main.import_path.clone(), dir: main.dir.clone(), files: found.inputs.into_iter().collect() };
        if packages.iter().any(|package| package.error.is_some() || package.incomplete) {
            return Ok((program, None));
        }
        let memory = {
            let program = program.clone();
            tokio::task::spawn_blocking(move || Memory::of(program, found.files, found.directories, asked)).await
        };
        Ok((program, memory.ok().and_then(Result::ok).flatten()))
    }

    fn main_package<'p>(&self, packages: &'p [Package]) -> Result<&'p Package, BuildError> {
        let named: Vec<&Package> = packages.iter().filter(|package| !package.dep_only).collect();
        let programs: Vec<&&Package> = named.iter().filter(|package| package.name == "main").collect();
        match (programs.as_slice(), named.as_slice()) {
            ([one], _) => Ok(one),
            ([], [other]) if !other.name.is_empty() => {
                Err(self.failure(&format!("`{}` is no program: it is `package {}`, not `package main`", other.import_path, other.name)))
            }
            ([], [other]) => {
                let error = other.error.as_ref().map(|error| [error.pos.as_str(), error.err.as_str()].join(" ").trim().to_owned());
                Err(self.failure(&error.unwrap_or_else(|| format!("`{}` has no Go files", other.import_path))))
            }
            ([], _) => Err(self.failure("no `package main` is there")),
            (several, _) => {
                let names: Vec<&str> = several.iter().map(|package| package.import_path.as_str()).collect();
                Err(self.failure(&format!("several programs are there: {}", names.join(", "))))
            }
        }
    }

    /// Returns the go.work in force, by `GOWORK` or in a directory above.
    fn go_work(&self) -> Option<PathBuf> {
        match self.env.iter().rev().find(|(name, _)| name == "GOWORK").map(|(_, value)| value.as_str()) {
            Some("off") => None,
            Some(path) if !path.is_empty() => Some(path.into()),
            _ => go_files::nearest(&self.settings.dir, "go.work"),
        }
    }

    /// Returns files outside of the program that change what `go` does: itself, and its settings.
    fn watched_by_go(&self) -> Vec<PathBuf> {
        let get = |wanted: &str| {
            self.env.iter().rev().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| PathBuf::from(value))
        };
        let config = get("XDG_CONFIG_HOME").or_else(|| get("HOME").map(|home| home.join(".config")));
        let settings = get("GOENV").or_else(|| config.map(|config| config.join("go/env")));
        // The program itself is large; the version file beside it changes with it.
        let version = self.go.canonicalize().ok().and_then(|go| Some(go.parent()?.parent()?.join("VERSION")));
        settings.into_iter().chain(version).collect()
    }

    fn refused(&self, error: ProcessError) -> BuildError {
        match error {
            ProcessError::Failed { last_lines, .. } => self.failure(&last_lines.join("\n")),
            other => other.into(),
        }
    }

    fn failure(&self, why: &str) -> BuildError {
        let Settings { dir, package, .. } = self.settings;
        Diagnostic::error("build/ko-no-program", format!("no Go program was found at `{package}` in `{}`", dir.display()))
            .because(why)
            .help("set `ko.dir` to the directory of the module and `ko.main` to the main package, for example `./cmd/web`")
            .into()
    }
}

/// What a listing depends on.
#[derive(Default)]
struct Found {
    inputs: BTreeSet<PathBuf>,
    files: BTreeSet<(PathBuf, Part)>,
    directories: BTreeSet<(PathBuf, Names)>,
}

impl Found {
    fn of(main: &Package, packages: &[Package], dir: &Path, work: Option<PathBuf>, watched_by_go: &[PathBuf]) -> Self {
        let mut found = Self::default();
        for package in packages.iter().filter(|package| package.is_local()) {
            found.package(package);
        }
        found.inputs.extend(Some(main.dir.join("default.pgo")).filter(|profile| profile.is_file()));
        let modules = packages
            .iter()
            .filter(|p| p.is_local())
            .filter_map(|p| p.module.as_ref())
            .filter_map(|m| m.replace.as_deref().unwrap_or(m).go_mod.clone());
        let modules: BTreeSet<PathBuf> = modules.filter(|path| path.is_file()).chain(go_files::nearest(dir, "go.mod")).collect();
        for go_mod in &modules {
            found.module(go_mod);
            found.whole(&go_mod.with_file_name("vendor/modules.txt"));
        }
        if let Some(work) = work {
            found.module(&work);
        }
        found.files.extend(watched_by_go.iter().map(|path| (path.clone(), Part::Whole)));
        // A go.mod or go.work that appears nearer to the program would be the one that counts.
        for above in dir.ancestors() {
            found.files.extend([(above.join("go.work"), Part::Whole), (above.join("go.mod"), Part::Whole)]);
        }
        found
    }

    fn package(&mut self, package: &Package) {
        self.inputs.extend(package.go_sources().chain(package.other_sources()));
        self.inputs.extend(package.embed_files.iter().map(|name| package.dir.join(name)));
        let ignored = package.ignored_go_files.iter().map(|name| package.dir.join(name));
        self.files.extend(package.go_sources().chain(ignored).map(|path| (path, Part::Shape)));
        let ignored = package.ignored_other_files.iter().map(|name| package.dir.join(name));
        self.files.extend(package.other_sources().chain(ignored).map(|path| (path, Part::Whole)));
        let module = package.module.as_ref().and_then(|module| module.replace.as_deref().unwrap_or(module).dir.clone());
        for above in package.dir.ancestors() {
            self.directories.insert((above.to_owned(), Names::Go));
            if module.as_deref().is_none_or(|module| !above.starts_with(module) || above == module) {
                break;
            }
        }
        if package.error.is_some() {
            // `go list` may name no files of a package that does not parse.
            self.inputs.extend(
                fs::read_dir(&package.dir)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path())
                    .filter(|path| path.extension().is_some_and(|e| e == "go")),
            );
        }
        for pattern in &package.embed_patterns {
            self.embedded(&package.dir, pattern.strip_prefix("all:").unwrap_or(pattern));
        }
    }

    /// Watches every directory that a pattern can match in, an empty one too: a file in it would be embedded.
    fn embedded(&mut self, dir: &Path, pattern: &str) {
        let literal: PathBuf = pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '\\'])).collect();
        let root = dir.join(literal);
        let root = if root.is_file() { root.parent().unwrap_or(dir).to_owned() } else { root };
        let mut open = vec![root];
        while let Some(directory) = open.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            open.extend(entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()));
            self.directories.insert((directory, Names::All));
        }
    }

    /// Adds a go.mod or go.work with its checksums, and the modules in other directories that it names.
    fn module(&mut self, file: &Path) {
        self.whole(file);
        let sum = file.with_extension(if file.extension().is_some_and(|e| e == "work") { "work.sum" } else { "sum" });
        self.inputs.extend(Some(sum).filter(|sum| sum.is_file()));
        let text = fs::read_to_string(file).unwrap_or_default();
        let dir = file.parent().unwrap_or(Path::new("/"));
        for named in go_files::directories(&text) {
            self.whole(&dir.join(named).join("go.mod"));
        }
    }

    fn whole(&mut self, file: &Path) {
        self.inputs.extend(Some(file.to_owned()).filter(|file| file.is_file()));
        self.files.insert((file.to_owned(), Part::Whole));
    }
}

#[cfg(test)]
mod tests;
