//! What makes one tree of another, as JSON patches.

use crate::Key;
use crate::Node;
use crate::Value;
use crate::loaded::join;

/// Returns patches that make `new` of `old`, at the place of `patch`; what is at `whole`, a path without its first `/`, is replaced as one.
pub(super) fn differences(old: &Node, new: &Node, whole: &str, patch: &Node) -> Vec<Node> {
    let mut found = Differences { whole, patch, patches: Vec::new() };
    found.at("", old, new);
    found.patches
}

struct Differences<'a> {
    whole: &'a str,
    patch: &'a Node,
    patches: Vec<Node>,
}

impl Differences<'_> {
    /// `pointer` leads to both.
    fn at(&mut self, pointer: &str, old: &Node, new: &Node) {
        if old.to_json() == new.to_json() {
            return;
        }
        let is_whole = pointer.strip_prefix('/') == Some(self.whole);
        let (Some(before), Some(after), false) = (old.as_map(), new.as_map(), is_whole) else {
            return self.push("replace", pointer, Some(new));
        };
        for (key, value) in before {
            let pointer = join(pointer, &key.text);
            match new.get(&key.text) {
                Some(now) => self.at(&pointer, value, now),
                None => self.push("remove", &pointer, None),
            }
        }
        for (key, value) in after.iter().filter(|(key, _)| old.get(&key.text).is_none()) {
            self.push("add", &join(pointer, &key.text), Some(value));
        }
    }

    fn push(&mut self, op: &str, pointer: &str, value: Option<&Node>) {
        let span = |field: &str| self.patch.get(field).map_or(&self.patch.span, |node| &node.span).clone();
        let text = |field: &str, text: &str| (Key { text: field.to_owned(), span: span(field) }, Node::text(text, span(field)));
        let mut fields = vec![text("op", op), text("path", pointer)];
        fields.extend(value.map(|value| (Key { text: "value".to_owned(), span: span("value") }, value.clone())));
        self.patches.push(Node::new(Value::Map(fields), self.patch.span.clone()));
    }
}
