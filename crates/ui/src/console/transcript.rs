//! Events to lines: a pure fold, with Skaffold's texts (`pkg/skaffold/runner`, `build/scheduler.go`,
//! `build/cache/retrieve.go`, `kubernetes/status/status_check.go`), which people and editors know.

use devloop_model::BuiltImage;
use devloop_model::CacheOutcome;
use devloop_model::Change;
use devloop_model::Diagnostic;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::LogSettings;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Outcome;
use devloop_model::Reason;
use devloop_model::RebuildCause;
use devloop_model::Severity;
use devloop_model::Stage;
use devloop_model::StepId;

use super::ConsoleSettings;
use super::Verbosity;
use super::diagnostic;
use super::duration::humanize;
use super::logs::PodLogs;
use super::muted::Muted;
use super::paint::Line;
use super::paint::Paint;
use super::pass::count;
use super::readiness::Readiness;
use super::saves::Saves;
use super::turns::Turns;

/// How many fields of an object are named.
const SHOWN_FIELDS: usize = 3;

/// What was said so far, as far as the next line depends on it.
#[derive(Debug)]
pub(crate) struct Transcript {
    settings: ConsoleSettings,
    logs: PodLogs,
    turns: Turns,
    /// Whether several builds run at once.
    parallel: bool,
    /// The command, and how many artifacts it has.
    command: String,
    artifacts: usize,
    /// The cluster that images were last said to be loaded into.
    loading_into: Option<String>,
    /// What was said of each object that is waited for.
    readiness: Readiness,
    saves: Saves,
    muted: Muted,
    said: Said,
}

/// What is said once.
#[derive(Debug, Default)]
struct Said {
    /// That builds start.
    building: bool,
    /// That tests start.
    testing: bool,
    /// That a step failed, and why.
    failed: bool,
    /// That logs are followed.
    attached: bool,
}

impl Transcript {
    pub(crate) fn new(settings: ConsoleSettings) -> Self {
        let logs = PodLogs::new(settings.logs.clone());
        Self {
            settings,
            logs,
            turns: Turns::default(),
            parallel: false,
            command: String::new(),
            artifacts: 0,
            loading_into: None,
            readiness: Readiness::default(),
            saves: Saves::default(),
            muted: Muted::default(),
            said: Said::default(),
        }
    }

    pub(crate) fn show_logs(&mut self, settings: LogSettings) {
        self.logs.settings = settings;
    }

    /// Returns the lines that an event adds, after those that only waited for time to pass.
    pub(crate) fn lines(&mut self, event: &Event) -> Vec<Line> {
        let own = if self.mute(&event.fact) { Some(Vec::new()) } else { self.saves.lines(event) };
        let own = own.unwrap_or_else(|| self.lines_of(event));
        let mut lines = self.readiness.due(event.at);
        lines.extend(own);
        lines
    }

    /// Keeps what is not shown unless its step fails; returns whether that is all.
    fn mute(&mut self, fact: &EventKind) -> bool {
        let mute = self.settings.mute;
        let (step, line) = match fact {
            EventKind::StepLog { step, line, .. } => (step.clone(), of_step(step, line)),
            EventKind::Readiness { object, ready: false, message, .. } => {
                (StepId::of(Stage::StatusCheck), Line::new(Paint::Plain, waits(object, message)))
            }
            _ => return false,
        };
        let muted = match step.stage {
            Stage::Build => mute.build,
            Stage::Test => mute.tests,
            Stage::Deploy | Stage::Render => mute.deploy,
            Stage::StatusCheck => mute.status_check,
            _ => false,
        };
        if muted {
            self.muted.keep(&step, line);
        }
        muted
    }

