//! What a watching session says beside what every command says: a line for each save, and how long it took.
//!
//! The first pass reads as that of any command. Later ones are short: what was saved, what differs in the cluster, and
//! the time until it was live.

use std::collections::BTreeSet;
use std::time::Duration;

use devloop_model::Change;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use devloop_model::Hold;
use devloop_model::ImageName;
use devloop_model::Outcome;
use devloop_model::Part;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Touched;

use super::diagnostic;
use super::paint::Line;
use super::paint::Paint;

/// How many names a line has.
const NAMES: usize = 3;

/// What was said of saves so far, as far as the next line depends on it.
#[derive(Debug, Default)]
pub(crate) struct Saves {
    watches: bool,
    save: u64,
    artifacts: Vec<ImageName>,
    /// That files are watched.
    listed: bool,
    /// Whether the last deploy of this pass wrote anything.
    wrote: bool,
    /// Files that were synced in this pass, and into how many containers.
    synced: (usize, usize),
    /// Ports that were said to be forwarded.
    forwarded: BTreeSet<ForwardSource>,
}

impl Saves {
    /// Returns the lines of an event that says something else in a watching session; none where it says the usual.
    pub(crate) fn lines(&mut self, event: &Event) -> Option<Vec<Line>> {
        if let EventKind::SessionStarted { command, .. } = &event.fact {
            self.watches = matches!(command.as_str(), "dev" | "debug");
        }
        if let EventKind::PortForwarded { source, address, local_port, remote_port, state } = &event.fact {
            return Some(self.forwarded(source, address, *local_port, *remote_port, state));
        }
        if !self.watches {
            return None;
        }
        self.of_save(&event.fact).or_else(|| (self.is_later() && is_noise(&event.fact)).then(Vec::new))
    }

    /// Returns whether the first pass is over.
    pub(crate) fn is_later(&self) -> bool {
        self.watches && self.save > 1
    }

    fn of_save(&mut self, fact: &EventKind) -> Option<Vec<Line>> {
        Some(match fact {
            EventKind::PlanLoaded { artifacts, .. } => {
                self.artifacts.clone_from(artifacts);
                return None;
            }
            EventKind::Watching { .. } => self.listing(),
            EventKind::Triggered { save, touched, .. } => self.triggered(*save, touched),
            EventKind::StepStarted { step, .. } if step.stage == Stage::Deploy => {
                self.wrote = false;
                return None;
            }
            EventKind::StepStarted { step, .. }
            | EventKind::StepFinished { step, outcome: Outcome::Succeeded | Outcome::Cancelled, .. }
                if matches!(step.stage, Stage::Sync | Stage::Configure) =>
            {
                Vec::new()
            }
            EventKind::StepHeld { step, hold } if !matches!(hold, Hold::Needs { .. } | Hold::Concurrency { .. }) => {
                vec![Line::new(Paint::Yellow, format!("{step} waits: {hold}"))]
            }
            EventKind::ObjectChanged { change, .. } => {
                self.wrote |= *change != Change::Unchanged;
                return None;
            }
            EventKind::FilesSynced { artifact, copied, deleted, containers, replayed } => {
                self.synced(artifact, copied + deleted, *containers, *replayed)
            }
            EventKind::PlanRejected { diagnostics } => {
                diagnostics.iter().map(diagnostic::line).chain([Line::new(Paint::Yellow, "The last good configuration stays")]).collect()
            }
            // Everything that is wrong with it was said.
            EventKind::StepFinished { step, outcome: Outcome::Failed { .. }, .. } if step.stage == Stage::Configure => Vec::new(),
            EventKind::IterationEnded { save, outcome, duration, parts } => self.ended(*save, outcome, *duration, parts),
            EventKind::Paused { paused: true } => vec![Line::new(Paint::Yellow, "Paused: changes are kept")],
            EventKind::Paused { paused: false } => vec![Line::main("Going on")],
            EventKind::AutoSwitched { stage, enabled: false } => vec![Line::main(format!("{stage} waits for being asked"))],
            EventKind::AutoSwitched { stage, enabled: true } => vec![Line::main(format!("{stage} acts by itself"))],
            _ => return None,
        })
    }

    fn listing(&mut self) -> Vec<Line> {
        if std::mem::replace(&mut self.listed, true) {
            return Vec::new();
        }
        let images = self.artifacts.iter().map(|artifact| Line::main(format!(" - {artifact}")));
        std::iter::once(Line::main("Listing files to watch...")).chain(images).collect()
    }

    fn triggered(&mut self, save: u64, touched: &Touched) -> Vec<Line> {
        self.save = save;
        (self.synced, self.wrote) = ((0, 0), false);
        if save == 1 {
            return Vec::new();
        }
        vec![Line::new(Paint::Bold, format!("save {save}")).and(Paint::Plain, format!(": {}", changed(touched)))]
    }

