//! What every stage is given: where to say things, and when to stop.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::CommandRunner;
use crate::Diagnostic;
use crate::EventKind;
use crate::StepId;
use crate::Stream;

/// The process environment, read once, with `skaffold.env` merged in.
#[derive(Clone, Default)]
pub struct Env {
    variables: Arc<BTreeMap<String, String>>,
    commands: Option<CommandRunner>,
}

impl Env {
    /// Returns the environment with these variables.
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self { variables: Arc::new(variables), commands: None }
    }

    /// Lets `{{ cmd … }}` in templates run commands through `runner`.
    #[must_use]
    pub fn with_commands(self, runner: CommandRunner) -> Self {
        Self { commands: Some(runner), ..self }
    }

    /// Returns what runs the commands of templates.
    pub fn commands(&self) -> Option<&CommandRunner> {
        self.commands.as_ref()
    }

    /// Returns the value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Returns every variable, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Env {
    /// Names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Where events go; never blocks.
#[derive(Debug, Clone)]
pub struct EventSink(Option<UnboundedSender<EventKind>>);

impl EventSink {
    /// Returns a sink into a channel.
    pub fn new(sender: UnboundedSender<EventKind>) -> Self {
        Self(Some(sender))
    }

    /// Returns a sink that drops everything, for callers that show nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// Records a fact; a receiver that is gone is no error, the program is ending.
    pub fn send(&self, fact: EventKind) {
        if let Some(sender) = &self.0 {
            drop(sender.send(fact));
        }
    }
}

/// The work was stopped because nobody wants it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Cancelled;

/// The context of one step: its name, its environment, its events, and its end.
#[derive(Debug, Clone)]
pub struct Cx {
    /// The step that this work belongs to.
    pub step: StepId,
    /// The environment; stages read no other.
    pub env: Env,
    /// Cancelled when this step has to stop.
    pub cancel: CancellationToken,
    events: EventSink,
}

impl Cx {
    /// Returns the context of `step`.
    pub fn new(step: StepId, env: Env, events: EventSink, cancel: CancellationToken) -> Self {
        Self { step, env, cancel, events }
    }

    /// Returns a context for tests and one-off calls: no events, never cancelled.
    pub fn silent(step: StepId) -> Self {
        Self::new(step, Env::default(), EventSink::none(), CancellationToken::new())
    }

    /// Returns this context with another environment.
    #[must_use]
    pub fn with_env(self, env: Env) -> Self {
        Self { env, ..self }
    }

    /// Records a fact.
    pub fn emit(&self, fact: EventKind) {
        self.events.send(fact);
    }

    /// Records a line of this step.
    pub fn log(&self, stream: Stream, line: impl Into<String>) {
        self.emit(EventKind::StepLog { step: self.step.clone(), stream, line: line.into() });
    }

    /// Records how far this step came.
    pub fn progress(&self, label: impl Into<String>, done: u64, total: Option<u64>, bytes: bool) {
        self.emit(EventKind::StepProgress { step: self.step.clone(), label: label.into(), done, total, bytes });
    }

    /// Records a warning.
    pub fn warn(&self, diagnostic: Diagnostic) {
        self.emit(EventKind::Warned { diagnostic });
    }

    /// Returns what `work` gives, or [`Cancelled`] as soon as this step has to stop.
    ///
    /// # Errors
    /// When the step was cancelled first; `work` is then dropped.
    pub async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, Cancelled> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Cancelled),
            result = work => Ok(result),
        }
    }
}
