//! `devloop status`: what a session does, has and waits for.

use std::time::Duration;

use devloop_model::ForwardState;
use devloop_model::Outcome;
use devloop_model::Timestamp;
use devloop_ui::Snapshot;
use devloop_ui::snapshot::ArtifactRecord;
use devloop_ui::snapshot::Forward;
use devloop_ui::snapshot::Iteration;

use crate::session_file::SessionFile;
use crate::session_file::ago;

/// What is said, and of what.
type Row = (String, String);

/// Returns the text of a session's state.
pub(crate) fn text(session: &SessionFile, now: &Snapshot, at: Timestamp) -> String {
    let rows = rows(now, at);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let lines = rows.iter().map(|(name, text)| format!("  {name:<width$}  {text}"));
    std::iter::once(headline(session, now, at)).chain(lines).map(|line| line + "\n").collect()
}

fn rows(now: &Snapshot, at: Timestamp) -> Vec<Row> {
    let mut rows: Vec<Row> = now.artifacts.iter().map(|artifact| row(artifact.artifact.as_str(), &artifact_text(artifact, now))).collect();
    rows.extend(now.running().map(|step| row("running", &format!("{}, {}, because: {}", step.step, ago(step.started, at), step.reason))));
    rows.extend(now.holds.iter().map(|held| row("waiting", &format!("{}: {}", held.step, held.hold))));
    rows.extend(resources(now));
    rows.extend(now.forwards.iter().map(|forward| row("forward", &forward_text(forward))));
    rows.extend(now.iteration.as_ref().map(|iteration| row("last save", &iteration_text(iteration, at))));
    rows.extend(now.rejected.iter().map(|wrong| row("config", &format!("the last good one holds; {}", wrong.what))));
    rows.extend(switched_off(now));
    rows
}

fn headline(session: &SessionFile, now: &Snapshot, at: Timestamp) -> String {
    let place = session.context.as_ref().map_or_else(|| session.namespace.clone(), |context| format!("{context}/{}", session.namespace));
    let paused = if now.paused { ", paused" } else { "" };
    let (command, pid) = (&session.command, session.pid);
    format!("{command} in {}, into {place}, started {}, process {pid}{paused}", session.directory.display(), ago(session.since, at))
}

fn row(name: &str, text: &str) -> Row {
    (name.to_owned(), text.to_owned())
}

fn artifact_text(artifact: &ArtifactRecord, now: &Snapshot) -> String {
    let image = artifact.image.as_ref().map_or_else(|| "not built yet".to_owned(), devloop_model::BuiltImage::tagged);
    let save = match artifact.save {
        Some(save) if save > 0 && save < now.save && artifact.stale => format!(", with save {save} of {}", now.save),
        Some(save) if save > 0 => format!(", with save {save}"),
        _ => String::new(),
    };
    let stale = if artifact.stale && artifact.image.is_some() { ", out of date" } else { "" };
    format!("{image}{save}{stale}")
}

fn resources(now: &Snapshot) -> Vec<Row> {
    let ready: Vec<String> = now.resources.iter().filter(|resource| resource.ready).map(|resource| resource.object.to_string()).collect();
    let ready = (!ready.is_empty()).then(|| row("ready", &ready.join(", ")));
    let others = now.resources.iter().filter(|resource| !resource.ready);
    ready.into_iter().chain(others.map(|resource| row("not ready", &format!("{}: {}", resource.object, resource.message)))).collect()
}

fn forward_text(forward: &Forward) -> String {
    let local = forward.url.clone().unwrap_or_else(|| format!("{}:{}", forward.address, forward.local_port));
    match &forward.state {
        ForwardState::Ready { .. } => format!("{} at {local}", forward.source),
        ForwardState::Waiting { why } => format!("{} at {local}, waits: {why}", forward.source),
        ForwardState::Failed { why } => format!("{} failed: {why}", forward.source),
        ForwardState::Closed => format!("{} is closed", forward.source),
    }
}

fn iteration_text(iteration: &Iteration, at: Timestamp) -> String {
    let how = match &iteration.outcome {
        Outcome::Succeeded => "done".to_owned(),
        Outcome::Failed { diagnostic } => format!("failed: {}", diagnostic.what),
        Outcome::Cancelled => "stopped".to_owned(),
    };
    let parts: Vec<String> = iteration.parts.iter().map(|part| format!("{} {}", part.step, seconds(part.duration))).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{how}, {}, took {}{parts}", ago(iteration.at, at), seconds(iteration.duration))
}

/// Returns the stages that wait for being asked.
fn switched_off(now: &Snapshot) -> Option<Row> {
    let stages = [("build", now.auto.build), ("sync", now.auto.sync), ("deploy", now.auto.deploy)];
    let off: Vec<&str> = stages.iter().filter(|(_, by_itself)| !by_itself).map(|(name, _)| *name).collect();
    (!off.is_empty()).then(|| row("by hand", &off.join(", ")))
}

/// Returns a duration in seconds, with the digit that matters.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
