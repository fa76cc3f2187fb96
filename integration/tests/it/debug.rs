//! `devloop debug` with the real debuggers: a breakpoint is hit, a variable is read, and both again after an edit.

mod dap;
mod images;
mod inspector;
mod jdb;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use devloop_model::DebuggingContainer;
use devloop_model::EventKind;
use devloop_model::ForwardState;
use serde_json::json;

use self::dap::Dap;
use self::inspector::Inspector;
use self::jdb::Jdb;
use crate::context::TestContext;
use crate::session::Session;
use crate::session::looked;

/// Where `integration/images` puts the images that bring debuggers.
const HELPERS: &str = "localhost:5000/debug-support";

/// An example under a debugger.
struct Debugged {
    context: TestContext,
    session: Session,
    service: String,
}

impl Debugged {
    /// Starts a session that builds and deploys every save.
    fn start(example: &str) -> Self {
        let context = TestContext::new().with_example(example);
        let arguments = ["debug", "--output", "json", "--auto-build", "--auto-deploy", "--debug-helpers-registry", HELPERS];
        let mut session = Session::of(context.command(&arguments));
        session.succeeds();
        Self { context, session, service: example.to_owned() }
    }

    /// Returns the container under its debugger, and the local port that leads there, once both are known.
    fn debugger(&mut self, from: usize) -> (DebuggingContainer, u16) {
        let (mut container, mut ports) = (None, Vec::new());
        let mut look = |fact: &EventKind| {
            match fact {
                EventKind::DebuggingStarted { container: started } => container = Some(started.clone()),
                EventKind::PortForwarded { local_port, remote_port: Some(port), state: ForwardState::Ready { pod }, .. } => {
                    ports.push((pod.clone(), *port, *local_port));
                }
                _ => {}
            }
            let container = container.clone()?;
            let leads = |(pod, port, _): &&(String, u16, u16)| *pod == container.pod && container.ports.values().any(|own| own == port);
            let local = ports.iter().find(leads).map(|(_, _, local)| *local)?;
            Some((container, local))
        };
        let before = self.session.seen[from..].iter().find_map(|event| look(&event.fact));
        before.unwrap_or_else(|| self.session.until("a debugger", look))
    }

    /// Changes a file, and returns the debugger of the container that has the change.
    fn edit(&mut self, file: &str, old: &str, new: &str) -> (DebuggingContainer, u16) {
        let from = self.session.seen.len();
        let path = self.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(path, text.replace(old, new)).unwrap();
        self.session.succeeds();
        self.debugger(from)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.context.path().join(file)
    }

    /// Returns the line of a file, from 1, that is marked as one for a breakpoint.
    fn line(&self, file: &str) -> usize {
        let text = fs::read_to_string(self.path(file)).unwrap();
        text.lines().position(|line| line.contains("a line for a breakpoint")).unwrap() + 1
    }

    /// Asks the service until it gives this greeting: just after an edit, the node may still lead to the pod before. A program that
    /// stands at a breakpoint gives no answer yet.
    fn ask(&self, greeting: &'static str) -> JoinHandle<()> {
        let address = self.context.kubectl(&["get", "service", &self.service, "-o", "jsonpath={.spec.clusterIP}"]);
        let url = format!("http://{address}/?name=tester");
        std::thread::spawn(move || {
            looked("greeting", || {
                let output = Command::new("curl").args(["-sS", "--max-time", "120", &url]).output().unwrap();
                String::from_utf8_lossy(&output.stdout).contains(&format!("{greeting}, tester")).then_some(())
            });
        })
    }
}

