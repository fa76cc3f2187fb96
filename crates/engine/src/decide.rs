//! What to start next, why, what to stop, and what waits for what: pure and total.

use std::collections::BTreeSet;

use devloop_model::ArtifactState;
use devloop_model::AutoStage;
use devloop_model::Hold;
use devloop_model::ImageName;
use devloop_model::Progress;
use devloop_model::Reason;
use devloop_model::Stage;
use devloop_model::State;
use devloop_model::StepId;

use crate::Goal;
use crate::Graph;

/// What follows from what is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Work to start now, and why.
    pub start: Vec<(Work, Reason)>,
    /// Steps whose result nobody wants any more.
    pub stop: Vec<StepId>,
    /// Steps that wait.
    pub hold: Vec<(StepId, Hold)>,
}

/// A step, and what it works on where that is not everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The step.
    pub step: StepId,
    /// For [`Stage::Prepare`]: the artifacts to look at, in the order of the graph; whatever needs them or is needed by
    /// them is among them.
    pub artifacts: Vec<ImageName>,
    /// For [`Stage::Prepare`]: those of them that are built whatever the cache has.
    pub fresh: Vec<ImageName>,
    /// For [`Stage::Sync`]: the files, relative to the context; empty means all that changed since the image was built.
    pub files: Vec<String>,
}

impl Work {
    /// Returns the work of a step on everything.
    pub fn of(step: StepId) -> Self {
        Self { step, artifacts: Vec::new(), fresh: Vec::new(), files: Vec::new() }
    }
}

/// Returns what to start, to stop, and what waits. A failed step holds what needs it, and nothing else.
pub fn decide(graph: &Graph, state: &State, goal: &Goal) -> Decision {
    let mut deciding = Deciding { graph, state, goal, decision: Decision::default(), before: None };
    let mut blocked: Option<Hold> = None;
    for stage in goal.stages() {
        let own = match stage {
            Stage::Prepare => deciding.prepare(),
            Stage::Build => deciding.builds(),
            Stage::Test => deciding.tests(),
            Stage::Sync => deciding.syncs(),
            Stage::Attach if goal.watches() => deciding.attach(),
            _ => deciding.stage(*stage, blocked.as_ref()),
        };
        // A configuration that is wrong holds nothing: the last good plan stays.
        if *stage != Stage::Configure {
            blocked = blocked.or(own);
            deciding.before = deciding.last_step(*stage).or(deciding.before.take());
        }
    }
    deciding.decision
}

struct Deciding<'a> {
    graph: &'a Graph,
    state: &'a State,
    goal: &'a Goal,
    decision: Decision,
    /// The step before, as the reason of one that runs for the first time.
    before: Option<StepId>,
}

