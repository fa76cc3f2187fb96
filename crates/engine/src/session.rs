//! The one loop: facts in, steps out, until nothing is left to do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::Hold;
use devloop_model::Outcome;
use devloop_model::Reason;
use devloop_model::State;
use devloop_model::StepId;
use devloop_model::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Goal;
use crate::Graph;
use crate::Stages;
use crate::decide;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was asked for is done.
    Done,
    /// A step failed; its diagnostic was an event.
    Failed,
    /// The user stopped it.
    Interrupted,
}

/// Numbers and dates facts, and hands them to the reporter and to the state.
struct Recorder<'a> {
    state: State,
    seq: u64,
    report: &'a mut (dyn FnMut(&Event) + Send),
}

impl Recorder<'_> {
    fn record(&mut self, fact: EventKind) {
        self.seq += 1;
        self.state.apply(&fact);
        (self.report)(&Event { seq: self.seq, at: Timestamp::now(), fact });
    }
}

/// A step that ended: which, how, and how long it ran.
type Finished = (StepId, Outcome, Duration);

/// Runs what `goal` asks for, each step as soon as what it needs is done, and reports every fact.
///
/// Cancelling `cancel` stops the steps that run; the session ends when they have ended.
pub async fn run_session(
    graph: &Graph,
    goal: &Goal,
    stages: Arc<dyn Stages>,
    env: Env,
    opening: Vec<EventKind>,
    report: &mut (dyn FnMut(&Event) + Send),
    cancel: CancellationToken,
) -> Ended {
    let began = Instant::now();
    let (sender, mut facts) = mpsc::unbounded_channel();
    let sink = EventSink::new(sender);
    let mut recorder = Recorder { state: State::default(), seq: 0, report };
    let mut scope: JoinSet<Finished> = JoinSet::new();
    let mut held: BTreeSet<String> = BTreeSet::new();
    for fact in opening {
        recorder.record(fact);
    }
    loop {
        if !cancel.is_cancelled() {
            let decision = decide(graph, &recorder.state, goal);
            announce_holds(&decision.hold, &mut held, &mut recorder);
            for (step, reason) in decision.start {
                start(step, reason, &stages, &env, &sink, &cancel, &mut scope, &mut recorder);
            }
        }
        if scope.is_empty() {
            break;
        }
        tokio::select! {
            Some(fact) = facts.recv() => recorder.record(fact),
            Some(joined) = scope.join_next() => {
                // What a step said comes before its end.
                while let Ok(fact) = facts.try_recv() {
                    recorder.record(fact);
                }
                if let Some(fact) = finish(joined) {
                    recorder.record(fact);
                }
            }
        }
    }
    let ended = match (cancel.is_cancelled(), recorder.state.has_failed()) {
        (true, _) => Ended::Interrupted,
        (false, true) => Ended::Failed,
        (false, false) => Ended::Done,
    };
    recorder.record(EventKind::SessionEnded { outcome: outcome_of(&ended), duration: began.elapsed() });
    ended
}

fn outcome_of(ended: &Ended) -> Outcome {
    match ended {
        Ended::Done => Outcome::Succeeded,
        Ended::Failed => Outcome::Failed { diagnostic: Diagnostic::error("session/failed", "a step failed") },
        Ended::Interrupted => Outcome::Cancelled,
    }
}

