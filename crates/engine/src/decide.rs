//! What to start next, why, and what waits for what: pure and total.

use devloop_model::Hold;
use devloop_model::ImageName;
use devloop_model::Progress;
use devloop_model::Reason;
use devloop_model::Stage;
use devloop_model::State;
use devloop_model::StepId;

use crate::Goal;

/// The artifacts, and which needs which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Artifacts in the order of the configuration.
    pub artifacts: Vec<Node>,
    /// How many builds may run at once.
    pub concurrency: usize,
}

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub image: ImageName,
    /// Artifacts that are built first.
    pub requires: Vec<ImageName>,
}

/// What follows from what is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Steps to start now.
    pub start: Vec<(StepId, Reason)>,
    /// Steps that wait.
    pub hold: Vec<(StepId, Hold)>,
}

/// Returns what to start and what waits. A failed step holds what needs it, and nothing else.
pub fn decide(graph: &Graph, state: &State, goal: &Goal) -> Decision {
    let mut decision = Decision::default();
    let mut before: Option<StepId> = None;
    for stage in goal.stages() {
        let blocked = match stage {
            Stage::Build => decide_builds(graph, state, &mut decision),
            _ => decide_stage(*stage, before.as_ref(), state, &mut decision),
        };
        if blocked.is_some() {
            break;
        }
        before = last_step(*stage, graph, state).or(before);
    }
    decision
}

/// Starts a stage that works on everything at once; returns the hold of whatever comes after it.
fn decide_stage(stage: Stage, before: Option<&StepId>, state: &State, decision: &mut Decision) -> Option<Hold> {
    let step = StepId::of(stage);
    match state.progress(&step) {
        Some(Progress::Succeeded) => None,
        Some(Progress::Running) => Some(Hold::Needs { step }),
        Some(Progress::Failed | Progress::Cancelled) => Some(Hold::Failed { step }),
        None => {
            let reason = before.map_or(Reason::FirstRun, |step| Reason::After { step: step.clone() });
            decision.start.push((step.clone(), reason));
            Some(Hold::Needs { step })
        }
    }
}

/// Starts every build that may start; returns the hold of whatever needs all images.
fn decide_builds(graph: &Graph, state: &State, decision: &mut Decision) -> Option<Hold> {
    let mut free = graph.concurrency.saturating_sub(state.running().filter(|step| step.stage == Stage::Build).count());
    let mut blocked = None;
    for node in &graph.artifacts {
        let Some(causes) = state.causes(&node.image) else { continue };
        let step = StepId::build(node.image.clone());
        match state.progress(&step) {
            Some(Progress::Succeeded) => {}
            Some(Progress::Running) => blocked = blocked.or(Some(Hold::Needs { step })),
            Some(Progress::Failed | Progress::Cancelled) => blocked = Some(Hold::Failed { step }),
            None => {
                match unmet_requirement(node, state) {
                    Some(hold) => decision.hold.push((step.clone(), hold)),
                    None if free == 0 => decision.hold.push((step.clone(), Hold::Concurrency { limit: graph.concurrency })),
                    None => {
                        free -= 1;
                        decision.start.push((step.clone(), Reason::Rebuild { causes: causes.to_vec() }));
                    }
                }
                blocked = blocked.or(Some(Hold::Needs { step }));
            }
        }
    }
    blocked
}

fn unmet_requirement(node: &Node, state: &State) -> Option<Hold> {
    node.requires.iter().filter(|image| state.causes(image).is_some()).find_map(|image| {
        let step = StepId::build(image.clone());
        match state.progress(&step) {
            Some(Progress::Succeeded) => None,
            Some(Progress::Failed | Progress::Cancelled) => Some(Hold::Failed { step }),
            Some(Progress::Running) | None => Some(Hold::Needs { step }),
        }
    })
}

fn last_step(stage: Stage, graph: &Graph, state: &State) -> Option<StepId> {
    match stage {
        Stage::Build => {
            graph.artifacts.iter().rev().map(|node| StepId::build(node.image.clone())).find(|step| state.progress(step).is_some())
        }
        _ => Some(StepId::of(stage)),
    }
}

