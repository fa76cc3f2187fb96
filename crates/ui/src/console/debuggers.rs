//! Where debuggers are attached to: said once a container runs under one and its port leads to this machine; and when all of them are
//! there, for an editor that waits for it.

use std::collections::BTreeMap;

use devloop_model::DebuggingContainer;
use devloop_model::EventKind;
use devloop_model::ForwardState;
use devloop_model::Outcome;

use super::paint::Line;
use super::paint::Paint;

/// A regular expression for the line that says that a pass begins, without a terminal; for no line that says how it ended.
pub const PASS_BEGINS: &str = r"^save \d+: ";
/// A regular expression for the lines after which an editor attaches, or sees that it cannot.
pub const ATTACHABLE: &str = r"^(Ready to attach|No container is debugged|(first pass|save \d+) failed)";

/// What is known of debuggers, and of the ports that lead to them.
#[derive(Debug, Default)]
pub(super) struct Debuggers {
    containers: Vec<DebuggingContainer>,
    /// Where each port of each pod is.
    ports: BTreeMap<(String, u16), String>,
    /// Whether the last pass went well.
    settled: bool,
    /// Whether it was said that all are there.
    ready: bool,
}

impl Debuggers {
    /// Returns a line for each debugger that can be attached to since this fact, and one when that is all of them.
    pub(super) fn lines(&mut self, fact: &EventKind) -> Vec<Line> {
        match fact {
            EventKind::Triggered { .. } => (self.settled, self.ready) = (false, false),
            EventKind::IterationEnded { outcome, .. } => self.settled = *outcome == Outcome::Succeeded,
            EventKind::DebuggingStarted { .. } => self.ready = false,
            _ => {}
        }
        let mut lines = self.attachable(fact);
        let is_reached =
            |container: &DebuggingContainer| container.ports.values().all(|port| self.ports.contains_key(&(container.pod.clone(), *port)));
        if self.settled && !self.ready && self.containers.iter().all(is_reached) {
            self.ready = true;
            lines.push(match self.containers.len() {
                0 => Line::new(Paint::Yellow, "No container is debugged"),
                count => Line::new(Paint::Green, format!("Ready to attach: {}", super::pass::count(count, "debugger"))),
            });
        }
        lines
    }