fn announce_holds(holds: &[(StepId, Hold)], held: &mut BTreeSet<String>, recorder: &mut Recorder<'_>) {
    for (step, hold) in holds {
        if held.insert(format!("{step}: {hold}")) {
            recorder.record(EventKind::StepHeld { step: step.clone(), hold: hold.clone() });
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one loop, named where they are used")]
fn start(
    step: StepId,
    reason: Reason,
    stages: &Arc<dyn Stages>,
    env: &Env,
    sink: &EventSink,
    cancel: &CancellationToken,
    scope: &mut JoinSet<Finished>,
    recorder: &mut Recorder<'_>,
) {
    recorder.record(EventKind::StepStarted { step: step.clone(), reason });
    let cx = Cx::new(step.clone(), env.clone(), sink.clone(), cancel.child_token());
    let stages = Arc::clone(stages);
    scope.spawn(async move {
        let began = Instant::now();
        let work = tokio::spawn({
            let (step, cx) = (step.clone(), cx.clone());
            async move { stages.run(&step, &cx).await }
        });
        let outcome = match work.await {
            Ok(Ok(())) => Outcome::Succeeded,
            Ok(Err(_)) if cx.cancel.is_cancelled() => Outcome::Cancelled,
            Ok(Err(diagnostic)) => Outcome::Failed { diagnostic },
            Err(panic) => Outcome::Failed { diagnostic: panicked(&step, &panic) },
        };
        (step, outcome, began.elapsed())
    });
}

fn panicked(step: &StepId, panic: &tokio::task::JoinError) -> Diagnostic {
    Diagnostic::error("engine/panic", format!("{step} stopped at a bug of devloop"))
        .because(panic.to_string())
        .help("please report it, with the output of the same command and `-v debug`")
}

fn finish(joined: Result<Finished, tokio::task::JoinError>) -> Option<EventKind> {
    match joined {
        Ok((step, outcome, duration)) => Some(EventKind::StepFinished { step, outcome, duration }),
        // The task around a step only waits for it: nothing in it panics, and nothing aborts it.
        Err(error) => {
            tracing::error!(%error, "a step's task was lost");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use devloop_model::CacheOutcome;
    use devloop_model::ImageName;
    use devloop_model::RebuildCause;
    use devloop_model::Stage;

    use super::*;
    use crate::Node;

    /// What a step of a script does.
    #[derive(Clone)]
    enum Act {
        Miss(&'static [&'static str]),
        Fail,
        Panic,
        Hang,
    }

    /// Stages by script; every scripted act has to be consumed.
    struct Script(Mutex<BTreeMap<String, Act>>);

    #[async_trait::async_trait]
    impl Stages for Script {
        async fn run(&self, step: &StepId, cx: &Cx) -> Result<(), Diagnostic> {
            let act = self.0.lock().unwrap().remove(&step.to_string());
            match act {
                Some(Act::Miss(images)) => {
                    for image in images {
                        let artifact = ImageName::parse(image).unwrap();
                        cx.emit(EventKind::CacheChecked {
                            artifact,
                            outcome: CacheOutcome::NotFound,
                            causes: vec![RebuildCause::NeverBuilt],
                            key: String::new(),
                        });
                    }
                    Ok(())
                }
                Some(Act::Fail) => Err(Diagnostic::error("test/failed", "it failed")),
                Some(Act::Panic) => panic!("a bug"),
                Some(Act::Hang) => {
                    cx.cancel.cancelled().await;
                    Err(Diagnostic::error("test/stopped", "stopped"))
                }
                None => Ok(()),
            }
        }
    }

    async fn session(script: &[(&str, Act)], interrupt_at: Option<&str>) -> (Ended, Vec<String>) {
        let node = |image: &str, requires: &[&str]| Node {
            image: ImageName::parse(image).unwrap(),
            requires: requires.iter().map(|r| ImageName::parse(r).unwrap()).collect(),
        };
        let graph = Graph { artifacts: vec![node("base", &[]), node("web", &["base"]), node("api", &[])], concurrency: 2 };
        let script = Arc::new(Script(Mutex::new(script.iter().map(|(step, act)| ((*step).to_owned(), act.clone())).collect())));
        let cancel = CancellationToken::new();
        let mut said = Vec::new();
        let mut report = |event: &Event| {
            let line = match &event.fact {
                EventKind::StepStarted { step, .. } => format!("{step} started"),
                EventKind::StepHeld { step, hold } => format!("{step} held: {hold}"),
                EventKind::StepFinished { step, outcome: Outcome::Failed { diagnostic }, .. } => {
                    format!("{step} failed: {}", diagnostic.code)
                }
                EventKind::StepFinished { step, outcome: Outcome::Cancelled, .. } => format!("{step} cancelled"),
                _ => return,
            };
            if interrupt_at == Some(line.as_str()) {
                cancel.cancel();
            }
            said.push(line);
        };
        let goal = Goal::build().then(Stage::Render).then(Stage::Deploy);
        let stages: Arc<dyn Stages> = Arc::clone(&script) as Arc<dyn Stages>;
        let ended = run_session(&graph, &goal, stages, Env::default(), Vec::new(), &mut report, cancel.clone()).await;
        assert!(script.0.lock().unwrap().is_empty(), "scripted acts that never ran");
        (ended, said)
    }

    #[tokio::test]
    async fn everything_runs_in_the_order_of_its_needs() {
        let (ended, said) = session(&[("prepare", Act::Miss(&["base", "web"]))], None).await;
        assert_eq!(ended, Ended::Done);
        assert_eq!(
            said,
            [
                "prepare started",
                "build of web held: build of base is not done",
                "build of base started",
                "build of web started",
                "render started",
                "deploy started"
            ]
        );
    }

    #[tokio::test]
    async fn a_failed_build_holds_only_what_needs_it() {
        let (ended, said) = session(&[("prepare", Act::Miss(&["base", "web", "api"])), ("build of base", Act::Fail)], None).await;
        assert_eq!(ended, Ended::Failed);
        assert!(said.contains(&"build of web held: build of base failed".to_owned()), "{said:?}");
        assert!(said.contains(&"build of api started".to_owned()), "{said:?}");
        assert!(!said.contains(&"render started".to_owned()), "{said:?}");
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_with_a_name() {
        let (ended, said) = session(&[("render", Act::Panic)], None).await;
        assert_eq!(ended, Ended::Failed);
        assert_eq!(said.last().unwrap(), "render failed: engine/panic");
    }

    #[tokio::test]
    async fn an_interrupt_stops_what_runs_and_starts_nothing() {
        let (ended, said) = session(&[("deploy", Act::Hang)], Some("deploy started")).await;
        assert_eq!(ended, Ended::Interrupted);
        assert_eq!(said, ["prepare started", "render started", "deploy started", "deploy cancelled"]);
    }
}
