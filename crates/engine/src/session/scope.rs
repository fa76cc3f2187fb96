//! The steps that run: each a task with a token of its own, all joined.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Outcome;
use devloop_model::Stage;
use devloop_model::StepId;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Stages;
use crate::Work;

/// A step that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) step: StepId,
    pub(super) outcome: Outcome,
    pub(super) duration: Duration,
}

/// The steps that run.
pub(super) struct Scope {
    stages: Arc<dyn Stages>,
    sink: EventSink,
    tasks: JoinSet<Ended>,
    tokens: BTreeMap<StepId, CancellationToken>,
    stopping: bool,
}

impl Scope {
    /// Returns a scope in which nothing runs.
    pub(super) fn new(stages: Arc<dyn Stages>, sink: EventSink) -> Self {
        Self { stages, sink, tasks: JoinSet::new(), tokens: BTreeMap::new(), stopping: false }
    }

    /// Runs `work` until it is done or `token` is cancelled; a panic in it is a failure.
    pub(super) fn start(&mut self, work: Work, token: CancellationToken) {
        let step = work.step.clone();
        let cx = self.cx(step.clone(), token.clone());
        self.tokens.insert(step.clone(), token);
        let stages = Arc::clone(&self.stages);
        self.tasks.spawn(async move {
            let began = Instant::now();
            let done = tokio::spawn({
                let cx = cx.clone();
                async move { stages.run(&work, &cx).await }
            });
            let outcome = match done.await {
                Ok(Ok(())) => Outcome::Succeeded,
                Ok(Err(_)) if cx.cancel.is_cancelled() => Outcome::Cancelled,
                Ok(Err(diagnostic)) => Outcome::Failed { diagnostic },
                Err(panic) => Outcome::Failed { diagnostic: panicked(&step, &panic) },
            };
            Ended { step, outcome, duration: began.elapsed() }
        });
    }

    /// Returns the context of `step`; the stages know its environment.
    pub(super) fn cx(&self, step: StepId, token: CancellationToken) -> Cx {
        Cx::new(step, Env::default(), self.sink.clone(), token)
    }

    /// Stops a step that runs; its end comes as that of any other.
    pub(super) fn stop(&self, step: &StepId) {
        if let Some(token) = self.tokens.get(step) {
            token.cancel();
        }
    }

    /// Stops all steps.
    pub(super) fn stop_all(&mut self) {
        self.stopping = true;
        self.tokens.values().for_each(CancellationToken::cancel);
    }

    /// Returns whether all steps were stopped.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Returns whether nothing runs.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns whether nothing runs, or steps of this stage alone.
    pub(super) fn only_runs(&self, stage: Stage) -> bool {
        self.tokens.keys().all(|step| step.stage == stage)
    }

    /// Returns the next step that ends; none if nothing runs.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        match self.tasks.join_next().await? {
            Ok(ended) => {
                self.tokens.remove(&ended.step);
                Some(ended)
            }
            // The task around a step only waits for it: nothing in it panics, and nothing aborts it.
            Err(error) => {
                tracing::error!(%error, "a step's task was lost");
                None
            }
        }
    }
}

fn panicked(step: &StepId, panic: &JoinError) -> Diagnostic {
    Diagnostic::error("engine/panic", format!("{step} stopped at a bug of devloop"))
        .because(panic.to_string())
        .help("please report it, with the output of the same command and `-v debug`")
}
