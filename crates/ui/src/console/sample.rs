//! A recorded session for tests: two artifacts built in parallel, deployed and waited for.

use std::time::Duration;

use devloop_model::BuiltImage;
use devloop_model::CacheOutcome;
use devloop_model::Change;
use devloop_model::Digest;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Outcome;
use devloop_model::PlannedArtifact;
use devloop_model::Reason;
use devloop_model::RebuildCause;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Stream;

pub(crate) fn event(seq: u64, fact: EventKind) -> Event {
    Event { seq, at: "2026-01-02T03:04:05Z".parse().unwrap(), fact }
}

pub(crate) fn events(facts: Vec<EventKind>) -> Vec<Event> {
    facts.into_iter().zip(1..).map(|(fact, seq)| event(seq, fact)).collect()
}

pub(crate) fn log_line(seq: u64, line: &str) -> Event {
    event(seq, EventKind::StepLog { step: StepId::build(name("web")), stream: Stream::Stdout, line: line.to_owned() })
}

pub(crate) fn name(text: &str) -> ImageName {
    text.parse().unwrap()
}

pub(crate) fn object(group: &str, kind: &str, name: &str) -> ObjectKey {
    ObjectKey { group: group.into(), kind: kind.into(), namespace: Some(Namespace("default".into())), name: name.into() }
}

fn image(artifact: &str) -> BuiltImage {
    let digest = Digest::parse(&format!("sha256:{}", "1".repeat(64))).unwrap();
    BuiltImage {
        artifact: name(artifact),
        name: name(&format!("localhost:5000/{artifact}")),
        tag: Some("v1".parse().unwrap()),
        identity: Identity::Digest(digest),
        runtime: None,
    }
}

pub(crate) fn started(step: StepId) -> EventKind {
    EventKind::StepStarted { step, reason: Reason::FirstRun }
}

pub(crate) fn finished(step: StepId, outcome: Outcome) -> EventKind {
    EventKind::StepFinished { step, outcome, duration: Duration::from_millis(1200) }
}

pub(crate) fn plan(artifacts: &[&str], context: Option<&str>) -> EventKind {
    let planned = |artifact: &&str| PlannedArtifact {
        image: name(artifact),
        builder: "docker".into(),
        context: (*artifact).to_owned(),
        dockerfile: Some("Dockerfile".into()),
    };
    EventKind::PlanLoaded {
        artifacts: artifacts.iter().map(planned).collect(),
        renderers: [("rawYaml".to_owned(), 1)].into(),
        deployers: [("kubectl".to_owned(), 1)].into(),
        profiles: vec!["dev".into()],
        context: context.map(str::to_owned),
        namespace: Some(Namespace("default".into())),
    }
}

/// Two tests of an image, the first of which ends so, as their step does.
pub(crate) fn tests_of(image: &str, outcome: &Outcome) -> Vec<EventKind> {
    let step = StepId::test(name(image));
    let test = |index, test: &str, outcome: &Outcome| {
        let (artifact, name, duration) = (name(image), test.to_owned(), Duration::from_millis(400));
        let started = EventKind::TestStarted { artifact: artifact.clone(), index, name: name.clone() };
        let line = format!("{test} says a line");
        let said = EventKind::StepLog { step: step.clone(), stream: Stream::Stdout, line };
        [started, said, EventKind::TestFinished { artifact, index, name, outcome: outcome.clone(), duration }]
    };
    let tests = [test(0, "./a.sh", outcome), test(1, "image.yaml", &Outcome::Succeeded)].concat();
    [vec![started(step.clone())], tests, vec![finished(step.clone(), outcome.clone())]].concat()
}

/// Events as far as the builds' start.
pub(crate) fn opening(command: &str, concurrency: usize) -> Vec<EventKind> {
    let tagged = |artifact: &str| EventKind::ImageTagged {
        artifact: name(artifact),
        reference: format!("localhost:5000/{artifact}:v1").parse::<ImageRef>().unwrap(),
    };
    let checked =
        |artifact: &str, outcome, causes| EventKind::CacheChecked { artifact: name(artifact), outcome, causes, key: String::new() };
    vec![
        EventKind::SessionStarted { version: "0.1.0".into(), command: command.into() },
        plan(&["web", "api", "base"], Some("kind")),
        started(StepId::of(Stage::Prepare)),
        EventKind::TaggingStarted,
        tagged("web"),
        tagged("api"),
        tagged("base"),
        EventKind::CacheCheckStarted,
        checked("web", CacheOutcome::NotFound, vec![RebuildCause::File { path: "src/main.go".into(), change: "changed".into() }]),
        checked("api", CacheOutcome::NotFound, vec![RebuildCause::NeverBuilt]),
        checked("base", CacheOutcome::FoundRemotely, vec![]),
        finished(StepId::of(Stage::Prepare), Outcome::Succeeded),
        EventKind::BuildsStarted { artifacts: vec![name("web"), name("api")], concurrency },
    ]
}

fn builds() -> Vec<EventKind> {
    let (web, api) = (StepId::build(name("web")), StepId::build(name("api")));
    let say = |step: &StepId, line: &str| EventKind::StepLog { step: step.clone(), stream: Stream::Stderr, line: line.into() };
    vec![
        started(web.clone()),
        EventKind::PlatformsResolved { artifact: name("web"), platforms: vec!["linux/amd64".parse().unwrap()] },
        started(api.clone()),
        say(&web, "#1 FROM web"),
        say(&api, "#1 FROM api"),
        EventKind::StepProgress { step: web.clone(), label: "2/3 RUN make".into(), done: 2, total: Some(3), bytes: false },
        say(&web, "#2 RUN make"),
        EventKind::ImageReady { image: image("api") },
        finished(api, Outcome::Succeeded),
        EventKind::ImageReady { image: image("web") },
        finished(web, Outcome::Succeeded),
    ]
}

fn deploy() -> Vec<EventKind> {
    let ready = |name: &str, ready, message: &str, pending| EventKind::Readiness {
        object: object("apps", "Deployment", name),
        ready,
        message: message.into(),
        pending,
        total: 2,
    };
    vec![
        EventKind::ImagesResolved { images: vec![image("web"), image("api"), image("base")] },
        started(StepId::of(Stage::Deploy)),
        EventKind::ObjectChanged { object: object("", "Service", "web"), change: Change::Unchanged, fields: Vec::new() },
        EventKind::ObjectChanged { object: object("apps", "Deployment", "web"), change: Change::Created, fields: Vec::new() },
        EventKind::ObjectChanged { object: object("apps", "Deployment", "api"), change: Change::Configured, fields: Vec::new() },
        EventKind::ObjectChanged { object: object("networking.k8s.io", "Ingress", "old"), change: Change::Pruned, fields: Vec::new() },
        finished(StepId::of(Stage::Deploy), Outcome::Succeeded),
        started(StepId::of(Stage::StatusCheck)),
        ready("web", false, "0 of 1 updated replicas are available", 2),
        ready("web", false, "0 of 1 updated replicas are available", 2),
        ready("api", true, "", 1),
        ready("web", true, "", 0),
        finished(StepId::of(Stage::StatusCheck), Outcome::Succeeded),
        EventKind::SessionEnded { outcome: Outcome::Succeeded, duration: Duration::from_millis(3400) },
    ]
}

/// A `run` of two artifacts that are built at once, and one that is known.
pub(crate) fn run_of_two() -> Vec<Event> {
    events([opening("run", 0), builds(), deploy()].concat())
}
