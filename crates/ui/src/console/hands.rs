//! Keys of a watching session: what they ask for, and which lines of containers are shown.

use std::collections::VecDeque;

use devloop_model::AutoStage;
use devloop_model::Command;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardState;
use devloop_model::Hold;
use devloop_model::Key;

use super::paint::Line;
use super::paint::Paint;
use super::saves;
use crate::Snapshot;

/// Hidden lines of containers that are kept, to be shown when they are wanted again.
const KEPT: usize = 1000;

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAction {
    /// Nothing more.
    None,
    /// Something of the loop.
    Command(Command),
    /// To look at files now.
    Look,
    /// To open an address.
    Open(String),
}

/// Which lines of containers are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Shown {
    #[default]
    All,
    /// Of this container alone.
    Container(String),
    None,
}

/// What keys have set so far.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    shown: Shown,
    /// Only lines with this text in them; while it is typed, that is said.
    text: String,
    typing: bool,
    containers: Vec<String>,
    kept: VecDeque<(String, Line)>,
    opened: usize,
}

impl Hands {
    /// Returns the line of a container if it is wanted now, and keeps it otherwise.
    pub(crate) fn wanted(&mut self, event: &Event, lines: Vec<Line>) -> Vec<Line> {
        let EventKind::PodLog { container, line, .. } = &event.fact else { return lines };
        if !self.containers.contains(container) {
            self.containers.push(container.clone());
        }
        if self.shows(container, line) {
            return lines;
        }
        for shown in lines {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back((container.clone(), shown));
        }
        Vec::new()
    }

    fn shows(&self, container: &str, line: &str) -> bool {
        let of_container = match &self.shown {
            Shown::All => true,
            Shown::Container(name) => name == container,
            Shown::None => false,
        };
        of_container && (self.text.is_empty() || line.contains(&self.text))
    }

    /// Returns the row that says what keys do.
    pub(crate) fn row(&self) -> String {
        if self.typing {
            return format!("show lines with: {}▏  (Enter keeps it, Esc shows all)", self.text);
        }
        let logs = match &self.shown {
            Shown::All => "logs".to_owned(),
            Shown::Container(name) => format!("logs: {name}"),
            Shown::None => "logs: none".to_owned(),
        };
        let text = if self.text.is_empty() { "/ find".to_owned() } else { format!("/ find: {}", self.text) };
        format!("r rebuild · d deploy · s sync · b go · p pause · l {logs} · {text} · o open · w why · q quit")
    }

    /// Returns what a key asks for, and lines that it brings back or explains.
    pub(crate) fn key(&mut self, key: Key, snapshot: &Snapshot) -> (KeyAction, Vec<Line>) {
        if self.typing {
            return (KeyAction::None, self.typed(key));
        }
        let action = match key {
            Key::Char('r') => KeyAction::Command(Command::Rebuild { artifact: None }),
            Key::Char('d') => KeyAction::Command(Command::Redeploy),
            Key::Char('s') if snapshot.auto.get(AutoStage::Sync) => KeyAction::Command(Command::Resync),
            Key::Char('s') => KeyAction::Command(Command::Execute { build: false, sync: true, deploy: false }),
            Key::Char('b') => KeyAction::Command(Command::Execute { build: true, sync: true, deploy: true }),
            Key::Char('p') => KeyAction::Command(Command::Pause { paused: !snapshot.paused }),
            Key::Char('q') => KeyAction::Command(Command::Quit),
            Key::Char('o') => match self.open(snapshot) {
                Some(url) => KeyAction::Open(url),
                None => return (KeyAction::None, vec![Line::main("No address answers yet")]),
            },
            Key::Enter => KeyAction::Look,
            Key::Char('/') => {
                self.typing = true;
                KeyAction::None
            }
            Key::Char('l') => return (KeyAction::None, self.cycle()),
            Key::Char('w' | '?') => return (KeyAction::None, why(snapshot)),
            Key::Escape => {
                self.text.clear();
                self.shown = Shown::All;
                return (KeyAction::None, self.back());
            }
            _ => KeyAction::None,
        };
        (action, Vec::new())
    }

    fn typed(&mut self, key: Key) -> Vec<Line> {
        match key {
            Key::Char(c) => self.text.push(c),
            Key::Backspace => drop(self.text.pop()),
            Key::Enter => {
                self.typing = false;
                return self.back();
            }
            Key::Escape => {
                self.typing = false;
                self.text.clear();
                return self.back();
            }
            _ => {}
        }
        Vec::new()
    }

