//! The one shape in which something wrong reaches the user.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

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
    /// The text of that line.
    pub text: String,
    /// How many characters the caret marks; at least 1.
    pub width: usize,
    /// What stands beside the caret.
    pub label: Option<String>,
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
            let carets = "^".repeat(at.width.max(1));
            write!(f, "\n{margin}--> {at}")?;
            write!(f, "\n{margin} |\n{} | {}", at.line, at.text)?;
            write!(f, "\n{margin} | {}{carets}", " ".repeat(at.column.saturating_sub(1)))?;
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
    }
}