    fn lines_of(&mut self, event: &Event) -> Vec<Line> {
        match &event.fact {
            EventKind::SessionStarted { version, command } => {
                self.command.clone_from(command);
                self.info(&format!("devloop {version} {command}"))
            }
            EventKind::PlanLoaded { artifacts, profiles, context, namespace, .. } => {
                self.artifacts = artifacts.len();
                self.info(&plan(profiles, context.as_deref(), namespace.as_ref()))
            }
            EventKind::StepHeld { step, hold } => self.info(&format!("{step} waits: {hold}")),
            EventKind::StepStarted { step, reason } => self.started(step, reason),
            EventKind::StepLog { step, line, .. } => self.log(step, line),
            EventKind::StepFinished { step, outcome, duration } => self.finished(step, outcome, &humanize(*duration)),
            EventKind::TaggingStarted if self.artifacts == 0 => vec![Line::main("No tags generated")],
            EventKind::TaggingStarted => vec![Line::main("Generating tags...")],
            EventKind::ImageTagged { artifact, reference } => {
                vec![Line::main(format!(" - {artifact} -> ")).and(Paint::Plain, reference.to_string())]
            }
            EventKind::CacheCheckStarted => vec![Line::main("Checking cache...")],
            EventKind::CacheChecked { artifact, outcome, causes, .. } => cache(artifact, *outcome, causes),
            EventKind::TestStarted { artifact, name, .. } => self.testing(artifact, name),
            EventKind::TestFinished { artifact, name, outcome, duration, .. } => self.tested(artifact, name, outcome, &humanize(*duration)),
            EventKind::BuildsSkipped { option } => vec![Line::new(Paint::Yellow, format!("Skipping build phase since {option}"))],
            EventKind::BuildsStarted { artifacts, concurrency } => self.builds(artifacts, *concurrency),
            EventKind::PlatformsResolved { artifact, platforms } => {
                let names: Vec<&str> = platforms.iter().map(devloop_model::Platform::as_str).collect();
                self.of_artifact(artifact, Line::main(format!("Target platforms: [{}]", names.join(","))))
            }
            EventKind::ImageReady { .. }
            | EventKind::ImagePushed { .. }
            | EventKind::StepProgress { .. }
            | EventKind::InputsListed { .. }
            | EventKind::Watching { .. }
            | EventKind::Triggered { .. }
            | EventKind::Commanded { .. }
            | EventKind::IterationEnded { .. }
            | EventKind::PlanChanged { .. }
            | EventKind::PlanRejected { .. }
            | EventKind::ManifestsRendered { .. }
            | EventKind::AutoSwitched { .. }
            | EventKind::Paused { .. }
            | EventKind::FilesSynced { .. }
            | EventKind::PortForwarded { .. }
            | EventKind::UrlAnswered { .. }
            | EventKind::DebuggingStarted { .. }
            | EventKind::DebuggingEnded { .. }
            | EventKind::TaskStarted { .. } => Vec::new(),
            EventKind::ApiServed { url } => self.info(&format!("the API of this session is at {url}")),
            EventKind::ImagesPruned { at_end: true, .. } => vec![Line::main("Pruning images...")],
            EventKind::ImagesPruned { images, .. } => self.info(&format!("{} pruned", count(*images, "image"))),
            EventKind::ImageLoaded { image, into } => self.loaded(image, into),
            EventKind::ImagesResolved { images } => self.resolved(images),
            EventKind::ObjectChanged { object, change, fields } => changed(object, *change, fields).into_iter().collect(),
            EventKind::Readiness { object, ready: true, pending, total, .. } => {
                let left = if *pending > 0 { format!(" [{pending}/{total} deployment(s) still pending]") } else { String::new() };
                self.readiness.ready(object, format!(" - {} is ready.{left}", waited_for(object)), event.at).into_iter().collect()
            }
            EventKind::Readiness { object, message, .. } => {
                self.readiness.pending(object, waits(object, message), event.at).into_iter().collect()
            }
            EventKind::PodLog { pod, container, artifact, line, .. } => vec![self.logs.line(pod, container, artifact.as_ref(), line)],
            EventKind::TaskFinished { task, outcome, duration, .. } => vec![task_ended(task, outcome, &humanize(*duration))],
            EventKind::Warned { diagnostic } => self.warned(diagnostic),
            EventKind::SessionEnded { outcome, duration } => self.ended(outcome, &humanize(*duration)),
        }
    }

