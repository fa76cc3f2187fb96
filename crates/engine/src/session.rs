//! The one loop: facts and wishes in, steps out, until nothing is left to do.

#[cfg(test)]
mod dev_tests;
mod iteration;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use devloop_model::Command;
use devloop_model::Diagnostic;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::Facts;
use devloop_model::Hold;
use devloop_model::Outcome;
use devloop_model::Progress;
use devloop_model::Reason;
use devloop_model::Stage;
use devloop_model::State;
use devloop_model::StepId;
use devloop_model::Timestamp;
use devloop_model::Touched;
use devloop_model::Trigger;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::iteration::Iteration;
use self::scope::Scope;
use crate::Goal;
use crate::Graph;
use crate::Stages;
use crate::Work;
use crate::decide;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was asked for is done.
    Done,
    /// A step failed; its diagnostic was an event.
    Failed,
    /// The user stopped it.
    Interrupted,
}

/// What wakes a watching session.
#[derive(Debug, Clone)]
pub struct Wake {
    /// What happened.
    pub trigger: Trigger,
    /// When the first part of it happened.
    pub first: Instant,
}

/// How a watching session ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Whether what it created is deleted.
    pub clean_up: bool,
    /// Whether it ends when its first pass fails.
    pub at_first_failure: bool,
}

/// Everything that the loop works with.
pub struct Session<'a> {
    /// What it is after.
    pub goal: Goal,
    /// What does the work.
    pub stages: Arc<dyn Stages>,
    /// Facts that come before all others.
    pub opening: Vec<EventKind>,
    /// What wakes it, where the goal watches.
    pub wakes: mpsc::Receiver<Wake>,
    /// How it ends, where the goal watches.
    pub leaving: Leaving,
    /// Is told every fact.
    pub report: &'a mut (dyn FnMut(&Event) + Send),
    /// Stops the steps that run; the session ends when they have ended.
    pub cancel: CancellationToken,
}

/// Numbers and dates facts, and hands them to the reporter and to the state.
struct Recorder<'a> {
    state: State,
    seq: u64,
    report: &'a mut (dyn FnMut(&Event) + Send),
}

impl Recorder<'_> {
    fn record(&mut self, fact: EventKind) {
        self.seq += 1;
        self.state.apply(&fact);
        (self.report)(&Event { seq: self.seq, at: Timestamp::now(), fact });
    }
}

impl Session<'_> {
    /// Runs what the goal asks for, each step as soon as what it needs is done, and reports every fact.
    pub async fn run(self) -> Ended {
        let began = Instant::now();
        let Self { goal, stages, opening, mut wakes, leaving, report, cancel } = self;
        let (sink, mut facts) = EventSink::channel();
        let mut running = Running {
            graph: stages.graph(),
            scope: Scope::new(Arc::clone(&stages), sink),
            recorder: Recorder { state: State::default(), seq: 0, report },
            held: BTreeSet::new(),
            warned: BTreeSet::new(),
            iteration: None,
            goal,
            stages,
            cancel,
        };
        running.open(opening);
        while running.step() {
            tokio::select! {
                biased;
                () = running.cancel.cancelled(), if running.goal.watches() && !running.scope.is_stopping() => running.scope.stop_all(),
                // Facts come last, or those that never stop coming would keep the others waiting.
                Some(ended) = running.scope.next() => {
                    running.take_said(&mut facts);
                    running.ended(ended);
                    if leaving.at_first_failure && running.first_pass_failed() {
                        running.cancel.cancel();
                    }
                }
                Some(wake) = wakes.recv() => {
                    running.take_said(&mut facts);
                    running.wake(wake).await;
                }
                Some(fact) = facts.recv() => running.take(fact),
            }
        }
        let ended = running.outcome(leaving);
        if running.goal.watches() {
            if leaving.clean_up {
                running.clean_up(&mut facts).await;
            }
            running.leave(&mut facts).await;
        }
        running.recorder.record(EventKind::SessionEnded { outcome: outcome_of(&ended), duration: began.elapsed() });
        ended
    }
}

/// A session that runs.
struct Running<'a> {
    goal: Goal,
    graph: Graph,
    stages: Arc<dyn Stages>,
    scope: Scope,
    recorder: Recorder<'a>,
    /// Holds that were said.
    held: BTreeSet<String>,
    /// Warnings that were said.
    warned: BTreeSet<String>,
    iteration: Option<Iteration>,
    cancel: CancellationToken,
}

