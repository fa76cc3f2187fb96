//! The way from the top of a document to a value, in the user's words.

use crate::Node;

/// The way to where a walk is.
#[derive(Debug, Default)]
pub(crate) struct Trail(Vec<Part>);

#[derive(Debug)]
enum Part {
    Field(String),
    Item {
        index: usize,
        /// What the user calls it: `artifact` and its image.
        called: Option<String>,
    },
}

impl Trail {
    /// Returns the way to what a JSON pointer leads to.
    pub(crate) fn to(document: &Node, pointer: &str) -> Self {
        let mut trail = Self::default();
        let mut node = Some(document);
        for part in pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")) {
            let item = node.and_then(Node::as_list).zip(part.parse::<usize>().ok());
            node = if let Some((items, index)) = item {
                items.get(index).inspect(|item| trail.enter_item(index, item))
            } else {
                trail.enter_field(&part);
                node.and_then(|node| node.get(&part))
            };
        }
        trail
    }

    pub(crate) fn enter_field(&mut self, field: &str) {
        self.0.push(Part::Field(field.to_owned()));
    }

    pub(crate) fn enter_item(&mut self, index: usize, item: &Node) {
        let list = if let Some(Part::Field(field)) = self.0.last() { field.as_str() } else { "" };
        let called = noun(list).and_then(|(noun, key)| {
            let name = item.get(key)?.as_text().filter(|name| !name.is_empty())?;
            Some(format!("{noun} `{name}`"))
        });
        self.0.push(Part::Item { index, called });
    }

    pub(crate) fn leave(&mut self) {
        self.0.pop();
    }

    /// Returns whether the walk is at the list of profiles.
    pub(crate) fn is_profiles(&self) -> bool {
        matches!(self.0.as_slice(), [Part::Field(field)] if field == "profiles")
    }

    /// Returns what the walk is at, to start a sentence with: `` `docker` of artifact `web` ``.
    pub(crate) fn subject(&self) -> String {
        let named = self.0.iter().rposition(|part| matches!(part, Part::Item { called: Some(_), .. }));
        let path = written(&self.0[named.map_or(0, |at| at + 1)..]);
        match named.map(|at| &self.0[at]) {
            Some(Part::Item { called: Some(called), .. }) if path.is_empty() => called.clone(),
            Some(Part::Item { called: Some(called), .. }) => format!("`{path}` of {called}"),
            _ if path.is_empty() => "the configuration".to_owned(),
            _ => format!("`{path}`"),
        }
    }
}

fn written(parts: &[Part]) -> String {
    let mut path = String::new();
    for part in parts {
        match part {
            Part::Field(field) if path.is_empty() => path.push_str(field),
            Part::Field(field) => {
                path.push('.');
                path.push_str(field);
            }
            Part::Item { index, .. } => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
    path
}

/// Returns what an item of this list is called, and which of its fields has its name.
fn noun(list: &str) -> Option<(&'static str, &'static str)> {
    match list {
        "artifacts" => Some(("artifact", "image")),
        "profiles" => Some(("profile", "name")),
        "test" => Some(("test of", "image")),
        "verify" => Some(("verify test", "name")),
        "customActions" => Some(("action", "name")),
        "containers" => Some(("container", "name")),
        "releases" => Some(("release", "name")),
        "components" => Some(("component", "name")),
        "secrets" => Some(("secret", "id")),
        _ => None,
    }
}