#[cfg(test)]
mod tests {
    use devloop_model::CacheOutcome;
    use devloop_model::Diagnostic;
    use devloop_model::EventKind;
    use devloop_model::Outcome;
    use devloop_model::RebuildCause;
    use std::time::Duration;

    use super::*;

    fn name(text: &str) -> ImageName {
        ImageName::parse(text).unwrap()
    }

    fn graph(concurrency: usize, artifacts: &[(&str, &[&str])]) -> Graph {
        let node = |(image, requires): &(&str, &[&str])| Node { image: name(image), requires: requires.iter().map(|r| name(r)).collect() };
        Graph { artifacts: artifacts.iter().map(node).collect(), concurrency }
    }

    /// A state after a script: `prepare ok`, `miss web`, `web runs`, `web ok`, `web failed`.
    fn after(script: &[&str]) -> State {
        let mut state = State::default();
        let stage = |word: &str| match word {
            "prepare" => StepId::of(Stage::Prepare),
            "render" => StepId::of(Stage::Render),
            "deploy" => StepId::of(Stage::Deploy),
            image => StepId::build(name(image)),
        };
        for line in script {
            let (first, second) = line.split_once(' ').unwrap();
            let finished = |outcome| EventKind::StepFinished { step: stage(first), outcome, duration: Duration::ZERO };
            state.apply(&match (first, second) {
                ("miss", image) => EventKind::CacheChecked {
                    artifact: name(image),
                    outcome: CacheOutcome::NotFound,
                    causes: vec![RebuildCause::NeverBuilt],
                    key: String::new(),
                },
                (_, "runs") => EventKind::StepStarted { step: stage(first), reason: Reason::FirstRun },
                (_, "ok") => finished(Outcome::Succeeded),
                _ => finished(Outcome::Failed { diagnostic: Diagnostic::error("x", "y") }),
            });
        }
        state
    }

    fn said(decision: &Decision) -> Vec<String> {
        let starts = decision.start.iter().map(|(step, reason)| format!("start {step}: {reason}"));
        starts.chain(decision.hold.iter().map(|(step, hold)| format!("hold {step}: {hold}"))).collect()
    }

    #[test]
    fn what_follows_from_what_is_known() {
        let two = graph(8, &[("base", &[]), ("web", &["base"]), ("api", &[])]);
        let run = Goal::build().then(Stage::Render).then(Stage::Deploy);
        let missed: &[&str] = &["prepare ok", "miss base", "miss web", "miss api"];
        let with = |more: &[&str]| after(&[missed, more].concat());
        for (state, expected) in [
            (after(&[]), vec!["start prepare: first run"]),
            (after(&["prepare runs"]), vec![]),
            (after(&["prepare failed"]), vec![]),
            (after(&["prepare ok"]), vec!["start render: after prepare"]),
            (
                with(&[]),
                vec![
                    "start build of base: never built here",
                    "start build of api: never built here",
                    "hold build of web: build of base is not done",
                ],
            ),
            (with(&["base ok", "api runs"]), vec!["start build of web: never built here"]),
            (with(&["base failed", "api runs"]), vec!["hold build of web: build of base failed"]),
            (with(&["base ok", "api failed"]), vec!["start build of web: never built here"]),
            (with(&["base ok", "api failed", "web ok"]), vec![]),
            (with(&["base ok", "api ok", "web ok"]), vec!["start render: after build of api"]),
            (with(&["base ok", "api ok", "web ok", "render ok"]), vec!["start deploy: after render"]),
            (with(&["base ok", "api ok", "web ok", "render ok", "deploy ok"]), vec![]),
            (after(&["prepare ok", "miss web"]), vec!["start build of web: never built here"]),
        ] {
            assert_eq!(said(&decide(&two, &state, &run)), expected, "{state:?}");
        }
    }

    #[test]
    fn no_more_builds_run_than_the_limit() {
        let three = graph(1, &[("a", &[]), ("b", &[]), ("c", &[])]);
        let state = after(&["prepare ok", "miss a", "miss b", "miss c", "a ok", "b runs"]);
        assert_eq!(said(&decide(&three, &state, &Goal::build())), ["hold build of c: 1 builds run at once"]);
    }
}
