//! A terminal that may be closed, or get another size, while rows are drawn at its foot.

use std::io;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use console::Term;
use indicatif::ProgressDrawTarget;
use indicatif::TermLike;

/// How often in a second rows are drawn at most: indicatif's own limit for a terminal.
const DRAWS_PER_SECOND: u8 = 20;
/// Erases from the start of the cursor's row to the end of the screen.
const ERASE_BELOW: &str = "\r\x1b[J";

/// Returns a target that outlives its terminal: indicatif panics where it cannot write, and a session whose window was closed
/// still has to clean up.
pub(super) fn target(term: Term) -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Terminal { term, drawn: Mutex::default() }), DRAWS_PER_SECOND)
}

/// indicatif fills its rows with blanks and lets the terminal wrap them. One that changes its size wraps them anew: what was
/// drawn then takes more rows or fewer, and what was printed above would be erased with it. Here each row ends by itself, and
/// is known by its width.
#[derive(Debug)]
struct Terminal {
    term: Term,
    drawn: Mutex<Drawn>,
}

/// The rows on the screen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Drawn {
    /// How wide each of them is; the cursor is behind the last one.
    widths: Vec<usize>,
    /// Whether the last one is complete.
    ended: bool,
}

impl Drawn {
    /// Returns what to write for a part of a row: indicatif ends each with blanks, even if there is room for none.
    fn text(&mut self, text: &str) -> String {
        if text.bytes().all(|byte| byte == b' ') {
            self.ended = true;
            return String::new();
        }
        let is_new = std::mem::take(&mut self.ended) || self.widths.is_empty();
        let start = if is_new && !self.widths.is_empty() { "\r\n" } else { "" };
        if is_new {
            self.widths.push(0);
        }
        if let Some(width) = self.widths.last_mut() {
            *width += console::measure_text_width(text);
        }
        format!("{start}{text}")
    }

    /// Returns how many rows above the cursor's they begin, in a terminal of so many columns.
    fn above(&self, columns: usize) -> usize {
        let rows: usize = self.widths.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum();
        rows.saturating_sub(1)
    }
}

/// Nobody looks at a terminal that takes nothing more.
fn even_if_closed(written: io::Result<()>) -> io::Result<()> {
    drop(written);
    Ok(())
}

impl Terminal {
    /// A panic elsewhere leaves whole rows behind.
    fn drawn(&self) -> MutexGuard<'_, Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Erases what is drawn.
    fn erase(&self) -> io::Result<()> {
        let drawn = std::mem::take(&mut *self.drawn());
        if drawn.widths.is_empty() {
            return Ok(());
        }
        self.term.move_cursor_up(drawn.above(usize::from(self.width())))?;
        self.term.write_str(ERASE_BELOW)
    }
}

/// indicatif draws by moving up to its first row, clearing row after row, and writing all of them: here the first move erases
/// everything, and after it no row is left to move to.
impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        even_if_closed(self.erase())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        even_if_closed(self.term.write_line(text))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let text = self.drawn().text(text);
        even_if_closed(self.term.write_str(&text))
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        even_if_closed(self.term.flush())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::io::Seek as _;

    use indicatif::MultiProgress;
    use indicatif::ProgressBar;
    use indicatif::ProgressStyle;

    use super::*;

    fn rows(term: Term, texts: &[&'static str]) -> (MultiProgress, Vec<ProgressBar>) {
        let rows = MultiProgress::with_draw_target(target(term));
        let style = || ProgressStyle::with_template("{msg}").unwrap();
        let bars = texts.iter().map(|text| rows.add(ProgressBar::new_spinner().with_style(style()).with_message(*text)));
        let bars = bars.collect();
        (rows, bars)
    }

    #[test]
    fn rows_on_a_closed_terminal_are_drawn_to_nobody() {
        // Every write to this device fails.
        let full = || File::options().read(true).write(true).open("/dev/full").expect("Linux has it");
        let term = Term::read_write_pair(full(), full());
        assert!(term.write_str("x").is_err());
        let (rows, bars) = rows(term, &["one"]);
        bars[0].tick();
        assert_eq!(rows.suspend(|| 7), 7);
        bars[0].finish_and_clear();
    }

    #[test]
    fn each_row_ends_by_itself_and_all_are_erased_at_once() {
        let mut file = tempfile::tempfile().unwrap();
        let (all, bars) = rows(Term::read_write_pair(file.try_clone().unwrap(), file.try_clone().unwrap()), &["one", "two"]);
        bars.iter().for_each(ProgressBar::force_draw);
        all.suspend(|| {});
        let mut written = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut written).unwrap();
        let once = "one\r\ntwo";
        assert!(written.contains(once), "{written:?}");
        assert!(written.ends_with(&format!("{once}\x1b[1A\r\x1b[J{once}")), "{written:?}");
    }

    #[test]
    fn rows_that_a_narrow_terminal_wraps_are_counted() {
        let mut drawn = Drawn::default();
        for (text, written) in
            [("a\x1b[32mbcd\x1b[0m", "a\x1b[32mbcd\x1b[0m"), ("      ", ""), ("efg", "\r\nefg"), ("hij", "hij"), ("", "")]
        {
            assert_eq!(drawn.text(text), written);
        }
        assert_eq!(drawn.widths, [4, 6]);
        for (columns, above) in [(80, 1), (6, 1), (5, 2), (4, 2), (3, 3), (2, 4), (0, 9)] {
            assert_eq!(drawn.above(columns), above, "{columns}");
        }
    }
}
