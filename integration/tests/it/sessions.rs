//! Watching sessions as other processes see them: found, asked, alone on their release, and gone when killed.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::context::TestContext;
use crate::ready::workload;

/// A session that runs, with its output read as far as it is needed.
struct Dev {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Dev {
    fn start(context: &TestContext, arguments: &[&str]) -> Self {
        let arguments = [&["dev", "--cleanup=false"], arguments].concat();
        let mut process = context.command(&arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Waits for a line with this text.
    #[track_caller]
    fn says(&mut self, text: &str) {
        let found = self.lines.by_ref().map_while(Result::ok).find(|line| line.contains(text));
        assert!(found.is_some(), "the session never said {text:?}");
    }

    /// Sends SIGTERM, and returns the status that the session ends with.
    fn end(mut self) -> i32 {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        self.lines.by_ref().map_while(Result::ok).for_each(drop);
        self.process.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn shop() -> TestContext {
    let config = |name: &str| {
        format!("apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {{name: {name}}}\nmanifests: {{rawYaml: [{name}.yaml]}}\n")
    };
    let speaks = "command: [sh, -c, 'echo hello; sleep 1000']";
    TestContext::new()
        .with_file("skaffold.yaml", &config("shop"))
        .with_file("shop.yaml", &workload("Deployment", "shop", "", speaks))
        .with_file("bank.skaffold.yaml", &config("bank"))
        .with_file("bank.yaml", &workload("Deployment", "bank", "", speaks))
}

fn session_files(context: &TestContext) -> Vec<String> {
    let directory = context.path().join(".state/cache/devloop/sessions");
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn pods(context: &TestContext) -> String {
    context.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"])
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_session_is_asked_and_alone_and_gone_when_killed() {
    let context = shop();
    let mut first = Dev::start(&context, &["--event-log-file", "events.json"]);
    first.says("hello");
    let status: Value = serde_json::from_str(&context.devloop(&["status", "-o", "json"]).success()).unwrap();
    assert_eq!((&status["command"], &status["namespace"]), (&"dev".into(), &"[NAMESPACE]".into()));
    assert!(context.devloop(&["status"]).success().starts_with("dev in [FOLDER], into devcluster/[NAMESPACE], started "));
    assert!(context.devloop(&["why"]).success().contains("  deploy "));
    assert!(context.devloop(&["logs"]).success().ends_with(" app] hello\n"));
    let (_, held) = context.devloop(&["dev"]).failure();
    let pid = first.process.id();
    assert!(held.contains("error[session/held]: another session works on this configuration in the namespace `[NAMESPACE]`"), "{held}");
    assert!(held.contains(&format!("`devloop dev`, process {pid}, started ")) && held.contains("in [FOLDER]"), "{held}");
    let before = pods(&context);
    // SIGKILL: it cannot clean up after itself.
    first.process.kill().unwrap();
    first.process.wait().unwrap();
    assert!(context.devloop(&["status"]).failure().1.contains("error[session/none]: no session runs"));
    let mut second = Dev::start(&context, &[]);
    second.says("Press Ctrl+C to exit");
    assert!(context.devloop(&["status"]).success().contains(&format!("process {}", second.process.id())));
    assert_eq!(second.end(), 0);
    assert_eq!(pods(&context), before, "the second session found what the first had deployed");
    assert_eq!(session_files(&context), [] as [&str; 0]);
    let log = std::fs::read_to_string(context.path().join("events.json")).unwrap();
    assert!(log.contains(r#""devLoopEvent":{"iteration":0,"status":"In Progress""#), "{log}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn sessions_of_two_configurations_leave_each_other_alone() {
    let context = shop();
    let mut shop = Dev::start(&context, &[]);
    shop.says("hello");
    let mut bank = Dev::start(&context, &["-f", "bank.skaffold.yaml"]);
    bank.says("hello");
    let (_, several) = context.devloop(&["status"]).failure();
    assert!(several.contains("error[session/several]: 2 sessions run"), "{several}");
    for (session, object) in [(&shop, "deployment/shop"), (&bank, "deployment/bank")] {
        let pid = session.process.id().to_string();
        let status = context.devloop(&["status", "--session", &pid]).success();
        assert!(status.contains(object) && status.matches("deployment/").count() == 1, "{status}");
    }
    assert_eq!((shop.end(), bank.end()), (0, 0));
    assert_eq!(context.kubectl(&["get", "deployments", "-o", "jsonpath={.items[*].metadata.name}"]), "bank shop");
}