    fn info(&self, text: &str) -> Vec<Line> {
        if self.settings.verbosity < Verbosity::Info || text.is_empty() {
            return Vec::new();
        }
        vec![Line::error().and(Paint::Green, "info").and(Paint::Plain, format!(": {text}"))]
    }

    fn warned(&self, diagnostic: &Diagnostic) -> Vec<Line> {
        let shown = diagnostic.severity == Severity::Error || self.settings.verbosity >= Verbosity::Warnings;
        shown.then(|| diagnostic::line(diagnostic)).into_iter().collect()
    }

    fn builds(&mut self, artifacts: &[ImageName], concurrency: usize) -> Vec<Line> {
        if artifacts.is_empty() {
            return Vec::new();
        }
        let at_once = if concurrency == 0 { artifacts.len() } else { concurrency.min(artifacts.len()) };
        self.parallel = at_once > 1;
        self.said.building = true;
        let mut lines = vec![Line::main("Starting build...")];
        if self.parallel {
            lines.push(Line::main(format!("Building {at_once} artifacts in parallel")));
        }
        lines
    }

    fn started(&mut self, step: &StepId, reason: &Reason) -> Vec<Line> {
        let mut lines = self.info(&format!("{step}: {reason}"));
        match (step.stage, &step.artifact) {
            (Stage::Build, Some(artifact)) => {
                if !std::mem::replace(&mut self.said.building, true) {
                    lines.push(Line::main("Starting build..."));
                }
                self.parallel |= self.turns.begin(artifact) > 1;
                lines.extend(self.of_artifact(artifact, Line::main(format!("Building [{artifact}]..."))));
            }
            (Stage::Test, Some(artifact)) => self.parallel |= self.turns.begin(artifact) > 1,
            (Stage::Deploy, _) => lines.push(Line::main("Starting deploy...")),
            (Stage::StatusCheck, _) => {
                self.readiness.clear();
                lines.push(Line::main("Waiting for deployments to stabilize..."));
            }
            (Stage::Delete, _) => lines.push(Line::main("Cleaning up...")),
            (Stage::Verify, _) => lines.push(Line::main("Starting verify...")),
            (Stage::Exec, _) => lines.push(Line::main("Starting action...")),
            (Stage::Attach, _) => {
                self.said.attached = true;
                lines.push(Line::new(Paint::Yellow, "Press Ctrl+C to exit"));
            }
            (Stage::Configure | Stage::Prepare | Stage::Build | Stage::Test | Stage::Sync | Stage::Render, _) => {}
        }
        lines
    }

    fn log(&mut self, step: &StepId, line: &str) -> Vec<Line> {
        match (step.stage, &step.artifact) {
            (Stage::Build | Stage::Test, Some(artifact)) => self.of_artifact(artifact, of_step(step, line)),
            _ => vec![of_step(step, line)],
        }
    }

    fn testing(&mut self, artifact: &ImageName, name: &str) -> Vec<Line> {
        let first = !std::mem::replace(&mut self.said.testing, true);
        let mut lines = if first { vec![Line::main("Starting test..."), Line::main("Testing images...")] } else { Vec::new() };
        lines.extend(self.of_artifact(artifact, Line::main(format!("Testing [{artifact}]: {name}"))));
        lines
    }

    fn tested(&mut self, artifact: &ImageName, name: &str, outcome: &Outcome, took: &str) -> Vec<Line> {
        let (paint, how) = match outcome {
            Outcome::Succeeded => (Paint::Green, format!("passed in {took}")),
            Outcome::Failed { .. } => (Paint::Red, format!("failed after {took}")),
            Outcome::Cancelled => (Paint::Yellow, "was canceled".to_owned()),
        };
        self.of_artifact(artifact, Line::main(format!(" - {name}: ")).and(paint, how))
    }

    /// Returns a line of a build or test: with the artifact's name on a terminal, in its turn elsewhere.
    fn of_artifact(&mut self, artifact: &ImageName, line: Line) -> Vec<Line> {
        match (self.settings.terminal, self.parallel) {
            (true, true) => vec![line.after(format!("[{artifact}] "))],
            (true, false) => vec![line],
            (false, _) => self.turns.say(artifact, line).into_iter().collect(),
        }
    }

