//! `devloop why`: the reasons of what a session did last.

use devloop_model::CacheOutcome;
use devloop_model::Outcome;
use devloop_model::Reason;
use devloop_model::RebuildCause;
use devloop_model::Timestamp;
use devloop_ui::snapshot::Explanation;
use devloop_ui::snapshot::StepRecord;

use super::status::seconds;
use crate::session_file::ago;

/// Returns the text of what a session explains.
pub(crate) fn text(explanations: &[Explanation], at: Timestamp) -> String {
    let mut lines = Vec::new();
    for explanation in explanations {
        lines.push(headline(explanation));
        lines.extend(explanation.steps.iter().flat_map(|step| step_lines(step, at)));
        lines.extend(unbuilt(explanation));
        if let Some(synced) = &explanation.synced {
            let (copied, deleted, containers) = (synced.copied, synced.deleted, synced.containers);
            let [files, containers] = [(copied, "file"), (containers, "container")].map(|(number, noun)| devloop_ui::count(number, noun));
            lines.push(format!("  {files} copied and {deleted} deleted in {containers}, {}", ago(synced.at, at)));
        }
        lines.extend(explanation.holds.iter().map(|held| format!("  {} waits: {}", held.step, held.hold)));
    }
    lines.join("\n") + "\n"
}

fn headline(explanation: &Explanation) -> String {
    let Some(artifact) = &explanation.artifact else { return "all artifacts together".to_owned() };
    let image = explanation.image.as_deref().unwrap_or("not built yet");
    let save = explanation.save.filter(|save| *save > 0).map(|save| format!(", with save {save}")).unwrap_or_default();
    format!("{artifact}: {image}{save}")
}

fn step_lines(step: &StepRecord, at: Timestamp) -> Vec<String> {
    let took = step.duration.map(seconds).unwrap_or_default();
    let how = match &step.outcome {
        None => "runs".to_owned(),
        Some(Outcome::Succeeded) => format!("took {took}"),
        Some(Outcome::Failed { diagnostic }) => format!("failed after {took}: {}", diagnostic.what),
        Some(Outcome::Cancelled) => format!("was stopped after {took}"),
    };
    let first = format!("  {} {how}, {}", step.step, ago(step.started, at));
    std::iter::once(first).chain(reasons(&step.reason).into_iter().map(|reason| format!("    because: {reason}"))).collect()
}

/// Returns every reason on its own: this is where they are looked up.
fn reasons(reason: &Reason) -> Vec<String> {
    match reason {
        Reason::Rebuild { causes } => causes.iter().map(ToString::to_string).collect(),
        Reason::Changed { files } => files.iter().map(|file| format!("{file} changed")).collect(),
        other => vec![other.to_string()],
    }
}

/// Returns what the build cache said of an artifact that was not built in this session.
fn unbuilt(explanation: &Explanation) -> Vec<String> {
    if !explanation.steps.is_empty() {
        return Vec::new();
    }
    match explanation.cache {
        None => Vec::new(),
        Some(CacheOutcome::NotFound) => explanation.causes.iter().map(|cause: &RebuildCause| format!("  to be built: {cause}")).collect(),
        Some(_) => vec!["  not built: the image of these inputs is there already".to_owned()],
    }
}
