//! JSON patches of a profile: what a step does to a tree, done to paths and values.

use devloop_model::Diagnostic;

use super::Step;
use super::difference::differences;
use crate::Key;
use crate::Node;
use crate::Value;
use crate::node::MAX_DEPTH;
use crate::patch::apply_one;

/// Upgrades the patches of a profile of `document`, which is not upgraded itself yet.
pub(super) fn upgrade(profile: &mut Node, step: &Step, document: &Node, told: &mut Vec<Diagnostic>) {
    let Some(Value::List(patches)) = profile.get_mut("patches").map(|patches| &mut patches.value) else { return };
    let mut proof = Proof::of(document, step);
    *patches = patches.drain(..).flat_map(|patch| proof.proven(upgrade_one(patch.clone(), step, document), &patch, told)).collect();
}

/// How many values a document has at most whose patches are proven: each of them costs an upgrade of all.
const LARGEST: usize = 20_000;

/// The document of a profile, on which upgraded patches have to do what the old ones did before the upgrade.
struct Proof<'a> {
    step: &'a Step,
    /// The document as the patches so far left it, not upgraded.
    before: Node,
    /// How many values the patches added.
    growth: usize,
}

impl<'a> Proof<'a> {
    fn of(document: &Node, step: &'a Step) -> Self {
        let mut before = document.clone();
        before.remove("profiles");
        Self { step, before, growth: 0 }
    }

    /// Returns `upgraded` unless its path says too little: of a whole section, whose parts may go to several places, or of one that is gone.
    /// Then returns patches of all that `patch` changes in the upgraded document.
    fn proven(&mut self, upgraded: Vec<Node>, patch: &Node, told: &mut Vec<Diagnostic>) -> Vec<Node> {
        if self.before.size() > LARGEST {
            return upgraded;
        }
        let mut after = self.before.clone();
        if apply_one(&mut after, patch, &mut self.growth).is_err() {
            // It is about what another profile brings.
            return upgraded;
        }
        let (old, known) = self.upgraded(&self.before);
        let (wanted, said) = self.upgraded(&after);
        told.extend(said.into_iter().filter(|diagnostic| !known.contains(diagnostic)));
        self.before = after;
        let path = path_of(patch, "path").unwrap_or_default();
        let mut made = old.clone();
        let leads = upgraded.iter().all(|patch| apply_one(&mut made, patch, &mut 0).is_ok() && leads_into(patch, &wanted));
        let is_test = operation(patch).as_deref() == Some("test");
        if is_test || (leads && !self.is_section(&path)) || made.to_json() == wanted.to_json() {
            return upgraded;
        }
        differences(&old, &wanted, &path, patch)
    }

