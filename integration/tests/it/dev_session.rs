//! A running `devloop dev`: its events, its signals, and what is left of it.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::context::TestContext;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running session.
pub(crate) struct DevSession {
    child: Child,
    events: Receiver<Value>,
    /// Every fact so far.
    pub(crate) seen: Vec<Value>,
}

impl DevSession {
    /// Starts `devloop dev` in the folder of `context`.
    pub(crate) fn start(context: &TestContext, arguments: &[&str]) -> Self {
        let mut command = context.command(&[&["dev", "--output", "json"], arguments].concat());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, events) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event: Value = serde_json::from_str(&line).unwrap();
                if sender.send(event["fact"].clone()).is_err() {
                    return;
                }
            }
        });
        Self { child, events, seen: Vec::new() }
    }

    /// Returns the next fact that is wanted.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(fact) => {
                    self.seen.push(fact.clone());
                    if wanted(&fact) {
                        return fact;
                    }
                }
                Err(error) => panic!("{what} did not come ({error}); the last facts:\n{}", self.tail()),
            }
        }
    }

    fn tail(&self) -> String {
        let last = self.seen.iter().rev().filter(|fact| fact["type"] != "stepProgress").take(25).collect::<Vec<_>>();
        last.into_iter().rev().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// Waits for the next pass that ended, and returns how.
    #[track_caller]
    pub(crate) fn pass(&mut self) -> String {
        let ended = self.wait("the end of a pass", |fact| fact["type"] == "iterationEnded");
        ended["outcome"]["outcome"].as_str().unwrap().to_owned()
    }

    /// Waits for passes until one contains this save, and returns how that one ended.
    #[track_caller]
    pub(crate) fn pass_of(&mut self, save: u64) -> String {
        let ended = self.wait("the end of a pass", |fact| fact["type"] == "iterationEnded" && fact["save"].as_u64() >= Some(save));
        ended["outcome"]["outcome"].as_str().unwrap().to_owned()
    }

    /// Waits for a step to start.
    #[track_caller]
    pub(crate) fn step_starts(&mut self, stage: &str) -> Value {
        self.wait(stage, |fact| fact["type"] == "stepStarted" && fact["step"]["stage"] == stage)
    }

    /// Returns how many facts of a type were seen.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.seen.iter().filter(|fact| fact["type"] == kind).count()
    }

    /// Returns the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `INT`, `TERM`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Waits until the session is gone, with all that it started, and returns its exit status.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let children = children(self.child.id());
        while let Ok(fact) = self.events.recv_timeout(PATIENCE) {
            self.seen.push(fact);
        }
        let status = self.child.wait().unwrap();
        let left: Vec<u32> = children.into_iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
        assert!(left.is_empty(), "processes are left: {left:?}");
        status.code()
    }

    /// Stops the session as Ctrl-C does, and returns its exit status.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal("INT");
        self.ended()
    }
}

impl Drop for DevSession {
    /// A test that failed leaves no session behind.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Returns the processes that `pid` started and that still run.
fn children(pid: u32) -> Vec<u32> {
    let output = Command::new("pgrep").args(["-P", &pid.to_string()]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}
