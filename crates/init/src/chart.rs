//! Helm charts.

use std::borrow::Cow;

use devloop_config::Node;
use devloop_config::Source;
use devloop_config::parse_documents;
use devloop_model::Diagnostic;

use crate::manifest;
use crate::tree::File;
use crate::tree::Tree;
use crate::tree::file_name;
use crate::tree::is_below;
use crate::tree::is_yaml;

/// The file that makes a directory a chart.
const CHART: &str = "Chart.yaml";

/// A chart of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Its version, if it says one.
    pub version: Option<String>,
    /// Its directory.
    pub path: String,
    /// Its files of values, by name.
    pub values: Vec<String>,
    /// The images that its manifests name; what its values say until helm has rendered it.
    pub images: Vec<String>,
}

impl Chart {
    /// Takes the images of the manifests that helm rendered.
    pub fn rendered(&mut self, manifests: &str) {
        // helm prints what it made: a fault in it is none of the user's files.
        if let Ok(Some(images)) = manifest::images(&self.path, manifests) {
            self.images = images;
        }
    }
}

/// Returns the charts that are no parts of others, and a word for each whose `Chart.yaml` cannot be understood.
pub(crate) fn find(tree: &Tree) -> (Vec<Chart>, Vec<Diagnostic>) {
    let directories: Vec<&File> = tree.files.iter().filter(|file| file.name() == CHART).collect();
    let (mut charts, mut said) = (Vec::new(), Vec::new());
    for file in &directories {
        if directories.iter().any(|outer| is_below(file.directory(), outer.directory()) && file.path != outer.path) {
            continue;
        }
        match parsed(file) {
            Ok(document) => charts.extend(chart(file, &document, tree)),
            Err(fault) => said.push(*fault),
        }
    }
    (charts, said)
}

/// Returns the directories of all charts, those of parts as well.
pub(crate) fn directories(tree: &Tree) -> Vec<&str> {
    tree.files.iter().filter(|file| file.name() == CHART).map(File::directory).collect()
}

fn parsed(file: &File) -> Result<Node, Box<Diagnostic>> {
    let what = format!("the chart `{}` is left out: its `{CHART}` cannot be understood", file.directory());
    let warning = Diagnostic::warning("init/chart", what);
    match parse_documents(&Source::new(&file.path, file.text.as_deref().unwrap_or_default())) {
        Ok(documents) => documents.into_iter().find(|document| document.as_map().is_some()).ok_or_else(|| Box::new(warning)),
        Err(faults) => Err(Box::new(faults.into_iter().fold(warning, |warning, fault| match fault.at {
            Some(at) if warning.at.is_none() => warning.because(fault.what).at(at),
            _ => warning,
        }))),
    }
}

/// A library is for other charts, and cannot be installed.
fn chart(file: &File, document: &Node, tree: &Tree) -> Option<Chart> {
    let text = |field: &str| document.get(field).and_then(Node::as_text).map(Cow::into_owned).filter(|text| !text.is_empty());
    if text("type").as_deref() == Some("library") {
        return None;
    }
    let beside = tree.directly_in(file.directory()).filter(|other| is_yaml(other.name()));
    let values: Vec<&File> = beside.filter(|other| ![CHART, "requirements.yaml"].contains(&other.name())).collect();
    let images = values.iter().flat_map(|values| images_of_values(values)).collect();
    Some(Chart {
        name: text("name").unwrap_or_else(|| file_name(file.directory()).to_owned()),
        version: text("version"),
        path: file.directory().to_owned(),
        values: values.into_iter().map(|values| values.path.clone()).collect(),
        images,
    })
}

/// Returns the images that values name as charts usually do: `image: name`, and `image: {repository: name}`.
fn images_of_values(file: &File) -> Vec<String> {
    fn collect(node: &Node, images: &mut Vec<String>) {
        for (key, value) in node.as_map().unwrap_or_default() {
            let repository = value.get("repository").unwrap_or(value);
            match repository.as_text().filter(|_| key.text == "image" || key.text.ends_with("Image")) {
                Some(image) if !image.is_empty() => images.push(image.into_owned()),
                _ => collect(value, images),
            }
        }
    }
    let documents = parse_documents(&Source::new(&file.path, file.text.as_deref().unwrap_or_default())).unwrap_or_default();
    let mut images = Vec::new();
    for document in &documents {
        collect(document, &mut images);
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: Some((*text).into()) };
        Tree { root: ".".into(), files: files.iter().map(file).collect() }
    }

    #[test]
    fn a_chart_has_values_and_the_images_that_they_name() {
        let tree = tree(&[
            ("web/Chart.yaml", "name: shop\nversion: 0.1.0\n"),
            ("web/requirements.yaml", "dependencies: []"),
            ("web/val.yaml", "image: web\nsidecar: {image: {repository: gcr.io/p/side, tag: v1}}"),
            ("web/values.yaml", "proxyImage: proxy\nimage: {tag: x}\n"),
            ("web/charts/db/Chart.yaml", "name: db"),
            ("web/templates/d.yaml", "image: {{ x }}"),
            ("lib/Chart.yaml", "type: library"),
            ("plain/Chart.yaml", "apiVersion: v2"),
            ("bad/Chart.yaml", "name: [x"),
        ]);
        let (charts, said) = find(&tree);
        assert_eq!(charts.len(), 2);
        assert_eq!((charts[0].name.as_str(), charts[0].version.as_deref(), charts[0].path.as_str()), ("shop", Some("0.1.0"), "web"));
        assert_eq!(charts[0].values, ["web/val.yaml", "web/values.yaml"]);
        assert_eq!(charts[0].images, ["web", "gcr.io/p/side", "proxy"]);
        assert_eq!(charts[1].name, "plain");
        assert!(said[0].to_string().starts_with("warning[init/chart]: the chart `bad` is left out"), "{said:?}");
        assert_eq!(directories(&tree), ["web", "web/charts/db", "lib", "plain", "bad"]);
    }

    #[test]
    fn what_helm_rendered_counts_more() {
        let mut chart = find(&tree(&[("Chart.yaml", "name: a"), ("values.yaml", "image: guessed")])).0.remove(0);
        chart.rendered("no manifests");
        assert_eq!(chart.images, ["guessed"]);
        chart.rendered("---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: real}]}\n");
        assert_eq!(chart.images, ["real"]);
    }
}
