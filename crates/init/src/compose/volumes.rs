//! Volumes of a service.

use devloop_config::Node;
use devloop_model::Diagnostic;

use super::left_out;
use super::variables::Variables;

/// Where something is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// What it is.
    pub(super) kind: Kind,
    /// The path in the container.
    pub(super) target: String,
    /// Whether it cannot be written to.
    pub(super) read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A volume that stays, by its name.
    Named(String),
    /// A directory that goes with the pod.
    Empty,
    /// The same in memory.
    Memory,
}

/// Returns the mount of an entry of `volumes`; a directory of this machine has no place in the cluster, and is a warning.
///
/// # Errors
/// When it is none.
pub(super) fn mount(node: &Node, variables: &mut Variables) -> Result<Result<Mount, Diagnostic>, Diagnostic> {
    let (kind, source, target, read_only) = if node.as_map().is_some() {
        let mut field = |name: &str| node.get(name).map(|node| variables.text(node)).transpose();
        let read_only = node.get("read_only").and_then(Node::as_bool).unwrap_or_default();
        (field("type")?.unwrap_or_default(), field("source")?.unwrap_or_default(), field("target")?.unwrap_or_default(), read_only)
    } else {
        let text = variables.text(node)?;
        let mut parts = text.splitn(3, ':');
        let (first, second, mode) = (parts.next().unwrap_or_default(), parts.next(), parts.next().unwrap_or_default());
        let (source, target) = second.map_or(("", first), |second| (first, second));
        let is_path = source.starts_with(['.', '/', '~']);
        let kind = if is_path { "bind" } else { "volume" };
        (kind.to_owned(), source.to_owned(), target.to_owned(), mode.split(',').any(|option| option == "ro"))
    };
    if target.is_empty() {
        return Err(node.span.error("init/compose", "this volume has no path in the container"));
    }
    let kind = match (kind.as_str(), source.as_str()) {
        ("volume", "") => Kind::Empty,
        ("volume", name) => Kind::Named(name.to_owned()),
        ("tmpfs", _) => Kind::Memory,
        _ => {
            let what = format!("`{source}` at `{target}` is left out: a pod has no files of this machine");
            return Ok(Err(left_out(node, what).help("let the image have them, and `sync` keep them up to date")));
        }
    };
    Ok(Ok(Mount { kind, target, read_only }))
}
