//! Settings of this machine, by Kubernetes context: devloop's own file, and Skaffold's, which is only read.

mod change;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::Env;

pub use self::change::Scope;
pub use self::change::list_settings;
pub use self::change::set_setting;

use crate::Node;
use crate::Source;
use crate::parse_documents;
use crate::profile::items;
use crate::profile::pattern_matches;

/// What holds in one Kubernetes context; nothing where a file says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextSettings {
    /// `default-repo`: where images are pushed.
    pub default_repo: Option<String>,
    /// `multi-level-repo`: whether the registry takes names with several parts below the repository.
    pub multi_level_repo: Option<bool>,
    /// `local-cluster`: whether images reach the cluster without a push.
    pub local_cluster: Option<bool>,
    /// `insecure-registries`: those spoken to without TLS.
    pub insecure_registries: Vec<String>,
    /// `debug-helpers-registry`: where the images with debuggers are.
    pub debug_helpers_registry: Option<String>,
    /// `builder-image`: the image of builders in the cluster.
    pub builder_image: Option<String>,
    /// `kind-disable-load`: push for kind clusters instead of loading.
    pub kind_disable_load: Option<bool>,
    /// `k3d-disable-load`: push for k3d clusters instead of loading.
    pub k3d_disable_load: Option<bool>,
}

impl ContextSettings {
    /// Fills what is not set yet from `other`; lists are joined, as Skaffold joins them.
    fn or(mut self, other: &Self) -> Self {
        let more = other.insecure_registries.iter().filter(|registry| !self.insecure_registries.contains(registry)).cloned();
        let more: Vec<String> = more.collect();
        self.insecure_registries.extend(more);
        Self {
            default_repo: self.default_repo.or_else(|| other.default_repo.clone()),
            multi_level_repo: self.multi_level_repo.or(other.multi_level_repo),
            local_cluster: self.local_cluster.or(other.local_cluster),
            insecure_registries: self.insecure_registries,
            debug_helpers_registry: self.debug_helpers_registry.or_else(|| other.debug_helpers_registry.clone()),
            builder_image: self.builder_image.or_else(|| other.builder_image.clone()),
            kind_disable_load: self.kind_disable_load.or(other.kind_disable_load),
            k3d_disable_load: self.k3d_disable_load.or(other.k3d_disable_load),
        }
    }
}

/// The settings of this machine.
#[derive(Debug, Clone, Default)]
pub struct GlobalConfig {
    /// In the order in which they are asked.
    files: Vec<File>,
}

/// One file: `global` holds everywhere, an entry of `kubeContexts` where its pattern matches.
#[derive(Debug, Clone, Default)]
struct File {
    global: ContextSettings,
    contexts: Vec<(String, ContextSettings)>,
}

impl GlobalConfig {
    /// Returns the settings in `file` (`--config`), or in `$XDG_CONFIG_HOME/devloop/config` and Skaffold's `~/.skaffold/config`, where the first wins.
    ///
    /// A file that is not there says nothing, unless it was asked for by name. Other keys of Skaffold's file are its own affair.
    ///
    /// # Errors
    /// When a file cannot be read, is not YAML, or has a value of the wrong kind.
    pub fn load(env: &Env, file: Option<&Path>) -> Result<Self, Vec<Diagnostic>> {
        if let Some(file) = file {
            let found =
                read(file)?.ok_or_else(|| vec![Diagnostic::error("config/no-file", format!("there is no file {}", file.display()))])?;
            return Ok(Self { files: vec![found] });
        }
        let mut files = Vec::new();
        for path in settings_files(env) {
            files.extend(read(&path)?);
        }
        Ok(Self { files })
    }

    /// Returns what holds in the context called `name`; an empty name asks for `global` alone.
    ///
    /// Facts: `pkg/skaffold/config/util.go` of Skaffold. Unlike there, `false` for a context wins over `true` in `global`.
    pub fn for_context(&self, name: &str) -> ContextSettings {
        self.files.iter().fold(ContextSettings::default(), |settings, file| {
            // The last entry that matches holds, as in Skaffold.
            let entry = file.contexts.iter().rev().find(|(pattern, _)| !name.is_empty() && pattern_matches(pattern, name));
            let settings = entry.map_or(settings.clone(), |(_, entry)| settings.or(entry));
            settings.or(&file.global)
        })
    }
}

/// Returns the files of settings, in the order in which they are asked: the first is our own, the one that is written.
pub fn settings_files(env: &Env) -> Vec<PathBuf> {
    let home = env.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    // The XDG specification wants a relative value ignored.
    let own = env.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let own = own.or_else(|| home.as_ref().map(|home| home.join(".config")));
    let skaffold = home.map(|home| home.join(".skaffold/config"));
    own.map(|dir| dir.join("devloop/config")).into_iter().chain(skaffold).collect()
}

fn read(path: &Path) -> Result<Option<File>, Vec<Diagnostic>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("cannot read the settings in {}", path.display());
            return Err(vec![Diagnostic::error("config/unreadable", what).because(error.to_string())]);
        }
    };
    match parse_documents(&Source::new(path, text))?.first() {
        None => Ok(Some(File::default())),
        Some(node) => file(node).map(Some).map_err(|error| vec![error]),
    }
}

fn file(node: &Node) -> Result<File, Diagnostic> {
    if node.as_map().is_none() {
        return Err(node.span.error("config/wrong-type", format!("a settings file is a mapping, not {}", node.kind())));
    }
    let global = node.get("global").map(settings).transpose()?.unwrap_or_default();
    let mut contexts = Vec::new();
    if let Some(list) = node.get("kubeContexts") {
        for entry in items(list, "kubeContexts")? {
            let pattern = text(entry, "kube-context")?.unwrap_or_default();
            contexts.push((pattern, settings(entry)?));
        }
    }
    Ok(File { global, contexts })
}

fn settings(node: &Node) -> Result<ContextSettings, Diagnostic> {
    if !node.is_null() && node.as_map().is_none() {
        return Err(node.span.error("config/wrong-type", format!("settings are a mapping, not {}", node.kind())));
    }
    Ok(ContextSettings {
        default_repo: text(node, "default-repo")?,
        multi_level_repo: boolean(node, "multi-level-repo")?,
        local_cluster: boolean(node, "local-cluster")?,
        insecure_registries: texts(node, "insecure-registries")?,
        debug_helpers_registry: text(node, "debug-helpers-registry")?,
        builder_image: text(node, "builder-image")?,
        kind_disable_load: boolean(node, "kind-disable-load")?,
        k3d_disable_load: boolean(node, "k3d-disable-load")?,
    })
}

fn text(node: &Node, key: &str) -> Result<Option<String>, Diagnostic> {
    let Some(value) = node.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    let text = value.as_text().ok_or_else(|| wrong_type(key, "text", value))?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

fn boolean(node: &Node, key: &str) -> Result<Option<bool>, Diagnostic> {
    let Some(value) = node.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    value.as_bool().map(Some).ok_or_else(|| wrong_type(key, "`true` or `false`", value))
}

fn texts(node: &Node, key: &str) -> Result<Vec<String>, Diagnostic> {
    let Some(list) = node.get(key) else { return Ok(Vec::new()) };
    let text = |item: &Node| item.as_text().map(std::borrow::Cow::into_owned).ok_or_else(|| wrong_type(key, "a list of texts", item));
    items(list, key)?.iter().map(text).collect()
}

fn wrong_type(key: &str, wanted: &str, found: &Node) -> Diagnostic {
    found.span.error("config/wrong-type", format!("`{key}` takes {wanted}, not {}", found.kind()))
}

#[cfg(test)]
mod tests;
