//! What makes one tree of another, as JSON patches.

use crate::Key;
use crate::Node;
use crate::Value;

/// Returns patches that make `new` of `old`, at the place of `patch`; what is at `whole`, a path without its first `/`, is replaced as one.
pub(super) fn differences(old: &Node, new: &Node, whole: &str, patch: &Node) -> Vec<Node> {
    let mut found = Differences { whole, patch, patches: Vec::new() };
    found.at(&mut Vec::new(), old, new);
    found.patches
}

struct Differences<'a> {
    whole: &'a str,
    patch: &'a Node,
    patches: Vec<Node>,
}

impl Differences<'_> {
    fn at(&mut self, path: &mut Vec<String>, old: &Node, new: &Node) {
        if old.to_json() == new.to_json() {
            return;
        }
        let (Some(before), Some(after)) = (old.as_map(), new.as_map()) else { return self.push("replace", path, Some(new)) };
        if !path.is_empty() && path.join("/") == self.whole {
            return self.push("replace", path, Some(new));
        }
        for (key, value) in before {
            path.push(escaped(&key.text));
            match new.get(&key.text) {
                Some(now) => self.at(path, value, now),
                None => self.push("remove", path, None),
            }
            path.pop();
        }
        for (key, value) in after.iter().filter(|(key, _)| old.get(&key.text).is_none()) {
            path.push(escaped(&key.text));
            self.push("add", path, Some(value));
            path.pop();
        }
    }

    fn push(&mut self, op: &str, path: &[String], value: Option<&Node>) {
        let span = |field: &str| self.patch.get(field).map_or(&self.patch.span, |node| &node.span).clone();
        let text = |field: &str, text: String| (Key { text: field.to_owned(), span: span(field) }, Node::text(text, span(field)));
        let mut fields = vec![text("op", op.to_owned()), text("path", format!("/{}", path.join("/")))];
        fields.extend(value.map(|value| (Key { text: "value".to_owned(), span: span("value") }, value.clone())));
        self.patches.push(Node::new(Value::Map(fields), self.patch.span.clone()));
    }
}

/// Returns a key as a step of a path (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
