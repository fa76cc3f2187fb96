//! One entry of `requires`.

use std::collections::BTreeSet;

use devloop_model::Diagnostic;
use devloop_model::Severity;

use super::GitSource;
use crate::Node;
use crate::Span;
use crate::profile;
use crate::profile::items;

/// Where a required module is.
pub(super) enum Place {
    /// In the file that requires it.
    SameFile,
    /// At a path that starts at the directory of that file.
    Path(String),
    /// At a path in a repository.
    Git { source: GitSource, path: String },
}

/// A profile to activate in the required module.
struct Activates {
    name: String,
    at: Span,
    /// Profiles of the requiring module, one of which has to be active; empty for always.
    by: Vec<String>,
}

/// One entry of `requires`.
pub(super) struct Requirement<'a> {
    node: &'a Node,
    /// Names of modules to take from the file; empty for all.
    pub(super) names: Vec<String>,
    pub(super) place: Place,
    activates: Vec<Activates>,
}

impl<'a> Requirement<'a> {
    pub(super) fn read(node: &'a Node) -> Result<Self, Diagnostic> {
        let mut activates = Vec::new();
        if let Some(list) = node.get("activeProfiles") {
            for entry in items(list, "activeProfiles")? {
                let name = text(entry, "name").ok_or_else(|| entry.span.error("config/missing-field", "this profile has no `name`"))?;
                let at = entry.get("name").unwrap_or(entry).span.clone();
                activates.push(Activates { name, at, by: texts(entry, "activatedBy")? });
            }
        }
        Ok(Self { node, names: texts(node, "configs")?, place: place(node)?, activates })
    }

    /// Returns the profiles that this entry asks for where `active` are those of the module that it stands in.
    pub(super) fn profiles(&self, active: &[String]) -> Vec<String> {
        let wanted = self.activates.iter().filter(|wanted| wanted.by.is_empty() || wanted.by.iter().any(|name| active.contains(name)));
        wanted.map(|wanted| wanted.name.clone()).collect()
    }

    /// Returns a warning for each profile that is none of `known`, those of the modules that are required.
    pub(super) fn unknown_profiles(&self, known: &BTreeSet<String>) -> Vec<Diagnostic> {
        let unknown = self.activates.iter().filter(|wanted| !known.contains(&wanted.name));
        let warnings = unknown.map(|wanted| {
            let warning = profile::unknown("profile", &wanted.name, known).code("config/unknown-profile");
            let what = format!("no module that is required here has a profile `{}`", wanted.name);
            Diagnostic { severity: Severity::Warning, what, ..warning }.at(wanted.at.location(None))
        });
        warnings.collect()
    }

    /// Returns the place to show when something about where the module is was wrong.
    pub(super) fn span(&self) -> &Span {
        let git = self.node.get("git").map(|git| git.get("repo").unwrap_or(git));
        &self.node.get("path").or(git).unwrap_or(self.node).span
    }

    /// Returns the place of the path in the repository.
    pub(super) fn path_span(&self) -> &Span {
        self.node.get("git").and_then(|git| git.get("path")).map_or_else(|| self.span(), |path| &path.span)
    }

    /// Returns the path as it is written.
    pub(super) fn path(&self) -> &str {
        match &self.place {
            Place::SameFile => "",
            Place::Path(path) | Place::Git { path, .. } => path,
        }
    }

    /// Returns where `configs` has `name`.
    pub(super) fn name_span(&self, name: &str) -> &Span {
        let listed = self.node.get("configs").and_then(Node::as_list).unwrap_or_default();
        &listed.iter().find(|item| item.as_text().is_some_and(|text| text == name)).unwrap_or(self.node).span
    }
}

fn place(node: &Node) -> Result<Place, Diagnostic> {
    for (key, service) in [("googleCloudStorage", "Google Cloud Storage"), ("googleCloudBuildRepoV2", "Google Cloud Build repositories")] {
        if let Some((key, value)) = node.entry(key)
            && !value.is_null()
        {
            let error = key.span.error("config/not-supported", format!("this version does not fetch modules from {service}"));
            return Err(error.help("use `git`, or copy the module and use `path`"));
        }
    }
    let path = text(node, "path");
    let Some((_, git)) = node.entry("git").filter(|(_, git)| !git.is_null()) else {
        return match path {
            None => Ok(Place::SameFile),
            Some(path) if path.starts_with("http://") || path.starts_with("https://") => {
                let span = &node.get("path").unwrap_or(node).span;
                let error = span.error("config/not-supported", "this version does not read modules from a web address");
                Err(error.help("use `git`, or copy the file and name it by its path"))
            }
            Some(path) => Ok(Place::Path(path)),
        };
    };
    if path.is_some() {
        return Err(node.span.error("config/one-of", "a module is required by `path` or by `git`, not by both"));
    }
    let repo = text(git, "repo").ok_or_else(|| git.span.error("config/missing-field", "`git` has no `repo`"))?;
    let source = GitSource { repo, reference: text(git, "ref"), sync: git.get("sync").and_then(Node::as_bool) };
    Ok(Place::Git { source, path: text(git, "path").unwrap_or_default() })
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.as_text().map(std::borrow::Cow::into_owned).filter(|text| !text.is_empty())
}

fn texts(node: &Node, key: &str) -> Result<Vec<String>, Diagnostic> {
    let Some(list) = node.get(key) else { return Ok(Vec::new()) };
    let text = |item: &Node| {
        let text = item.as_text().map(std::borrow::Cow::into_owned);
        text.ok_or_else(|| item.span.error("config/wrong-type", format!("`{key}` takes a list of names, not {}", item.kind())))
    };
    items(list, key)?.iter().map(text).collect()
}
