//! Names of a configuration, for shell completion: what can be read is listed, and what is wrong is passed over.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use crate::ConfigSource;
use crate::Node;
use crate::load;
use crate::modules::clean;
use crate::parse_documents;

/// Names that `--profile`, `--module` and `--build-image` take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Names of profiles.
    pub profiles: BTreeSet<String>,
    /// Names of modules.
    pub modules: BTreeSet<String>,
    /// Names of images of artifacts, those of profiles included.
    pub artifacts: BTreeSet<String>,
}

/// Returns the names in a configuration and in the files that it requires by path.
pub fn names(root: &ConfigSource, cwd: &Path) -> Names {
    let mut names = Names::default();
    if let Ok(source) = load::read_root(root, cwd) {
        let mut seen = BTreeSet::from([cwd.join(&source.file)]);
        names.add_file(&source, cwd, &mut seen);
    }
    names
}

impl Names {
    fn add_file(&mut self, source: &std::sync::Arc<crate::Source>, cwd: &Path, seen: &mut BTreeSet<PathBuf>) {
        for document in parse_documents(source).unwrap_or_default() {
            self.modules.extend(text(document.get("metadata"), "name"));
            self.add_artifacts(&document);
            for profile in items(document.get("profiles")) {
                self.profiles.extend(text(Some(profile), "name"));
                self.add_artifacts(profile);
            }
            for path in items(document.get("requires")).iter().filter_map(|entry| text(Some(entry), "path")) {
                let directory = source.file.parent().unwrap_or(Path::new(""));
                let file = load::file_in(cwd, &clean(&directory.join(path)));
                if seen.insert(cwd.join(&file))
                    && let Ok(required) = load::read(&file, cwd)
                {
                    self.add_file(&required, cwd, seen);
                }
            }
        }
    }

    fn add_artifacts(&mut self, pipeline: &Node) {
        let artifacts = items(pipeline.get("build").and_then(|build| build.get("artifacts")));
        self.artifacts.extend(artifacts.iter().filter_map(|artifact| text(Some(artifact), "image")));
    }
}

fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_list).unwrap_or_default()
}

fn text(node: Option<&Node>, key: &str) -> Option<String> {
    node?.get(key)?.as_text().filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_every_file_that_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "skaffold.yaml",
            "metadata: {name: shop}\nrequires: [{path: ./cart}, {path: nowhere}]\nbuild: {artifacts: [{image: web}, {oops: 1}]}\n\
             profiles: [{name: prod, build: {artifacts: [{image: web-prod}]}}]\n",
        );
        write("cart/skaffold.yaml", "metadata: {name: cart}\nrequires: [{path: ..}]\nbuild: {artifacts: [{image: cart}]}\n");
        let names = names(&ConfigSource::Search, dir.path());
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            names,
            Names { profiles: set(&["prod"]), modules: set(&["cart", "shop"]), artifacts: set(&["cart", "web", "web-prod"]) }
        );
        assert_eq!(super::names(&ConfigSource::File("gone".into()), dir.path()), Names::default());
    }
}