impl Deciding<'_> {
    /// Starts a stage that works on everything at once; returns the hold of whatever comes after it.
    fn stage(&mut self, stage: Stage, blocked: Option<&Hold>) -> Option<Hold> {
        let step = StepId::of(stage);
        let progress = self.state.progress(&step);
        if progress == Some(Progress::Running) {
            self.stop_if_overtaken(&step);
            return Some(Hold::Needs { step });
        }
        let marked = self.state.due(stage);
        let reason = match progress {
            None if stage == Stage::Configure => marked.cloned(),
            None => Some(self.before.clone().map_or(Reason::FirstRun, |step| Reason::After { step })),
            Some(_) => marked.cloned(),
        };
        let Some(reason) = reason else {
            return match progress {
                Some(Progress::Failed) => Some(Hold::Failed { step }),
                Some(Progress::Cancelled) if !self.goal.watches() => Some(Hold::Failed { step }),
                _ => None,
            };
        };
        match blocked.cloned().or_else(|| self.gate(stage)) {
            // That one stage comes after another goes without saying.
            Some(Hold::Needs { .. }) => {}
            // So does what waits for its first time.
            Some(hold) if marked.is_none() => return Some(hold),
            Some(hold) => self.decision.hold.push((step.clone(), hold)),
            None => self.decision.start.push((Work::of(step.clone()), reason)),
        }
        Some(Hold::Needs { step })
    }

    /// A release that is being replaced is not waited for.
    fn stop_if_overtaken(&mut self, step: &StepId) {
        let is_replaced = || self.state.progress(&StepId::of(Stage::Deploy)) == Some(Progress::Running);
        if step.stage == Stage::StatusCheck && (is_replaced() || self.state.due(Stage::StatusCheck).is_some()) {
            self.decision.stop.push(step.clone());
        }
    }

    /// Returns what holds a stage that could run: the first time, nothing does.
    fn gate(&self, stage: Stage) -> Option<Hold> {
        if !self.goal.watches() {
            return None;
        }
        if self.state.is_paused() {
            return Some(Hold::Paused);
        }
        let by_itself = match stage {
            Stage::Prepare => AutoStage::Build,
            Stage::Sync => AutoStage::Sync,
            Stage::Render | Stage::Deploy => AutoStage::Deploy,
            _ => return None,
        };
        let is_first = stage != Stage::Sync && self.state.progress(&StepId::of(stage)).is_none();
        (!is_first && self.state.waits_to_be_asked(by_itself)).then_some(Hold::Manual { stage: by_itself })
    }

    fn prepare(&mut self) -> Option<Hold> {
        let step = StepId::of(Stage::Prepare);
        let all = || self.graph.artifacts.iter().map(|node| node.image.clone()).collect();
        let (artifacts, reason) = match (self.state.progress(&step), self.state.due(Stage::Prepare), self.state.changed()) {
            (Some(Progress::Running), ..) => return Some(Hold::Needs { step }),
            (None, ..) => (all(), Reason::FirstRun),
            (_, Some(reason), _) => (all(), reason.clone()),
            // Those that were never looked at are no less unknown than those that changed.
            (_, None, Some((_, reason))) if self.graph.artifacts.iter().any(|node| self.state.artifact(&node.image).is_none()) => {
                (all(), reason)
            }
            (_, None, Some((changed, reason))) => (self.graph.around(&changed), reason),
            (Some(Progress::Succeeded), ..) => return None,
            (Some(Progress::Cancelled), ..) if self.goal.watches() => return None,
            (Some(Progress::Failed | Progress::Cancelled), ..) => return Some(Hold::Failed { step }),
        };
        if let Some(hold) = self.gate(Stage::Prepare) {
            self.decision.hold.push((step.clone(), hold));
        } else {
            let is_fresh = |image: &&ImageName| self.state.artifact(image).is_some_and(ArtifactState::is_asked_for);
            let fresh = artifacts.iter().filter(is_fresh).cloned().collect();
            self.decision.start.push((Work { artifacts, fresh, ..Work::of(step.clone()) }, reason));
        }
        Some(Hold::Needs { step })
    }

    /// Starts every build that may start, and stops those that nobody wants; returns the hold of whatever needs all images.
    fn builds(&mut self) -> Option<Hold> {
        let prepare = StepId::of(Stage::Prepare);
        // What is being looked at may ask for another build than it did.
        let ready = self.decision.start.is_empty() && self.state.progress(&prepare) != Some(Progress::Running);
        let mut free = self.graph.concurrency.saturating_sub(self.state.running().filter(|step| step.stage == Stage::Build).count());
        let mut blocked = None;
        for node in &self.graph.artifacts {
            let Some(artifact) = self.state.artifact(&node.image) else { continue };
            let step = StepId::build(node.image.clone());
            if self.state.progress(&step) == Some(Progress::Running) {
                if artifact.build_is_stale() {
                    self.decision.stop.push(step.clone());
                }
                blocked = blocked.or(Some(Hold::Needs { step }));
            } else if artifact.has_changed() {
                blocked = blocked.or(Some(Hold::Needs { step: prepare.clone() }));
            } else if artifact.build_failed() {
                blocked = Some(Hold::Failed { step });
            } else if let Some(causes) = artifact.causes() {
                match self.graph.unmet_requirement(node, self.state) {
                    _ if !ready => {}
                    _ if self.goal.watches() && self.state.is_paused() => self.decision.hold.push((step.clone(), Hold::Paused)),
                    Some(hold) => self.decision.hold.push((step.clone(), hold)),
                    None if free == 0 => self.decision.hold.push((step.clone(), Hold::Concurrency { limit: self.graph.concurrency })),
                    None => {
                        free -= 1;
                        self.decision.start.push((Work::of(step.clone()), Reason::Rebuild { causes: causes.to_vec() }));
                    }
                }
                blocked = blocked.or(Some(Hold::Needs { step }));
            }
        }
        blocked
    }

    /// Starts the tests of every image that is new, or whose tests are; returns the hold of whatever runs images.
    fn tests(&mut self) -> Option<Hold> {
        // What is being looked at, or read, may ask for another image or for other tests.
        let ready = self.is_settled(Stage::Prepare) && self.is_settled(Stage::Configure);
        let mut free = self.graph.tests_at_once.saturating_sub(self.state.running().filter(|step| step.stage == Stage::Test).count());
        let mut blocked = None;
        for node in self.graph.artifacts.iter().filter(|node| node.is_tested) {
            let Some(artifact) = self.state.artifact(&node.image) else { continue };
            let step = StepId::test(node.image.clone());
            if self.state.progress(&step) == Some(Progress::Running) {
                if artifact.tests_are_stale() {
                    self.decision.stop.push(step.clone());
                }
                blocked = blocked.or(Some(Hold::Needs { step }));
            } else if let Some(reason) = artifact.to_test() {
                if self.goal.watches() && self.state.is_paused() {
                    self.decision.hold.push((step.clone(), Hold::Paused));
                } else if ready && free > 0 {
                    free -= 1;
                    self.decision.start.push((Work::of(step.clone()), reason.clone()));
                }
                blocked = blocked.or(Some(Hold::Needs { step }));
            } else if artifact.tests_failed() {
                blocked = Some(Hold::Failed { step });
            }
        }
        blocked
    }

    /// Returns whether a stage neither runs nor is about to.
    fn is_settled(&self, stage: Stage) -> bool {
        let step = StepId::of(stage);
        self.state.progress(&step) != Some(Progress::Running) && !self.decision.start.iter().any(|(work, _)| work.step == step)
    }

    /// Starts every sync that waits; nothing waits for a sync.
    fn syncs(&mut self) -> Option<Hold> {
        for node in self.graph.artifacts.iter().filter(|node| node.syncs) {
            let Some(files) = self.state.artifact(&node.image).and_then(ArtifactState::to_sync) else { continue };
            let step = StepId::sync(node.image.clone());
            if self.state.progress(&step) == Some(Progress::Running) {
                continue;
            }
            if let Some(hold) = self.gate(Stage::Sync) {
                self.decision.hold.push((step, hold));
            } else {
                let files: Vec<String> = files.iter().cloned().collect();
                let reason = if files.is_empty() { Reason::Asked } else { Reason::Changed { files: files.clone() } };
                self.decision.start.push((Work { files, ..Work::of(step) }, reason));
            }
        }
        None
    }

    /// Attaches once, to whatever is live from then on.
    fn attach(&mut self) -> Option<Hold> {
        let (step, deploy) = (StepId::of(Stage::Attach), StepId::of(Stage::Deploy));
        if self.state.progress(&step).is_none() && self.state.progress(&deploy) == Some(Progress::Succeeded) {
            self.decision.start.push((Work::of(step), Reason::After { step: deploy }));
        }
        None
    }

    /// Returns the step of the last artifact that has run one.
    fn last_of(&self, step: fn(ImageName) -> StepId) -> Option<StepId> {
        let mut steps = self.graph.artifacts.iter().rev().map(|node| step(node.image.clone()));
        steps.find(|step| self.state.progress(step).is_some())
    }

    fn last_step(&self, stage: Stage) -> Option<StepId> {
        match stage {
            Stage::Build => self.last_of(StepId::build),
            Stage::Test => self.last_of(StepId::test),
            Stage::Sync => None,
            _ => Some(StepId::of(stage)),
        }
    }
}

