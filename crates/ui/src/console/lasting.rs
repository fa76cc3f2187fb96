//! A terminal that may be closed while it is drawn on.

use std::io;

use console::Term;
use indicatif::ProgressDrawTarget;
use indicatif::TermLike;

/// How often in a second rows are drawn at most: indicatif's own limit for a terminal.
const DRAWS_PER_SECOND: u8 = 20;

/// Returns a target that outlives its terminal: indicatif panics where it cannot write, and a session whose window was closed
/// still has to clean up.
pub(super) fn target(term: Term) -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Lasting(term)), DRAWS_PER_SECOND)
}

#[derive(Debug)]
struct Lasting(Term);

/// Nobody looks at a terminal that takes nothing more.
fn even_if_closed(written: io::Result<()>) -> io::Result<()> {
    drop(written);
    Ok(())
}

impl TermLike for Lasting {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        even_if_closed(self.0.move_cursor_up(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        even_if_closed(self.0.move_cursor_down(n))
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        even_if_closed(self.0.move_cursor_right(n))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        even_if_closed(self.0.move_cursor_left(n))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        even_if_closed(self.0.write_line(text))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        even_if_closed(self.0.write_str(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        even_if_closed(self.0.clear_line())
    }

    fn flush(&self) -> io::Result<()> {
        even_if_closed(self.0.flush())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use indicatif::MultiProgress;
    use indicatif::ProgressBar;

    use super::*;

    #[test]
    fn rows_on_a_closed_terminal_are_drawn_to_nobody() {
        // Every write to this device fails.
        let full = || File::options().read(true).write(true).open("/dev/full").expect("Linux has it");
        let term = Term::read_write_pair(full(), full());
        assert!(term.write_str("x").is_err());
        let rows = MultiProgress::with_draw_target(target(term));
        let row = rows.add(ProgressBar::new_spinner());
        row.tick();
        assert_eq!(rows.suspend(|| 7), 7);
        row.finish_and_clear();
    }
}