    fn finished(&mut self, step: &StepId, outcome: &Outcome, took: &str) -> Vec<Line> {
        if step.stage == Stage::StatusCheck {
            self.readiness.clear();
        }
        let kept = self.muted.take(step);
        let mut lines = match (outcome, &step.artifact) {
            // Each test said how it ended.
            (Outcome::Succeeded | Outcome::Cancelled, Some(_)) if step.stage == Stage::Test => Vec::new(),
            (Outcome::Succeeded, Some(artifact)) => self.of_artifact(artifact, Line::main(format!("Build [{artifact}] succeeded"))),
            (Outcome::Cancelled, Some(artifact)) => {
                self.of_artifact(artifact, Line::new(Paint::Yellow, format!("Build [{artifact}] was canceled")))
            }
            (Outcome::Failed { diagnostic }, Some(artifact)) => {
                let mut lines: Vec<Line> = kept.into_iter().flat_map(|line| self.of_artifact(artifact, line)).collect();
                if self.parallel && step.stage == Stage::Build {
                    lines.extend(
                        self.of_artifact(artifact, Line::new(Paint::Red, format!("Build [{artifact}] failed: {}", diagnostic.what))),
                    );
                }
                self.said.failed = true;
                let diagnostic = diagnostic::line(diagnostic);
                lines.extend(if self.settings.terminal { Some(diagnostic) } else { self.turns.say(artifact, diagnostic) });
                lines
            }
            (Outcome::Failed { diagnostic }, None) => {
                self.said.failed = true;
                kept.into_iter().chain([diagnostic::line(diagnostic)]).collect()
            }
            (Outcome::Succeeded, None) if step.stage == Stage::StatusCheck => vec![Line::main(format!("Deployments stabilized in {took}"))],
            (Outcome::Succeeded | Outcome::Cancelled, None) => Vec::new(),
        };
        if let Some(artifact) = &step.artifact {
            lines.extend(self.turns.end(artifact));
        }
        if *outcome == Outcome::Succeeded {
            lines.extend(self.info(&format!("{step} completed in {took}")));
        }
        lines
    }

    fn loaded(&mut self, image: &BuiltImage, into: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.loading_into.as_deref() != Some(into) {
            lines.push(Line::main(format!("Loading images into {into}...")));
            self.loading_into = Some(into.to_owned());
        }
        lines.push(Line::main(format!(" - {} -> ", image.tagged())).and(Paint::Green, "Loaded"));
        lines
    }

    fn resolved(&mut self, images: &[BuiltImage]) -> Vec<Line> {
        for image in images {
            self.logs.know(&image.artifact);
        }
        // In a watching session the tags of the first pass are enough.
        if self.saves.is_later() {
            return Vec::new();
        }
        // Commands that only render have nothing to deploy the tags with.
        if images.is_empty() || matches!(self.command.as_str(), "build" | "render" | "delete") {
            return Vec::new();
        }
        let tags = images.iter().map(|image| Line::main(format!(" - {} -> ", image.artifact)).and(Paint::Plain, image.deployed()));
        std::iter::once(Line::main("Tags used in deployment:")).chain(tags).collect()
    }

    fn ended(&mut self, outcome: &Outcome, took: &str) -> Vec<Line> {
        let mut lines = self.turns.finish();
        match outcome {
            Outcome::Failed { diagnostic } if !self.said.failed => lines.push(diagnostic::line(diagnostic)),
            Outcome::Succeeded if self.command == "run" && !self.said.attached => {
                lines.push(Line::new(Paint::Green, "You can also run [devloop run --tail] to get the logs"));
            }
            Outcome::Succeeded | Outcome::Failed { .. } | Outcome::Cancelled => {}
        }
        lines.extend(self.info(&format!("ended after {took}")));
        if self.settings.bell && self.settings.terminal && *outcome != Outcome::Cancelled {
            lines.push(Line::bell());
        }
        lines
    }
}

