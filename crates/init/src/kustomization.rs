//! Kustomizations, and which of them are deployed by themselves.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use devloop_config::Node;
use devloop_config::Source;
use devloop_config::parse_documents;

use crate::tree::File;
use crate::tree::file_name;
use crate::tree::joined;

/// Names of the file, as kustomize has them.
const FILES: [&str; 2] = ["kustomization.yaml", "kustomization.yml"];
/// Fields that name other kustomizations.
const INCLUDES: [&str; 3] = ["resources", "bases", "components"];

/// Returns whether a file is a kustomization.
pub(crate) fn is_one(file: &File) -> bool {
    FILES.contains(&file.name())
}

/// Returns the directories of kustomizations that no other one includes: overlays, and bases without any.
pub(crate) fn overlays<'f>(files: impl Iterator<Item = &'f File> + Clone) -> Vec<String> {
    let (mut included, mut found) = (BTreeSet::new(), Vec::new());
    for file in files.filter(|file| is_one(file)) {
        let (directory, text) = (file.directory(), file.text.as_deref().unwrap_or_default());
        found.push(directory.to_owned());
        let documents = parse_documents(&Source::new(&file.path, text)).unwrap_or_default();
        let is_component = documents.iter().any(|document| document.get("kind").and_then(Node::as_text).as_deref() == Some("Component"));
        if is_component {
            included.insert(directory.to_owned());
        }
        for document in &documents {
            let entries = INCLUDES.iter().filter_map(|field| document.get(field)?.as_list()).flatten();
            included.extend(entries.filter_map(Node::as_text).map(|entry| joined(directory, &entry)));
        }
    }
    found.retain(|directory| !included.contains(directory));
    found
}

/// Returns the names that kustomizations give to images (`images[].newName`), by those that manifests have; where they differ, it is not clear
/// which is meant.
pub(crate) fn renamed<'f>(files: impl Iterator<Item = &'f File>) -> BTreeMap<String, String> {
    let mut renamed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.filter(|file| is_one(file)) {
        let text = file.text.as_deref().unwrap_or_default();
        let documents = parse_documents(&Source::new(&file.path, text)).unwrap_or_default();
        for image in documents.iter().filter_map(|document| document.get("images")?.as_list()).flatten() {
            let field = |name: &str| image.get(name).and_then(Node::as_text).map(std::borrow::Cow::into_owned);
            if let (Some(name), Some(new)) = (field("name"), field("newName")) {
                renamed.entry(name).or_default().insert(new);
            }
        }
    }
    renamed.into_iter().filter_map(|(name, mut new)| Some((name, new.pop_first().filter(|_| new.is_empty())?))).collect()
}

/// Returns the overlay that is used without a profile: `wanted`, else `dev`, else the first that is not `prod` (Skaffold's
/// `pkg/skaffold/initializer/render/kustomize.go`).
pub(crate) fn default<'o>(overlays: &'o [String], wanted: Option<&str>) -> Option<&'o String> {
    let called = |name: &str| overlays.iter().find(|overlay| file_name(overlay) == name);
    match wanted {
        Some(wanted) => {
            let wanted = joined(".", wanted);
            overlays.iter().find(|overlay| **overlay == wanted)
        }
        None => called("dev").or_else(|| overlays.iter().find(|overlay| file_name(overlay) != "prod")).or_else(|| overlays.first()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<File> = files.iter().map(|(path, text)| File { path: (*path).into(), text: Some((*text).into()) }).collect();
        overlays(files.iter())
    }

    #[test]
    fn a_new_name_counts_that_is_the_same_everywhere() {
        let file = |path: &str, text: &str| File { path: path.into(), text: Some(text.into()) };
        let files = [
            file(
                "base/kustomization.yaml",
                "images: [{name: app, newName: gcr.io/p/app}, {name: web, newTag: v1}, {name: api, newName: r/a}]",
            ),
            file("dev/kustomization.yaml", "images: [{name: app, newName: gcr.io/p/app, newTag: v2}, {name: api, newName: r/b}]"),
        ];
        assert_eq!(renamed(files.iter()), BTreeMap::from([("app".to_owned(), "gcr.io/p/app".to_owned())]));
    }

    #[test]
    fn what_is_included_is_no_overlay() {
        let files = [
            ("k8s/base/kustomization.yaml", "resources: [web.yaml]"),
            ("k8s/dev/kustomization.yaml", "resources: [../base]\ncomponents: [../extra]"),
            ("k8s/extra/kustomization.yml", "kind: Component"),
            ("k8s/prod/kustomization.yaml", "bases:\n- ../base/\n"),
            ("k8s/web.yaml", "resources: [prod]"),
        ];
        assert_eq!(found(&files), ["k8s/dev", "k8s/prod"]);
        assert_eq!(found(&files[..1]), ["k8s/base"]);
        assert_eq!(found(&[("kustomization.yaml", ": not yaml [")]), ["."]);
    }

    #[test]
    fn dev_comes_first_and_prod_last() {
        for (overlays, wanted, expected) in [
            (&["a", "dev"][..], None, Some("dev")),
            (&["prod", "test"], None, Some("test")),
            (&["prod"], None, Some("prod")),
            (&["prod", "dev"], Some("./prod/"), Some("prod")),
            (&["prod", "dev"], Some("other"), None),
            (&[], None, None),
        ] {
            let overlays: Vec<String> = overlays.iter().map(ToString::to_string).collect();
            assert_eq!(default(&overlays, wanted).map(String::as_str), expected, "{overlays:?}");
        }
    }
}