/// Stops a service at its breakpoint through DAP, and returns the greeting that it is about to give.
fn greeting(debugged: &Debugged, port: u16, file: &str, attach: serde_json::Value, expected: &'static str) -> String {
    let (path, line) = (debugged.path(file), debugged.line(file));
    let mut dap = Dap::attach(port, attach, &path, line);
    let answer = debugged.ask(expected);
    let frame = dap.stopped();
    // What stands there is the file on disk, by the path map of an IDE.
    assert_eq!((frame.path, frame.line), (path, line));
    let greeting = dap.variable(frame.id, "greeting");
    dap.resume(frame.thread);
    answer.join().unwrap();
    dap.disconnect();
    greeting
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn go_stops_at_a_breakpoint_and_again_after_an_edit() {
    let mut debugged = Debugged::start("debug-go");
    let root = debugged.context.path().display().to_string();
    let attach = json!({"mode": "remote", "substitutePath": [{"from": root, "to": "/src"}]});
    let (container, port) = debugged.debugger(0);
    assert_eq!((container.runtime.as_str(), container.artifact.as_str(), container.ports["dlv"]), ("go", "debug-go", 56268));
    assert_eq!(greeting(&debugged, port, "main.go", attach.clone(), "Hello"), "\"Hello, tester\"");
    let (after, same) = debugged.edit("main.go", "\"Hello, ", "\"Good day, ");
    assert_ne!(after.pod, container.pod);
    assert_eq!(same, port, "the port stays");
    assert_eq!(greeting(&debugged, same, "main.go", attach, "Good day"), "\"Good day, tester\"");
    let told = |fact: &EventKind| matches!(fact, EventKind::DebuggingEnded { container: ended } if ended.is_same(&container));
    assert!(
        debugged.session.seen.iter().any(|event| told(&event.fact)) || debugged.session.until("its end", |fact| told(fact).then_some(true))
    );
    debugged.session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn python_stops_at_a_breakpoint_and_again_after_an_edit() {
    let mut debugged = Debugged::start("debug-python");
    let root = debugged.context.path().display().to_string();
    let (container, port) = debugged.debugger(0);
    let attach = json!({"pathMappings": [{"localRoot": root, "remoteRoot": container.working_dir}], "justMyCode": false});
    assert_eq!((container.runtime.as_str(), container.ports["dap"]), ("python", 5678));
    assert_eq!(greeting(&debugged, port, "app.py", attach.clone(), "Hello"), "'Hello, tester\\n'");
    let (_, same) = debugged.edit("app.py", "\"Hello, ", "\"Good day, ");
    assert_eq!(same, port, "the port stays");
    assert_eq!(greeting(&debugged, same, "app.py", attach, "Good day"), "'Good day, tester\\n'");
    debugged.session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn node_stops_at_a_breakpoint_and_again_after_an_edit() {
    let mut debugged = Debugged::start("debug-node");
    let (container, port) = debugged.debugger(0);
    assert_eq!((container.runtime.as_str(), container.ports["devtools"]), ("nodejs", 9229));
    let greeting = |debugged: &Debugged, port, expected| {
        let script = format!("{}/server.js", container.working_dir);
        let mut inspector = Inspector::attach(port, &script, debugged.line("server.js"));
        let answer = debugged.ask(expected);
        let greeting = inspector.evaluate("greeting");
        inspector.resume();
        answer.join().unwrap();
        greeting
    };
    assert_eq!(greeting(&debugged, port, "Hello"), "Hello, tester");
    let (_, same) = debugged.edit("server.js", "`Hello, ", "`Good day, ");
    assert_eq!(same, port, "the port stays");
    assert_eq!(greeting(&debugged, same, "Good day"), "Good day, tester");
    debugged.session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn java_stops_at_a_breakpoint_and_again_after_an_edit() {
    let mut debugged = Debugged::start("debug-java");
    let (container, port) = debugged.debugger(0);
    assert_eq!((container.runtime.as_str(), container.ports["jdwp"]), ("jvm", 5005));
    let greeting = |debugged: &Debugged, port, expected| {
        let mut jdb = Jdb::attach(port, "Main", debugged.line("Main.java"));
        let answer = debugged.ask(expected);
        let greeting = jdb.local("greeting");
        jdb.resume();
        answer.join().unwrap();
        greeting
    };
    assert_eq!(greeting(&debugged, port, "Hello"), "\"Hello, tester\n\"");
    let (_, same) = debugged.edit("Main.java", "\"Hello, ", "\"Good day, ");
    assert_eq!(same, port, "the port stays");
    assert_eq!(greeting(&debugged, same, "Good day"), "\"Good day, tester\n\"");
    debugged.session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn saves_are_kept_until_they_are_asked_for() {
    let context = TestContext::new().with_example("debug-go");
    let mut session = Session::of(context.command(&["debug", "--output", "json", "--debug-helpers-registry", HELPERS]));
    session.succeeds();
    let pods = || context.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"]);
    let before = pods();
    fs::write(context.path().join("main.go"), fs::read_to_string(context.path().join("main.go")).unwrap() + "// changed\n").unwrap();
    session.until("what waits", |fact| matches!(fact, EventKind::StepHeld { hold: devloop_model::Hold::Manual { .. }, .. }).then_some(()));
    session.sleeps();
    assert_eq!(pods(), before);
    looked("the pod's annotation", || {
        let said = context.kubectl(&["get", "pods", "-o", r"jsonpath={.items[0].metadata.annotations.debug\.cloud\.google\.com/config}"]);
        said.contains("\"dlv\":56268").then_some(())
    });
    session.leaves("INT");
}