    fn attachable(&mut self, fact: &EventKind) -> Vec<Line> {
        match fact {
            EventKind::DebuggingStarted { container } => {
                self.containers.push(container.clone());
                let ports = container.ports.values().filter_map(|port| self.ports.get(&(container.pod.clone(), *port)));
                ports.map(|address| line(container, address)).chain(without_port(container)).collect()
            }
            EventKind::DebuggingEnded { container } => {
                self.containers.retain(|known| !known.is_same(container));
                self.ports.retain(|(pod, _), _| *pod != container.pod);
                Vec::new()
            }
            EventKind::PortForwarded { address, local_port, remote_port: Some(port), state: ForwardState::Ready { pod }, .. } => {
                let at = format!("{address}:{local_port}");
                self.ports.insert((pod.clone(), *port), at.clone());
                let listens = |known: &&DebuggingContainer| known.pod == *pod && known.ports.values().any(|own| own == port);
                self.containers.iter().filter(listens).map(|container| line(container, &at)).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn line(container: &DebuggingContainer, address: &str) -> Line {
    let DebuggingContainer { container, runtime, .. } = container;
    Line::new(Paint::Green, format!("Debugger of {container} ({runtime}): attach to {address}"))
}

/// Returns how a debugger without a port is used.
fn without_port(container: &DebuggingContainer) -> Option<Line> {
    let DebuggingContainer { namespace, pod, container: name, runtime, .. } = container;
    let text = format!("Debugger of {name} ({runtime}): started by `kubectl exec -i -n {namespace} {pod} -c {name} -- /dbg/netcore/vsdbg`");
    container.ports.is_empty().then(|| Line::new(Paint::Green, text))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use devloop_model::ForwardSource;
    use devloop_model::Namespace;

    use super::*;

    fn container(pod: &str, ports: &[(&str, u16)]) -> DebuggingContainer {
        DebuggingContainer {
            namespace: Namespace("shop".into()),
            pod: pod.into(),
            container: "app".into(),
            artifact: "web".into(),
            runtime: "go".into(),
            working_dir: "/".into(),
            ports: ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect(),
        }
    }

    fn forwarded(pod: &str) -> EventKind {
        let namespace = Namespace("shop".into());
        EventKind::PortForwarded {
            source: ForwardSource { kind: "deployment".into(), name: "web".into(), namespace, port: "56268".into() },
            address: "127.0.0.1".into(),
            local_port: 56300,
            remote_port: Some(56268),
            state: ForwardState::Ready { pod: pod.into() },
        }
    }

    #[test]
    fn a_debugger_is_told_with_the_second_of_what_it_takes() {
        let mut debuggers = Debuggers::default();
        let mut said = |fact: EventKind| debuggers.lines(&fact).iter().map(Line::text).collect::<Vec<_>>();
        let line = "Debugger of app (go): attach to 127.0.0.1:56300";
        let one = container("web-1", &[("dlv", 56268)]);
        assert!(said(EventKind::DebuggingStarted { container: one.clone() }).is_empty());
        assert_eq!(said(forwarded("web-1")), [line]);
        assert!(said(forwarded("web-2")).is_empty());
        assert!(said(EventKind::DebuggingEnded { container: one }).is_empty());
        assert_eq!(said(EventKind::DebuggingStarted { container: container("web-2", &[("dlv", 56268)]) }), [line]);
    }

    #[test]
    fn a_debugger_without_a_port_is_told_with_its_command() {
        let mut debuggers = Debuggers::default();
        let said = debuggers.lines(&EventKind::DebuggingStarted { container: container("web-1", &[]) });
        assert!(said[0].text().ends_with("`kubectl exec -i -n shop web-1 -c app -- /dbg/netcore/vsdbg`"), "{}", said[0].text());
    }

    #[test]
    fn an_editor_is_told_when_all_debuggers_are_there_and_when_none_will_be() {
        let mut debuggers = Debuggers::default();
        let mut said = |fact: EventKind| debuggers.lines(&fact).iter().map(Line::text).collect::<Vec<_>>();
        let ended = |outcome| EventKind::IterationEnded { save: 1, first: 1, outcome, duration: Duration::ZERO, parts: Vec::new() };
        let triggered = || EventKind::Triggered { save: 2, touched: devloop_model::Touched::default(), waited: Duration::ZERO };
        assert_eq!(said(ended(Outcome::Succeeded)), ["No container is debugged"]);
        let one = container("web-1", &[("dlv", 56268)]);
        said(EventKind::DebuggingStarted { container: one.clone() });
        assert_eq!(said(forwarded("web-1")).last().unwrap(), "Ready to attach: 1 debugger");
        // After a save, it is another one that is waited for.
        assert!(said(triggered()).is_empty());
        said(EventKind::DebuggingEnded { container: one });
        assert!(said(EventKind::DebuggingStarted { container: container("web-2", &[("dlv", 56268)]) }).is_empty());
        said(forwarded("web-2"));
        assert_eq!(said(ended(Outcome::Succeeded)), ["Ready to attach: 1 debugger"]);
    }

    #[test]
    fn patterns_for_editors_find_what_is_printed() {
        let matches = |pattern: &str, line: &str| regex::Regex::new(pattern).unwrap().is_match(line);
        for line in ["Ready to attach: 2 debuggers", "No container is debugged", "first pass failed: x", "save 12 failed: x"] {
            assert!(matches(ATTACHABLE, line), "{line}");
        }
        for line in ["first pass → deployed 1 s", "save 2: web: main.go changed", "Debugger of app (go): attach to 127.0.0.1:1"] {
            assert!(!matches(ATTACHABLE, line), "{line}");
        }
        assert!(matches(PASS_BEGINS, "save 2: web: main.go changed"));
    }
}
