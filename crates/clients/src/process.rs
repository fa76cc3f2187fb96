//! Child processes: each in a process group of its own, and none outlives the step that started it.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use devloop_model::CommandRunner;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Stream;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

/// How long a child has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether a killed group is gone: the system has no event for that.
const POLL: Duration = Duration::from_millis(5);
/// How long a killed group is waited for.
const REAP_LIMIT: Duration = Duration::from_secs(1);
/// How long the command of a template may take.
const TEMPLATE_COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// How many of its last lines an error keeps.
const LAST_LINES: usize = 20;

/// A child process to be started.
#[derive(Debug)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    only_these_variables: bool,
    directory: Option<PathBuf>,
    input: Option<Vec<u8>>,
    deadline: Option<Duration>,
}

/// What a child wrote, once it succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Why a child did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("`{program}` was not found on PATH")]
    NotFound {
        /// The program.
        program: String,
    },
    /// It could not be started, or its pipes broke.
    #[error("`{program}` could not be run")]
    Io {
        /// The program.
        program: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It ended with another status than 0.
    #[error("`{program}` ended with {status}")]
    Failed {
        /// The program.
        program: String,
        /// Its status.
        status: ExitStatus,
        /// Its last lines.
        last_lines: Vec<String>,
    },
    /// It ran longer than it may.
    #[error("`{program}` was stopped after {} s", limit.as_secs_f32())]
    TimedOut {
        /// The program.
        program: String,
        /// How long it may run.
        limit: Duration,
    },
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl ProcessError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::NotFound { program } => {
                Diagnostic::error("process/not-found", self.to_string()).help(format!("install `{program}`, or add its directory to PATH"))
            }
            Self::Io { source, .. } => Diagnostic::error("process/io", self.to_string()).because(source.to_string()),
            Self::Failed { last_lines, .. } => {
                let error = Diagnostic::error("process/failed", self.to_string());
                if last_lines.is_empty() { error } else { error.because(last_lines.join("\n")) }
            }
            Self::TimedOut { .. } => Diagnostic::error("process/timed-out", self.to_string()),
            Self::Cancelled => Diagnostic::error("process/interrupted", self.to_string()),
        }
    }
}

impl Command {
    /// Returns a command that runs `program`, found on PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            only_these_variables: false,
            directory: None,
            input: None,
            deadline: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment; a later call wins over an earlier one.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives it only the variables set here, none of ours.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.only_these_variables = true;
        self
    }

    /// Sets the directory that it runs in.
    #[must_use]
    pub fn dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets its standard input; without it, that is empty.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Sets how long it may run.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Runs it and sends each line that it writes to the step's log.
    ///
    /// # Errors
    /// When it cannot be started, fails, runs too long, or the step is cancelled.
    pub async fn run(self, cx: &Cx) -> Result<(), ProcessError> {
        let (mut child, ending) = self.spawn(cx)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        // Programs say what is wrong on either stream.
        let last = Mutex::new(VecDeque::new());
        let streams = async { tokio::join!(forward(out, Stream::Stdout, &last, cx), forward(err, Stream::Stderr, &last, cx)) };
        let (status, _) = ending.finish(child, streams, cx).await?;
        ending.check(status, || last.into_inner().unwrap_or_else(PoisonError::into_inner).into())
    }

    /// Runs it and returns what it wrote.
    ///
    /// # Errors
    /// When it cannot be started, fails, runs too long, or the step is cancelled.
    pub async fn output(self, cx: &Cx) -> Result<Output, ProcessError> {
        let (mut child, ending) = self.spawn(cx)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let streams = async { tokio::join!(collect(out), collect(err)) };
        let (status, (stdout, stderr)) = ending.finish(child, streams, cx).await?;
        ending.check(status, || {
            // Some say what is wrong where others answer.
            let said = if stderr.trim_ascii().is_empty() { &stdout } else { &stderr };
            let text = String::from_utf8_lossy(said);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(ToString::to_string).collect()
        })?;
        Ok(Output { stdout, stderr })
    }

    fn spawn(self, cx: &Cx) -> Result<(Child, Ending), ProcessError> {
        let program = self.program.to_string_lossy().into_owned();
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command.env_clear();
        if !self.only_these_variables {
            command.envs(cx.env.iter());
        }
        command.envs(self.variables);
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let mut child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound if self.directory.as_ref().is_none_or(|d| d.is_dir()) => {
                ProcessError::NotFound { program: program.clone() }
            }
            _ => ProcessError::Io { program: program.clone(), source },
        })?;
        if let (Some(bytes), Some(mut stdin)) = (self.input, child.stdin.take()) {
            // A child that does not read its input closes the pipe; its status says whether that is a failure.
            tokio::spawn(async move { drop(stdin.write_all(&bytes).await) });
        }
        // Arguments may be secret, such as a token in an address.
        tracing::debug!("process {}: {program}", child.id().unwrap_or_default());
        let group = Group(child.id());
        Ok((child, Ending { program, deadline: self.deadline, group }))
    }
}

