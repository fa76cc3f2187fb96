//! JSON patches of a profile, applied one by one to a document.

use devloop_model::Diagnostic;

use crate::Key;
use crate::Node;
use crate::Value;
use crate::node::MAX_DEPTH;
use crate::node::MAX_NODES;
use crate::node::too_deep;
use crate::profile::items;
use crate::profile::put;

mod pointer;

use pointer::Pointer;

/// Works every entry of `patches` into the document, in order; `op` is `replace` where it is left out.
///
/// Facts: RFC 6902, and the package krishicks/yaml-patch that Skaffold uses: `move` and `copy` into a list replace the item that is there, and
/// a step `key=value` of a path stands for every mapping below it with that entry.
///
/// # Errors
/// When a path is not there, an operation is unknown or lacks a field, or a `test` fails; the patches after it are not looked at.
pub(crate) fn apply(document: &mut Node, patches: &Node) -> Result<(), Vec<Diagnostic>> {
    let mut growth = 0;
    for patch in items(patches, "patches").map_err(|error| vec![error])? {
        apply_one(document, patch, &mut growth).map_err(|error| vec![error])?;
    }
    Ok(())
}

/// Checks that a document keeps its bounds with `value` at `path`: a copy of a mapping into itself doubles it.
fn bounded(path: &Pointer, value: Node, growth: &mut usize) -> Result<Node, Diagnostic> {
    *growth += value.size();
    if *growth > MAX_NODES {
        let what = format!("patches add more than {MAX_NODES} values to this configuration");
        return Err(path.span().error("config/too-large", what));
    }
    if path.depth() + value.depth() > MAX_DEPTH {
        return Err(too_deep(path.span()));
    }
    Ok(value)
}

/// Works one patch into the document; `growth` counts the values that patches added.
///
/// # Errors
/// As [`apply`].
pub(crate) fn apply_one(document: &mut Node, patch: &Node, growth: &mut usize) -> Result<(), Diagnostic> {
    let operation = patch.get("op").filter(|op| !op.is_null());
    let path = Pointer::read(patch, "path")?;
    let name = operation.and_then(Node::as_text).unwrap_or_else(|| "replace".into());
    for path in path.expand(document)? {
        let fault = match &*name {
            "add" => path.parent(document)?.add(bounded(&path, value(patch), growth)?),
            "remove" => path.parent(document)?.take().map(drop),
            "replace" => path.parent(document)?.replace(bounded(&path, value(patch), growth)?),
            "move" => {
                let moved = Pointer::read(patch, "from")?.parent(document)?.take()?;
                path.parent(document)?.set(bounded(&path, moved, growth)?)
            }
            "copy" => {
                let copied = Pointer::read(patch, "from")?.parent(document)?.found()?.clone();
                path.parent(document)?.set(bounded(&path, copied, growth)?)
            }
            "test" => path.parent(document)?.test(&value(patch)),
            other => {
                let span = &operation.unwrap_or(patch).span;
                Err(span
                    .error("config/patch-operation", format!("there is no patch operation `{other}`"))
                    .help("use one of: add, remove, replace, move, copy, test"))
            }
        };
        fault?;
    }
    Ok(())
}

fn value(patch: &Node) -> Node {
    patch.get("value").cloned().unwrap_or_else(|| Node::new(Value::Null, patch.span.clone()))
}

/// The mapping or list that a path ends in, and its last step.
struct Slot<'a> {
    container: &'a mut Node,
    step: &'a str,
    path: &'a Pointer,
}

impl Slot<'_> {
    fn found(&self) -> Result<&Node, Diagnostic> {
        pointer::child(self.container, self.step).ok_or_else(|| self.path.missing(self.container, self.step))
    }

    fn add(self, value: Node) -> Result<(), Diagnostic> {
        let missing = self.path.missing(self.container, self.step);
        match &mut self.container.value {
            Value::List(list) if self.step == "-" => list.push(value),
            Value::List(list) => {
                let at = self.step.parse().ok().filter(|at| *at <= list.len()).ok_or(missing)?;
                list.insert(at, value);
            }
            _ => self.put(value),
        }
        Ok(())
    }

    fn replace(self, value: Node) -> Result<(), Diagnostic> {
        self.found()?;
        self.set(value)
    }

    fn set(self, value: Node) -> Result<(), Diagnostic> {
        let missing = self.path.missing(self.container, self.step);
        match &mut self.container.value {
            Value::List(list) => match self.step.parse::<usize>() {
                Ok(at) if at < list.len() => list[at] = value,
                Ok(at) if at == list.len() => list.push(value),
                Err(_) if self.step == "-" => list.push(value),
                _ => return Err(missing),
            },
            _ => self.put(value),
        }
        Ok(())
    }

    fn put(self, value: Node) {
        let key = Key { text: self.step.to_owned(), span: value.span.clone() };
        put(self.container, &key, value);
    }

    fn take(self) -> Result<Node, Diagnostic> {
        let missing = self.path.missing(self.container, self.step);
        match &mut self.container.value {
            Value::List(list) => match self.step.parse::<usize>() {
                Ok(at) if at < list.len() => Ok(list.remove(at)),
                _ => Err(missing),
            },
            _ => self.container.remove(self.step).ok_or(missing),
        }
    }

    fn test(self, expected: &Node) -> Result<(), Diagnostic> {
        let actual = pointer::child(self.container, self.step).map_or(serde_json::Value::Null, Node::to_json);
        if actual == expected.to_json() {
            return Ok(());
        }
        let what = format!("the test of `{}` fails: it is `{actual}`, not `{}`", self.path.text(), expected.to_json());
        Err(self.path.span().error("config/patch-test", what))
    }
}

#[cfg(test)]
mod tests;
