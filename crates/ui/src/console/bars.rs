//! What runs now, at the foot of the terminal: one row per step, erased when it ends.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ObjectKey;
use devloop_model::Stage;
use devloop_model::StepId;
use indicatif::HumanBytes;
use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

use crate::Redactor;

/// How often a row shows that it lives.
const TICK: Duration = Duration::from_millis(120);

/// The rows of the steps that run.
pub(crate) struct Bars {
    rows: MultiProgress,
    steps: HashMap<StepId, Row>,
    /// Rows of text below those of the steps.
    foot: Vec<ProgressBar>,
    moving: bool,
}

/// The row of one step.
struct Row {
    bar: ProgressBar,
    title: String,
    /// What a builder said last that it does: `[2/3] RUN make`.
    doing: String,
    /// Parts that move at the same time, such as layers: how far, and the whole.
    bytes: BTreeMap<String, (u64, u64)>,
    /// Objects that are waited for, and how many of how many of each kind are ready.
    pending: BTreeMap<String, (usize, usize)>,
}

impl Bars {
    /// Returns rows on this terminal; those that move do so without events as well.
    pub(crate) fn new(target: ProgressDrawTarget, moving: bool) -> Self {
        Self { rows: MultiProgress::with_draw_target(target), steps: HashMap::new(), foot: Vec::new(), moving }
    }

    /// Runs `print` while no row is drawn, so that what it prints stays above them.
    pub(crate) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        if self.steps.is_empty() && self.foot.is_empty() { print() } else { self.rows.suspend(print) }
    }

    /// Returns how wide the terminal is now.
    pub(crate) fn columns() -> usize {
        // The last column stays free: a terminal that wraps there would count another row.
        usize::from(console::Term::stdout().size().1).saturating_sub(1)
    }

    /// Shows these rows of text below those of the steps, instead of those before.
    pub(crate) fn show(&mut self, rows: &[String]) {
        while self.foot.len() > rows.len() {
            if let Some(bar) = self.foot.pop() {
                bar.finish_and_clear();
                self.rows.remove(&bar);
            }
        }
        while self.foot.len() < rows.len() {
            let style = ProgressStyle::with_template("{msg}").expect("the template is a constant, and a test draws it");
            self.foot.push(self.rows.add(ProgressBar::new_spinner().with_style(style)));
        }
        for (bar, row) in self.foot.iter().zip(rows) {
            if bar.message() != *row {
                bar.set_message(row.clone());
            }
            bar.tick();
        }
        // Terminals are not drawn on for every change, and after the last of several nothing may come to draw it.
        if let Some(last) = self.foot.last() {
            last.force_draw();
        }
    }

    /// Shows what an event changes.
    pub(crate) fn follow(&mut self, event: &Event, redactor: &Redactor) {
        match &event.fact {
            // What follows logs has no end to show.
            EventKind::StepStarted { step, .. } if step.stage != Stage::Attach => {
                let row = Row::new(step, &self.rows, self.moving);
                self.steps.insert(step.clone(), row);
            }
            EventKind::StepProgress { step, label, done, total, bytes } => {
                if let Some(row) = self.steps.get_mut(step) {
                    row.progress(&redactor.text(label), *done, *total, *bytes);
                }
            }
            EventKind::StepLog { step, line, .. } => {
                if let (Some(row), Some(doing)) = (self.steps.get_mut(step), vertex(line)) {
                    row.doing = redactor.text(doing).into_owned();
                    row.say(&row.doing);
                }
            }
            EventKind::Readiness { object, ready, message, pending, total } => {
                if let Some(row) = self.steps.get_mut(&StepId::of(Stage::StatusCheck)) {
                    row.readiness(object, *ready, message, *pending, *total);
                }
            }
            EventKind::StepFinished { step, .. } => {
                if let Some(row) = self.steps.remove(step) {
                    row.bar.finish_and_clear();
                    self.rows.remove(&row.bar);
                }
            }
            _ => {}
        }
    }

    /// Erases everything.
    pub(crate) fn clear(mut self) {
        for bar in self.steps.drain().map(|(_, row)| row.bar).chain(self.foot.drain(..)) {
            bar.finish_and_clear();
        }
        // A terminal that is gone needs no cleaning.
        drop(self.rows.clear());
    }
}

