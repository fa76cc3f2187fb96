//! A session that watches, from outside: its events, its signals, and what is left of it.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use devloop_model::Change;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::Outcome;
use devloop_model::Stage;
use devloop_model::StepId;

use crate::context::TestContext;

/// The longest wait for anything: a machine that does much else is no reason to fail.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks at what has no events: an answer of a service, a process.
const LOOK: Duration = Duration::from_millis(20);
/// Marks every process that a session starts, for they inherit it.
const MARK: &str = "DEVLOOP_IT_SESSION";

/// A running `devloop dev`.
pub(crate) struct Session {
    child: Child,
    mark: String,
    events: Receiver<Event>,
    errors: Option<JoinHandle<String>>,
    /// Everything that it has said so far.
    pub(crate) seen: Vec<Event>,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) struct Left {
    /// Exit status; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard error.
    pub(crate) errors: String,
    /// Everything that it said.
    pub(crate) events: Vec<Event>,
}

/// What a session did for one save or several.
#[derive(Debug)]
pub(crate) struct Pass {
    /// The number of the last save in it.
    pub(crate) save: u64,
    pub(crate) outcome: Outcome,
    /// Everything that was said since the pass before it.
    pub(crate) events: Vec<Event>,
}

impl Session {
    /// Starts `devloop dev` with more arguments.
    pub(crate) fn start(context: &TestContext, arguments: &[&str]) -> Self {
        Self::of(context.command(&[&["dev", "--output", "json"][..], arguments].concat()))
    }

    /// Starts a command that writes events as JSON.
    pub(crate) fn of(mut command: Command) -> Self {
        let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let mark = format!("{MARK}={unique}-{:?}", std::thread::current().id());
        command.env(MARK, mark.split_once('=').unwrap().1);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, events) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, mark, events, errors: Some(errors), seen: Vec::new() }
    }

    /// Returns its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what `look` finds in the next events, those that were seen already excluded.
    #[track_caller]
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut(&EventKind) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    let found = look(&event.fact);
                    self.seen.push(event);
                    if let Some(found) = found {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {what} in {PATIENCE:?}, but\n{}", self.told()),
                Err(RecvTimeoutError::Disconnected) => panic!("no {what}: the session ended, after\n{}\n{}", self.told(), self.errors()),
            }
        }
    }

    /// Waits until a step starts.
    #[track_caller]
    pub(crate) fn started(&mut self, stage: Stage) {
        self.until(&format!("start of {stage:?}"), |fact| {
            matches!(fact, EventKind::StepStarted { step, .. } if step.stage == stage).then_some(())
        });
    }

    /// Returns the next pass, once nothing is left to do.
    #[track_caller]
    pub(crate) fn pass(&mut self) -> Pass {
        let before = self.seen.len();
        let (save, outcome) = self.until("end of a pass", |fact| match fact {
            EventKind::IterationEnded { save, outcome, .. } => Some((*save, outcome.clone())),
            _ => None,
        });
        Pass { save, outcome, events: self.seen[before..].to_vec() }
    }

    /// Returns the next pass, which has to have gone well.
    #[track_caller]
    pub(crate) fn succeeds(&mut self) -> Pass {
        let pass = self.pass();
        assert_eq!(pass.outcome, Outcome::Succeeded, "{}", self.told());
        pass
    }

    /// Returns the diagnostic of the next pass, which has to have failed.
    #[track_caller]
    pub(crate) fn fails(&mut self) -> String {
        match self.pass().outcome {
            Outcome::Failed { diagnostic } => diagnostic.to_string(),
            other => panic!("{other:?}:\n{}", self.told()),
        }
    }

    /// Checks that nothing wakes it, though something was touched: for much longer than it takes to notice a save.
    #[track_caller]
    pub(crate) fn sleeps(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        while let Ok(event) = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let is_work = matches!(event.fact, EventKind::Triggered { .. } | EventKind::StepStarted { .. });
            self.seen.push(event);
            assert!(!is_work, "{}", self.told());
        }
    }

    /// Sends a signal: `INT`.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap().success());
    }

    /// Stops it with a signal; it has to leave no process behind.
    #[track_caller]
    pub(crate) fn leaves(self, signal: &str) -> Left {
        self.signal(signal);
        self.left()
    }

    /// Waits for its end; it has to leave no process behind.
    #[track_caller]
    pub(crate) fn left(mut self) -> Left {
        let status = looked("end of the session", || self.child.try_wait().unwrap());
        looked("end of everything that it started", || marked(&self.mark).is_empty().then_some(()));
        let errors = self.errors();
        let mut events = std::mem::take(&mut self.seen);
        events.extend(self.events.iter());
        Left { code: status.code(), errors, events }
    }

    fn errors(&mut self) -> String {
        self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default()
    }

    /// Returns what was said, for whoever has to find out what went wrong.
    fn told(&self) -> String {
        let is_noise = |event: &&Event| matches!(event.fact, EventKind::StepProgress { .. } | EventKind::StepLog { .. });
        let lines = self.seen.iter().filter(|event| !is_noise(event)).map(|event| format!("{} {:?}", event.at, event.fact));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Session {
    /// Ends what a failed test left running.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        for pid in marked(&self.mark) {
            drop(Command::new("kill").args(["-9", &pid.to_string()]).status());
        }
    }
}

impl Pass {
    /// Returns the steps of a kind that ran.
    pub(crate) fn ran(&self, stage: Stage) -> Vec<&StepId> {
        let started = self.events.iter().filter_map(|event| match &event.fact {
            EventKind::StepStarted { step, .. } if step.stage == stage => Some(step),
            _ => None,
        });
        started.collect()
    }

    /// Returns how the steps of a kind ended.
    pub(crate) fn ended(&self, stage: Stage) -> impl Iterator<Item = &Outcome> {
        self.events.iter().filter_map(move |event| match &event.fact {
            EventKind::StepFinished { step, outcome, .. } if step.stage == stage => Some(outcome),
            _ => None,
        })
    }

    /// Returns what was changed in the cluster, in alphabetical order: `deployment/web Configured`.
    pub(crate) fn changes(&self) -> Vec<String> {
        changes(&self.events)
    }

    /// Returns how many saves woke the loop.
    pub(crate) fn saves(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.fact, EventKind::Triggered { .. })).count()
    }
}

/// Returns what was changed in the cluster, in alphabetical order: `deployment/web Configured`.
pub(crate) fn changes(events: &[Event]) -> Vec<String> {
    let changed = events.iter().filter_map(|event| match &event.fact {
        EventKind::ObjectChanged { object, change, .. } if *change != Change::Unchanged => {
            Some(format!("{}/{} {change:?}", object.kind.to_lowercase(), object.name))
        }
        _ => None,
    });
    let mut changed: Vec<String> = changed.collect();
    changed.sort();
    changed
}

/// Looks again and again, until something is found.
#[track_caller]
pub(crate) fn looked<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what} in {PATIENCE:?}");
        std::thread::park_timeout(LOOK);
    }
}

/// Returns the processes whose environment has this variable.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    let has_mark = |pid: &u32| {
        let environment = std::fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    processes.filter(has_mark).collect()
}
