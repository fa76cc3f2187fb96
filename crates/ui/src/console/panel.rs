//! The foot of the terminal in a watching session: what runs, of which save, and what is being done.

use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardState;
use devloop_model::Outcome;
use devloop_model::Stage;

use super::paint::Colours;
use super::paint::Line;
use super::paint::Paint;
use super::pass::Pass;
use super::pass::took;
use super::saves;
use crate::Snapshot;
use crate::snapshot::Forward;
use crate::snapshot::Resource;

/// How many objects and ports have a row of their own.
const ROWS: usize = 5;

/// What the panel shows: a fold of the events.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    snapshot: Snapshot,
    pass: Pass,
    /// What the last pass that went well did.
    last: Option<String>,
}

impl Panel {
    /// Takes an event in; returns whether the panel may look different now.
    pub(crate) fn apply(&mut self, event: &Event) -> bool {
        match &event.fact {
            EventKind::PodLog { .. } | EventKind::StepLog { .. } | EventKind::StepProgress { .. } => return false,
            EventKind::IterationEnded { save, first, outcome, duration, parts } => {
                let steps = std::mem::take(&mut self.pass).steps(parts);
                let said = *outcome == Outcome::Succeeded && !steps.is_empty();
                self.last = said.then(|| format!("  save {save}{steps} {}", took(*first, *save, *duration)));
            }
            fact => self.pass.apply(fact),
        }
        self.snapshot.apply(event);
        true
    }

    /// Returns what is known.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns the rows, cut to `columns`, with `keys` as the last one.
    pub(crate) fn rows(&self, keys: &str, columns: usize, colours: Colours) -> Vec<String> {
        let snapshot = &self.snapshot;
        let mut rows = vec![self.state()];
        rows.extend(resources(&snapshot.resources));
        rows.extend(snapshot.forwards.iter().take(ROWS).map(|forward| forwarded(snapshot, forward)));
        rows.extend(self.held());
        rows.extend(self.rejected());
        rows.extend(self.last.iter().map(|last| Line::new(Paint::Dim, last)));
        rows.push(Line::new(Paint::Dim, keys));
        rows.into_iter().map(|row| row.row(columns, colours)).collect()
    }

    /// Returns the state of the loop.
    fn state(&self) -> Line {
        let snapshot = &self.snapshot;
        let running: Vec<String> = snapshot.running().map(|record| doing(record.step.stage, record.step.artifact.as_ref())).collect();
        let files = snapshot.watching.as_ref().map(|watching| format!("watching {} files", watching.files)).unwrap_or_default();
        if snapshot.paused {
            return Line::new(Paint::Yellow, "‖ paused").and(Paint::Plain, ": changes are kept");
        }
        if !running.is_empty() {
            let why = if snapshot.save > 1 { format!(" ({})", saves::changed(&snapshot.touched)) } else { String::new() };
            let doing = format!(": {}{why}{}", running.join(", "), self.runs());
            return Line::new(Paint::Main, format!("◐ save {}", snapshot.save)).and(Paint::Plain, doing);
        }
        match &snapshot.iteration {
            Some(iteration) => match &iteration.outcome {
                Outcome::Failed { diagnostic } => failed(iteration.save, &diagnostic.what).and(Paint::Plain, self.runs()),
                _ => Line::new(Paint::Green, format!("● {files}")).and(Paint::Plain, self.runs()),
            },
            None => match self.failure() {
                Some(what) => failed(snapshot.save, what),
                None => Line::new(Paint::Main, "◐ starting"),
            },
        }
    }

    /// Returns what failed before any pass has ended.
    fn failure(&self) -> Option<&str> {
        self.snapshot.steps.iter().find_map(|record| match &record.outcome {
            Some(Outcome::Failed { diagnostic }) => Some(diagnostic.what.as_str()),
            _ => None,
        })
    }

    /// Returns which save each artifact runs; one number where they agree.
    fn runs(&self) -> String {
        let saves: Vec<(String, u64)> =
            self.snapshot.artifacts.iter().filter_map(|record| Some((short(record.artifact.as_str()), record.runs?))).collect();
        match saves.as_slice() {
            [] => String::new(),
            [(_, save), rest @ ..] if rest.iter().all(|(_, other)| other == save) => format!(" · save {save} runs"),
            all => {
                format!(" · {}", all.iter().take(ROWS).map(|(name, save)| format!("{name} save {save}")).collect::<Vec<_>>().join(" · "))
            }
        }
    }

    /// Returns what is wrong with the configuration that was saved last.
    fn rejected(&self) -> Option<Line> {
        let wrong = self.snapshot.rejected.first()?;
        let place = wrong.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
        Some(Line::new(Paint::Red, "  ✗ the last good configuration holds").and(Paint::Plain, format!(": {place}{}", wrong.what)))
    }

    fn held(&self) -> Vec<Line> {
        let held = self.snapshot.holds.iter().filter(|held| !matches!(held.hold, devloop_model::Hold::Needs { .. }));
        held.take(ROWS).map(|held| Line::new(Paint::Yellow, format!("  {}", saves::waits(&held.step, &held.hold)))).collect()
    }
}

fn failed(save: u64, what: &str) -> Line {
    let name = if save > 1 { format!("✗ save {save}") } else { "✗ first pass".to_owned() };
    // What failed may be cut, and stands above.
    Line::new(Paint::Red, name).and(Paint::Plain, format!(" failed, waiting for the next save: {what}"))
}

