//! Lines and their colours.

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::AnsiColor;
use anstyle::Effects;
use anstyle::Style;
use unicode_width::UnicodeWidthChar as _;

use crate::Redactor;

/// Whether there are colours, and which is the main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colours {
    /// No escape codes.
    #[default]
    Off,
    /// Colours, with this ANSI code for devloop's own words; 0 is none.
    On {
        /// 31 to 37, or 91 to 95 for the bright ones.
        main: u8,
    },
}

/// Which output a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Progress.
    Progress,
    /// Standard error.
    Errors,
    /// The terminal itself.
    Bell,
}

/// What a piece of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As the terminal has it.
    Plain,
    /// devloop's own words.
    Main,
    /// Good.
    Green,
    /// To be noticed.
    Yellow,
    /// Bad.
    Red,
    /// A frame around other words.
    Blue,
    /// Important.
    Bold,
    /// Beside what matters.
    Dim,
    /// An address that can be followed.
    Link,
    /// One of many alike: the n-th of Skaffold's list (`pkg/skaffold/output/color.go`).
    Nth(usize),
}

/// One line, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) place: Place,
    pieces: Vec<(Paint, String)>,
}

const MANY: [AnsiColor; 11] = [
    AnsiColor::BrightRed,
    AnsiColor::BrightGreen,
    AnsiColor::BrightYellow,
    AnsiColor::BrightBlue,
    AnsiColor::BrightMagenta,
    AnsiColor::Red,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::Magenta,
    AnsiColor::Cyan,
];

impl Line {
    /// Returns a line of progress in the main colour.
    pub(crate) fn main(text: impl Into<String>) -> Self {
        Self::new(Paint::Main, text)
    }

    /// Returns a line of progress.
    pub(crate) fn new(paint: Paint, text: impl Into<String>) -> Self {
        Self { place: Place::Progress, pieces: vec![(paint, text.into())] }
    }

    /// Returns a line for standard error without anything on it yet.
    pub(crate) fn error() -> Self {
        Self { place: Place::Errors, pieces: Vec::new() }
    }

    /// Returns the bell of the terminal, which is no text and takes no row.
    pub(crate) fn bell() -> Self {
        Self { place: Place::Bell, pieces: vec![(Paint::Plain, "\x07".to_owned())] }
    }

    /// Puts a text before the line.
    #[must_use]
    pub(crate) fn after(mut self, prefix: String) -> Self {
        self.pieces.insert(0, (Paint::Plain, prefix));
        self
    }

    /// Adds a piece.
    #[must_use]
    pub(crate) fn and(mut self, paint: Paint, text: impl Into<String>) -> Self {
        self.pieces.push((paint, text.into()));
        self
    }

    /// Takes secrets out.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        for (_, text) in &mut self.pieces {
            if let Cow::Owned(clean) = redactor.text(text) {
                *text = clean;
            }
        }
    }

    /// Returns the text alone.
    pub(crate) fn text(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Returns the text of a row that is all our own words, cut to `columns`.
    pub(crate) fn row(&self, columns: usize, colours: Colours) -> String {
        let mut free = columns;
        let mut out = String::new();
        for (paint, text) in &self.pieces {
            let text = cut(text, &mut free);
            match (colours, paint, colours.style(*paint)) {
                // OSC 8, the hyperlink of terminals; others show the text alone.
                (Colours::On { .. }, Paint::Link, _) => write!(out, "\x1b]8;;{text}\x1b\\{text}\x1b]8;;\x1b\\"),
                (_, _, Some(style)) => write!(out, "{style}{text}{style:#}"),
                (_, _, None) => write!(out, "{text}"),
            }
            .expect("a String takes everything");
        }
        out
    }

    /// Returns the text with or without colours, and without other control sequences, which would
    /// move the cursor under our feet.
    pub(crate) fn painted(&self, colours: Colours) -> String {
        let mut out = String::new();
        for (paint, text) in &self.pieces {
            match (colours, colours.style(*paint)) {
                (Colours::Off, _) => out.push_str(&without_escapes(text, false)),
                (Colours::On { .. }, None) => out.push_str(&without_escapes(text, true)),
                (Colours::On { .. }, Some(style)) => {
                    write!(out, "{style}{}{style:#}", without_escapes(text, true)).expect("a String takes everything");
                }
            }
        }
        out
    }
}

impl Colours {
    /// Returns the style of a paint; none where it is as the terminal has it.
    pub(crate) fn style(self, paint: Paint) -> Option<Style> {
        let Self::On { main } = self else { return None };
        let colour = |colour: AnsiColor| Some(Style::new().fg_color(Some(colour.into())));
        match paint {
            Paint::Plain | Paint::Link => None,
            Paint::Main => main_colour(main).and_then(colour),
            Paint::Green => colour(AnsiColor::Green),
            Paint::Yellow => colour(AnsiColor::Yellow),
            Paint::Red => Some(Style::new().fg_color(Some(AnsiColor::Red.into())).effects(Effects::BOLD)),
            Paint::Blue => colour(AnsiColor::Blue),
            Paint::Bold => Some(Style::new().effects(Effects::BOLD)),
            Paint::Dim => Some(Style::new().effects(Effects::DIMMED)),
            Paint::Nth(n) => colour(MANY[n % MANY.len()]),
        }
    }
}