    fn synced(&mut self, artifact: &ImageName, files: usize, containers: usize, replayed: bool) -> Vec<Line> {
        if replayed {
            return vec![Line::main(format!("{} brought into a new container of {artifact}", count(files, "file")))];
        }
        self.synced = (self.synced.0 + files, self.synced.1.max(containers));
        vec![Line::main(format!("Syncing {} for {artifact}", count(files, "file")))]
    }

    fn ended(&mut self, save: u64, outcome: &Outcome, duration: Duration, parts: &[Part]) -> Vec<Line> {
        let name = if save == 1 { "first pass".to_owned() } else { format!("save {save}") };
        let mut lines = match outcome {
            Outcome::Succeeded => {
                let steps = breakdown(parts, self.wrote, self.synced);
                let steps = if steps.is_empty() { " → nothing to do".to_owned() } else { steps };
                vec![Line::new(Paint::Green, name).and(Paint::Plain, format!("{steps} ({})", seconds(duration)))]
            }
            Outcome::Failed { diagnostic } => {
                let text = format!(" failed: {} — waiting for the next save", diagnostic.what);
                vec![Line::new(Paint::Red, name).and(Paint::Plain, text)]
            }
            Outcome::Cancelled => Vec::new(),
        };
        if save == 1 {
            lines.push(Line::main("Watching for changes..."));
        }
        lines
    }

    fn forwarded(&mut self, source: &ForwardSource, address: &str, local: u16, remote: Option<u16>, state: &ForwardState) -> Vec<Line> {
        let resource = format!("{}/{}", source.kind, source.name);
        match state {
            ForwardState::Ready { .. } if self.forwarded.insert(source.clone()) => {
                let remote = remote.map_or_else(|| source.port.clone(), |port| port.to_string());
                let text = format!(
                    "Port forwarding {resource} in namespace {}, remote port {remote} -> http://{address}:{local}",
                    source.namespace
                );
                vec![Line::new(Paint::Green, text)]
            }
            ForwardState::Failed { why } => {
                vec![Line::new(Paint::Yellow, format!("Port {} of {resource} is not forwarded: {why}", source.port))]
            }
            ForwardState::Ready { .. } | ForwardState::Waiting { .. } | ForwardState::Closed => Vec::new(),
        }
    }
}

/// Whether a fact is worth a line in the first pass only.
fn is_noise(fact: &EventKind) -> bool {
    match fact {
        EventKind::TaggingStarted
        | EventKind::ImageTagged { .. }
        | EventKind::CacheCheckStarted
        | EventKind::CacheChecked { .. }
        | EventKind::BuildsStarted { .. }
        | EventKind::PlatformsResolved { .. }
        | EventKind::Readiness { .. }
        | EventKind::ObjectChanged { change: Change::Unchanged, .. } => true,
        EventKind::StepLog { step, .. } => step.stage == Stage::Build,
        EventKind::StepStarted { step, .. } => matches!(step.stage, Stage::Build | Stage::Deploy | Stage::StatusCheck),
        EventKind::StepFinished { step, outcome: Outcome::Succeeded | Outcome::Cancelled, .. } => {
            matches!(step.stage, Stage::Build | Stage::StatusCheck)
        }
        _ => false,
    }
}

/// Returns what a save touched: `web: src/main.go, go.mod; k8s/web.yaml`.
pub(super) fn changed(touched: &Touched) -> String {
    let of_artifacts = touched.artifacts.iter().map(|touched| {
        if touched.files.is_empty() { touched.artifact.to_string() } else { format!("{}: {}", touched.artifact, names(&touched.files)) }
    });
    let others = [&touched.config, &touched.manifests].into_iter().filter(|files| !files.is_empty()).map(|files| names(files));
    let all: Vec<String> = of_artifacts.chain(others).collect();
    names_of(&all, "; ") + " changed"
}

fn names(files: &[String]) -> String {
    names_of(files, ", ")
}

fn names_of(all: &[String], between: &str) -> String {
    let shown = all[..all.len().min(NAMES)].join(between);
    if all.len() > NAMES { format!("{shown} and {} more", all.len() - NAMES) } else { shown }
}

/// Returns the steps of a pass that did something: ` → built web 1.1 s → deployed 0.1 s → ready 0.9 s`.
pub(super) fn breakdown(parts: &[Part], wrote: bool, synced: (usize, usize)) -> String {
    let step = |part: &Part| {
        let StepId { stage, artifact } = &part.step;
        let what = match (stage, artifact) {
            (Stage::Build, Some(artifact)) => format!("built {artifact}"),
            (Stage::Sync, Some(_)) => format!("synced {} into {}", count(synced.0, "file"), count(synced.1, "container")),
            (Stage::Deploy, _) if wrote => "deployed".to_owned(),
            (Stage::StatusCheck, _) if wrote => "ready".to_owned(),
            _ => return None,
        };
        Some(format!(" → {what} {}", seconds(part.duration)))
    };
    parts.iter().filter_map(step).collect()
}

/// Returns `1 file`, `3 files`.
pub(super) fn count(number: usize, noun: &str) -> String {
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