fn doing(stage: Stage, artifact: Option<&devloop_model::ImageName>) -> String {
    let verb = match stage {
        Stage::Configure => "reading the configuration",
        Stage::Prepare => "looking at inputs",
        Stage::Build => "building",
        Stage::Test => "testing",
        Stage::Sync => "syncing",
        Stage::Render => "rendering",
        Stage::Deploy => "deploying",
        Stage::StatusCheck => "waiting until ready",
        Stage::Attach => "attaching",
        Stage::Delete => "deleting",
        Stage::Verify => "verifying",
        Stage::Exec => "running",
    };
    artifact.map_or_else(|| verb.to_owned(), |artifact| format!("{verb} {}", short(artifact.as_str())))
}

/// Returns the last part of an image's name.
fn short(image: &str) -> String {
    image.rsplit('/').next().unwrap_or(image).to_owned()
}

/// Returns a row for each object that is not ready, then for those that are, as far as there is room.
fn resources(resources: &[Resource]) -> Vec<Line> {
    let (ready, pending): (Vec<&Resource>, Vec<&Resource>) = resources.iter().partition(|resource| resource.ready);
    let room = ROWS.saturating_sub(pending.len().min(ROWS));
    let mut rows: Vec<Line> = pending
        .iter()
        .take(ROWS)
        .map(|resource| Line::new(Paint::Yellow, format!("  ○ {}", resource.object)).and(Paint::Dim, format!("  {}", resource.message)))
        .collect();
    rows.extend(ready.iter().take(room).map(|resource| Line::new(Paint::Green, "  ● ").and(Paint::Plain, resource.object.to_string())));
    match (ready.len().saturating_sub(room), pending.len().saturating_sub(ROWS)) {
        (0, 0) => {}
        (more, 0) => rows.push(Line::new(Paint::Dim, format!("  +{more} more ready"))),
        (more, waiting) => rows.push(Line::new(Paint::Dim, format!("  +{waiting} more not ready, +{more} ready"))),
    }
    rows
}

fn forwarded(snapshot: &Snapshot, forward: &Forward) -> Line {
    if let Some((container, _)) = snapshot.debugger_at(forward) {
        let text = format!(" → debugger of {} ({})", container.container, container.runtime);
        let at = format!("{}:{}", forward.address, forward.local_port);
        return Line::new(Paint::Green, "  ⇄ ").and(Paint::Plain, at).and(Paint::Dim, text);
    }
    let url = forward.url.clone().unwrap_or_else(|| format!("http://{}:{}", forward.address, forward.local_port));
    let source = &forward.source;
    let line = match &forward.state {
        ForwardState::Ready { .. } => Line::new(Paint::Green, "  ⇄ "),
        ForwardState::Waiting { .. } => Line::new(Paint::Yellow, "  ⇄ "),
        ForwardState::Failed { .. } | ForwardState::Closed => Line::new(Paint::Red, "  ⇄ "),
    };
    let why = match &forward.state {
        ForwardState::Waiting { why } | ForwardState::Failed { why } => format!("  {why}"),
        ForwardState::Ready { .. } | ForwardState::Closed => String::new(),
    };
    line.and(Paint::Link, url).and(Paint::Dim, format!(" → {}/{}{why}", source.kind, source.name))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use devloop_model::Diagnostic;
    use devloop_model::StepId;
    use devloop_model::Touched;

    use super::super::sample;
    use super::*;

    fn state(facts: &[EventKind]) -> String {
        let mut panel = Panel::default();
        for event in sample::events(facts.to_vec()) {
            panel.apply(&event);
        }
        panel.state().text()
    }

    #[test]
    fn a_first_pass_that_failed_says_what_failed_and_that_it_waits() {
        let (build, outcome) = (
            StepId::build(sample::name("web")),
            Outcome::Failed { diagnostic: Diagnostic::error("build/failed", "build of `web` failed").because("exit status 1") },
        );
        let ended = EventKind::IterationEnded { save: 1, first: 1, outcome: outcome.clone(), duration: Duration::ZERO, parts: Vec::new() };
        let facts = [
            EventKind::Triggered { save: 1, touched: Touched::default(), waited: Duration::ZERO },
            sample::started(build.clone()),
            sample::finished(build, outcome),
            ended,
        ];
        for (count, row) in [
            (1, "◐ starting"),
            (2, "◐ save 1: building web"),
            // What failed is known before the pass has ended.
            (3, "✗ first pass failed, waiting for the next save: build of `web` failed"),
            (4, "✗ first pass failed, waiting for the next save: build of `web` failed"),
        ] {
            assert_eq!(state(&facts[..count]), row, "after {count}");
        }
    }

    #[test]
    fn a_port_that_leads_to_a_debugger_says_so() {
        let container = devloop_model::DebuggingContainer {
            namespace: devloop_model::Namespace("shop".into()),
            pod: "web-1".into(),
            container: "app".into(),
            artifact: "web".into(),
            runtime: "go".into(),
            working_dir: "/".into(),
            ports: [("dlv".to_owned(), 56268)].into(),
        };
        let forward = Forward {
            source: devloop_model::ForwardSource {
                kind: "deployment".into(),
                name: "web".into(),
                namespace: container.namespace.clone(),
                port: "56268".into(),
            },
            address: "127.0.0.1".into(),
            local_port: 56300,
            remote_port: Some(56268),
            state: ForwardState::Ready { pod: "web-1".into() },
            url: None,
        };
        let mut snapshot = Snapshot::default();
        assert_eq!(forwarded(&snapshot, &forward).text(), "  ⇄ http://127.0.0.1:56300 → deployment/web");
        snapshot.debugging.push(container);
        assert_eq!(forwarded(&snapshot, &forward).text(), "  ⇄ 127.0.0.1:56300 → debugger of app (go)");
    }
}