/// Returns how a test, or a container of an action, ended.
fn task_ended(task: &str, outcome: &Outcome, took: &str) -> Line {
    let (paint, text) = match outcome {
        Outcome::Succeeded => (Paint::Green, format!("succeeded in {took}")),
        Outcome::Failed { .. } => (Paint::Red, format!("failed after {took}")),
        Outcome::Cancelled => (Paint::Yellow, format!("was stopped after {took}")),
    };
    Line::main(format!(" - {task} ")).and(paint, text)
}

/// Returns a line of a step as it is shown.
fn of_step(step: &StepId, line: &str) -> Line {
    match step.stage {
        Stage::Deploy | Stage::Delete => Line::new(Paint::Plain, format!(" - {}", line.strip_prefix(" - ").unwrap_or(line))),
        _ => Line::new(Paint::Plain, line),
    }
}

/// Returns what an object that is not ready waits for.
fn waits(object: &ObjectKey, message: &str) -> String {
    format!(" - {}: {message}", waited_for(object))
}

/// Returns what was resolved before anything ran.
fn plan(profiles: &[String], context: Option<&str>, namespace: Option<&Namespace>) -> String {
    let parts = [
        (!profiles.is_empty()).then(|| format!("profiles {}", profiles.join(", "))),
        context.map(|context| format!("context {context}")),
        namespace.map(|namespace| format!("namespace {namespace}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn cache(artifact: &ImageName, outcome: CacheOutcome, causes: &[RebuildCause]) -> Vec<Line> {
    if causes == [RebuildCause::CacheOff] {
        return Vec::new();
    }
    let (paint, text) = match outcome {
        CacheOutcome::FoundLocally => (Paint::Green, "Found Locally"),
        CacheOutcome::FoundRemotely => (Paint::Green, "Found Remotely"),
        CacheOutcome::FoundTagging => (Paint::Green, "Found. Tagging"),
        CacheOutcome::FoundPushing => (Paint::Green, "Found. Pushing"),
        CacheOutcome::NotFound => (Paint::Yellow, "Not found. Building"),
    };
    let mut lines = vec![Line::main(format!(" - {artifact}: ")).and(paint, text)];
    // That an image was never built says nothing that "Not found" does not.
    if !causes.iter().all(|cause| *cause == RebuildCause::NeverBuilt) {
        lines.push(Line::new(Paint::Plain, format!("   because {}", Reason::Rebuild { causes: causes.to_vec() })));
    }
    lines
}

/// Returns an object in the words of `kubectl apply` and `kubectl delete`.
fn changed(object: &ObjectKey, change: Change, fields: &[String]) -> Option<Line> {
    let kind = object.kind.to_lowercase();
    let kind = if object.group.is_empty() { kind } else { format!("{kind}.{}", object.group) };
    let name = &object.name;
    let text = match change {
        Change::Created => format!(" - {kind}/{name} created"),
        Change::Configured => format!(" - {kind}/{name} configured{}", shown(fields)),
        Change::Unchanged => format!(" - {kind}/{name} unchanged"),
        Change::Pruned => format!(" - {kind}/{name} pruned"),
        Change::Deleted => format!(" - {kind} \"{name}\" deleted"),
        // A dry run prints them as data.
        Change::Deletable => return None,
    };
    Some(Line::new(Paint::Plain, text))
}

/// Returns the first fields that changed, in brackets.
fn shown(fields: &[String]) -> String {
    let first = fields.iter().take(SHOWN_FIELDS).map(String::as_str).collect::<Vec<_>>().join(", ");
    match fields.len() {
        0 => String::new(),
        1..=SHOWN_FIELDS => format!(" ({first})"),
        all => format!(" ({first} and {} more)", all - SHOWN_FIELDS),
    }
}

/// Returns an object as Skaffold's status check names it: with its namespace unless that is `default`
/// (`pkg/skaffold/kubernetes/status/resource/deployment.go`).
fn waited_for(object: &ObjectKey) -> String {
    match &object.namespace {
        Some(namespace) if namespace.as_str() != "default" => format!("{namespace}:{object}"),
        _ => object.to_string(),
    }
}
