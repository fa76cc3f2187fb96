//! The commands, against the API of a session in this process.

use std::collections::BTreeMap;
use std::time::Duration;

use devloop_model::CacheOutcome;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ForwardSource;
use devloop_model::ForwardState;
use devloop_model::Hold;
use devloop_model::ImageName;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Outcome;
use devloop_model::Part;
use devloop_model::PlannedArtifact;
use devloop_model::Reason;
use devloop_model::RebuildCause;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Touched;
use devloop_ui::Api;
use devloop_ui::ApiSettings;

use super::*;
use crate::args;
use crate::session_file::OpenSession;
use crate::settings::CommandSettings;

fn web() -> ImageName {
    "web".parse().unwrap()
}

/// Returns a time that is "just now" for as long as a slow machine takes.
fn soon() -> Timestamp {
    Timestamp::now().checked_add(Duration::from_mins(10)).unwrap()
}

fn session() -> SessionFile {
    SessionFile {
        pid: 42,
        since: soon(),
        command: "dev".into(),
        directory: "/src/shop".into(),
        config: None,
        context: Some("kind".into()),
        namespace: "default".into(),
        owner: "me@here".into(),
        url: None,
        token: None,
    }
}

/// A save that is built, ready and forwarded, and one whose build runs.
fn events() -> Vec<Event> {
    let build = StepId::build(web());
    let source = ForwardSource { kind: "service".into(), name: "web".into(), namespace: Namespace("default".into()), port: "80".into() };
    let object =
        ObjectKey { group: "apps".into(), kind: "Deployment".into(), namespace: Some(Namespace("default".into())), name: "web".into() };
    let cause = RebuildCause::File { path: "src/main.go".into(), change: "changed".into() };
    let image = serde_json::json!({ "artifact": "web", "name": "localhost:5000/web", "tag": "v1", "identity": "asNamed", "runtime": null });
    let duration = Duration::from_millis(1200);
    let checked =
        || EventKind::CacheChecked { artifact: web(), outcome: CacheOutcome::NotFound, causes: vec![cause.clone()], key: String::new() };
    let started = || EventKind::StepStarted { step: build.clone(), reason: Reason::Rebuild { causes: vec![cause.clone()] } };
    let triggered = |save| EventKind::Triggered { save, touched: Touched::default(), waited: Duration::ZERO };
    let parts = vec![Part { step: build.clone(), duration }];
    let facts = vec![
        EventKind::SessionStarted { version: "0.1.0".into(), command: "dev".into() },
        EventKind::PlanLoaded {
            artifacts: vec![PlannedArtifact { image: web(), builder: "ko".into(), context: ".".into(), dockerfile: None }],
            renderers: BTreeMap::new(),
            deployers: BTreeMap::new(),
            profiles: vec![],
            context: Some("kind".into()),
            namespace: None,
        },
        triggered(1),
        checked(),
        started(),
        EventKind::ImageReady { image: serde_json::from_value(image).unwrap() },
        EventKind::StepFinished { step: build.clone(), outcome: Outcome::Succeeded, duration },
        EventKind::Readiness { object, ready: true, message: String::new(), pending: 0, total: 1 },
        EventKind::PortForwarded {
            source: source.clone(),
            address: "127.0.0.1".into(),
            local_port: 8080,
            remote_port: Some(80),
            state: ForwardState::Ready { pod: "web-1".into() },
        },
        EventKind::UrlAnswered { source, url: "http://127.0.0.1:8080".into() },
        EventKind::IterationEnded { save: 1, first: 1, outcome: Outcome::Succeeded, duration, parts },
        EventKind::PodLog {
            namespace: Namespace("default".into()),
            pod: "web-1".into(),
            container: "app".into(),
            artifact: Some(web()),
            line: "up".into(),
        },
        triggered(2),
        checked(),
        started(),
        EventKind::StepHeld { step: StepId::of(Stage::Deploy), hold: Hold::Needs { step: build.clone() } },
    ];
    facts.into_iter().zip(1..).map(|(fact, seq)| Event { seq, at: soon(), fact }).collect()
}

/// A session that can be asked, as long as it is kept.
struct Running {
    directory: tempfile::TempDir,
    _open: OpenSession,
    _commands: tokio::sync::mpsc::Receiver<devloop_model::Command>,
    _ends: tokio_util::sync::DropGuard,
}

