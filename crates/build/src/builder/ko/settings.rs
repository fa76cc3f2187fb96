//! How a Go program is built: the artifact's settings and `.ko.yaml`, resolved.

use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

use devloop_model::Artifact;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::ImageRef;
use devloop_model::KoBuild;
use devloop_model::MissingKey;
use devloop_model::Platform;
use devloop_model::Template;
use devloop_model::Vars;
use regex::Regex;

use super::config_file::BuildEntry;
use super::config_file::ConfigFile;
use super::git_vars;
use crate::BuildError;
use crate::builder::image_vars;
use crate::inputs::ko::module_path;
use crate::inputs::ko::nearest;

/// ko's own choice of a base: `pkg/commands/options/build.go`.
const DEFAULT_BASE: &str = "cgr.dev/chainguard/static:latest";

/// How a Go program is built, for whatever platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where `go` runs.
    pub(crate) dir: PathBuf,
    /// The main package as `go` is told it: `.`, `./cmd/web` or an import path.
    pub(crate) package: String,
    /// The configured environment of `go build`.
    pub(crate) env: Vec<(String, String)>,
    /// Flags of `go build`, those of debugging or reproducibility included.
    pub(crate) flags: Vec<String>,
    /// Linker flags.
    pub(crate) ldflags: Vec<String>,
    /// Labels of the image.
    pub(crate) labels: Vec<(String, String)>,
    /// The `.ko.yaml` in force.
    pub(crate) config_file: Option<PathBuf>,
    base: String,
    base_overrides: Vec<(String, String)>,
}

impl Settings {
    /// Returns the settings of `artifact`. Without the reference of the image, before it is tagged,
    /// templates do not see it.
    ///
    /// # Errors
    /// When a template fails, an `env` entry has no `=`, or `.ko.yaml` is wrong.
    pub(crate) fn resolve(
        artifact: &Artifact,
        spec: &KoBuild,
        reference: Option<&ImageRef>,
        mode: &str,
        env: &Env,
    ) -> Result<Self, BuildError> {
        let top = artifact.context.join(spec.dir.as_deref().unwrap_or(Path::new("")));
        let config = ConfigFile::find(&top, env)?;
        let package = package_of(artifact, spec, &top);
        let own = Own::of(spec, &image_vars(reference, env))?;
        let labels = spec.labels.iter().map(|(name, value)| Ok((name.clone(), render(value, &Vars::from_env(env), MissingKey::NoValue)?)));
        let labels = labels.collect::<Result<_, BuildError>>()?;
        let entry = if spec_is_bare(spec) { config.builds.iter().find(|entry| builds(entry, &top, &package)) } else { None };
        let dir = entry.map_or_else(|| top.clone(), |entry| top.join(&entry.dir));
        let package = if entry.is_some_and(|entry| !is_here(&entry.dir)) && package.starts_with('.') { ".".to_owned() } else { package };
        let mut settings = Self {
            dir,
            package,
            env: pairs(first_filled([own.env, entry.map(|e| e.env.clone()).unwrap_or_default(), config.default_env.clone()]))?,
            flags: Vec::new(),
            ldflags: Vec::new(),
            labels,
            base: base(spec, &config, env),
            base_overrides: config.base_image_overrides.iter().map(|(path, image)| (path.to_lowercase(), image.clone())).collect(),
            config_file: config.path.clone(),
        };
        let file_flags = first_filled([entry.map(|e| e.flags.clone()).unwrap_or_default(), config.default_flags.clone()]);
        let file_ldflags = first_filled([entry.map(|e| e.ldflags.clone()).unwrap_or_default(), config.default_ldflags.clone()]);
        settings.flags = if own.flags.is_empty() { settings.templated(&file_flags, env)? } else { own.flags };
        settings.ldflags = if own.ldflags.is_empty() { settings.templated(&file_ldflags, env)? } else { own.ldflags };
        if mode == "debug" {
            settings.flags.extend(["-gcflags".to_owned(), "all=-N -l".to_owned()]);
        } else {
            settings.flags.push("-trimpath".to_owned());
        }
        settings.refuse_toolexec(env)?;
        Ok(settings)
    }

    /// Returns the base image for a program: `.ko.yaml`'s for its import path, else the artifact's
    /// `fromImage`, else `KO_DEFAULTBASEIMAGE`, else `.ko.yaml`'s default, else ko's.
    pub(crate) fn base_image(&self, import_path: &str) -> &str {
        let import_path = import_path.to_lowercase();
        self.base_overrides.iter().find(|(path, _)| *path == import_path).map_or(&self.base, |(_, image)| image)
    }

