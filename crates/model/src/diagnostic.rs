//! The one shape in which something wrong reaches the user.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use unicode_width::UnicodeWidthChar;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The command goes on.
    Warning,
    /// What was asked for failed.
    Error,
}

/// Something wrong: what failed in the user's words, where, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name: the stage and the fault, `config/unknown-field`.
    pub code: Cow<'static, str>,
    /// What failed, a sentence without a full stop.
    pub what: String,
    /// Where in the user's own file.
    pub at: Option<Location>,
    /// Causes, outermost first; may have several lines each (the last lines of a build).
    pub why: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

/// A place in a file of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The file, as the user would write it.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The text of that line; `…` and the part around the place where the line is very long.
    pub text: String,
    /// How many characters the caret marks; at least 1.
    pub width: usize,
    /// What stands beside the caret.
    pub label: Option<String>,
}

/// Longer lines are cut to what is around the place.
const LONGEST_LINE: usize = 400;
/// How much of such a line is kept before the place, and behind it.
const KEPT: usize = 100;

impl Location {
    /// Returns `text` as [`Location::text`] has it for a place at `column`: what would move the cursor of a terminal is `�`.
    pub fn line_text(text: &str, column: usize) -> String {
        let shown = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
        let mut rest = text.chars().map(shown);
        if column <= LONGEST_LINE {
            let mut line: String = rest.by_ref().take(LONGEST_LINE + KEPT).collect();
            line.extend(rest.next().map(|_| '…'));
            return line;
        }
        let mut rest = rest.skip(column - 1 - KEPT);
        let mut line: String = std::iter::once('…').chain(rest.by_ref().take(2 * KEPT)).collect();
        line.extend(rest.next().map(|_| '…'));
        line
    }

    /// Returns what stands below the line: blanks as wide as what is before the place, and the caret.
    pub fn carets(&self) -> (String, String) {
        // Only a line that was cut ends before its place.
        let is_cut = self.column > LONGEST_LINE && self.text.chars().count() < self.column;
        let before = if is_cut { KEPT + 1 } else { self.column.saturating_sub(1) };
        let width = |c: char| c.width().unwrap_or(1);
        let mut chars = self.text.chars().chain(std::iter::repeat(' '));
        // Tabs keep their width above and below, and some letters are two columns wide.
        let blank = |c: char| if c == '\t' { "\t".to_owned() } else { " ".repeat(width(c)) };
        let indent = chars.by_ref().take(before).map(blank).collect();
        let carets: usize = chars.take(self.width.max(1)).map(|c| width(c).max(1)).sum();
        (indent, "^".repeat(carets))
    }
}

impl fmt::Display for Location {
    /// `skaffold.yaml:14:7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl Diagnostic {
    /// Returns an error with this code and text.
    pub fn error(code: &'static str, what: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code: Cow::Borrowed(code), what: what.into(), at: None, why: Vec::new(), help: None }
    }

    /// Returns a warning with this code and text.
    pub fn warning(code: &'static str, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, what) }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds the chain of sources of `error`, outermost first.
    #[must_use]
    pub fn because_of(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if self.why.last().is_none_or(|last| !last.contains(&text)) {
                self.why.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds what `inner` says as causes, and its help where there is none yet.
    #[must_use]
    pub fn caused_by(mut self, inner: Self) -> Self {
        self.why.push(inner.what);
        self.why.extend(inner.why);
        self.help = self.help.or(inner.help);
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns the word that the help proposes for the marked one: `docker` of "did you mean `docker`?".
    pub fn suggestion(&self) -> Option<&str> {
        self.help.as_deref()?.strip_prefix("did you mean `")?.strip_suffix("`?")
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, at: Location) -> Self {
        self.at = Some(at);
        self
    }
}

impl fmt::Display for Diagnostic {
    /// The whole diagnostic in plain text, without a newline at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}[{}]: {}", self.code, self.what)?;
        if let Some(at) = &self.at {
            let margin = " ".repeat(at.line.to_string().len());
            let (indent, carets) = at.carets();
            write!(f, "\n{margin}--> {at}")?;
            write!(f, "\n{margin} |\n{} | {}", at.line, at.text)?;
            write!(f, "\n{margin} | {indent}{carets}")?;
            if let Some(label) = &at.label {
                write!(f, " {label}")?;
            }
        }
        for why in &self.why {
            write!(f, "\n  {}", why.trim_end().replace('\n', "\n  "))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, column: usize, width: usize) -> String {
        let text = Location::line_text(text, column);
        let at = Location { file: "a.yaml".into(), line: 1, column, text, width, label: None };
        let (indent, carets) = at.carets();
        format!("{}\n{indent}{carets}", at.text)
    }

    #[test]
    fn the_caret_stands_below_its_place() {
        for (text, column, width, expected) in [
            ("a: b", 4, 1, "a: b\n   ^"),
            ("\ta: b", 5, 1, "\ta: b\n\t   ^"),
            ("商店: 商", 5, 1, "商店: 商\n      ^^"),
            ("e\u{301}: b", 5, 1, "e\u{301}: b\n   ^"),
            ("a\u{1b}[2Jb", 2, 1, "a\u{fffd}[2Jb\n ^"),
            ("a", 9, 2, "a\n        ^^"),
        ] {
            assert_eq!(shown(text, column, width), expected, "{text:?}");
        }
    }

    #[test]
    fn a_very_long_line_is_cut_around_its_place() {
        let long = format!("{}HERE{}", "a".repeat(1000), "b".repeat(1000));
        let expected = format!("…{}HERE{}…\n{}^^^^", "a".repeat(100), "b".repeat(96), " ".repeat(101));
        assert_eq!(shown(&long, 1001, 4), expected);
        assert_eq!(shown(&long, 3, 1), format!("{}…\n  ^", "a".repeat(500)));
        let end = format!("{}HERE", "a".repeat(1000));
        assert_eq!(shown(&end, 1001, 4), format!("…{}HERE\n{}^^^^", "a".repeat(100), " ".repeat(101)));
    }

    #[test]
    fn a_diagnostic_reads_as_a_compiler_error() {
        let diagnostic = Diagnostic::error("config/unknown-field", "artifact `web` has no builder called `dokcer`")
            .at(Location {
                file: "skaffold.yaml".into(),
                line: 14,
                column: 7,
                text: "      dokcer:".into(),
                width: 7,
                label: Some("expected one of: docker, ko".into()),
            })
            .because("first\nsecond")
            .help("did you mean `docker`?");
        insta::assert_snapshot!(diagnostic, @r"
        error[config/unknown-field]: artifact `web` has no builder called `dokcer`
          --> skaffold.yaml:14:7
           |
        14 |       dokcer:
           |       ^^^^^^^ expected one of: docker, ko
          first
          second
        help: did you mean `docker`?
        ");
        assert_eq!(diagnostic.suggestion(), Some("docker"));
        assert_eq!(diagnostic.help("look again").suggestion(), None);
    }
}
