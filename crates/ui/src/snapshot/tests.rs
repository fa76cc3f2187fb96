use devloop_model::CacheOutcome;
use devloop_model::Reason;
use devloop_model::RebuildCause;
use devloop_model::TouchedArtifact;

use super::*;
use crate::console::sample;
use crate::console::sample::event;
use crate::console::sample::name;
use crate::console::sample::object;

fn after(facts: Vec<EventKind>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for event in sample::events(facts) {
        snapshot.apply(&event);
    }
    snapshot
}

fn first_pass() -> Vec<EventKind> {
    let mut facts: Vec<EventKind> = sample::run_of_two().into_iter().map(|event| event.fact).collect();
    facts.pop();
    facts.insert(2, triggered(1));
    facts
}

fn triggered(save: u64) -> EventKind {
    let touched = TouchedArtifact { artifact: name("web"), files: vec!["src/main.go".into()], syncable: false };
    EventKind::Triggered { save, touched: Touched { artifacts: vec![touched], ..Touched::default() }, waited: Duration::ZERO }
}

#[test]
fn a_pass_leaves_images_with_the_save_they_contain() {
    let now = after(first_pass());
    let web = now.artifact(&name("web")).unwrap();
    assert_eq!((web.save, web.stale, web.cache), (Some(1), false, Some(CacheOutcome::NotFound)));
    assert_eq!(web.platforms.len(), 1);
    assert_eq!(now.running().count(), 0);
    assert_eq!(now.resources.len(), 2);
    assert_eq!((now.seq, now.save, now.context.as_deref()), (now.seq, 1, Some("kind")));
}

#[test]
fn a_save_during_a_build_is_not_in_its_image() {
    let build = StepId::build(name("web"));
    let mut facts = first_pass();
    facts.extend([triggered(2), sample::started(build.clone()), triggered(3)]);
    let image = after(facts.clone()).artifact(&name("web")).unwrap().image.clone().unwrap();
    facts.extend([EventKind::ImageReady { image }, sample::finished(build, Outcome::Succeeded)]);
    let now = after(facts);
    assert_eq!((now.save, now.artifact(&name("web")).unwrap().save), (3, Some(2)));
    assert_eq!(now.artifact(&name("api")).unwrap().save, Some(1));
}

#[test]
fn synced_files_bring_an_artifact_up_to_their_save() {
    let sync = StepId::sync(name("web"));
    let synced = |replayed| EventKind::FilesSynced { artifact: name("web"), copied: 2, deleted: 0, containers: 3, replayed };
    let mut facts = first_pass();
    facts.extend([triggered(2), sample::started(sync.clone()), synced(false), sample::finished(sync, Outcome::Succeeded), synced(true)]);
    let now = after(facts);
    let web = now.artifact(&name("web")).unwrap();
    assert_eq!((web.save, web.synced.as_ref().unwrap().containers), (Some(2), 3));
}

#[test]
fn what_waits_is_held_until_it_starts() {
    let deploy = StepId::of(Stage::Deploy);
    let held = |hold| EventKind::StepHeld { step: deploy.clone(), hold };
    let failed = Hold::Failed { step: StepId::build(name("web")) };
    let now = after(vec![held(Hold::Paused), held(failed.clone())]);
    assert_eq!(now.holds, [Held { step: deploy.clone(), hold: failed }]);
    assert!(after(vec![held(Hold::Paused), sample::started(deploy.clone())]).holds.is_empty());
}

#[test]
fn objects_and_ports_that_go_are_forgotten() {
    let web = object("apps", "Deployment", "web");
    let source = ForwardSource { kind: "service".into(), name: "web".into(), namespace: Namespace("default".into()), port: "80".into() };
    let forwarded = |state| EventKind::PortForwarded {
        source: source.clone(),
        address: "127.0.0.1".into(),
        local_port: 8080,
        remote_port: Some(80),
        state,
    };
    let ready = EventKind::Readiness { object: web.clone(), ready: true, message: String::new(), pending: 0, total: 1 };
    let mut facts = vec![
        ready,
        forwarded(ForwardState::Ready { pod: "web-1".into() }),
        EventKind::UrlAnswered { source: source.clone(), url: "http://127.0.0.1:8080".into() },
        forwarded(ForwardState::Waiting { why: "no pod of service/web runs".into() }),
    ];
    let now = after(facts.clone());
    assert_eq!((now.resources.len(), now.forwards[0].url.as_deref()), (1, Some("http://127.0.0.1:8080")));
    assert!(matches!(now.forwards[0].state, ForwardState::Waiting { .. }));
    facts.extend([EventKind::ObjectChanged { object: web, change: Change::Pruned, fields: Vec::new() }, forwarded(ForwardState::Closed)]);
    let now = after(facts);
    assert!(now.resources.is_empty() && now.forwards.is_empty());
}

#[test]
fn readiness_is_dated_from_its_change() {
    let mut now = Snapshot::default();
    for (seq, at, ready) in [(1, "2026-01-01T00:00:01Z", false), (2, "2026-01-01T00:00:02Z", true), (3, "2026-01-01T00:00:03Z", true)] {
        let fact =
            EventKind::Readiness { object: object("apps", "Deployment", "web"), ready, message: String::new(), pending: 0, total: 1 };
        now.apply(&Event { at: at.parse().unwrap(), ..event(seq, fact) });
    }
    assert_eq!(now.resources[0].since, "2026-01-01T00:00:02Z".parse::<Timestamp>().unwrap());
}

#[test]
fn a_new_plan_keeps_what_is_known_of_its_artifacts() {
    let mut facts = first_pass();
    facts.extend([
        EventKind::PlanRejected { diagnostics: vec![Diagnostic::error("config/yaml", "no YAML")] },
        sample::plan(&["new", "web"], None),
    ]);
    let now = after(facts);
    assert!(now.rejected.is_empty());
    assert_eq!(now.artifacts.iter().map(|record| record.image.is_some()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn why_tells_reasons_causes_and_holds() {
    let mut facts = first_pass();
    facts.push(EventKind::StepHeld { step: StepId::of(Stage::Deploy), hold: Hold::Paused });
    let now = after(facts);
    let explained = now.explain(&name("web"));
    assert_eq!(explained[0].causes, [RebuildCause::File { path: "src/main.go".into(), change: "changed".into() }]);
    assert_eq!(
        explained[0].steps.iter().map(|step| (&step.step, &step.reason)).collect::<Vec<_>>(),
        [(&StepId::build(name("web")), &Reason::FirstRun)]
    );
    assert_eq!(explained[1].steps.len(), 3, "prepare, deploy, status check");
    assert_eq!(explained[1].holds.len(), 1);
    assert_eq!(now.explain_all().len(), 4);
}

#[test]
fn a_snapshot_reads_back() {
    let now = after(first_pass());
    assert_eq!(serde_json::from_str::<Snapshot>(&serde_json::to_string(&now).unwrap()).unwrap(), now);
}
