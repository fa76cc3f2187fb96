use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use devloop_model::CacheOutcome;
use devloop_model::Cx;
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
    fn graph(&self) -> Graph {
        let node = |image: &str, requires: &[&str]| Node {
            image: ImageName::parse(image).unwrap(),
            requires: requires.iter().map(|r| ImageName::parse(r).unwrap()).collect(),
            syncs: false,
            is_tested: false,
        };
        Graph { artifacts: vec![node("base", &[]), node("web", &["base"]), node("api", &[])], concurrency: 2, tests_at_once: 2 }
    }

    async fn touched(&self, _: &[PathBuf], _: &Cx) -> Touched {
        Touched::default()
    }

    fn everything(&self) -> Touched {
        Touched::default()
    }

    async fn leave(&self, _: bool, _: &Cx) {}

    async fn run(&self, work: &Work, cx: &Cx) -> Result<(), Diagnostic> {
        let act = self.0.lock().unwrap().remove(&work.step.to_string());
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
    let session = Session {
        goal,
        stages,
        opening: Vec::new(),
        wakes: mpsc::channel(1).1,
        leaving: Leaving::default(),
        report: &mut report,
        cancel: cancel.clone(),
    };
    let ended = session.run().await;
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