impl Graph {
    /// Returns the artifacts that a change of some concerns, in the order of the graph: those that are built from them,
    /// and all that any of these is built from, as it goes into what they are.
    fn around(&self, changed: &BTreeSet<&ImageName>) -> Vec<ImageName> {
        let mut stale: BTreeSet<&ImageName> = changed.clone();
        while let Some(next) =
            self.artifacts.iter().find(|node| !stale.contains(&node.image) && node.requires.iter().any(|r| stale.contains(r)))
        {
            stale.insert(&next.image);
        }
        let mut all = stale;
        while let Some(next) = self
            .artifacts
            .iter()
            .filter(|node| all.contains(&node.image))
            .flat_map(|node| &node.requires)
            .find(|required| !all.contains(required) && self.artifacts.iter().any(|node| node.image == **required))
        {
            all.insert(next);
        }
        self.artifacts.iter().filter(|node| all.contains(&node.image)).map(|node| node.image.clone()).collect()
    }

    fn unmet_requirement(&self, node: &crate::Node, state: &State) -> Option<Hold> {
        node.requires.iter().find_map(|image| {
            let (artifact, step) = (state.artifact(image)?, StepId::build(image.clone()));
            match artifact.causes() {
                Some(_) if artifact.build_failed() => Some(Hold::Failed { step }),
                Some(_) => Some(Hold::Needs { step }),
                None if artifact.has_changed() => Some(Hold::Needs { step: StepId::of(Stage::Prepare) }),
                None => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use devloop_model::BuiltImage;
    use devloop_model::CacheOutcome;
    use devloop_model::Diagnostic;
    use devloop_model::EventKind;
    use devloop_model::Identity;
    use devloop_model::Outcome;
    use devloop_model::RebuildCause;
    use std::time::Duration;

    use super::*;
    use crate::Node;

    fn name(text: &str) -> ImageName {
        ImageName::parse(text).unwrap()
    }

    fn graph(concurrency: usize, artifacts: &[(&str, &[&str])]) -> Graph {
        let node = |(image, requires): &(&str, &[&str])| Node {
            image: name(image),
            requires: requires.iter().map(|r| name(r)).collect(),
            syncs: false,
            is_tested: *image == "api",
        };
        Graph { artifacts: artifacts.iter().map(node).collect(), concurrency, tests_at_once: 1 }
    }

    fn ready(image: &str) -> BuiltImage {
        BuiltImage { artifact: name(image), name: name(image), tag: None, identity: Identity::AsNamed, runtime: None }
    }

    /// A state after a script: `prepare ok`, `miss web`, `ready web`, `web runs`, `web ok`, `web failed`.
    fn after(script: &[&str]) -> State {
        let mut state = State::default();
        let stage = |word: &str| match word {
            "prepare" => StepId::of(Stage::Prepare),
            "render" => StepId::of(Stage::Render),
            "deploy" => StepId::of(Stage::Deploy),
            "test" => StepId::test(name("api")),
            image => StepId::build(name(image)),
        };
        for line in script {
            let (first, second) = line.split_once(' ').unwrap();
            let finished = |outcome| EventKind::StepFinished { step: stage(first), outcome, duration: Duration::ZERO };
            if matches!(second, "ok" | "failed") {
                state.apply(&EventKind::StepStarted { step: stage(first), reason: Reason::FirstRun });
            }
            state.apply(&match (first, second) {
                ("miss", image) => EventKind::CacheChecked {
                    artifact: name(image),
                    outcome: CacheOutcome::NotFound,
                    causes: vec![RebuildCause::NeverBuilt],
                    key: String::new(),
                },
                ("ready", image) => EventKind::ImageReady { image: ready(image) },
                (_, "runs") => EventKind::StepStarted { step: stage(first), reason: Reason::FirstRun },
                (_, "ok") => finished(Outcome::Succeeded),
                _ => finished(Outcome::Failed { diagnostic: Diagnostic::error("x", "y") }),
            });
        }
        state
    }

    fn said(decision: &Decision) -> Vec<String> {
        let starts = decision.start.iter().map(|(work, reason)| format!("start {}: {reason}", work.step));
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
    fn tests_hold_what_runs_their_image_and_nothing_else() {
        let two = graph(8, &[("web", &[]), ("api", &[])]);
        let run = Goal::build().then(Stage::Test).then(Stage::Render);
        let missed: &[&str] = &["prepare ok", "miss web", "miss api"];
        let with = |more: &[&str]| after(&[missed, more].concat());
        for (script, expected) in [
            // The tests of an image do not wait for other builds.
            (&["web runs", "ready api", "api ok"][..], vec!["start test of api: after prepare"]),
            (&["web runs", "ready api", "api ok", "test runs"], vec![]),
            (&["web ok", "ready api", "api ok", "test ok"], vec!["start render: after test of api"]),
            (&["web ok", "ready api", "api ok", "test failed"], vec!["hold render: test of api failed"]),
            // What is about to be built again is not tested.
            (&["web ok", "ready api", "api ok", "test failed", "miss api", "api runs"], vec![]),
            (&["web ok", "ready api", "api ok", "prepare runs"], vec![]),
        ] {
            assert_eq!(said(&decide(&two, &with(script), &run)), expected, "{script:?}");
        }
        let stale = decide(&two, &with(&["web ok", "ready api", "api ok", "test runs", "miss api"]), &run);
        assert_eq!(stale.stop, [StepId::test(name("api"))]);
    }

    #[test]
    fn no_more_builds_run_than_the_limit() {
        let three = graph(1, &[("a", &[]), ("b", &[]), ("c", &[])]);
        let state = after(&["prepare ok", "miss a", "miss b", "miss c", "a ok", "b runs"]);
        assert_eq!(said(&decide(&three, &state, &Goal::build())), ["hold build of c: 1 builds run at once"]);
    }
}