impl Running {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let env = env(directory.path());
        let sessions = Sessions::of(&env, &crate::settings::Paths::from_env(&env));
        let mut open = sessions.open(session(), &["shop".into()]).unwrap();
        let (sender, commands) = tokio::sync::mpsc::channel(1);
        let cancel = CancellationToken::new();
        let settings = ApiSettings { token: Some("s3cret".into()), ..ApiSettings::default() };
        let listener = devloop_clients::session_api::listen(None).unwrap();
        let (api, serving) = Api::start(listener, settings, sender, cancel.clone()).unwrap();
        tokio::spawn(serving);
        for event in events() {
            api.report(&event);
        }
        open.serve(api.url(), Some("s3cret")).unwrap();
        Self { directory, _open: open, _commands: commands, _ends: cancel.drop_guard() }
    }

    async fn ask(&self, line: &str) -> Result<String, Diagnostic> {
        let env = env(self.directory.path());
        let cli = args::parse(line.split(' ').map(Into::into), &env).unwrap().cli;
        let settings = Settings::resolve(cli, &env).unwrap();
        let CommandSettings::Ask(ask) = &settings.command else { panic!("{line} asks nothing") };
        let session = Sessions::of(&env, &settings.paths).find(ask.pid, std::path::Path::new("/src/shop"))?;
        let mut printed = String::new();
        let mut print = |text: &str| {
            printed.push_str(text);
            Ok(())
        };
        answer(&session, ask, false, &mut print).await?;
        Ok(printed)
    }
}

fn env(directory: &std::path::Path) -> Env {
    let directory = directory.to_str().unwrap().to_owned();
    Env::new([("HOME".to_owned(), directory.clone()), ("XDG_RUNTIME_DIR".to_owned(), directory)].into())
}

#[tokio::test]
async fn status_says_what_runs_waits_and_is_ready() {
    insta::assert_snapshot!(Running::start().ask("devloop status").await.unwrap(), @r"
    dev in /src/shop, into kind/default, started just now, process 42
      web        localhost:5000/web:v1, with save 1 of 2, out of date
      running    build of web, just now, because: src/main.go changed
      waiting    deploy: build of web is not done
      ready      deployment/web
      forward    service/web:80 at http://127.0.0.1:8080
      last save  done, just now, took 1.2 s (build of web 1.2 s)
    ");
}

#[tokio::test]
async fn why_says_the_exact_file() {
    let running = Running::start();
    insta::assert_snapshot!(running.ask("devloop why").await.unwrap(), @r"
    web: localhost:5000/web:v1, with save 1
      build of web runs, just now
        because: src/main.go changed
    all artifacts together
      deploy waits: build of web is not done
    ");
    assert_eq!(running.ask("devloop why web").await.unwrap(), running.ask("devloop why").await.unwrap());
    let text = running.ask("devloop why wbe").await.unwrap_err().to_string();
    assert_eq!(text, "error[api/refused]: this session has no artifact `wbe`");
}

#[tokio::test]
async fn logs_are_printed() {
    let running = Running::start();
    assert_eq!(running.ask("devloop logs").await.unwrap(), "[web-1 app] up\n");
    assert_eq!(running.ask("devloop logs api").await.unwrap(), "");
    let json = running.ask("devloop logs --tail 1 --since 1h -o json web").await.unwrap();
    assert!(matches!(serde_json::from_str::<Event>(&json).unwrap().fact, EventKind::PodLog { .. }));
}

#[tokio::test]
async fn json_is_all_that_is_known() {
    let running = Running::start();
    let snapshot: Snapshot = serde_json::from_str(&running.ask("devloop status -o json").await.unwrap()).unwrap();
    assert_eq!((snapshot.save, snapshot.running().count()), (2, 1));
    let why: Vec<Explanation> = serde_json::from_str(&running.ask("devloop why --output=json web").await.unwrap()).unwrap();
    assert_eq!(why.len(), 2);
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_ask() {
    let running = Running::start();
    insta::assert_snapshot!(running.ask("devloop status --session 7").await.unwrap_err(), @r"
    error[session/none]: no session has the process number 7
      `devloop dev`, process 42, started just now by me@here in /src/shop, deploys into kind/default
    help: start one with `devloop dev`, or name one that runs with `--session`
    ");
}
