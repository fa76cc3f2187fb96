//! What every stage is given: where to say things, and when to stop.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::mpsc::UnboundedReceiver;
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

    /// Returns this environment with more variables, which win over those of the same name.
    #[must_use]
    pub fn with(&self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = BTreeMap::clone(&self.variables);
        all.extend(variables);
        Self { variables: Arc::new(all), commands: self.commands.clone() }
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

/// How many lines of containers may wait to be heard.
const LINES: usize = 1024;

/// Where events go; never blocks.
#[derive(Debug, Clone)]
pub struct EventSink {
    sender: Option<UnboundedSender<EventKind>>,
    /// Room for lines of containers; none where they are not counted.
    room: Option<Arc<Semaphore>>,
}

/// Where events are heard.
#[derive(Debug)]
pub struct Facts {
    receiver: UnboundedReceiver<EventKind>,
    room: Arc<Semaphore>,
}

impl EventSink {
    /// Returns a sink into a channel.
    pub fn new(sender: UnboundedSender<EventKind>) -> Self {
        Self { sender: Some(sender), room: None }
    }

    /// Returns a sink, and where it is heard. Lines of containers are the one kind of fact that may come for ever faster
    /// than they are shown: they wait for room.
    pub fn channel() -> (Self, Facts) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(LINES));
        (Self { sender: Some(sender), room: Some(Arc::clone(&room)) }, Facts { receiver, room })
    }

    /// Returns a sink that drops everything, for callers that show nothing.
    pub fn none() -> Self {
        Self { sender: None, room: None }
    }

    /// Records a fact; a receiver that is gone is no error, the program is ending.
    pub fn send(&self, fact: EventKind) {
        if let Some(sender) = &self.sender {
            drop(sender.send(fact));
        }
    }

    /// Waits for room for the line of a container.
    async fn room(&self) {
        if let Some(room) = &self.room
            && let Ok(permit) = room.acquire().await
        {
            // It comes back when the line is heard.
            permit.forget();
        }
    }
}

impl Facts {
    /// Returns the next fact; none once nobody can say one any more.
    pub async fn recv(&mut self) -> Option<EventKind> {
        let fact = self.receiver.recv().await?;
        Some(self.heard(fact))
    }

    /// Returns the facts that were said so far, and none of those that come meanwhile.
    pub fn so_far(&mut self) -> Vec<EventKind> {
        let said = self.receiver.len();
        let facts: Vec<EventKind> = std::iter::from_fn(|| self.receiver.try_recv().ok()).take(said).collect();
        facts.into_iter().map(|fact| self.heard(fact)).collect()
    }

    fn heard(&self, fact: EventKind) -> EventKind {
        // One that came without waiting makes no room that was not there.
        if matches!(fact, EventKind::PodLog { .. }) && self.room.available_permits() < LINES {
            self.room.add_permits(1);
        }
        fact
    }
}

impl Drop for Facts {
    /// Nobody waits to be heard by one that is gone.
    fn drop(&mut self) {
        self.room.close();
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

    /// Returns this context for work that ends when `cancel` is cancelled.
    #[must_use]
    pub fn ending_with(&self, cancel: CancellationToken) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// Returns this context for cleaning up after the step was stopped.
    #[must_use]
    pub fn for_clean_up(&self) -> Self {
        self.ending_with(CancellationToken::new())
    }

    /// Returns this context for work of which nothing is told.
    #[must_use]
    pub fn silenced(&self) -> Self {
        Self { events: EventSink::none(), ..self.clone() }
    }

    /// Records a fact.
    pub fn emit(&self, fact: EventKind) {
        self.events.send(fact);
    }

    /// Records the line of a container as soon as there is room for it; when this step has to stop, at once.
    pub async fn emit_line(&self, fact: EventKind) {
        // Where nobody waits for it any more, the line that was read already is the last one.
        self.unless_cancelled(self.events.room()).await.ok();
        self.emit(fact);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Namespace;
    use crate::Stage;

    fn line(number: usize) -> EventKind {
        EventKind::PodLog {
            namespace: Namespace("shop".to_owned()),
            pod: "web".to_owned(),
            container: "app".to_owned(),
            artifact: None,
            line: number.to_string(),
        }
    }

    /// Says lines until it may not go on; returns how many.
    async fn say(cx: &Cx, lines: usize) -> usize {
        for number in 0..lines {
            if tokio::time::timeout(Duration::from_millis(50), cx.emit_line(line(number))).await.is_err() {
                return number;
            }
        }
        lines
    }

    #[tokio::test]
    async fn lines_of_containers_wait_for_room_and_facts_do_not() {
        let (sink, mut facts) = EventSink::channel();
        let cx = Cx::new(StepId::of(Stage::Attach), Env::default(), sink, CancellationToken::new());
        assert_eq!(say(&cx, 2 * LINES).await, LINES);
        for _ in 0..2 * LINES {
            cx.emit(EventKind::TaggingStarted);
        }
        for number in 0..10 {
            assert_eq!(facts.recv().await, Some(line(number)));
        }
        assert_eq!(say(&cx, 2 * LINES).await, 10, "as many as were heard");
        assert_eq!(facts.so_far().len(), 3 * LINES, "nothing is lost");
        assert_eq!(say(&cx, 2 * LINES).await, LINES, "other facts make no room");
    }

    #[tokio::test]
    async fn nobody_waits_once_the_step_stops_or_the_listener_is_gone() {
        let (sink, facts) = EventSink::channel();
        let cx = Cx::new(StepId::of(Stage::Attach), Env::default(), sink.clone(), CancellationToken::new());
        assert_eq!(say(&cx, 2 * LINES).await, LINES);
        cx.cancel.cancel();
        assert_eq!(say(&cx, 3).await, 3);
        drop(facts);
        let cx = Cx::new(StepId::of(Stage::Attach), Env::default(), sink, CancellationToken::new());
        assert_eq!(say(&cx, 3).await, 3);
    }
}
