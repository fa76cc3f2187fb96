//! Scenarios of watching sessions: what is saved when, and which steps run because of it.

mod tested;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use devloop_model::AutoStage;
use devloop_model::BuiltImage;
use devloop_model::CacheOutcome;
use devloop_model::Cx;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::RebuildCause;
use devloop_model::TouchedArtifact;
use devloop_model::TouchedTests;

use super::*;
use crate::Node;

/// What a step does, the next time that it runs.
#[derive(Debug, Clone)]
enum Act {
    /// The cache has nothing of these artifacts, whose inputs have these keys.
    Miss(&'static [(&'static str, &'static str)]),
    /// The cache has this image of an artifact.
    Hit(&'static str, &'static str),
    /// It makes this: an image's tag, a hash of manifests.
    Make(&'static str),
    /// The configuration builds an artifact in another way.
    Reconfigure(&'static str),
    Nothing,
    Fail,
    /// It runs until it is stopped.
    Hang,
    /// It has a container that writes lines, as fast as they are taken, until it is stopped.
    Flood,
}

/// Stages by script: acts are consumed in order, and a step without one does nothing.
struct Script(Mutex<BTreeMap<&'static str, VecDeque<Act>>>);

fn name(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

fn image(artifact: &str, tag: &str) -> EventKind {
    let tag = Some(devloop_model::Tag::parse(tag).unwrap());
    EventKind::ImageReady {
        image: BuiltImage { artifact: name(artifact), name: name(artifact), tag, identity: Identity::AsNamed, runtime: None },
    }
}

fn pod_line() -> EventKind {
    EventKind::PodLog {
        namespace: devloop_model::Namespace("shop".to_owned()),
        pod: "web".to_owned(),
        container: "app".to_owned(),
        artifact: None,
        line: "again".to_owned(),
    }
}

#[async_trait::async_trait]
impl Stages for Script {
    fn graph(&self) -> Graph {
        // A script that says what the tests of an image do has an image with tests.
        let acts = self.0.lock().unwrap();
        let node = |image: &str, requires: &[&str], syncs| Node {
            image: name(image),
            requires: requires.iter().map(|r| name(r)).collect(),
            syncs,
            is_tested: acts.contains_key(format!("test of {image}").as_str()),
        };
        let artifacts = vec![node("base", &[], false), node("web", &["base"], false), node("api", &[], true)];
        Graph { artifacts, concurrency: 8, tests_at_once: 2 }
    }

    async fn run(&self, work: &Work, cx: &Cx) -> Result<(), Diagnostic> {
        let act = self.0.lock().unwrap().get_mut(work.step.to_string().as_str()).and_then(VecDeque::pop_front);
        match act {
            Some(Act::Miss(artifacts)) => {
                for (artifact, key) in artifacts {
                    let (causes, key) = (vec![RebuildCause::NeverBuilt], (*key).to_owned());
                    cx.emit(EventKind::CacheChecked { artifact: name(artifact), outcome: CacheOutcome::NotFound, causes, key });
                }
            }
            Some(Act::Hit(artifact, tag)) => {
                cx.emit(EventKind::CacheChecked {
                    artifact: name(artifact),
                    outcome: CacheOutcome::FoundRemotely,
                    causes: vec![],
                    key: String::new(),
                });
                cx.emit(image(artifact, tag));
            }
            Some(Act::Make(what)) => match &work.step.artifact {
                Some(artifact) => cx.emit(image(artifact.as_str(), what)),
                None => cx.emit(EventKind::ManifestsRendered { objects: 1, hash: what.to_owned() }),
            },
            Some(Act::Reconfigure(artifact)) => cx.emit(EventKind::PlanChanged { artifacts: vec![name(artifact)], tests: vec![] }),
            Some(Act::Fail) => return Err(Diagnostic::error("test/failed", "it failed")),
            Some(Act::Hang) => {
                cx.cancel.cancelled().await;
                return Err(Diagnostic::error("test/stopped", "stopped"));
            }
            Some(Act::Flood) => {
                while !cx.cancel.is_cancelled() {
                    cx.emit_line(pod_line()).await;
                }
            }
            None if work.step.stage == Stage::Attach => cx.cancel.cancelled().await,
            Some(Act::Nothing) | None => {}
        }
        Ok(())
    }

    /// `web/main.go` is a file of the artifact `web`; `tests/web` is one that its tests need; those of `k8s` are manifests; `skaffold.yaml` is the configuration.
    async fn touched(&self, files: &[PathBuf], _: &Cx) -> Touched {
        let mut touched = Touched::default();
        for file in files {
            let text = file.display().to_string();
            match text.split_once('/') {
                Some(("k8s", _)) => touched.manifests.push(text),
                Some(("tests", artifact)) => touched.tests.push(TouchedTests { artifact: name(artifact), files: vec![text.clone()] }),
                Some((artifact, file)) => {
                    let syncable = artifact == "api" && std::path::Path::new(file).extension().is_some_and(|extension| extension == "html");
                    touched.artifacts.push(TouchedArtifact { artifact: name(artifact), files: vec![file.to_owned()], syncable });
                }
                None => touched.config.push(text),
            }
        }
        touched
    }

    fn everything(&self) -> Touched {
        Touched::default()
    }

    async fn leave(&self, deleted: bool, cx: &Cx) {
        cx.emit(EventKind::ImagesPruned { images: usize::from(deleted), at_end: true });
    }
}

/// What happens when a line is said, once.
#[derive(Debug, Clone)]
enum Then {
    Save(&'static str),
    Ask(Command),
    Quit,
}

fn line(fact: &EventKind) -> Option<String> {
    Some(match fact {
        EventKind::Triggered { save, touched, .. } => format!("save {save}: {}", touched.files().join(" ")),
        EventKind::StepStarted { step, reason } => format!("{step} because {reason}"),
        EventKind::StepHeld { step, hold } => format!("{step} waits: {hold}"),
        EventKind::StepFinished { step, outcome: Outcome::Failed { .. }, .. } => format!("{step} failed"),
        EventKind::StepFinished { step, outcome: Outcome::Cancelled, .. } => format!("{step} stopped"),
        EventKind::IterationEnded { save, outcome, .. } => {
            format!("{} {save}", if matches!(outcome, Outcome::Succeeded) { "done" } else { "bad" })
        }
        EventKind::Paused { paused } => if *paused { "paused" } else { "goes on" }.to_owned(),
        _ => return None,
    })
}

/// Runs a session in which each of `then` happens once its line was said; returns the lines after the first iteration.
async fn session(script: &[(&'static str, Act)], then: &[(&str, Then)]) -> Vec<String> {
    session_with(script, then, &[]).await
}

async fn session_with(script: &[(&'static str, Act)], then: &[(&str, Then)], opening: &[EventKind]) -> Vec<String> {
    let mut acts: BTreeMap<&'static str, VecDeque<Act>> = BTreeMap::new();
    let first = [
        ("prepare", Act::Miss(&[("base", "b1"), ("web", "w1"), ("api", "a1")])),
        ("build of base", Act::Make("b1")),
        ("build of web", Act::Make("w1")),
        ("build of api", Act::Make("a1")),
        ("render", Act::Make("m1")),
    ];
    for (step, act) in first.into_iter().chain(script.iter().cloned()) {
        acts.entry(step).or_default().push_back(act);
    }
    let stages = Arc::new(Script(Mutex::new(acts)));
    let cancel = CancellationToken::new();
    let (wake, wakes) = mpsc::channel(16);
    let mut then: VecDeque<(&str, Then)> = then.iter().cloned().collect();
    let mut said = Vec::new();
    let mut report = |event: &Event| {
        let Some(line) = line(&event.fact) else { return };
        if then.front().is_some_and(|(at, _)| *at == line) {
            let trigger = match then.pop_front().map(|(_, then)| then) {
                Some(Then::Save(files)) => Trigger::Files(files.split(' ').map(PathBuf::from).collect()),
                Some(Then::Ask(command)) => Trigger::Command(command),
                Some(Then::Quit) | None => Trigger::Command(Command::Quit),
            };
            wake.try_send(Wake { trigger, first: Instant::now() }).unwrap();
        }
        said.push(line);
    };
    let session = Session {
        goal: Goal::dev(true),
        stages: Arc::clone(&stages) as _,
        opening: opening.to_vec(),
        wakes,
        leaving: Leaving { clean_up: false, at_first_failure: false },
        report: &mut report,
        cancel,
    };
    let ended = tokio::time::timeout(std::time::Duration::from_mins(1), session.run()).await.expect("the session ends");
    assert_eq!(ended, Ended::Interrupted);
    assert!(then.is_empty(), "never said: {then:?}\n{said:#?}");
    let left: Vec<_> = stages.0.lock().unwrap().iter().filter(|(_, acts)| !acts.is_empty()).map(|(step, _)| *step).collect();
    assert!(left.is_empty(), "acts that never ran: {left:?}\n{said:#?}");
    let after = said.iter().position(|line| line == "done 1").map_or(0, |at| at + 1);
    said.split_off(after).into_iter().filter(|line| line != "attach stopped").collect()
}

#[tokio::test(start_paused = true)]
async fn a_save_builds_what_it_touched_and_what_is_built_from_it() {
    let said = session(
        &[
            ("prepare", Act::Miss(&[("base", "b2"), ("web", "w2")])),
            ("build of base", Act::Make("b2")),
            ("build of web", Act::Make("w2")),
            ("render", Act::Make("m2")),
        ],
        &[("done 1", Then::Save("base/x")), ("done 2", Then::Quit)],
    )
    .await;
    assert_eq!(
        said,
        [
            "save 2: x",
            "prepare because x changed",
            "build of web waits: build of base is not done",
            "build of base because never built here",
            "build of web because never built here",
            "render because after build of base",
            "deploy because after render",
            "status check because after deploy",
            "done 2",
        ]
    );
}

/// Returns the end of a session that is over once it is live.
async fn end(clean_up: bool, delete: Act) -> Vec<String> {
    let acts = BTreeMap::from([("render", VecDeque::from([Act::Make("m1")])), ("delete", VecDeque::from([delete]))]);
    let (wake, wakes) = mpsc::channel(16);
    let mut said = Vec::new();
    let mut report = |event: &Event| match &event.fact {
        EventKind::IterationEnded { .. } => {
            wake.try_send(Wake { trigger: Trigger::Command(Command::Quit), first: Instant::now() }).unwrap();
        }
        EventKind::StepStarted { step, .. } if step.stage == Stage::Delete => said.push("delete".to_owned()),
        EventKind::ImagesPruned { images, .. } => said.push(format!("left after {images} deletes")),
        EventKind::SessionEnded { .. } => said.push("ended".to_owned()),
        _ => {}
    };
    let session = Session {
        goal: Goal::dev(true),
        stages: Arc::new(Script(Mutex::new(acts))),
        opening: Vec::new(),
        wakes,
        leaving: Leaving { clean_up, at_first_failure: false },
        report: &mut report,
        cancel: CancellationToken::new(),
    };
    session.run().await;
    said
}

#[tokio::test(start_paused = true)]
async fn stages_leave_after_what_was_deployed_is_deleted() {
    assert_eq!(end(true, Act::Nothing).await, ["delete", "left after 1 deletes", "ended"]);
    assert_eq!(end(true, Act::Fail).await, ["delete", "left after 0 deletes", "ended"]);
    assert_eq!(end(false, Act::Nothing).await, ["left after 0 deletes", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_save_is_noticed_however_much_a_container_writes() {
    let said = session(
        &[("attach", Act::Flood), ("prepare", Act::Miss(&[("api", "a2")])), ("build of api", Act::Make("a2")), ("render", Act::Make("m2"))],
        &[("done 1", Then::Save("api/main.go")), ("done 2", Then::Quit)],
    )
    .await;
    assert_eq!(said.last().map(String::as_str), Some("done 2"), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_out_the_same_stops_there() {
    let said = session(
        &[
            ("prepare", Act::Hit("api", "a1")),
            ("prepare", Act::Miss(&[("api", "a2")])),
            ("build of api", Act::Make("a2")),
            ("render", Act::Make("m1")),
        ],
        &[("done 1", Then::Save("api/touched")), ("done 2", Then::Save("api/main.go")), ("done 3", Then::Quit)],
    )
    .await;
    assert_eq!(
        said,
        [
            "save 2: touched",
            "prepare because touched changed",
            "done 2",
            "save 3: main.go",
            "prepare because main.go changed",
            "build of api because never built here",
            "render because after build of api",
            "done 3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_save_during_a_build_stops_only_what_it_made_stale() {
    let said = session(
        &[
            ("prepare", Act::Miss(&[("base", "b1"), ("web", "w2")])),
            ("build of web", Act::Hang),
            ("prepare", Act::Hit("api", "a1")),
            ("prepare", Act::Miss(&[("web", "w3")])),
            ("build of base", Act::Make("b1")),
            ("build of web", Act::Make("w3")),
            ("render", Act::Make("m3")),
        ],
        &[
            ("done 1", Then::Save("web/one")),
            ("build of web because never built here", Then::Save("api/other")),
            ("prepare because other changed", Then::Save("web/two")),
            ("done 4", Then::Quit),
        ],
    )
    .await;
    let steps: Vec<&str> =
        said.iter().map(String::as_str).filter(|line| line.starts_with("build of web") && !line.contains("waits")).collect();
    assert_eq!(steps, ["build of web because never built here", "build of web stopped", "build of web because never built here"]);
    assert_eq!(said.iter().filter(|line| line.starts_with("deploy because")).count(), 1, "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_taken_back_stops_its_build() {
    let said = session(
        &[("prepare", Act::Miss(&[("api", "a2")])), ("build of api", Act::Hang), ("prepare", Act::Hit("api", "a1"))],
        &[("done 1", Then::Save("api/x")), ("build of api because never built here", Then::Save("api/x")), ("done 3", Then::Quit)],
    )
    .await;
    assert!(said.contains(&"build of api stopped".to_owned()) && !said.iter().any(|line| line.starts_with("render")), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_holds_the_deploy_until_the_next_save() {
    let said = session(
        &[
            ("prepare", Act::Miss(&[("api", "a2")])),
            ("build of api", Act::Fail),
            ("prepare", Act::Miss(&[("api", "a3")])),
            ("build of api", Act::Make("a3")),
            ("render", Act::Make("m3")),
        ],
        &[("done 1", Then::Save("api/main.go k8s/a.yaml")), ("bad 2", Then::Save("api/main.go")), ("done 3", Then::Quit)],
    )
    .await;
    assert_eq!(
        said[..5],
        [
            "save 2: main.go k8s/a.yaml",
            "prepare because main.go changed",
            "build of api because never built here",
            "build of api failed",
            "render waits: build of api failed",
        ]
    );
    assert_eq!(said.last().unwrap(), "done 3");
}

#[tokio::test(start_paused = true)]
async fn a_failed_deploy_is_tried_again_at_the_next_save() {
    let said = session(
        &[("render", Act::Make("m2")), ("deploy", Act::Nothing), ("deploy", Act::Fail), ("prepare", Act::Hit("api", "a1"))],
        &[("done 1", Then::Save("k8s/a.yaml")), ("bad 2", Then::Save("api/x")), ("done 3", Then::Quit)],
    )
    .await;
    assert_eq!(
        said,
        [
            "save 2: k8s/a.yaml",
            "render because k8s/a.yaml changed",
            "deploy because after render",
            "deploy failed",
            "bad 2",
            "save 3: x",
            "prepare because x changed",
            "deploy because another try",
            "status check because after deploy",
            "done 3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_deploy_ends_the_wait_for_the_old_one() {
    let said = session(
        &[("render", Act::Make("m2")), ("status check", Act::Nothing), ("status check", Act::Hang), ("render", Act::Make("m3"))],
        &[("done 1", Then::Save("k8s/a")), ("status check because after deploy", Then::Save("k8s/b")), ("done 3", Then::Quit)],
    )
    .await;
    assert_eq!(
        said[said.len() - 4..],
        ["deploy because after render", "status check stopped", "status check because after deploy", "done 3"]
    );
}

#[tokio::test(start_paused = true)]
async fn files_are_synced_where_they_can_be_and_built_where_that_fails() {
    let said = session(
        &[
            ("sync of api", Act::Nothing),
            ("sync of api", Act::Fail),
            ("prepare", Act::Miss(&[("api", "a2")])),
            ("build of api", Act::Make("a2")),
            ("render", Act::Make("m2")),
        ],
        &[("done 1", Then::Save("api/a.html")), ("done 2", Then::Save("api/b.html")), ("done 3", Then::Quit)],
    )
    .await;
    assert_eq!(
        said,
        [
            "save 2: a.html",
            "sync of api because a.html changed",
            "done 2",
            "save 3: b.html",
            "sync of api because b.html changed",
            "sync of api failed",
            "prepare because its files could not be synced",
            "build of api because never built here",
            "render because after build of api",
            "deploy because after render",
            "status check because after deploy",
            "done 3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_configuration_changes_nothing() {
    let said = session(
        &[("configuration", Act::Fail), ("prepare", Act::Hit("api", "a1"))],
        &[("done 1", Then::Save("skaffold.yaml")), ("bad 2", Then::Save("api/x")), ("done 3", Then::Quit)],
    )
    .await;
    assert_eq!(
        said,
        [
            "save 2: skaffold.yaml",
            "configuration because skaffold.yaml changed",
            "configuration failed",
            "bad 2",
            "save 3: x",
            "prepare because x changed",
            "done 3"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn manual_stages_wait_for_being_asked() {
    let manual = [AutoStage::Build, AutoStage::Deploy].map(|stage| EventKind::AutoSwitched { stage, enabled: false });
    let ask = |build, deploy| Then::Ask(Command::Execute { build, sync: false, deploy });
    let said = session_with(
        &[("prepare", Act::Miss(&[("api", "a2")])), ("build of api", Act::Make("a2")), ("render", Act::Make("m2"))],
        &[("done 1", Then::Save("api/x")), ("done 2", ask(true, false)), ("done 2", ask(false, true)), ("done 2", Then::Quit)],
        &manual,
    )
    .await;
    assert_eq!(
        said,
        [
            "save 2: x",
            "prepare waits: build waits for being asked",
            "done 2",
            "prepare because x changed",
            "build of api because never built here",
            "render waits: deploy waits for being asked",
            "done 2",
            "render because after build of api",
            "deploy because after render",
            "status check because after deploy",
            "done 2",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_keeps_what_changed() {
    let pause = |paused| Then::Ask(Command::Pause { paused });
    let said = session(
        &[("prepare", Act::Hit("api", "a1"))],
        &[("done 1", pause(true)), ("paused", Then::Save("api/x")), ("done 2", pause(false)), ("prepare because x changed", Then::Quit)],
    )
    .await;
    assert_eq!(
        said[..6],
        ["paused", "save 2: x", "prepare waits: the session is paused", "done 2", "goes on", "prepare because x changed"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_configuration_looks_at_what_it_changed() {
    let said = session(
        &[
            ("configuration", Act::Reconfigure("api")),
            ("prepare", Act::Hit("api", "a1")),
            ("render", Act::Make("m1")),
            ("configuration", Act::Nothing),
            ("render", Act::Make("m1")),
        ],
        &[("done 1", Then::Save("skaffold.yaml")), ("done 2", Then::Save("skaffold.yaml")), ("done 3", Then::Quit)],
    )
    .await;
    assert_eq!(
        said,
        [
            "save 2: skaffold.yaml",
            "configuration because skaffold.yaml changed",
            "prepare because after configuration",
            "render because after configuration",
            "done 2",
            "save 3: skaffold.yaml",
            "configuration because skaffold.yaml changed",
            "render because after configuration",
            "done 3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_is_tried_again_at_any_save() {
    let said = session(
        &[
            ("prepare", Act::Miss(&[("api", "a2")])),
            ("build of api", Act::Fail),
            ("build of api", Act::Make("a2")),
            ("render", Act::Make("m2")),
        ],
        &[("done 1", Then::Save("api/main.go")), ("bad 2", Then::Save("k8s/a.yaml")), ("done 3", Then::Quit)],
    )
    .await;
    let later: Vec<&str> = said.iter().skip_while(|line| *line != "bad 2").skip(1).map(String::as_str).collect();
    assert_eq!(later[..2], ["save 3: k8s/a.yaml", "build of api because never built here"], "{said:#?}");
    assert_eq!(said.last().map(String::as_str), Some("done 3"));
}