    /// Returns whether something that moves is below `path`.
    fn is_section(&self, path: &str) -> bool {
        self.step.moves.iter().chain(self.step.copies).any(|(from, _)| from.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    fn upgraded(&self, document: &Node) -> (Node, Vec<Diagnostic>) {
        let (mut upgraded, mut told) = (document.clone(), Vec::new());
        self.step.apply(&mut upgraded, &mut told);
        (upgraded, told)
    }
}

/// Returns whether what `patch` sets is in `document`.
fn leads_into(patch: &Node, document: &Node) -> bool {
    let sets = operation(patch).is_none_or(|op| matches!(&*op, "add" | "replace"));
    // What searches was found when it was applied.
    !sets
        || path_of(patch, "path")
            .is_none_or(|path| path.ends_with("/-") || path.contains('=') || document.pointer(&format!("/{path}")).is_some())
}

fn operation(patch: &Node) -> Option<String> {
    patch.get("op").and_then(Node::as_text).map(std::borrow::Cow::into_owned)
}

/// Returns the patches that do what `patch` did.
fn upgrade_one(patch: Node, step: &Step, document: &Node) -> Vec<Node> {
    // A longer path leads nowhere in any document.
    let Some(path) = path_of(&patch, "path").filter(|path| path.split('/').count() <= MAX_DEPTH) else { return vec![patch] };
    let patches = match step.patch.and_then(|upgrade| upgrade(&patch, &path, document)) {
        Some(patches) => patches,
        None => vec![moved(patch, &path, step)],
    };
    patches.into_iter().flat_map(|patch| copied(patch, step)).collect()
}

/// Returns `patch` with the path that now leads to the place, and with its value as the step leaves it there.
fn moved(mut patch: Node, path: &str, step: &Step) -> Node {
    let now = follow(path, step.moves).unwrap_or_else(|| path.to_owned());
    if let Some(value) = patch.get("value").filter(|value| !value.is_null()) {
        let mut tree = wrapped(path, value.clone());
        step.apply(&mut tree, &mut Vec::new());
        if let Some(value) = innermost(&tree, &now).cloned() {
            patch.set("value", value);
        }
    }
    set_path(&mut patch, "path", &now);
    if let Some(from) = path_of(&patch, "from").and_then(|from| follow(&from, step.moves)) {
        set_path(&mut patch, "from", &from);
    }
    patch
}

/// Returns `patch`, and before it the same for the place that a step copies to.
fn copied(patch: Node, step: &Step) -> Vec<Node> {
    let Some(path) = path_of(&patch, "path").and_then(|path| follow(&path, step.copies)) else { return vec![patch] };
    let mut copy = patch.clone();
    set_path(&mut copy, "path", &path);
    if let Some(from) = path_of(&patch, "from").and_then(|from| follow(&from, step.copies)) {
        set_path(&mut copy, "from", &from);
    }
    vec![copy, patch]
}

/// Returns where `path` leads to after `moves`, if that is another place.
fn follow(path: &str, moves: &[(&str, &str)]) -> Option<String> {
    let now = moves.iter().fold(path.to_owned(), |path, (from, to)| replaced(&path, from, to).unwrap_or(path));
    (now != path).then_some(now)
}

/// Returns `path` with `to` in the place of its start `from`; each `*` stands for one step, and for the same one in both.
fn replaced(path: &str, from: &str, to: &str) -> Option<String> {
    let mut steps = path.split('/');
    let mut items = Vec::new();
    for expected in from.split('/') {
        let step = steps.next()?;
        if expected == "*" {
            items.push(step);
        } else if step != expected {
            return None;
        }
    }
    let mut items = items.into_iter();
    let start = to.split('/').map(|step| if step == "*" { items.next().unwrap_or(step) } else { step });
    Some(start.chain(steps).collect::<Vec<_>>().join("/"))
}

/// Returns a tree that has nothing but `value` at `path`: the only item of every list on the way.
fn wrapped(path: &str, value: Node) -> Node {
    path.rsplit('/').fold(value, |inner, step| {
        let span = inner.span.clone();
        let value = if is_item(step) {
            Value::List(vec![inner])
        } else {
            Value::Map(vec![(Key { text: step.replace("~1", "/").replace("~0", "~"), span: span.clone() }, inner)])
        };
        Node::new(value, span)
    })
}

fn innermost<'a>(tree: &'a Node, path: &str) -> Option<&'a Node> {
    path.split('/').try_fold(tree, |node, step| match node.as_list() {
        Some(items) if is_item(step) => items.first(),
        _ => node.get(&step.replace("~1", "/").replace("~0", "~")),
    })
}

/// Returns whether a step of a path stands for an item of a list.
fn is_item(step: &str) -> bool {
    step == "-" || step.contains('=') || step.parse::<usize>().is_ok()
}

fn path_of(patch: &Node, field: &str) -> Option<String> {
    Some(patch.get(field)?.as_text()?.strip_prefix('/')?.to_owned())
}

/// Sets a path of `patch`, in the place that it was written at.
pub(super) fn set_path(patch: &mut Node, field: &str, path: &str) {
    let path = format!("/{path}");
    if let Some(node) = patch.get_mut(field).filter(|node| node.as_text().is_none_or(|text| text != path)) {
        *node = Node::text(path, node.span.clone());
    }
}
