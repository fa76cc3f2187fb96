//! Whole transcripts.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::Outcome;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Stream;
use devloop_model::Touched;
use indicatif::InMemoryTerm;
use indicatif::ProgressDrawTarget;
use indicatif::TermLike;

use super::sample;
use super::sample::finished;
use super::sample::name;
use super::sample::started;
use super::*;

/// Both outputs in one, each row marked with where it went.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<String>>);

struct Channel(&'static str, Tape);

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut tape = self.1.0.lock().unwrap();
        for row in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            if tape.is_empty() || tape.ends_with('\n') {
                tape.push_str(self.0);
            }
            tape.push_str(row);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn played(settings: ConsoleSettings, events: &[Event]) -> String {
    let tape = Tape::default();
    let out: Box<dyn Write + Send> = Box::new(Channel("", tape.clone()));
    let progress = (settings.progress != Progress::Nowhere).then_some(out);
    let mut console =
        Console::with(settings, Redactor::new(["hunter2".to_owned()]), progress, Box::new(Channel("stderr: ", tape.clone())), None);
    for event in events {
        console.report(event);
    }
    console.finish();
    drop(console);
    Arc::into_inner(tape.0).unwrap().into_inner().unwrap()
}

fn failure() -> Outcome {
    let diagnostic =
        Diagnostic::error("build/failed", "build of `web` failed").because("#2 make: *** [all] Error 1").help("correct the Dockerfile");
    Outcome::Failed { diagnostic }
}

#[test]
fn a_run_reads_as_skaffolds() {
    insta::assert_snapshot!(played(ConsoleSettings::default(), &sample::run_of_two()), @r"
    Generating tags...
     - web -> localhost:5000/web:v1
     - api -> localhost:5000/api:v1
     - base -> localhost:5000/base:v1
    Checking cache...
     - web: Not found. Building
       because src/main.go changed
     - api: Not found. Building
     - base: Found Remotely
    Starting build...
    Building 2 artifacts in parallel
    Building [web]...
    Target platforms: [linux/amd64]
    #1 FROM web
    #2 RUN make
    Build [web] succeeded
    Building [api]...
    #1 FROM api
    Build [api] succeeded
    Tags used in deployment:
     - web -> localhost:5000/web:v1@sha256:1111111111111111111111111111111111111111111111111111111111111111
     - api -> localhost:5000/api:v1@sha256:1111111111111111111111111111111111111111111111111111111111111111
     - base -> localhost:5000/base:v1@sha256:1111111111111111111111111111111111111111111111111111111111111111
    Starting deploy...
     - service/web unchanged
     - deployment.apps/web created
     - deployment.apps/api configured
     - ingress.networking.k8s.io/old pruned
    Waiting for deployments to stabilize...
     - deployment/web: 0 of 1 updated replicas are available
     - deployment/api is ready. [1/2 deployment(s) still pending]
     - deployment/web is ready.
    Deployments stabilized in 1.2 seconds
    You can also run [devloop run --tail] to get the logs
    ");
}

#[test]
fn info_says_what_is_decided() {
    let settings = ConsoleSettings { verbosity: Verbosity::Info, ..ConsoleSettings::default() };
    let text = played(settings, &sample::run_of_two());
    let said: Vec<&str> = text.lines().filter(|line| line.starts_with("stderr: ")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    stderr: info: devloop 0.1.0 run
    stderr: info: profiles dev; context kind; namespace default
    stderr: info: prepare: first run
    stderr: info: prepare completed in 1.2 seconds
    stderr: info: build of web: first run
    stderr: info: build of api: first run
    stderr: info: build of api completed in 1.2 seconds
    stderr: info: build of web completed in 1.2 seconds
    stderr: info: deploy: first run
    stderr: info: deploy completed in 1.2 seconds
    stderr: info: status check: first run
    stderr: info: status check completed in 1.2 seconds
    stderr: info: ended after 3.4 seconds
    ");
}

#[test]
fn lines_have_the_time_if_wanted() {
    let settings = ConsoleSettings { timestamps: Some(jiff::tz::TimeZone::UTC), ..ConsoleSettings::default() };
    let text = played(settings, &sample::run_of_two());
    assert!(text.lines().all(|line| line.starts_with("2026-01-02 03:04:05 ")), "{text}");
}

#[test]
fn one_failed_build_is_said_once() {
    let web = StepId::build(name("web"));
    let facts = vec![
        started(web.clone()),
        EventKind::StepLog { step: web.clone(), stream: Stream::Stderr, line: "login with hunter2".into() },
        finished(web, failure()),
        EventKind::SessionEnded {
            outcome: Outcome::Failed { diagnostic: Diagnostic::error("session/failed", "a step failed") },
            duration: std::time::Duration::ZERO,
        },
    ];
    let events = sample::events([sample::opening("build", 1), facts].concat());
    insta::assert_snapshot!(played(ConsoleSettings::default(), &events).split_once("Starting build").unwrap().1, @r"
    ...
    Building [web]...
    login with ***
    stderr: error[build/failed]: build of `web` failed
    stderr:   #2 make: *** [all] Error 1
    stderr: help: correct the Dockerfile
    ");
}

#[test]
fn parallel_failures_keep_their_turn() {
    let (web, api) = (StepId::build(name("web")), StepId::build(name("api")));
    let facts = vec![
        started(api.clone()),
        started(web.clone()),
        finished(web, failure()),
        EventKind::StepLog { step: api.clone(), stream: Stream::Stdout, line: "still here".into() },
        finished(api, Outcome::Cancelled),
    ];
    let events = sample::events([sample::opening("build", 2), facts].concat());
    insta::assert_snapshot!(played(ConsoleSettings::default(), &events).split_once("parallel\n").unwrap().1, @r"
    Building [api]...
    still here
    Build [api] was canceled
    Building [web]...
    Build [web] failed: build of `web` failed
    stderr: error[build/failed]: build of `web` failed
    stderr:   #2 make: *** [all] Error 1
    stderr: help: correct the Dockerfile
    ");
}

#[test]
fn an_end_without_a_failed_step_says_why() {
    let ended = EventKind::SessionEnded { outcome: failure(), duration: std::time::Duration::ZERO };
    insta::assert_snapshot!(played(ConsoleSettings::default(), &sample::events(vec![ended])), @r"
    stderr: error[build/failed]: build of `web` failed
    stderr:   #2 make: *** [all] Error 1
    stderr: help: correct the Dockerfile
    ");
}

#[test]
fn quiet_leaves_warnings_and_errors() {
    let settings = ConsoleSettings { progress: Progress::Nowhere, ..ConsoleSettings::default() };
    let mut events = sample::run_of_two();
    events.push(sample::event(99, EventKind::Warned { diagnostic: Diagnostic::warning("build/slow", "it is slow") }));
    assert_eq!(played(settings.clone(), &events), "stderr: warning[build/slow]: it is slow\n");
    assert_eq!(played(ConsoleSettings { verbosity: Verbosity::Errors, ..settings }, &events), "");
}

#[test]
fn muted_stages_say_only_their_results() {
    let settings =
        ConsoleSettings { mute: Mute { build: true, tests: true, deploy: true, status_check: true }, ..ConsoleSettings::default() };
    let text = played(settings, &sample::run_of_two());
    assert!(!text.contains("RUN make") && !text.contains("0 of 1 updated"), "{text}");
    assert!(text.contains("Build [web] succeeded") && text.contains("deployment/web is ready."), "{text}");
}

/// What is said of a step that says a line and ends so, with everything muted.
fn muted(step: &StepId, outcome: Outcome) -> String {
    let settings =
        ConsoleSettings { mute: Mute { build: true, tests: true, deploy: true, status_check: true }, ..ConsoleSettings::default() };
    let waits = EventKind::Readiness {
        object: sample::object("apps", "Deployment", "web"),
        ready: false,
        message: "0 of 1 is up".into(),
        pending: 1,
        total: 1,
    };
    let mut facts = vec![
        EventKind::SessionStarted { version: "0.1.0".into(), command: "run".into() },
        started(step.clone()),
        EventKind::StepLog { step: step.clone(), stream: Stream::Stderr, line: "login with hunter2".into() },
    ];
    facts.extend((step.stage == Stage::StatusCheck).then_some(waits));
    facts.push(finished(step.clone(), outcome));
    played(settings, &sample::events(facts))
}

#[test]
fn muted_lines_of_what_fails_are_shown() {
    insta::assert_snapshot!(muted(&StepId::build(name("web")), failure()), @r"
    Starting build...
    Building [web]...
    login with ***
    stderr: error[build/failed]: build of `web` failed
    stderr:   #2 make: *** [all] Error 1
    stderr: help: correct the Dockerfile
    ");
    insta::assert_snapshot!(muted(&StepId::of(Stage::Deploy), failure()), @r"
    Starting deploy...
     - login with ***
    stderr: error[build/failed]: build of `web` failed
    stderr:   #2 make: *** [all] Error 1
    stderr: help: correct the Dockerfile
    ");
    insta::assert_snapshot!(muted(&StepId::of(Stage::StatusCheck), failure()), @r"
    Waiting for deployments to stabilize...
    login with ***
     - deployment/web: 0 of 1 is up
    stderr: error[build/failed]: build of `web` failed
    stderr:   #2 make: *** [all] Error 1
    stderr: help: correct the Dockerfile
    ");
    for step in [StepId::build(name("web")), StepId::test(name("web")), StepId::of(Stage::Deploy), StepId::of(Stage::StatusCheck)] {
        let text = muted(&step, Outcome::Succeeded);
        assert!(!text.contains("***") && !text.contains("is up"), "{text}");
    }
}

#[test]
fn delete_and_tail_have_their_words() {
    let facts = vec![
        EventKind::SessionStarted { version: "0.1.0".into(), command: "delete".into() },
        started(StepId::of(Stage::Delete)),
        EventKind::ObjectChanged {
            object: sample::object("apps", "Deployment", "web"),
            change: devloop_model::Change::Deleted,
            fields: Vec::new(),
        },
        EventKind::BuildsSkipped { option: "--dry-run=true".into() },
        started(StepId::of(Stage::Attach)),
        EventKind::PodLog {
            namespace: devloop_model::Namespace("default".into()),
            pod: "web-1".into(),
            container: "app".into(),
            artifact: None,
            line: "hello hunter2".into(),
        },
    ];
    insta::assert_snapshot!(played(ConsoleSettings::default(), &sample::events(facts)), @r#"
    Cleaning up...
     - deployment.apps "web" deleted
    Skipping build phase since --dry-run=true
    Press Ctrl+C to exit
    [app] hello ***
    "#);
}

#[test]
fn a_terminal_shows_whose_line_it_is_and_keeps_no_bars() {
    let terminal = InMemoryTerm::new(60, 100);
    let bars = Bars::new(ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255), false);
    let settings = ConsoleSettings { terminal: true, bell: true, ..ConsoleSettings::default() };
    let screen = Screen(terminal.clone());
    let mut console = Console::with(settings, Redactor::default(), Some(Box::new(screen.clone())), Box::new(screen), Some(bars));
    for event in &sample::run_of_two() {
        console.report(event);
    }
    console.finish();
    let text = terminal.contents();
    insta::assert_snapshot!(text.split_once("in parallel\n").unwrap().1.split_once("Tags used").unwrap().0, @r"
    [web] Building [web]...
    [web] Target platforms: [linux/amd64]
    [api] Building [api]...
    [web] #1 FROM web
    [api] #1 FROM api
    [web] #2 RUN make
    [api] Build [api] succeeded
    [web] Build [web] succeeded
    ");
    assert!(text.ends_with("You can also run [devloop run --tail] to get the logs"), "{text}");
}

/// A terminal that can be written to.
#[derive(Debug, Clone)]
struct Screen(InMemoryTerm);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write_str(&String::from_utf8_lossy(bytes).replace('\n', "\r\n"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_save_that_waits_to_be_asked_for_is_not_said_to_be_done() {
    let touched = devloop_model::Touched { manifests: vec!["k8s.yaml".into()], ..Default::default() };
    let hold = devloop_model::Hold::Manual { stage: devloop_model::AutoStage::Deploy };
    let ended = |save, milliseconds| EventKind::IterationEnded {
        save,
        first: save,
        outcome: Outcome::Succeeded,
        duration: std::time::Duration::from_millis(milliseconds),
        parts: Vec::new(),
    };
    let mut facts = sample::opening("dev", 1);
    facts.truncate(1);
    facts.extend([
        ended(1, 10),
        EventKind::Triggered { save: 2, touched, waited: std::time::Duration::ZERO },
        EventKind::StepHeld { step: StepId::of(Stage::Render), hold },
        ended(2, 50),
        ended(2, 20),
    ]);
    insta::assert_snapshot!(played(ConsoleSettings::default(), &sample::events(facts)), @r"
    first pass → nothing to do (0.01 s)
    Watching for changes...
    save 2: k8s.yaml changed
    deploy waits for being asked
    save 2 → waits (0.05 s)
    save 2 → nothing to do (0.02 s)
    ");
}

#[test]
fn tests_have_their_lines() {
    let of = |terminal, image: &str, outcome: &Outcome| {
        let settings = ConsoleSettings { terminal, ..ConsoleSettings::default() };
        let opening = EventKind::SessionStarted { version: "0.1.0".into(), command: "run".into() };
        let facts = [vec![opening], sample::tests_of(image, outcome)].concat();
        played(settings, &sample::events(facts))
    };
    insta::assert_snapshot!(of(false, "web", &Outcome::Succeeded), @r"
    Starting test...
    Testing images...
    Testing [web]: ./a.sh
    ./a.sh says a line
     - ./a.sh: passed in 400ms
    Testing [web]: image.yaml
    image.yaml says a line
     - image.yaml: passed in 400ms
    ");
    insta::assert_snapshot!(of(true, "web", &failure()), @r"
    Starting test...
    Testing images...
    Testing [web]: ./a.sh
    ./a.sh says a line
     - ./a.sh: failed after 400ms
    Testing [web]: image.yaml
    image.yaml says a line
     - image.yaml: passed in 400ms
    stderr: error[build/failed]: build of `web` failed
    stderr:   #2 make: *** [all] Error 1
    stderr: help: correct the Dockerfile
    ");
}

#[test]
fn tests_of_two_images_speak_one_after_the_other() {
    let (web, api) = (sample::tests_of("web", &Outcome::Succeeded), sample::tests_of("api", &Outcome::Succeeded));
    let mixed: Vec<EventKind> = web.into_iter().zip(api).flat_map(|(web, api)| [web, api]).collect();
    let of = |terminal| played(ConsoleSettings { terminal, ..ConsoleSettings::default() }, &sample::events(mixed.clone()));
    insta::assert_snapshot!(of(false), @r"
    Starting test...
    Testing images...
    Testing [web]: ./a.sh
    ./a.sh says a line
     - ./a.sh: passed in 400ms
    Testing [web]: image.yaml
    image.yaml says a line
     - image.yaml: passed in 400ms
    Testing [api]: ./a.sh
    ./a.sh says a line
     - ./a.sh: passed in 400ms
    Testing [api]: image.yaml
    image.yaml says a line
     - image.yaml: passed in 400ms
    ");
    insta::assert_snapshot!(of(true), @r"
    Starting test...
    Testing images...
    [web] Testing [web]: ./a.sh
    [api] Testing [api]: ./a.sh
    [web] ./a.sh says a line
    [api] ./a.sh says a line
    [web]  - ./a.sh: passed in 400ms
    [api]  - ./a.sh: passed in 400ms
    [web] Testing [web]: image.yaml
    [api] Testing [api]: image.yaml
    [web] image.yaml says a line
    [api] image.yaml says a line
    [web]  - image.yaml: passed in 400ms
    [api]  - image.yaml: passed in 400ms
    ");
}

#[test]
fn each_line_tells_an_editor_one_thing() {
    let ended = |save, outcome| EventKind::IterationEnded { save, first: save, outcome, duration: Duration::ZERO, parts: Vec::new() };
    let triggered = |save| EventKind::Triggered { save, touched: Touched::default(), waited: Duration::ZERO };
    let facts = [ended(1, failure()), triggered(2), ended(2, failure()), triggered(3), ended(3, Outcome::Succeeded)];
    let events = sample::events([sample::opening("debug", 2), facts.to_vec()].concat());
    let [begins, ends] = [PASS_BEGINS, ATTACHABLE].map(|pattern| regex::Regex::new(pattern).unwrap());
    // VS Code takes a line that begins a pass for nothing else: one that ends it must not.
    let told = |line: &str| match (begins.is_match(line), ends.is_match(line)) {
        (true, _) => Some(format!("begins: {line}")),
        (false, true) => Some(format!("ends: {line}")),
        (false, false) => None,
    };
    let said = played(ConsoleSettings::default(), &events).lines().filter_map(told).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(said, @r"
    ends: first pass failed: build of `web` failed — waiting for the next save
    begins: save 2:  changed
    ends: save 2 failed: build of `web` failed — waiting for the next save
    begins: save 3:  changed
    ends: No container is debugged
    ");
}