impl Running<'_> {
    fn open(&mut self, opening: Vec<EventKind>) {
        for fact in opening {
            self.recorder.record(fact);
        }
        if self.goal.watches() {
            self.triggered(Touched::default(), Instant::now());
        }
    }

    /// Starts and stops what has to be; returns whether the session goes on.
    fn step(&mut self) -> bool {
        if self.cancel.is_cancelled() {
            return !self.scope.is_empty();
        }
        let decision = decide(&self.graph, &self.recorder.state, &self.goal);
        self.announce_holds(&decision.hold);
        for step in &decision.stop {
            self.scope.stop(step);
        }
        let nothing_new = decision.start.is_empty();
        for (work, reason) in decision.start {
            self.start(work, reason, self.cancel.child_token());
        }
        if !self.goal.watches() {
            return !self.scope.is_empty();
        }
        if nothing_new && self.scope.only_runs(Stage::Attach) {
            self.settle();
        }
        true
    }

    fn announce_holds(&mut self, holds: &[(StepId, Hold)]) {
        for (step, hold) in holds {
            if self.held.insert(format!("{step}: {hold}")) {
                self.recorder.record(EventKind::StepHeld { step: step.clone(), hold: hold.clone() });
            }
        }
    }

    fn start(&mut self, work: Work, reason: Reason, token: CancellationToken) {
        if work.step.stage != Stage::Attach {
            // What was held starts without anything having woken the loop anew.
            self.begin(Instant::now(), self.recorder.state.save());
        }
        self.recorder.record(EventKind::StepStarted { step: work.step.clone(), reason });
        self.scope.start(work, token);
    }

    /// Records a fact; a warning that was said in this session already is not said again.
    fn take(&mut self, fact: EventKind) {
        if let EventKind::Warned { diagnostic } = &fact
            && !self.warned.insert(diagnostic.to_string())
        {
            return;
        }
        self.recorder.record(fact);
    }

    /// Records what was said so far, which comes before whatever follows from it: the end of a step, another one.
    fn take_said(&mut self, facts: &mut Facts) {
        for fact in facts.so_far() {
            self.take(fact);
        }
    }

    fn ended(&mut self, ended: scope::Ended) {
        let scope::Ended { step, outcome, duration } = ended;
        if let Some(iteration) = &mut self.iteration {
            iteration.ended(&step, &outcome, duration);
        }
        let reconfigured = step.stage == Stage::Configure && outcome == Outcome::Succeeded;
        self.recorder.record(EventKind::StepFinished { step, outcome, duration });
        if reconfigured {
            self.graph = self.stages.graph();
        }
    }

    async fn wake(&mut self, wake: Wake) {
        match wake.trigger {
            Trigger::Files(files) => {
                let cx = self.scope.cx(StepId::of(Stage::Prepare), self.cancel.child_token());
                let touched = self.stages.touched(&files, &cx).await;
                if !touched.is_empty() {
                    self.triggered(touched, wake.first);
                }
            }
            Trigger::Rescan => {
                let touched = self.stages.everything();
                self.triggered(touched, wake.first);
            }
            Trigger::Command(command) => self.command(command),
        }
    }

    fn triggered(&mut self, touched: Touched, first: Instant) {
        let waited = first.elapsed();
        let save = self.recorder.state.save() + 1;
        self.woken(first, save);
        self.recorder.record(EventKind::Triggered { save, touched, waited });
    }

    fn command(&mut self, command: Command) {
        self.recorder.record(EventKind::Commanded { command: command.clone() });
        match command {
            Command::Auto { stage, enabled } => self.recorder.record(EventKind::AutoSwitched { stage, enabled }),
            Command::Pause { paused } => self.recorder.record(EventKind::Paused { paused }),
            Command::Quit => self.cancel.cancel(),
            Command::Execute { .. } | Command::Rebuild { .. } | Command::Redeploy | Command::Resync => {
                self.woken(Instant::now(), self.recorder.state.save());
            }
        }
    }

    fn woken(&mut self, since: Instant, save: u64) {
        // The reasons to wait are said anew for what is new.
        self.held.clear();
        self.begin(since, save);
    }

    fn begin(&mut self, since: Instant, save: u64) {
        self.iteration.get_or_insert_with(|| Iteration::since(since, save));
    }

    /// Says how long it took until nothing was left to do.
    fn settle(&mut self) {
        if let Some(iteration) = self.iteration.take() {
            let save = self.recorder.state.save();
            self.recorder.record(iteration.end(save));
        }
    }

    fn first_pass_failed(&self) -> bool {
        self.recorder.state.save() == 1 && self.recorder.state.has_failed()
    }

    fn outcome(&self, leaving: Leaving) -> Ended {
        if leaving.at_first_failure && self.goal.watches() && self.first_pass_failed() {
            return Ended::Failed;
        }
        match (self.cancel.is_cancelled(), self.recorder.state.has_failed()) {
            (true, _) => Ended::Interrupted,
            (false, true) => Ended::Failed,
            (false, false) => Ended::Done,
        }
    }

    /// Deletes what the session created; only a second signal ends this.
    async fn clean_up(&mut self, facts: &mut Facts) {
        self.start(Work::of(StepId::of(Stage::Delete)), Reason::Asked, CancellationToken::new());
        while !self.scope.is_empty() {
            tokio::select! {
                Some(ended) = self.scope.next() => {
                    self.take_said(facts);
                    self.ended(ended);
                }
                Some(fact) = facts.recv() => self.take(fact),
            }
        }
    }

    /// Lets the stages do what is left; only a second signal ends this.
    async fn leave(&mut self, facts: &mut Facts) {
        let delete = StepId::of(Stage::Delete);
        let deleted = self.recorder.state.progress(&delete) == Some(Progress::Succeeded);
        let cx = self.scope.cx(delete, CancellationToken::new());
        self.stages.leave(deleted, &cx).await;
        self.take_said(facts);
    }
}

fn outcome_of(ended: &Ended) -> Outcome {
    match ended {
        Ended::Done => Outcome::Succeeded,
        Ended::Failed => Outcome::Failed { diagnostic: Diagnostic::error("session/failed", "a step failed") },
        Ended::Interrupted => Outcome::Cancelled,
    }
}
