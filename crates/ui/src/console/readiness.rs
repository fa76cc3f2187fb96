//! What is said of objects that are waited for: that one is ready at once, why one is not now and then.

use std::collections::BTreeMap;

use devloop_model::ObjectKey;
use jiff::SignedDuration;
use jiff::Timestamp;

use super::paint::Line;
use super::paint::Paint;

/// How often something is said of one object, as Skaffold does (`pkg/skaffold/kubernetes/status/status_check.go`).
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// What was said of each object, and when; the time is that of events, so that a recorded session reads as it did.
#[derive(Debug, Default)]
pub(crate) struct Readiness(BTreeMap<ObjectKey, Said>);

#[derive(Debug)]
struct Said {
    text: String,
    at: Timestamp,
    /// What came too soon after it.
    held: Option<String>,
}

impl Readiness {
    /// Returns the line that says that an object is ready, unless that was the last word on it.
    pub(crate) fn ready(&mut self, object: &ObjectKey, text: String, at: Timestamp) -> Option<Line> {
        let is_new = self.0.get(object).is_none_or(|said| said.text != text);
        self.0.insert(object.clone(), Said { text: text.clone(), at, held: None });
        is_new.then(|| Line::new(Paint::Plain, text))
    }

    /// Returns the line that says why an object is not ready, if that is new and the last line on it is old enough; keeps it otherwise.
    pub(crate) fn pending(&mut self, object: &ObjectKey, text: String, at: Timestamp) -> Option<Line> {
        let Some(said) = self.0.get_mut(object) else {
            self.0.insert(object.clone(), Said { text: text.clone(), at, held: None });
            return Some(Line::new(Paint::Plain, text));
        };
        said.held = (said.text != text).then_some(text);
        said.due(at)
    }

    /// Returns the lines that were kept and whose time has come.
    pub(crate) fn due(&mut self, at: Timestamp) -> Vec<Line> {
        self.0.values_mut().filter_map(|said| said.due(at)).collect()
    }

    /// Forgets everything: another wait begins, or this one has ended.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Said {
    fn due(&mut self, at: Timestamp) -> Option<Line> {
        if at.duration_since(self.at) < PAUSE {
            return None;
        }
        let text = self.held.take()?;
        self.text.clone_from(&text);
        self.at = at;
        Some(Line::new(Paint::Plain, text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::paint::Colours;
    use super::super::sample::object;
    use super::*;

    #[test]
    fn what_is_pending_is_said_when_it_changed_and_not_too_often() {
        let web = object("apps", "Deployment", "web");
        let api = object("apps", "Deployment", "api");
        let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
        let shown = |line: Option<Line>| line.map(|line| line.painted(Colours::Off)).unwrap_or_default();
        let mut readiness = Readiness::default();
        assert_eq!(shown(readiness.pending(&web, "web: 0 of 2".into(), at(0))), "web: 0 of 2");
        assert_eq!(shown(readiness.pending(&api, "api: 0 of 1".into(), at(0))), "api: 0 of 1", "each has its own pause");
        assert_eq!(shown(readiness.pending(&web, "web: pulling".into(), at(1))), "");
        assert_eq!(shown(readiness.pending(&web, "web: 1 of 2".into(), at(2))), "");
        assert!(readiness.due(at(4)).is_empty());
        assert_eq!(shown(readiness.due(at(5)).pop()), "web: 1 of 2", "the last word, at the next event of any kind");
        assert!(readiness.due(at(60)).is_empty(), "nothing changed");
        assert_eq!(shown(readiness.pending(&web, "web: 1 of 2".into(), at(61))), "");
        assert_eq!(shown(readiness.pending(&web, "web: failing".into(), at(62))), "web: failing");
        assert_eq!(shown(readiness.pending(&web, "web: back".into(), at(63))), "");
        assert_eq!(shown(readiness.ready(&web, "web is ready.".into(), at(63))), "web is ready.", "that is said at once");
        assert!(readiness.due(at(90)).is_empty(), "and what was kept is no longer true");
        assert_eq!(shown(readiness.ready(&web, "web is ready.".into(), at(91))), "");
        readiness.clear();
        assert_eq!(shown(readiness.ready(&web, "web is ready.".into(), at(92))), "web is ready.");
    }
}