impl Row {
    fn new(step: &StepId, rows: &MultiProgress, moving: bool) -> Self {
        let title = match &step.artifact {
            Some(artifact) => format!("[{artifact}]"),
            None => step.to_string(),
        };
        let style =
            ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").expect("the template is a constant, and a test draws it");
        let bar = rows.insert(0, ProgressBar::new_spinner().with_style(style).with_message(title.clone()));
        if moving {
            bar.enable_steady_tick(TICK);
        }
        bar.tick();
        Self { bar, title, doing: String::new(), bytes: BTreeMap::new(), pending: BTreeMap::new() }
    }

    fn progress(&mut self, label: &str, done: u64, total: Option<u64>, bytes: bool) {
        let text = match total {
            Some(total) if bytes => {
                self.bytes.insert(label.to_owned(), (done, total));
                self.moved(label)
            }
            None if bytes => format!("{label} {}", HumanBytes(done)),
            Some(total) if total > 0 && !self.doing.is_empty() => format!("{done}/{total} {}", self.doing),
            // A label that counts itself needs no second count.
            Some(total) if total > 0 && !label.starts_with(|c: char| c.is_ascii_digit()) => format!("{label} {done}/{total}"),
            Some(_) | None => label.to_owned(),
        };
        self.say(&text);
    }

    /// Returns how far all parts of one kind are: one that is done still counts, or the whole would shrink.
    fn moved(&self, label: &str) -> String {
        let kind = |label: &str| label.split(' ').next().unwrap_or_default().to_owned();
        let alike: Vec<&(u64, u64)> = self.bytes.iter().filter(|(other, _)| kind(other) == kind(label)).map(|(_, part)| part).collect();
        let (done, total) = alike.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        let name = if alike.len() == 1 { label.to_owned() } else { format!("{} {} parts", kind(label), alike.len()) };
        let percent = (done * 100).checked_div(total).unwrap_or(0);
        format!("{name} {percent}% of {}", HumanBytes(total))
    }

    fn readiness(&mut self, object: &ObjectKey, ready: bool, message: &str, pending: usize, total: usize) {
        self.pending.insert(object.kind.clone(), (total.saturating_sub(pending), total));
        let (done, all) = self.pending.values().fold((0, 0), |sum, kind| (sum.0 + kind.0, sum.1 + kind.1));
        let last = if ready { format!("{object} is ready") } else { format!("{object}: {message}") };
        self.say(&format!("{done}/{all} ready; {last}"));
    }

    fn say(&self, text: &str) {
        self.bar.set_message(format!("{} {}", self.title, text.replace(['\n', '\r', '\x1b'], " ")));
    }
}

/// Returns what `BuildKit` says that it does now: `#7 [2/3] RUN make` without its number.
fn vertex(line: &str) -> Option<&str> {
    let (number, doing) = line.strip_prefix('#')?.split_once(' ')?;
    (number.bytes().all(|b| b.is_ascii_digit()) && doing.starts_with('[')).then_some(doing)
}

#[cfg(test)]
mod tests {
    use devloop_model::ImageName;
    use devloop_model::Outcome;
    use devloop_model::Reason;
    use indicatif::InMemoryTerm;
    use indicatif::TermLike;

    use super::super::sample;
    use super::*;

