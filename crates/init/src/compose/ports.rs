//! Ports of a service: `8080:80`, `127.0.0.1:8080:80/udp`, `3000-3002`, and the long form.

use devloop_config::Node;
use devloop_model::Diagnostic;

use super::variables::Variables;

/// One port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    /// The port of the container.
    pub(super) target: u16,
    /// `TCP` or `UDP`.
    pub(super) protocol: String,
    /// Whether it is one of the machine, too.
    pub(super) is_published: bool,
    /// Which; none means any.
    pub(super) local: Option<u16>,
}

impl Port {
    /// Returns whether it can be forwarded.
    pub(super) fn is_tcp(&self) -> bool {
        self.protocol == "TCP"
    }
}

/// Returns the ports of an entry of `ports`.
///
/// # Errors
/// When it is none.
pub(super) fn published(node: &Node, variables: &mut Variables) -> Result<Vec<Port>, Diagnostic> {
    if node.as_map().is_none() {
        let text = variables.text(node)?;
        return parse(&text, true).ok_or_else(|| wrong(node, &text));
    }
    let mut field = |name: &str| node.get(name).map(|node| variables.text(node)).transpose();
    let (target, published, protocol) = (field("target")?.unwrap_or_default(), field("published")?, field("protocol")?);
    let protocol = protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
    let text = match published.filter(|published| !published.is_empty()) {
        Some(published) => format!("{published}:{target}{protocol}"),
        None => format!("{target}{protocol}"),
    };
    parse(&text, true).ok_or_else(|| wrong(node, &text))
}

/// Returns the ports of an entry of `expose`.
///
/// # Errors
/// When it is none.
pub(super) fn exposed(node: &Node, variables: &mut Variables) -> Result<Vec<Port>, Diagnostic> {
    let text = variables.text(node)?;
    parse(&text, false).ok_or_else(|| wrong(node, &text))
}

fn wrong(node: &Node, text: &str) -> Diagnostic {
    node.span.error("init/compose", format!("`{text}` is no port"))
}

fn parse(text: &str, is_published: bool) -> Option<Vec<Port>> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let mut parts = ports.rsplitn(3, ':');
    let targets = range(parts.next()?)?;
    let locals = parts.next().filter(|local| !local.is_empty()).map(range);
    let locals = match locals {
        Some(locals) => Some(locals?),
        None => None,
    };
    // A range on this machine for one port is any of it.
    let local = |at: usize| locals.as_ref().and_then(|locals| locals.get(at).or(locals.first())).copied();
    let port = |(at, target)| Port { target, protocol: protocol.to_uppercase(), is_published, local: local(at) };
    Some(targets.into_iter().enumerate().map(port).collect())
}

fn range(text: &str) -> Option<Vec<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse::<u16>().ok()?, last.parse::<u16>().ok()?);
    (first != 0 && first <= last).then(|| (first..=last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_understood() {
        for (text, expected) in [
            ("80", "80 TCP"),
            ("8080:80", "80<8080 TCP"),
            ("127.0.0.1:8080:80/udp", "80<8080 UDP"),
            ("[::1]:8080:80", "80<8080 TCP"),
            ("3000-3001", "3000 TCP, 3001 TCP"),
            ("9000-9001:80-81", "80<9000 TCP, 81<9001 TCP"),
            (":80", "80 TCP"),
        ] {
            let shown = |port: Port| {
                format!("{}{} {}", port.target, port.local.map(|local| format!("<{local}")).unwrap_or_default(), port.protocol)
            };
            let found: Vec<String> = parse(text, true).unwrap().into_iter().map(shown).collect();
            assert_eq!(found.join(", "), expected, "{text}");
        }
        for text in ["", "http", "0", "70000", "5-3", "a:80"] {
            assert_eq!(parse(text, true), None, "{text}");
        }
    }
}
