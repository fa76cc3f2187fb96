//! Paths of patches: JSON pointers (RFC 6901), with steps that search.

use devloop_model::Diagnostic;

use super::Slot;
use crate::Node;
use crate::Span;
use crate::Value;

/// A path, and where it was written.
#[derive(Clone)]
pub(super) struct Pointer {
    text: String,
    steps: Vec<String>,
    span: Span,
}

impl Pointer {
    /// Returns the path in `field` of a patch.
    pub(super) fn read(patch: &Node, field: &str) -> Result<Self, Diagnostic> {
        let node = patch.get(field).unwrap_or(patch);
        let Some(text) = patch.get(field).and_then(Node::as_text) else {
            return Err(node.span.error("config/missing-field", format!("this patch has no `{field}`")));
        };
        let Some(rest) = text.strip_prefix('/') else {
            let error = node.span.error("config/patch-path", format!("the path `{text}` does not start with `/`"));
            return Err(error.help("write it like `/build/artifacts/0/image`"));
        };
        let steps = rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { steps, span: node.span.clone(), text: text.into_owned() })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns how many values it leads through.
    pub(super) fn depth(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Returns the paths that this one stands for: itself, unless a step of it searches.
    pub(super) fn expand(&self, document: &Node) -> Result<Vec<Self>, Diagnostic> {
        let mut found = vec![(Vec::new(), document)];
        let (last, steps) = self.steps.split_last().expect("a path has at least one step");
        for step in steps.iter().chain(Some(last).filter(|last| last.contains('='))) {
            let mut next = Vec::new();
            for (path, node) in found {
                match (child(node, step), step.split_once('=')) {
                    (Some(child), _) => next.push((with(&path, step), child)),
                    (None, Some((key, value))) => search(node, key, value, &path, &mut next),
                    // Left for `parent`, which says what is missing.
                    (None, None) => return Ok(vec![self.clone()]),
                }
            }
            found = next;
        }
        if found.is_empty() {
            let error = self.span.error("config/patch-path", format!("nothing is found at `{}`", self.text));
            return Err(error.because("a step `key=value` finds mappings that have this entry"));
        }
        if last.contains('=') {
            return Ok(found.into_iter().map(|(steps, _)| Self { steps, ..self.clone() }).collect());
        }
        Ok(found.into_iter().map(|(path, _)| Self { steps: with(&path, last), ..self.clone() }).collect())
    }

    /// Returns the place in `document` that this path leads to; its last step need not be there.
    pub(super) fn parent<'a>(&'a self, document: &'a mut Node) -> Result<Slot<'a>, Diagnostic> {
        let (last, steps) =
            self.steps.split_last().ok_or_else(|| self.span.error("config/patch-path", "a patch cannot replace the whole module"))?;
        let mut container = document;
        for step in steps {
            if child(container, step).is_none() {
                return Err(self.missing(container, step));
            }
            container = child_mut(container, step).expect("looked up just before");
        }
        if container.as_list().is_none() && container.as_map().is_none() {
            return Err(self.missing(container, last));
        }
        Ok(Slot { container, step: last, path: self })
    }

    /// Returns the error that `container` has no `step`.
    pub(super) fn missing(&self, container: &Node, step: &str) -> Diagnostic {
        let why = match &container.value {
            Value::List(list) if list.len() == 1 => format!("`{step}` is no place in a list of 1 item"),
            Value::List(list) => format!("`{step}` is no place in a list of {} items", list.len()),
            Value::Map(entries) if entries.is_empty() => format!("there is no `{step}`, the mapping around it is empty"),
            Value::Map(entries) => {
                let keys: Vec<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
                format!("there is no `{step}` beside: {}", keys.join(", "))
            }
            _ => format!("`{step}` would stand in {}", container.kind()),
        };
        self.span.error("config/patch-path", format!("nothing is at `{}`", self.text)).because(why)
    }
}

/// Returns what `step` leads to.
pub(super) fn child<'a>(node: &'a Node, step: &str) -> Option<&'a Node> {
    match &node.value {
        Value::List(list) => list.get(step.parse::<usize>().ok()?),
        _ => node.get(step),
    }
}

fn child_mut<'a>(node: &'a mut Node, step: &str) -> Option<&'a mut Node> {
    if node.as_list().is_none() {
        return node.get_mut(step);
    }
    let Value::List(list) = &mut node.value else { return None };
    list.get_mut(step.parse::<usize>().ok()?)
}

/// Adds every mapping in `node` that has this entry, with its path.
fn search<'a>(node: &'a Node, key: &str, value: &str, path: &[String], found: &mut Vec<(Vec<String>, &'a Node)>) {
    if node.get(key).and_then(Node::as_text).is_some_and(|text| text == value) {
        found.push((path.to_vec(), node));
        return;
    }
    match &node.value {
        Value::List(list) => list.iter().enumerate().for_each(|(at, item)| search(item, key, value, &with(path, &at.to_string()), found)),
        Value::Map(entries) => entries.iter().for_each(|(name, item)| search(item, key, value, &with(path, &name.text), found)),
        _ => {}
    }
}

fn with(path: &[String], step: &str) -> Vec<String> {
    path.iter().cloned().chain([step.to_owned()]).collect()
}
