//! Diagnostics in colours; without them they read exactly as their `Display`.

use devloop_model::Diagnostic;
use devloop_model::Location;
use devloop_model::Severity;

use super::paint::Colours;
use super::paint::Line;
use super::paint::Paint;
use crate::Redactor;

/// Returns the text of a diagnostic for a terminal or a file, without a newline at its end.
///
/// For what is said before there is a console: faults of the command line and of the configuration.
/// What looks like a secret is taken out.
pub fn render_diagnostic(diagnostic: &Diagnostic, colours: Colours) -> String {
    let mut line = line(diagnostic);
    line.redact(&Redactor::default());
    line.painted(colours)
}

/// Returns a diagnostic as one line of several rows, for standard error.
pub(crate) fn line(diagnostic: &Diagnostic) -> Line {
    let (word, paint) = match diagnostic.severity {
        Severity::Warning => ("warning", Paint::Yellow),
        Severity::Error => ("error", Paint::Red),
    };
    let mut line = Line::error().and(paint, format!("{word}[{}]", diagnostic.code)).and(Paint::Bold, format!(": {}", diagnostic.what));
    if let Some(at) = &diagnostic.at {
        line = place(line, at, paint);
    }
    for why in &diagnostic.why {
        line = line.and(Paint::Plain, format!("\n  {}", why.trim_end().replace('\n', "\n  ")));
    }
    match &diagnostic.help {
        Some(help) => line.and(Paint::Plain, "\n").and(Paint::Green, "help").and(Paint::Plain, format!(": {help}")),
        None => line,
    }
}

/// Adds the row of the user's file, and the caret under it.
fn place(line: Line, at: &Location, paint: Paint) -> Line {
    let margin = " ".repeat(at.line.to_string().len());
    let (indent, carets) = at.carets();
    let line = line
        .and(Paint::Plain, "\n")
        .and(Paint::Blue, format!("{margin}-->"))
        .and(Paint::Plain, format!(" {at}\n"))
        .and(Paint::Blue, format!("{margin} |\n{} |", at.line))
        .and(Paint::Plain, format!(" {}\n", at.text))
        .and(Paint::Blue, format!("{margin} |"))
        .and(Paint::Plain, format!(" {indent}"))
        .and(paint, carets);
    match &at.label {
        Some(label) => line.and(paint, format!(" {label}")),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown_field() -> Diagnostic {
        Diagnostic::error("config/unknown-field", "artifact `web` has no builder called `dokcer`")
            .at(Location {
                file: "skaffold.yaml".into(),
                line: 14,
                column: 7,
                text: "      dokcer:".into(),
                width: 6,
                label: Some("expected one of: docker, ko".into()),
            })
            .because("first\nsecond")
            .help("did you mean `docker`?")
    }

    #[test]
    fn without_colours_it_is_the_plain_form() {
        for diagnostic in [unknown_field(), Diagnostic::warning("a/b", "c"), Diagnostic::error("a/b", "c").because("d").help("e")] {
            assert_eq!(render_diagnostic(&diagnostic, Colours::Off), diagnostic.to_string());
        }
    }

    #[test]
    fn with_colours_the_caret_and_the_word_stand_out() {
        let text = render_diagnostic(&unknown_field(), Colours::On { main: 34 });
        insta::assert_snapshot!(text.replace('\x1b', "␛"), @r"
        ␛[1m␛[31merror[config/unknown-field]␛[0m␛[1m: artifact `web` has no builder called `dokcer`␛[0m
        ␛[34m  -->␛[0m skaffold.yaml:14:7
        ␛[34m   |
        14 |␛[0m       dokcer:
        ␛[34m   |␛[0m       ␛[1m␛[31m^^^^^^␛[0m␛[1m␛[31m expected one of: docker, ko␛[0m
          first
          second
        ␛[32mhelp␛[0m: did you mean `docker`?
        ");
    }

    #[test]
    fn a_tab_keeps_the_caret_in_its_column() {
        let diagnostic =
            Diagnostic::error("a/b", "c").at(Location { file: "f".into(), line: 1, column: 2, text: "\tx".into(), width: 1, label: None });
        assert!(render_diagnostic(&diagnostic, Colours::Off).ends_with("| \tx\n  | \t^"));
    }
}
