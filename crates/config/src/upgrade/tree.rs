//! Parts of a tree by their path: `deploy/kubectl`, `build/artifacts/*/docker`, where `*` is every item of a list.

use crate::Key;
use crate::Node;
use crate::Span;
use crate::Value;
use crate::profile::put;

/// Calls `change` with everything at `path` that is not null.
pub(super) fn each(node: &mut Node, path: &str, change: &mut dyn FnMut(&mut Node)) {
    if path.is_empty() {
        if !node.is_null() {
            change(node);
        }
        return;
    }
    let (step, rest) = path.split_once('/').unwrap_or((path, ""));
    match &mut node.value {
        Value::List(items) if step == "*" => items.iter_mut().for_each(|item| each(item, rest, change)),
        _ => {
            if let Some(child) = node.get_mut(step) {
                each(child, rest, change);
            }
        }
    }
}

/// Returns what is at `path`, which names no items, unless it is null.
pub(super) fn at<'a>(node: &'a mut Node, path: &str) -> Option<&'a mut Node> {
    path.split('/').try_fold(node, |node, step| node.get_mut(step).filter(|child| !child.is_null()))
}

/// Takes out what is at `path`, which names no items, with its key; nothing if it is null.
pub(super) fn take(node: &mut Node, path: &str) -> Option<(Key, Node)> {
    let (parent, name) = match path.rsplit_once('/') {
        Some((parent, name)) => (at(node, parent)?, name),
        None => (node, path),
    };
    let (key, _) = parent.entry(name)?;
    let key = key.clone();
    let value = parent.remove(name)?;
    (!value.is_null()).then_some((key, value))
}

/// Sets what is at `path`, which names no items; mappings on the way that are not there get the place of `key`.
pub(super) fn set(node: &mut Node, path: &str, key: &Span, value: Node) {
    let (step, rest) = path.split_once('/').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let Some(rest) = rest else {
        return put(node, &Key { text: step.to_owned(), span: key.clone() }, value);
    };
    if node.get(step).is_none_or(Node::is_null) {
        put(node, &Key { text: step.to_owned(), span: key.clone() }, Node::empty_map(key.clone()));
    }
    if let Some(child) = node.get_mut(step) {
        set(child, rest, key, value);
    }
}

/// Moves what is at `from` to `to`, in every item of the lists that both lead through; it stays where something is at `to` already.
pub(super) fn shift(node: &mut Node, from: &str, to: &str) {
    let (inside, from, to) = below_items(from, to);
    each(node, inside, &mut |node| {
        if at(node, to).is_some() {
            return;
        }
        match (from.rsplit_once('/').unwrap_or(("", from)), to.rsplit_once('/').unwrap_or(("", to))) {
            ((parent, name), (same, new)) if parent == same => each(node, parent, &mut |parent| rename(parent, name, new)),
            _ => {
                if let Some((key, value)) = take(node, from) {
                    set(node, to, &key.span, value);
                }
            }
        }
    });
}

/// Sets what is at `to` to what is at `from` as well.
pub(super) fn copy(node: &mut Node, from: &str, to: &str) {
    if let Some(value) = at(node, from).cloned() {
        let span = value.span.clone();
        set(node, to, &span, value);
    }
}

/// Calls a field of `node` by another name, in its place.
fn rename(node: &mut Node, name: &str, new: &str) {
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|(key, value)| key.text != new || !value.is_null());
        for (key, _) in entries.iter_mut().filter(|(key, _)| key.text == name) {
            new.clone_into(&mut key.text);
        }
    }
}

/// Returns the part of both paths that leads into items, and what is left of each.
fn below_items<'a>(from: &'a str, to: &'a str) -> (&'a str, &'a str, &'a str) {
    match from.rfind("*/") {
        Some(star) => (&from[..=star], &from[star + 2..], &to[star + 2..]),
        None => ("", from, to),
    }
}

/// Makes a list of a value.
pub(super) fn into_list(node: &mut Node) {
    let span = node.span.clone();
    let value = std::mem::replace(node, Node::new(Value::Null, span));
    node.value = Value::List(vec![value]);
}