/// Returns as much of `text` as fits into the free columns, and takes them.
fn cut(text: &str, free: &mut usize) -> String {
    text.chars()
        .map_while(|c| {
            // What does not fit ends the row, whatever would still fit behind it.
            let left = free.checked_sub(c.width().unwrap_or(0));
            *free = left.unwrap_or(0);
            left?;
            Some(if c.is_control() { ' ' } else { c })
        })
        .collect()
}

/// Returns the colour of one of the codes that Skaffold's `--color` takes.
fn main_colour(code: u8) -> Option<AnsiColor> {
    Some(match code {
        31 => AnsiColor::Red,
        32 => AnsiColor::Green,
        33 => AnsiColor::Yellow,
        34 => AnsiColor::Blue,
        35 => AnsiColor::Magenta,
        36 => AnsiColor::Cyan,
        37 => AnsiColor::White,
        91 => AnsiColor::BrightRed,
        92 => AnsiColor::BrightGreen,
        93 => AnsiColor::BrightYellow,
        94 => AnsiColor::BrightBlue,
        95 => AnsiColor::BrightMagenta,
        _ => return None,
    })
}

/// Returns the text without escape sequences and carriage returns; colours stay if they are wanted.
fn without_escapes(text: &str, keep_colours: bool) -> Cow<'_, str> {
    if !text.contains(['\x1b', '\r', '\x08']) {
        return Cow::Borrowed(text);
    }
    // What a carriage return would have overwritten is not shown, as on a terminal.
    let text = text.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\x1b', '\x08']) {
        out.push_str(&rest[..at]);
        let sequence = escape(&rest[at..]);
        if keep_colours && sequence.starts_with("\x1b[") && sequence.ends_with('m') {
            out.push_str(sequence);
        }
        rest = &rest[at + sequence.len()..];
    }
    out.push_str(rest);
    if keep_colours && out.contains('\x1b') && !out.ends_with("\x1b[0m") {
        out.push_str("\x1b[0m");
    }
    Cow::Owned(out)
}

/// Returns the escape sequence that `text` starts with (ECMA-48: CSI, OSC, or two characters).
fn escape(text: &str) -> &str {
    let end_of = |end: Option<usize>, width: usize| end.map_or(text.len(), |at| at + width);
    if let Some(parameters) = text.strip_prefix("\x1b[") {
        let last = parameters.find(|c: char| ('\x40'..='\x7e').contains(&c)).map(|at| at + 2);
        &text[..end_of(last, 1)]
    } else if text.starts_with("\x1b]") {
        let bell = text.find('\x07').map(|at| at + 1);
        let terminator = text.find("\x1b\\").map(|at| at + 2);
        let end = [bell, terminator].into_iter().flatten().min();
        &text[..end_of(end, 0)]
    } else {
        let width = text.chars().take(if text.starts_with('\x1b') { 2 } else { 1 }).map(char::len_utf8).sum();
        &text[..width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_survive() {
        for (text, plain, coloured) in [
            ("plain", "plain", "plain"),
            ("\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m"),
            ("\x1b[31mred", "red", "\x1b[31mred\x1b[0m"),
            ("a\x1b[2Kb\x1b[1;1Hc", "abc", "abc"),
            ("\x1b]0;title\x07x", "x", "x"),
            ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link", "link"),
            ("10%\r50%\r100%\r", "100%", "100%"),
            ("ab\x08c", "abc", "abc"),
            ("cut\x1b[", "cut", "cut"),
            ("cut\x1b", "cut", "cut"),
            ("\x1bé", "", ""),
        ] {
            assert_eq!(without_escapes(text, false), plain, "{text:?}");
            assert_eq!(without_escapes(text, true), coloured, "{text:?}");
        }
    }

    #[test]
    fn a_row_is_cut_to_the_terminal() {
        let row = Line::new(Paint::Green, "● 世界").and(Paint::Link, "http://a");
        for (columns, text) in [(80, "● 世界http://a"), (7, "● 世界h"), (5, "● 世"), (0, "")] {
            assert_eq!(row.row(columns, Colours::Off), text, "{columns}");
        }
        assert_eq!(row.row(80, Colours::On { main: 34 }), "\x1b[32m● 世界\x1b[0m\x1b]8;;http://a\x1b\\http://a\x1b]8;;\x1b\\");
    }

    #[test]
    fn the_main_colour_is_chosen_by_code() {
        let line = Line::main("Starting build...").and(Paint::Plain, " x");
        for (colours, text) in [
            (Colours::Off, "Starting build... x"),
            (Colours::On { main: 34 }, "\x1b[34mStarting build...\x1b[0m x"),
            (Colours::On { main: 92 }, "\x1b[92mStarting build...\x1b[0m x"),
            (Colours::On { main: 0 }, "Starting build... x"),
        ] {
            assert_eq!(line.painted(colours), text);
        }
    }
}
