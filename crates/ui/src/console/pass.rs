//! What a pass of the loop did, in one line.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use devloop_model::Change;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::Outcome;
use devloop_model::Part;
use devloop_model::Stage;
use devloop_model::StepId;

/// What a pass did so far that its parts do not say.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// Whether a deploy wrote anything.
    wrote: bool,
    /// How long each image was pushed.
    pushed: BTreeMap<ImageName, Duration>,
    /// The images of which a test was run.
    tested: BTreeSet<ImageName>,
    /// How many files of each artifact were synced, and into how many containers.
    synced: BTreeMap<ImageName, (usize, usize)>,
}

impl Pass {
    /// Takes a fact in.
    pub(super) fn apply(&mut self, fact: &EventKind) {
        match fact {
            EventKind::ObjectChanged { change, .. } => self.wrote |= *change != Change::Unchanged,
            EventKind::ImagePushed { artifact, duration } => *self.pushed.entry(artifact.clone()).or_default() += *duration,
            EventKind::TestFinished { artifact, outcome: Outcome::Succeeded | Outcome::Failed { .. }, .. } => {
                self.tested.insert(artifact.clone());
            }
            EventKind::FilesSynced { artifact, copied, deleted, containers, replayed: false } => {
                let (files, into) = self.synced.entry(artifact.clone()).or_default();
                *files += copied + deleted;
                *into = (*into).max(*containers);
            }
            _ => {}
        }
    }

    /// Returns the steps that did something: ` → built web 1.1 s → pushed 0.1 s → deployed 0.1 s → ready 0.9 s`.
    pub(super) fn steps(&self, parts: &[Part]) -> String {
        let step = |part: &Part| {
            let StepId { stage, artifact } = &part.step;
            let what = match (stage, artifact) {
                (Stage::Build, Some(artifact)) => return Some(self.build(artifact, part.duration)),
                (Stage::Test, Some(artifact)) if self.tested.contains(artifact) => format!("tested {artifact}"),
                (Stage::Sync, Some(artifact)) => self.sync(artifact)?,
                (Stage::Deploy, _) if self.wrote => "deployed".to_owned(),
                (Stage::StatusCheck, _) if self.wrote => "ready".to_owned(),
                _ => return None,
            };
            Some(format!(" → {what} {}", seconds(part.duration)))
        };
        parts.iter().filter_map(step).collect()
    }

    fn build(&self, artifact: &ImageName, took: Duration) -> String {
        match self.pushed.get(artifact) {
            Some(pushed) => format!(" → built {artifact} {} → pushed {}", seconds(took.saturating_sub(*pushed)), seconds(*pushed)),
            None => format!(" → built {artifact} {}", seconds(took)),
        }
    }

    fn sync(&self, artifact: &ImageName) -> Option<String> {
        let (files, containers) = *self.synced.get(artifact)?;
        Some(match (files, containers) {
            (0, _) => return None,
            (_, 0) => format!("kept {} for its next container", count(files, "file")),
            _ => format!("synced {} into {}", count(files, "file"), count(containers, "container")),
        })
    }
}

/// Returns `(1.2 s)`, and since which save where a pass has several.
pub(super) fn took(first: u64, save: u64, duration: Duration) -> String {
    let since = if first < save { format!(" since save {first}") } else { String::new() };
    format!("({}{since})", seconds(duration))
}

/// Returns `1 file`, `3 files`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Returns `0.04 s`, `1.1 s`, `75 s`: as exact as anybody feels it.
pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        _ if seconds < 0.1 => format!("{seconds:.2} s"),
        _ if seconds < 60.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::name;
    use super::*;

    #[test]
    fn only_what_did_something_is_said() {
        let part = |step: StepId| Part { step, duration: Duration::from_millis(40) };
        let synced = |artifact: &str, copied, containers| EventKind::FilesSynced {
            artifact: name(artifact),
            copied,
            deleted: 0,
            containers,
            replayed: false,
        };
        let mut pass = Pass::default();
        let parts: Vec<Part> = ["web", "api", "new", "none"].map(|artifact| part(StepId::sync(name(artifact)))).into();
        assert_eq!(pass.steps(&parts), "");
        for fact in [synced("web", 1, 2), synced("web", 1, 1), synced("api", 0, 1), synced("new", 1, 0)] {
            pass.apply(&fact);
        }
        assert_eq!(pass.steps(&parts), " → synced 2 files into 2 containers 0.04 s → kept 1 file for its next container 0.04 s");
    }

    #[test]
    fn a_push_is_a_part_of_its_build() {
        let mut pass = Pass::default();
        pass.apply(&EventKind::ImagePushed { artifact: name("web"), duration: Duration::from_millis(150) });
        let part = |artifact| Part { step: StepId::build(name(artifact)), duration: Duration::from_millis(1250) };
        assert_eq!(pass.steps(&[part("web"), part("api")]), " → built web 1.1 s → pushed 0.1 s → built api 1.2 s");
    }

    #[test]
    fn tests_that_had_passed_before_are_not_said() {
        let part = || Part { step: StepId::test(name("web")), duration: Duration::from_millis(400) };
        let ended = |outcome| {
            let duration = Duration::from_millis(400);
            EventKind::TestFinished { artifact: name("web"), index: 0, name: "./a.sh".into(), outcome, duration }
        };
        let mut pass = Pass::default();
        pass.apply(&ended(Outcome::Cancelled));
        assert_eq!(pass.steps(&[part()]), "");
        pass.apply(&ended(Outcome::Succeeded));
        assert_eq!(pass.steps(&[part()]), " → tested web 0.4 s");
    }

    #[test]
    fn a_pass_of_several_saves_says_since_when() {
        assert_eq!(took(4, 4, Duration::from_millis(1234)), "(1.2 s)");
        assert_eq!(took(3, 5, Duration::from_secs(75)), "(75 s since save 3)");
        assert_eq!(took(0, 1, Duration::ZERO), "(0.00 s since save 0)");
    }
}