/// Returns whether there is a process with this number, be it of another user.
pub fn is_running(process: i32) -> bool {
    let found = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), None);
    process > 0 && !matches!(found, Err(nix::errno::Errno::ESRCH))
}

/// Returns what runs the commands of templates, `{{ cmd "git" "describe" }}`: each in `env`, with a deadline.
///
/// Templates are rendered in the middle of pure code, so a command has a thread and a small runtime of its own.
pub fn command_runner(env: Env) -> CommandRunner {
    Arc::new(move |words| {
        let Some((program, arguments)) = words.split_first() else { return Err("`cmd` needs a command".to_owned()) };
        let command = Command::new(program).args(arguments).deadline(TEMPLATE_COMMAND_LIMIT);
        let cx = Cx::new(StepId::of(Stage::Prepare), env.clone(), EventSink::none(), CancellationToken::new());
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
            let output = runtime.block_on(command.output(&cx)).map_err(|error| error.diagnostic().to_string())?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        std::thread::spawn(run).join().unwrap_or_else(|_| Err("the command could not be waited for".to_owned()))
    })
}

/// The process group of a child: what is left of it is killed when its step is dropped.
#[derive(Debug)]
struct Group(Option<u32>);

impl Group {
    #[cfg(unix)]
    fn signal(&self, signal: nix::sys::signal::Signal) {
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // No such group: all of it has ended, which is what is wanted.
            nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), signal).ok();
        }
    }
}

#[cfg(unix)]
impl Group {
    /// Kills what is left of the group, and waits until it is gone; a process that nobody reaps is not waited for long.
    async fn end(&self) {
        let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) else { return };
        self.signal(nix::sys::signal::Signal::SIGKILL);
        let gone = async {
            while nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), None).is_ok() {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(REAP_LIMIT, gone).await.ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        self.signal(nix::sys::signal::Signal::SIGKILL);
    }
}

/// What is needed to wait for a child and to end it.
#[derive(Debug)]
struct Ending {
    program: String,
    deadline: Option<Duration>,
    group: Group,
}

impl Ending {
    /// Waits for the child and its streams, or ends its group first when the step is cancelled or too long.
    async fn finish<T>(&self, mut child: Child, streams: impl Future<Output = T>, cx: &Cx) -> Result<(ExitStatus, T), ProcessError> {
        let limit = self.deadline.unwrap_or(Duration::MAX);
        let work = async {
            let read = streams.await;
            child.wait().await.map(|status| (status, read))
        };
        let stopped = tokio::select! {
            biased;
            () = cx.cancel.cancelled() => ProcessError::Cancelled,
            result = tokio::time::timeout(limit, work) => match result {
                Ok(result) => return result.map_err(|source| ProcessError::Io { program: self.program.clone(), source }),
                Err(_) => ProcessError::TimedOut { program: self.program.clone(), limit },
            },
        };
        #[cfg(unix)]
        self.group.signal(nix::sys::signal::Signal::SIGTERM);
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            tracing::debug!(program = self.program, "killed after SIGTERM and {GRACE:?}");
        }
        #[cfg(unix)]
        self.group.end().await;
        Err(stopped)
    }

    fn check(&self, status: ExitStatus, last_lines: impl FnOnce() -> Vec<String>) -> Result<(), ProcessError> {
        if status.success() {
            return Ok(());
        }
        Err(ProcessError::Failed { program: self.program.clone(), status, last_lines: last_lines() })
    }
}