    /// Returns what `go` is run with for `platform`: ko's defaults, the environment, what is
    /// configured; the last of each name counts. The platform is never the environment's to change,
    /// as it stands in the image too. Source: ko `pkg/build/gobuild.go` (`buildEnv`).
    ///
    /// # Errors
    /// When the variant of an ARM platform is not `v` and a number.
    pub(crate) fn go_env(&self, platform: &Platform, env: &Env) -> Result<Vec<(String, String)>, BuildError> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all = vec![pair("CGO_ENABLED", "0")];
        match (platform.arch(), platform.variant()) {
            ("arm", Some(variant)) => all.extend(go_arm(platform, variant)?.map(|value| pair("GOARM", &value))),
            ("amd64", Some(variant)) => all.push(pair("GOAMD64", variant)),
            _ => {}
        }
        all.extend(env.iter().map(|(name, value)| pair(name, value)));
        all.extend([pair("GOOS", platform.os()), pair("GOARCH", platform.arch())]);
        all.extend(self.env.iter().cloned());
        Ok(all)
    }

    /// Returns the `go` program: `KO_GO_PATH`, else the first on PATH.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find_go(&self, env: &Env) -> Result<PathBuf, BuildError> {
        let wanted = env.get("KO_GO_PATH").filter(|path| !path.is_empty()).unwrap_or("go");
        let found = if wanted.contains('/') {
            Some(self.dir.join(wanted)).filter(|path| path.is_file())
        } else {
            env.get("PATH").unwrap_or_default().split(':').map(|dir| Path::new(dir).join(wanted)).find(|path| path.is_file())
        };
        found.ok_or_else(|| {
            Diagnostic::error(
                "build/ko-no-go",
                format!("`{wanted}` was not found: a ko artifact is built by the Go toolchain of this machine"),
            )
            .help("install Go (https://go.dev/dl/), put it on PATH, or set `KO_GO_PATH`")
            .into()
        })
    }

    /// Renders flags of `.ko.yaml`, which see the build's environment and git.
    fn templated(&self, texts: &[String], env: &Env) -> Result<Vec<String>, BuildError> {
        if !texts.iter().any(|text| text.contains("{{")) {
            return Ok(texts.to_vec());
        }
        let vars = self.env.iter().fold(Vars::from_env(env), |vars, (name, value)| vars.with(name, value));
        let vars = git_vars::add(vars, &self.dir, texts);
        texts.iter().map(|text| render(&parse(&git_vars::flatten(text))?, &vars, MissingKey::Error)).collect()
    }

    /// ko refuses `-toolexec`: it would run any program, and is nothing that an image needs.
    fn refuse_toolexec(&self, env: &Env) -> Result<(), BuildError> {
        let configured = self.env.iter().rev().find(|(name, _)| name == "GOFLAGS").map(|(_, value)| value.as_str());
        let go_flags = configured.or_else(|| env.get("GOFLAGS")).unwrap_or_default();
        let mut flags = self.flags.iter().map(String::as_str).chain(go_flags.split_whitespace());
        match flags.find(|flag| matches!(flag.trim_start_matches('-').split('=').next(), Some("toolexec")) && flag.starts_with('-')) {
            Some(flag) => Err(Diagnostic::error("build/ko-toolexec", format!("`{flag}` is not allowed in a ko build"))
                .help("remove it from the flags and from `GOFLAGS`")
                .into()),
            None => Ok(()),
        }
    }
}

/// The artifact's own settings, rendered.
struct Own {
    env: Vec<String>,
    flags: Vec<String>,
    ldflags: Vec<String>,
}

impl Own {
    fn of(spec: &KoBuild, vars: &Vars) -> Result<Self, BuildError> {
        let all = |templates: &[Template]| {
            templates
                .iter()
                .map(|template| render(&parse(&without_env(template.source()))?, vars, MissingKey::NoValue))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self { env: all(&spec.env)?, flags: all(&spec.flags)?, ldflags: all(&spec.ldflags)? })
    }
}

/// Turns ko's `{{.Env.X}}` into `{{.X}}`, so that both are understood.
fn without_env(text: &str) -> String {
    static ENV: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\{\{[^}]*?)\.Env\.").expect("a regular expression"));
    let mut text = text.to_owned();
    while let std::borrow::Cow::Owned(less) = ENV.replace(&text, "${1}.") {
        text = less;
    }
    text
}

pub(super) fn strip_env(text: &str) -> String {
    without_env(text)
}

fn parse(text: &str) -> Result<Template, BuildError> {
    Template::parse(text).map_err(|error| template_error(&error))
}

