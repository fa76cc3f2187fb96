//! Names that one place defines and another refers to: images, modules, profiles, releases.

use std::path::Path;
use std::sync::Arc;

use gen_lsp_types as lsp;

use crate::document::Document;
use crate::outline::EntryId;
use crate::schema::Place;
use crate::workspace::Workspace;

/// What a value refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// An artifact, by its image.
    Image,
    /// A module of the file that an entry of `requires` names.
    Module,
    /// A profile of that file.
    RequiredProfile,
    /// A profile of the document itself.
    Profile,
    /// A release of helm in the same document.
    Release,
}

/// A name and where it is defined.
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) at: lsp::Location,
}

impl Reference {
    /// Returns what a value at a place of the schema refers to, if to anything.
    pub(crate) fn of(place: Place<'_>) -> Option<Self> {
        match (place.owner, place.field) {
            ("ArtifactDependency" | "TestCase" | "VerifyContainer", "image")
            | ("DockerDeploy", "images")
            | ("HelmRelease", "artifactOverrides") => Some(Self::Image),
            ("ConfigDependency", "configs") => Some(Self::Module),
            ("ProfileDependency", "name") => Some(Self::RequiredProfile),
            ("ProfileDependency", "activatedBy") => Some(Self::Profile),
            ("HelmRelease", "dependsOn") => Some(Self::Release),
            _ => None,
        }
    }

    /// Returns everything that the value of an entry may refer to.
    pub(crate) fn candidates(self, workspace: &Workspace, document: &Arc<Document>, entry: EntryId) -> Vec<Definition> {
        let own = document.outline.entry(entry).document;
        match self {
            Self::Image => workspace.related(document).iter().flat_map(|document| images(document)).collect(),
            Self::Module => {
                required(workspace, document, entry).iter().flat_map(|document| defined(document, &["metadata", "name"], None)).collect()
            }
            Self::RequiredProfile => {
                let wanted = wanted_modules(document, entry);
                let required = required(workspace, document, entry);
                required.iter().flat_map(|document| profiles_of_modules(document, &wanted)).collect()
            }
            Self::Profile => defined(document, &["profiles", "-", "name"], Some(own)),
            Self::Release => {
                let releases = [["deploy", "helm", "releases", "-", "name"], ["manifests", "helm", "releases", "-", "name"]];
                releases.iter().flat_map(|path| defined(document, path, Some(own))).collect()
            }
        }
    }
}

fn images(document: &Document) -> Vec<Definition> {
    let paths = [["build", "artifacts", "-", "image"], ["build", "artifacts", "-", "imageName"]];
    paths.iter().flat_map(|path| defined(document, path, None)).collect()
}

/// Returns what the fields at a path say, in one document of a file or in all.
fn defined(document: &Document, path: &[&str], only: Option<usize>) -> Vec<Definition> {
    let is_wanted =
        |id: &EntryId| only.is_none_or(|only| document.outline.entry(*id).document == only) && !document.outline.value(*id).is_empty();
    let ids = document.outline.at_paths(path).into_iter().filter(is_wanted);
    ids.map(|id| Definition { name: document.outline.value(id).to_owned(), at: document.location(id) }).collect()
}

/// Returns the dash of the entry of `requires` that an entry stands in.
fn requirement(document: &Document, entry: EntryId) -> Option<EntryId> {
    document.outline.up(entry).find(|id| matches!(document.outline.path(*id).as_slice(), [Some("requires"), None]))
}

fn required(workspace: &Workspace, document: &Document, entry: EntryId) -> Option<Arc<Document>> {
    let path = workspace.required(document, requirement(document, entry)?)?;
    workspace.get(&path)
}

/// Returns the modules that the entry of `requires` around an entry names; empty for all.
fn wanted_modules(document: &Document, entry: EntryId) -> Vec<String> {
    let outline = &document.outline;
    let item = requirement(document, entry);
    let list = item.and_then(|item| outline.field(Some(item), outline.entry(item).document, "configs"));
    list.map_or_else(Vec::new, |list| outline.entry(list).children.iter().map(|id| outline.value(*id).to_owned()).collect())
}

fn profiles_of_modules(document: &Document, wanted: &[String]) -> Vec<Definition> {
    let outline = &document.outline;
    let name = |index| outline.text_of(outline.field(None, index, "metadata")?, "name");
    let is_wanted = |index: &usize| wanted.is_empty() || name(*index).is_some_and(|name| wanted.iter().any(|wanted| wanted == name));
    (0..outline.documents()).filter(is_wanted).flat_map(|index| defined(document, &["profiles", "-", "name"], Some(index))).collect()
}

/// Returns the file that an entry of `requires` stands for, as a place.
pub(crate) fn file(path: &Path) -> lsp::Location {
    lsp::Location { uri: crate::uri::uri_of(path), range: lsp::Range::default() }
}
