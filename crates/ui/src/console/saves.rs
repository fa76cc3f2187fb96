//! What a watching session says beside what every command says: a line for each save, and how long it took.
//!
//! The first pass reads as that of any command. Later ones are short: what was saved, what differs in the cluster, and
//! the time until it was live.

use std::collections::BTreeSet;

use devloop_model::Change;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use devloop_model::Hold;
use devloop_model::ImageName;
use devloop_model::ObjectKey;
use devloop_model::Outcome;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Touched;
use devloop_model::TouchedTests;

use super::debuggers::Debuggers;
use super::diagnostic;
use super::paint::Line;
use super::paint::Paint;
use super::pass::Pass;
use super::pass::count;
use super::pass::took;

/// How many names a line has.
const NAMES: usize = 3;

/// What was said of saves so far, as far as the next line depends on it.
#[derive(Debug, Default)]
pub(crate) struct Saves {
    watches: bool,
    debugs: bool,
    artifacts: Vec<ImageName>,
    /// That files are watched.
    listed: bool,
    /// Whether the first pass is over.
    over: bool,
    /// What this pass did.
    pass: Pass,
    /// Whether something of this pass waits for a person.
    held: bool,
    /// Whether a release is being waited for.
    waits: bool,
    debuggers: Debuggers,
    /// Ports that were said to be forwarded.
    forwarded: BTreeSet<ForwardSource>,
}

impl Saves {
    /// Returns the lines of an event that says something else in a watching session; none where it says the usual.
    pub(crate) fn lines(&mut self, event: &Event) -> Option<Vec<Line>> {
        if let EventKind::SessionStarted { command, .. } = &event.fact {
            self.watches = matches!(command.as_str(), "dev" | "debug");
            self.debugs = command == "debug";
        }
        if let EventKind::PortForwarded { source, address, local_port, state, .. } = &event.fact {
            let lines = self.forwarded(source, address, *local_port, state);
            return Some(lines.into_iter().chain(self.of_debuggers(&event.fact)).collect());
        }
        if let EventKind::DebuggingStarted { .. } | EventKind::DebuggingEnded { .. } = &event.fact {
            return Some(self.of_debuggers(&event.fact));
        }
        if let EventKind::UrlAnswered { source, url } = &event.fact {
            return Some(vec![Line::new(Paint::Green, format!("{}/{} answers at {url}", source.kind, source.name))]);
        }
        if !self.watches {
            return None;
        }
        self.pass.apply(&event.fact);
        let later = self.of_debuggers(&event.fact);
        let lines = self.of_save(&event.fact).or_else(|| (self.is_later() && is_noise(&event.fact)).then(Vec::new));
        if later.is_empty() { lines } else { Some(lines.into_iter().flatten().chain(later).collect()) }
    }

    /// Returns what is to be said of debuggers, where containers are debugged.
    fn of_debuggers(&mut self, fact: &EventKind) -> Vec<Line> {
        if self.debugs { self.debuggers.lines(fact) } else { Vec::new() }
    }

    /// Returns whether the first pass is over.
    pub(crate) fn is_later(&self) -> bool {
        self.watches && self.over
    }