fn render(template: &Template, vars: &Vars, missing: MissingKey) -> Result<String, BuildError> {
    template.render(vars, missing).map_err(|error| template_error(&error))
}

fn template_error(error: &devloop_model::TemplateError) -> BuildError {
    Diagnostic::error("build/template", format!("`{}` cannot be rendered", error.template)).because(error.why.clone()).into()
}

/// Returns the main package as `go` has to be told it: a directory starts with `./`, and a file stands for its directory.
fn package_of(artifact: &Artifact, spec: &KoBuild, top: &Path) -> String {
    if let Some(import_path) = artifact.image.import_path() {
        return import_path.to_owned();
    }
    let main = spec.main.as_deref().filter(|main| !main.is_empty()).unwrap_or(".");
    if main.starts_with('.') || main.starts_with('/') || main.contains("...") {
        return main.to_owned();
    }
    let path = top.join(main);
    if path.is_file() {
        return main.rsplit_once('/').map_or_else(|| ".".to_owned(), |(dir, _)| format!("./{dir}"));
    }
    if path.is_dir() { format!("./{main}") } else { main.to_owned() }
}

/// Returns whether the artifact says nothing that would replace an entry of `.ko.yaml`.
/// Source: skaffold `pkg/skaffold/build/ko/builder.go` (`koArtifactSpecifiesBuildConfig`).
fn spec_is_bare(spec: &KoBuild) -> bool {
    spec.dir.as_deref().is_none_or(|dir| is_here(&dir.to_string_lossy()))
        && spec.main.as_deref().is_none_or(is_here)
        && spec.env.is_empty()
        && spec.flags.is_empty()
        && spec.ldflags.is_empty()
}

fn is_here(dir: &str) -> bool {
    matches!(dir, "" | "." | "./")
}

/// Returns whether an entry of `.ko.yaml` is about the program that is built.
fn builds(entry: &BuildEntry, top: &Path, package: &str) -> bool {
    let dir = top.join(&entry.dir);
    let main = dir.join(&entry.main);
    let main = if main.is_file() { main.parent().unwrap_or(&dir).to_owned() } else { main };
    let wanted = if package.starts_with('.') { Some(top.join(package)) } else { directory_of(&dir, package) };
    let real = |path: &Path| path.canonicalize().ok();
    wanted.is_some_and(|wanted| real(&wanted).is_some_and(|wanted| Some(wanted) == real(&main)))
}

/// Returns the directory of an import path in the module around `dir`.
fn directory_of(dir: &Path, import_path: &str) -> Option<PathBuf> {
    let go_mod = nearest(dir, "go.mod")?;
    let text = std::fs::read_to_string(&go_mod).ok()?;
    let below = import_path.strip_prefix(module_path(&text)?)?;
    (below.is_empty() || below.starts_with('/')).then(|| go_mod.with_file_name(below.trim_start_matches('/')))
}

fn base(spec: &KoBuild, config: &ConfigFile, env: &Env) -> String {
    let named = [spec.from_image.as_deref(), env.get("KO_DEFAULTBASEIMAGE"), config.default_base_image.as_deref()];
    named.into_iter().flatten().find(|image| !image.is_empty()).unwrap_or(DEFAULT_BASE).to_owned()
}

fn first_filled<const N: usize>(lists: [Vec<String>; N]) -> Vec<String> {
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}

fn pairs(entries: Vec<String>) -> Result<Vec<(String, String)>, BuildError> {
    let pair = |entry: String| match entry.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // The text may be a secret without its name; it is not repeated.
        _ => Err(Diagnostic::error("build/ko-env", "an entry of `ko.env` is not `NAME=value`")
            .help("write each entry as `NAME=value`")
            .into()),
    };
    entries.into_iter().map(pair).collect()
}

/// Source: ko `pkg/build/gobuild.go` (`getGoarm`).
fn go_arm(platform: &Platform, variant: &str) -> Result<Option<String>, BuildError> {
    match variant.strip_prefix('v').and_then(|number| number.parse::<u8>().ok()) {
        Some(number @ 5..) => Ok(Some(number.min(7).to_string())),
        Some(_) => Ok(None),
        None => Err(Diagnostic::error("build/ko-platform", format!("`{platform}` has no variant that Go knows"))
            .help("write it as `linux/arm/v7`")
            .into()),
    }
}

#[cfg(test)]
impl Settings {
    /// Returns settings that say where the program is and nothing else.
    pub(crate) fn bare(dir: &Path, package: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            package: package.to_owned(),
            env: Vec::new(),
            flags: Vec::new(),
            ldflags: Vec::new(),
            labels: Vec::new(),
            config_file: None,
            base: DEFAULT_BASE.to_owned(),
            base_overrides: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
