//! Lines of parallel builds, one build after the other: the first speaks, the others wait for their turn.

use std::collections::VecDeque;

use devloop_model::ImageName;

use super::paint::Line;

/// A queue of builds; the first speaks at once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    queue: VecDeque<Turn>,
}

#[derive(Debug)]
struct Turn {
    artifact: ImageName,
    waiting: Vec<Line>,
    ended: bool,
}

impl Turns {
    /// Puts a build at the end of the queue; returns how many are in it.
    pub(crate) fn begin(&mut self, artifact: &ImageName) -> usize {
        self.queue.push_back(Turn { artifact: artifact.clone(), waiting: Vec::new(), ended: false });
        self.queue.len()
    }

    /// Returns the line if it is its build's turn; keeps it otherwise.
    pub(crate) fn say(&mut self, artifact: &ImageName, line: Line) -> Option<Line> {
        match self.queue.iter_mut().position(|turn| turn.artifact == *artifact && !turn.ended) {
            Some(0) | None => Some(line),
            Some(at) => {
                self.queue[at].waiting.push(line);
                None
            }
        }
    }

    /// Ends a build; returns what those whose turn has come had to say.
    pub(crate) fn end(&mut self, artifact: &ImageName) -> Vec<Line> {
        if let Some(turn) = self.queue.iter_mut().find(|turn| turn.artifact == *artifact && !turn.ended) {
            turn.ended = true;
        }
        let mut lines = Vec::new();
        while self.queue.front().is_some_and(|turn| turn.ended) {
            self.queue.pop_front();
            if let Some(next) = self.queue.front_mut() {
                lines.append(&mut next.waiting);
            }
        }
        lines
    }

    /// Returns what is left, when nothing more will come.
    pub(crate) fn finish(&mut self) -> Vec<Line> {
        self.queue.drain(..).flat_map(|turn| turn.waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::paint::Colours;
    use super::super::paint::Paint;
    use super::*;

    fn line(text: &str) -> Line {
        Line::new(Paint::Plain, text)
    }

    fn texts(lines: impl IntoIterator<Item = Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.painted(Colours::Off)).collect()
    }

    #[test]
    fn the_second_waits_for_the_first() {
        let (a, b, c): (ImageName, ImageName, ImageName) = ("a".parse().unwrap(), "b".parse().unwrap(), "c".parse().unwrap());
        let mut turns = Turns::default();
        for artifact in [&a, &b, &c] {
            turns.begin(artifact);
        }
        assert_eq!(texts(turns.say(&a, line("a1"))), ["a1"]);
        assert!(turns.say(&b, line("b1")).is_none() && turns.say(&c, line("c1")).is_none());
        assert!(turns.end(&b).is_empty());
        assert_eq!(texts(turns.end(&a)), ["b1", "c1"]);
        assert_eq!(texts(turns.say(&c, line("c2"))), ["c2"]);
        assert!(turns.end(&c).is_empty());
        turns.begin(&a);
        turns.begin(&b);
        assert!(turns.say(&b, line("left")).is_none());
        assert_eq!(texts(turns.finish()), ["left"]);
    }
}
