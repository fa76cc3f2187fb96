//! Lines that are not shown (`--mute-logs`), kept for the case that their step fails: then they say why.

use std::collections::HashMap;
use std::collections::VecDeque;

use devloop_model::StepId;

use super::paint::Line;
use super::paint::Paint;

/// How many lines of a step are kept.
const KEPT: usize = 1000;

/// The last lines of each step that runs.
#[derive(Debug, Default)]
pub(crate) struct Muted(HashMap<StepId, Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    dropped: usize,
}

impl Muted {
    /// Keeps a line of a step.
    pub(crate) fn keep(&mut self, step: &StepId, line: Line) {
        let kept = self.0.entry(step.clone()).or_default();
        if kept.lines.len() == KEPT {
            kept.lines.pop_front();
            kept.dropped += 1;
        }
        kept.lines.push_back(line);
    }

    /// Returns what was kept of a step that ended.
    pub(crate) fn take(&mut self, step: &StepId) -> Vec<Line> {
        let Kept { lines, dropped } = self.0.remove(step).unwrap_or_default();
        let before = (dropped > 0).then(|| Line::new(Paint::Dim, format!("... {dropped} lines before")));
        before.into_iter().chain(lines).collect()
    }
}

#[cfg(test)]
mod tests {
    use devloop_model::Stage;

    use super::*;

    #[test]
    fn the_last_lines_of_a_step_are_kept_and_the_others_counted() {
        let (deploy, render) = (StepId::of(Stage::Deploy), StepId::of(Stage::Render));
        let mut muted = Muted::default();
        for number in 0..KEPT + 2 {
            muted.keep(&deploy, Line::new(Paint::Plain, number.to_string()));
        }
        muted.keep(&render, Line::new(Paint::Plain, "other"));
        let lines: Vec<String> = muted.take(&deploy).iter().map(Line::text).collect();
        assert_eq!((lines.len(), lines[0].as_str(), lines[1].as_str()), (KEPT + 1, "... 2 lines before", "2"));
        assert!(muted.take(&deploy).is_empty());
        assert_eq!(muted.take(&render).len(), 1);
    }
}