    fn drawn(columns: u16, facts: Vec<EventKind>) -> String {
        let terminal = InMemoryTerm::new(10, columns);
        let mut bars = Bars::new(ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255), false);
        for fact in facts {
            bars.follow(&sample::event(1, fact), &Redactor::new(["hunter2".to_owned()]));
        }
        for row in bars.steps.values() {
            row.bar.force_draw();
        }
        bars.suspended(|| terminal.write_line("a line")).unwrap();
        for row in bars.steps.values() {
            row.bar.force_draw();
        }
        // How long it ran is the only thing that differs from run to run.
        terminal
            .contents()
            .lines()
            .map(|row| {
                row.strip_suffix('s').map_or(row, |row| row.trim_end_matches(|c: char| c.is_ascii_digit())).trim_end().to_owned() + "\n"
            })
            .collect()
    }

    fn web() -> StepId {
        StepId::build("registry.example.com/team/web".parse::<ImageName>().unwrap())
    }

    fn started(step: StepId) -> EventKind {
        EventKind::StepStarted { step, reason: Reason::FirstRun }
    }

    fn progress(label: &str, done: u64, total: Option<u64>, bytes: bool) -> EventKind {
        EventKind::StepProgress { step: web(), label: label.to_owned(), done, total, bytes }
    }

    #[test]
    fn a_build_shows_its_step_under_the_lines() {
        insta::assert_snapshot!(drawn(80, vec![started(web()), progress("RUN go build --token hunter2", 3, Some(7), false)]), @r"
        a line
        ⠁ [registry.example.com/team/web] RUN go build --token *** 3/7
        ");
    }

    #[test]
    fn the_step_of_buildkit_stands_beside_its_count() {
        let say = |line: &str| EventKind::StepLog { step: web(), stream: devloop_model::Stream::Stdout, line: line.to_owned() };
        let facts = vec![
            started(web()),
            say("#7 [2/3] RUN make"),
            say("#7 1.2 compiling"),
            say("#8 [internal] load hunter2"),
            progress("build", 3, Some(7), false),
        ];
        insta::assert_snapshot!(drawn(80, facts), @r"
        a line
        ⠁ [registry.example.com/team/web] 3/7 [internal] load ***
        ");
    }

    #[test]
    fn layers_are_shown_as_one() {
        insta::assert_snapshot!(
            drawn(80, vec![started(web()), progress("push sha256:1", 1 << 20, Some(2 << 20), true), progress("push sha256:2", 2 << 20, Some(2 << 20), true)]),
            @r"
            a line
            ⠁ [registry.example.com/team/web] push 2 parts 75% of 4.00 MiB
            "
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_the_row() {
        let text = drawn(24, vec![started(web()), progress("3/7 RUN go build ./cmd/web", 0, None, false)]);
        assert!(text.lines().all(|row| row.chars().count() <= 24) && text.trim_end().lines().count() == 2, "{text}");
    }

    #[test]
    fn readiness_counts_over_kinds() {
        let object = |kind: &str, name: &str| ObjectKey { group: "apps".into(), kind: kind.into(), namespace: None, name: name.into() };
        let readiness = |kind, name, ready, pending, total| EventKind::Readiness {
            object: object(kind, name),
            ready,
            message: "0 of 1 is up".into(),
            pending,
            total,
        };
        insta::assert_snapshot!(
            drawn(80, vec![started(StepId::of(Stage::StatusCheck)), readiness("Deployment", "web", true, 1, 2), readiness("StatefulSet", "db", false, 1, 1)]),
            @r"
            a line
            ⠁ status check 1/3 ready; statefulset/db: 0 of 1 is up
            "
        );
    }

    #[test]
    fn the_last_rows_of_the_foot_are_drawn_however_fast_they_came() {
        let terminal = InMemoryTerm::new(10, 80);
        let mut bars = Bars::new(ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 1), false);
        for number in 1..=100 {
            bars.show(&[format!("state {number}"), "keys".to_owned()]);
        }
        assert_eq!(terminal.contents(), "state 100\nkeys");
    }

    #[test]
    fn a_finished_step_leaves_nothing() {
        let finished = EventKind::StepFinished { step: web(), outcome: Outcome::Succeeded, duration: Duration::from_secs(1) };
        assert_eq!(drawn(80, vec![started(web()), finished]).trim(), "a line");
    }
}