async fn collect(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // A broken pipe ends the output; the exit status tells whether that matters.
        drop(pipe.read_to_end(&mut bytes).await);
    }
    bytes
}

/// Sends each line to the step's log, and leaves the last ones in `last`.
pub(crate) async fn forward(pipe: Option<impl AsyncRead + Unpin>, stream: Stream, last: &Mutex<VecDeque<String>>, cx: &Cx) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes).await, Ok(read) if read > 0) {
        let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
        bytes.clear();
        cx.log(stream, line.clone());
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use devloop_model::EventKind;

    use super::*;

    fn cx() -> (Cx, tokio::sync::mpsc::UnboundedReceiver<EventKind>) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let env = Env::new(BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]));
        (Cx::new(StepId::of(Stage::Build), env, EventSink::new(sender), CancellationToken::new()), receiver)
    }

    #[test]
    fn a_process_runs_until_it_is_waited_for() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let id = child.id().cast_signed();
        assert!(is_running(id) && is_running(1) && !is_running(0) && !is_running(-1));
        child.wait().unwrap();
        assert!(!is_running(id));
    }

    #[tokio::test]
    async fn output_is_what_the_child_wrote() {
        let output = Command::new("sh").args(["-c", "cat; echo $X >&2"]).env("X", "err").input("in").output(&cx().0).await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"in"[..], &b"err\n"[..]));
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_lines() {
        let error = Command::new("sh").args(["-c", "echo broken >&2; exit 3"]).run(&cx().0).await.unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[process/failed]: `sh` ended with exit status: 3
          broken
        ");
    }

    #[tokio::test]
    async fn a_failure_is_looked_for_on_either_stream() {
        for (script, expected) in [("echo out; echo err >&2; exit 1", "err"), ("echo out; echo >&2; exit 1", "out")] {
            let error = Command::new("sh").args(["-c", script]).output(&cx().0).await.unwrap_err();
            assert!(matches!(&error, ProcessError::Failed { last_lines, .. } if *last_lines == [expected]), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = Command::new("no-such-program").run(&cx().0).await.unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[process/not-found]: `no-such-program` was not found on PATH
        help: install `no-such-program`, or add its directory to PATH
        ");
    }

    #[tokio::test]
    async fn cancelling_ends_the_child_and_its_children() {
        let (cx, mut events) = cx();
        let cancel = cx.cancel.clone();
        let work = tokio::spawn(async move { Command::new("sh").args(["-c", "sleep 1000 & echo $!; wait"]).run(&cx).await });
        let Some(EventKind::StepLog { line, .. }) = events.recv().await else { panic!("a line with the pid") };
        cancel.cancel();
        assert!(matches!(work.await.unwrap(), Err(ProcessError::Cancelled)));
        let state = std::fs::read_to_string(format!("/proc/{line}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "still there: {state}");
    }

    #[tokio::test]
    async fn a_child_has_a_deadline() {
        let error = Command::new("sleep").arg("1000").deadline(Duration::from_millis(1)).run(&cx().0).await.unwrap_err();
        assert!(matches!(error, ProcessError::TimedOut { .. }));
    }

    #[test]
    fn templates_run_commands() {
        let env = cx().0.env;
        let vars = devloop_model::Vars::from_env(&env.clone().with_commands(command_runner(env)));
        let render = |text: &str| devloop_model::Template::parse(text).unwrap().render(&vars, devloop_model::MissingKey::Error);
        assert_eq!(render(r#"{{ cmd "sh" "-c" "echo ' v1 '" }}"#).unwrap(), "v1");
        assert!(render(r#"{{ cmd "sh" "-c" "echo no >&2; exit 1" }}"#).unwrap_err().to_string().contains("no"));
    }
}
