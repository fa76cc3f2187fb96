//! Text that is not YAML, in the user's words.

use std::sync::Arc;

use devloop_model::Diagnostic;
use saphyr_parser::ScanError;

use super::Source;
use super::parse::too_deep;

const CODE: &str = "config/invalid-yaml";

/// What the parser says, and what that means: the fault and what to do.
const MEANINGS: [(&str, &str, &str); 11] = [
    (
        "unknown escape character",
        "a `\\` in double quotes starts an escape, and YAML does not know this one",
        "write `\\\\` for a `\\`, or use single quotes",
    ),
    ("hexadecimal number", "the escape in these double quotes needs hexadecimal digits", "write `\\\\` for a `\\`, or use single quotes"),
    ("quoted scalar", "this quote is not closed", "close it, or indent the lines that it spans"),
    (
        "mapping values are not allowed",
        "a `:` cannot stand here",
        "check the indentation of this line and the one before, or put the value in quotes",
    ),
    ("unknown anchor", "this alias names an anchor that is not above it", "write `&name` before the value that `*name` repeats"),
    (
        "parsing a flow mapping",
        "a `,` or `}` is missing before this place",
        "close the `{` above, or put a value with `,`, `{` or `: ` in quotes",
    ),
    (
        "parsing a flow sequence",
        "a `,` or `]` is missing before this place",
        "close the `[` above, or put a value with `,` or `[` in quotes",
    ),
    ("invalid indentation", "this line is not indented, but a `[` or `{` above it is still open", "close it, or indent this line"),
    ("did not find expected key", "the indentation of this line fits nothing above it", "indent it as the entries that it belongs to"),
    (
        "did not find expected '-' indicator",
        "a `-` is missing here, or the indentation fits nothing above it",
        "indent it as the items that it belongs to",
    ),
    ("misplaced bracket", "this bracket closes nothing", "delete it, or put the value in quotes"),
];

/// Returns a fault of the syntax at its place.
pub(super) fn error(source: &Arc<Source>, error: &ScanError) -> Diagnostic {
    let marker = error.marker();
    let line = marker.line().clamp(1, source.text.lines().count().max(1));
    if let Some(tab) = tab_from(source, line, error.info().contains("found a tab")) {
        return tab;
    }
    let column = if line == marker.line() { marker.col() + 1 } else { source.line(line).chars().count().max(1) };
    let span = source.span(line, column, 1);
    let info = error.info();
    if info.contains("recursion") {
        return too_deep(&span);
    }
    if let Some(character) = info.strip_prefix("unexpected character: `").and_then(|rest| rest.strip_suffix('\'')) {
        let what = format!("a value cannot start with `{character}`");
        return span.error(CODE, what).help("put the value in quotes");
    }
    match MEANINGS.iter().find(|(said, ..)| info.contains(said)) {
        Some((_, what, help)) => span.error(CODE, *what).help(*help),
        None => Diagnostic::error(CODE, "this is not YAML").at(span.location(info.to_owned())),
    }
}

/// Returns the fault that a tab indents `line`, or the one after it if the parser found it from there.
fn tab_from(source: &Arc<Source>, line: usize, is_below: bool) -> Option<Diagnostic> {
    let tab = |line: usize| {
        let tab = source.line(line).chars().take_while(|c| c.is_whitespace()).position(|c| c == '\t')?;
        let error = source.span(line, tab + 1, 1).error(CODE, "a tab indents this line, and YAML takes only spaces there");
        Some(error.help("replace the tab by spaces"))
    };
    tab(line).or_else(|| if is_below { tab(line + 1) } else { None })
}