    /// Shows the next container's lines: all, each one alone, none.
    fn cycle(&mut self) -> Vec<Line> {
        self.shown = match &self.shown {
            Shown::All => self.containers.first().cloned().map_or(Shown::None, Shown::Container),
            Shown::Container(name) => {
                let at = self.containers.iter().position(|known| known == name).map_or(0, |at| at + 1);
                self.containers.get(at).cloned().map_or(Shown::None, Shown::Container)
            }
            Shown::None => Shown::All,
        };
        self.back()
    }

    /// Returns the kept lines that are wanted by now, in their order.
    pub(crate) fn back(&mut self) -> Vec<Line> {
        let kept = std::mem::take(&mut self.kept);
        let (back, kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(container, line)| self.shows(container, &line.text()));
        self.kept = kept.into();
        back.into_iter().map(|(_, line)| line).collect()
    }

    /// Returns the next address that answers; none if there is none.
    fn open(&mut self, snapshot: &Snapshot) -> Option<String> {
        let ready = snapshot.forwards.iter().filter(|forward| matches!(forward.state, ForwardState::Ready { .. }));
        let urls: Vec<String> = ready
            .map(|forward| forward.url.clone().unwrap_or_else(|| format!("http://{}:{}", forward.address, forward.local_port)))
            .collect();
        let at = self.opened.checked_rem(urls.len())?;
        self.opened += 1;
        urls.into_iter().nth(at)
    }
}

/// Returns why the last steps ran, and what waits.
fn why(snapshot: &Snapshot) -> Vec<Line> {
    let mut steps: Vec<_> = snapshot.steps.iter().collect();
    steps.sort_by_key(|record| record.started);
    let ran = steps.iter().map(|record| Line::main(format!(" - {}: ", record.step)).and(Paint::Plain, record.reason.to_string()));
    let waiting = snapshot.holds.iter().filter(|held| !matches!(held.hold, Hold::Needs { .. }));
    let waiting = waiting.map(|held| Line::new(Paint::Yellow, format!(" - {}", saves::waits(&held.step, &held.hold))));
    ran.chain(waiting).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn log(hands: &mut Hands, container: &str, text: &str) -> usize {
        let fact = EventKind::PodLog {
            namespace: devloop_model::Namespace("shop".into()),
            pod: "p".into(),
            container: container.into(),
            artifact: None,
            line: text.into(),
        };
        hands.wanted(&sample::event(1, fact), vec![Line::new(Paint::Plain, text)]).len()
    }

    #[test]
    fn keys_ask_for_things() {
        let mut hands = Hands::default();
        let snapshot = Snapshot::default();
        for (key, wanted) in [
            (Key::Char('r'), KeyAction::Command(Command::Rebuild { artifact: None })),
            (Key::Char('d'), KeyAction::Command(Command::Redeploy)),
            (Key::Char('s'), KeyAction::Command(Command::Resync)),
            (Key::Char('p'), KeyAction::Command(Command::Pause { paused: true })),
            (Key::Char('q'), KeyAction::Command(Command::Quit)),
            (Key::Char('o'), KeyAction::None),
            (Key::Enter, KeyAction::Look),
            (Key::Char('x'), KeyAction::None),
        ] {
            assert_eq!(hands.key(key, &snapshot).0, wanted, "{key:?}");
        }
    }

    #[test]
    fn hidden_lines_come_back_in_their_order() {
        let mut hands = Hands::default();
        assert_eq!((log(&mut hands, "web", "1"), log(&mut hands, "api", "2")), (1, 1));
        let press = |hands: &mut Hands, key| hands.key(key, &Snapshot::default()).1.iter().map(Line::text).collect::<Vec<_>>();
        assert_eq!(press(&mut hands, Key::Char('l')), [""; 0]);
        assert_eq!((log(&mut hands, "web", "3"), log(&mut hands, "api", "4")), (1, 0));
        assert_eq!(press(&mut hands, Key::Char('l')), ["4"]);
        assert_eq!(press(&mut hands, Key::Char('l')), [""; 0]);
        assert_eq!((log(&mut hands, "web", "5"), log(&mut hands, "api", "6")), (0, 0));
        assert_eq!(press(&mut hands, Key::Char('l')), ["5", "6"]);
    }

    #[test]
    fn a_typed_text_filters() {
        let mut hands = Hands::default();
        for key in [Key::Char('/'), Key::Char('r'), Key::Char('x'), Key::Backspace, Key::Enter] {
            assert_eq!(hands.key(key, &Snapshot::default()).0, KeyAction::None);
        }
        assert_eq!((log(&mut hands, "web", "error"), log(&mut hands, "web", "fine")), (1, 0));
        assert!(hands.row().contains("find: r"), "{}", hands.row());
        let (_, back) = hands.key(Key::Escape, &Snapshot::default());
        assert_eq!(back.len(), 1);
    }
}