    fn of_save(&mut self, fact: &EventKind) -> Option<Vec<Line>> {
        Some(match fact {
            EventKind::PlanLoaded { artifacts, .. } => {
                self.artifacts = artifacts.iter().map(|artifact| artifact.image.clone()).collect();
                return None;
            }
            EventKind::Watching { .. } => self.listing(),
            EventKind::Triggered { save, touched, .. } => self.triggered(*save, touched),
            EventKind::StepStarted { step, .. } | EventKind::StepFinished { step, .. } if step.stage == Stage::StatusCheck => {
                self.waits = matches!(fact, EventKind::StepStarted { .. });
                return None;
            }
            EventKind::Readiness { object, ready, message, .. } if self.is_later() && !self.waits => readiness(object, *ready, message),
            EventKind::StepStarted { step, .. }
            | EventKind::StepFinished { step, outcome: Outcome::Succeeded | Outcome::Cancelled, .. }
                if matches!(step.stage, Stage::Sync | Stage::Configure) =>
            {
                Vec::new()
            }
            EventKind::StepHeld { step, hold } if !matches!(hold, Hold::Needs { .. } | Hold::Concurrency { .. }) => {
                self.held = true;
                vec![Line::new(Paint::Yellow, waits(step, hold))]
            }
            EventKind::FilesSynced { artifact, copied, deleted, replayed, .. } => synced(artifact, copied + deleted, *replayed),
            EventKind::PlanRejected { diagnostics } => {
                diagnostics.iter().map(diagnostic::line).chain([Line::new(Paint::Yellow, "The last good configuration stays")]).collect()
            }
            // Everything that is wrong with it was said.
            EventKind::StepFinished { step, outcome: Outcome::Failed { .. }, .. } if step.stage == Stage::Configure => Vec::new(),
            EventKind::IterationEnded { save, first, outcome, duration, parts } => {
                let steps = std::mem::take(&mut self.pass).steps(parts);
                self.ended(*save, outcome, &steps, &took(*first, *save, *duration))
            }
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
        self.held = false;
        if save == 1 {
            return Vec::new();
        }
        vec![Line::new(Paint::Bold, format!("save {save}")).and(Paint::Plain, format!(": {}", changed(touched)))]
    }

    fn ended(&mut self, save: u64, outcome: &Outcome, steps: &str, took: &str) -> Vec<Line> {
        let is_first = !std::mem::replace(&mut self.over, true);
        let name = if is_first && save == 1 { "first pass".to_owned() } else { format!("save {save}") };
        let held = std::mem::take(&mut self.held);
        let mut lines = match outcome {
            Outcome::Succeeded => {
                let rest = match (held, steps.is_empty()) {
                    (true, _) => " → waits",
                    (false, true) => " → nothing to do",
                    (false, false) => "",
                };
                let paint = if held { Paint::Yellow } else { Paint::Green };
                vec![Line::new(paint, name).and(Paint::Plain, format!("{steps}{rest} {took}"))]
            }
            Outcome::Failed { diagnostic } => {
                let text = format!(" failed: {} — waiting for the next save", diagnostic.what);
                vec![Line::new(Paint::Red, name).and(Paint::Plain, text)]
            }
            Outcome::Cancelled => Vec::new(),
        };
        if is_first {
            lines.push(Line::main("Watching for changes..."));
        }
        lines
    }

    fn forwarded(&mut self, source: &ForwardSource, address: &str, local: u16, state: &ForwardState) -> Vec<Line> {
        let resource = format!("{}/{}", source.kind, source.name);
        match state {
            ForwardState::Ready { .. } if self.forwarded.insert(source.clone()) => {
                // The port as the resource names it, as Skaffold does (`pkg/skaffold/kubernetes/portforward/entry_manager.go`).
                let namespace = source.namespace.as_str();
                let place = if namespace.is_empty() { String::new() } else { format!(" in namespace {namespace}") };
                let text = format!("Port forwarding {resource}{place}, remote port {} -> http://{address}:{local}", source.port);
                vec![Line::new(Paint::Green, text)]
            }
            ForwardState::Failed { why } => {
                vec![Line::new(Paint::Yellow, format!("Port {} of {resource} is not forwarded: {why}", source.port))]
            }
            ForwardState::Ready { .. } | ForwardState::Waiting { .. } | ForwardState::Closed => Vec::new(),
        }
    }
}

/// Returns the line that says that an object broke, or recovered, although nothing was saved.
fn readiness(object: &ObjectKey, ready: bool, message: &str) -> Vec<Line> {
    vec![if ready {
        Line::main(format!(" - {object} is ready again"))
    } else {
        Line::new(Paint::Yellow, format!(" - {object} is not ready: {message}"))
    }]
}

fn synced(artifact: &ImageName, files: usize, replayed: bool) -> Vec<Line> {
    let files = count(files, "file");
    let text =
        if replayed { format!("{files} brought into a new container of {artifact}") } else { format!("Syncing {files} for {artifact}") };
    vec![Line::main(text)]
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
        | EventKind::TestStarted { .. }
        | EventKind::TestFinished { .. }
        | EventKind::Readiness { .. }
        | EventKind::ObjectChanged { change: Change::Unchanged, .. } => true,
        EventKind::StepLog { step, .. } => matches!(step.stage, Stage::Build | Stage::Test),
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
    let of_tests = touched.tests.iter().map(|TouchedTests { artifact, files }| {
        if files.is_empty() { format!("tests of {artifact}") } else { format!("tests of {artifact}: {}", names(files)) }
    });
    let others = [&touched.config, &touched.manifests].into_iter().filter(|files| !files.is_empty()).map(|files| names(files));
    let all: Vec<String> = of_artifacts.chain(of_tests).chain(others).collect();
    names_of(&all, "; ") + " changed"
}

fn names(files: &[String]) -> String {
    names_of(files, ", ")
}

fn names_of(all: &[String], between: &str) -> String {
    let shown = all[..all.len().min(NAMES)].join(between);
    if all.len() > NAMES { format!("{shown} and {} more", all.len() - NAMES) } else { shown }
}

/// Returns what waits, and for what.
pub(super) fn waits(step: &StepId, hold: &Hold) -> String {
    match hold {
        Hold::Manual { .. } => hold.to_string(),
        _ => format!("{step} waits: {hold}"),
    }
}
