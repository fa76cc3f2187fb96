//! `skaffold.env`: variables that join the environment before anything else is read.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::LazyLock;

use devloop_model::Diagnostic;
use devloop_model::Location;
use regex::Captures;
use regex::Regex;

/// The file, looked for in the working directory.
pub const ENV_FILE: &str = "skaffold.env";

/// Returns the variables of `skaffold.env` in `dir`, in the order of their first line; none if there is no such file.
///
/// A variable that the environment has already keeps its value: the caller adds only those that are missing. The
/// syntax is that of the Go package joho/godotenv 1.5, which Skaffold reads the file with: `export`, `KEY: value`,
/// quotes over several lines, comments, and `$NAME` of an earlier line.
///
/// # Errors
/// When the file cannot be read or has a line that is no assignment.
pub fn load_env_file(dir: &Path) -> Result<Vec<(String, String)>, Diagnostic> {
    let path = dir.join(ENV_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text, Path::new(ENV_FILE)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Diagnostic::error("config/env-file", format!("cannot read `{ENV_FILE}`")).because(error.to_string())),
    }
}

/// Returns the variables of a file that the user names (`--env-file`), in the same syntax.
///
/// # Errors
/// When there is no such file, it cannot be read, or has a line that is no assignment.
pub fn read_env_file(file: &Path) -> Result<Vec<(String, String)>, Diagnostic> {
    match fs::read_to_string(file) {
        Ok(text) => parse(&text, file),
        Err(error) => {
            let what = format!("cannot read the environment file `{}`", file.display());
            Err(Diagnostic::error("config/env-file", what).because(error.to_string()).help("check the path given with `--env-file`"))
        }
    }
}

/// Returns the variables in `text`; `file` is what an error calls it.
///
/// # Errors
/// When a line is no assignment.
fn parse(text: &str, file: &Path) -> Result<Vec<(String, String)>, Diagnostic> {
    let text = text.replace("\r\n", "\n");
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut rest = statement(&text);
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let (key, after) = key(rest).map_err(|fault| fault.diagnostic(&text, at, file))?;
        let (value, after) = value(after, &variables).map_err(|fault| fault.diagnostic(&text, text.len() - after.len(), file))?;
        match variables.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => variables.push((key.to_owned(), value)),
        }
        rest = statement(after);
    }
    Ok(variables)
}

/// What is wrong with a statement, and how far from its start.
enum Fault {
    NotAName { offset: usize, found: char },
    NoValue,
    OpenQuote,
}

impl Fault {
    fn diagnostic(&self, text: &str, start: usize, file: &Path) -> Diagnostic {
        let (what, offset) = match self {
            Self::NotAName { offset, found: '\n' } => ("this line has no `=`".to_owned(), *offset),
            Self::NotAName { offset, found } => (format!("`{found}` cannot stand in the name of a variable"), *offset),
            Self::NoValue => ("this line has no `=`".to_owned(), 0),
            Self::OpenQuote => ("this quote is never closed".to_owned(), 0),
        };
        Diagnostic::error("config/env-file", what)
            .at(location(text, start + offset, file))
            .help("write `NAME=value`, one variable a line; quote values with spaces or `#`")
    }
}

fn location(text: &str, offset: usize, file: &Path) -> Location {
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    Location {
        file: file.to_owned(),
        line: text[..offset].matches('\n').count() + 1,
        column: text[start..offset].chars().count() + 1,
        text: text[start..].lines().next().unwrap_or_default().to_owned(),
        width: 1,
        label: None,
    }
}

/// Returns what follows blank space and comments.
fn statement(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        if !text.starts_with('#') {
            return text;
        }
        text = text.find('\n').map_or("", |end| &text[end..]);
    }
}

/// Returns the name at the start of `text` and what follows its `=`.
fn key(text: &str) -> Result<(&str, &str), Fault> {
    let name = match text.strip_prefix("export") {
        Some(after) if after.starts_with(is_space) => after.trim_start_matches(is_space),
        _ => text,
    };
    let skipped = text.len() - name.len();
    for (at, c) in name.char_indices() {
        match c {
            '=' | ':' => return Ok((name[..at].trim_end(), name[at + 1..].trim_start_matches(is_space))),
            '_' | '.' => {}
            c if is_space(c) || c.is_alphanumeric() => {}
            found => return Err(Fault::NotAName { offset: skipped + at, found }),
        }
    }
    Err(Fault::NoValue)
}

/// Returns the value at the start of `text` and what follows it.
fn value<'a>(text: &'a str, known: &[(String, String)]) -> Result<(String, &'a str), Fault> {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        return quoted(text, quote, known);
    }
    let (line, rest) = text.split_at(text.find(['\n', '\r']).unwrap_or(text.len()));
    Ok((expand(without_comment(line).trim_matches(is_space), known), rest))
}

fn quoted<'a>(text: &'a str, quote: char, known: &[(String, String)]) -> Result<(String, &'a str), Fault> {
    let bytes = text.as_bytes();
    let end = (1..bytes.len()).find(|&at| bytes[at] == quote as u8 && bytes[at - 1] != b'\\').ok_or(Fault::OpenQuote)?;
    let raw = text[..end].trim_matches(quote);
    let value = if quote == '"' { expand(&unescape(raw), known) } else { raw.to_owned() };
    Ok((value, &text[end + 1..]))
}

/// Cuts a comment that follows a space; the last one counts.
fn without_comment(line: &str) -> &str {
    let starts_comment = |(at, _): &(usize, &str)| line[..*at].ends_with(is_space);
    line.rmatch_indices('#').find(starts_comment).map_or(line, |(at, _)| &line[..at])
}

fn unescape(text: &str) -> String {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\.").expect("a constant pattern"));
    static OTHER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\([^$])").expect("a constant pattern"));
    let newlines = ESCAPE.replace_all(text, |found: &Captures<'_>| match &found[0] {
        r"\n" => "\n".to_owned(),
        r"\r" => "\r".to_owned(),
        other => other.to_owned(),
    });
    OTHER.replace_all(&newlines, "$1").into_owned()
}

fn expand(text: &str, known: &[(String, String)]) -> String {
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\\)?(\$)(\()?\{?([A-Z0-9_]+)?\}?").expect("a constant pattern"));
    let replaced = VARIABLE.replace_all(text, |found: &Captures<'_>| {
        if found.get(1).is_some() {
            return found[0][1..].to_owned();
        }
        match found.get(4) {
            Some(name) => known.iter().find(|(key, _)| key == name.as_str()).map_or_else(String::new, |(_, value)| value.clone()),
            None => found[0].to_owned(),
        }
    });
    replaced.into_owned()
}

/// Blank, but not a line end.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One file and what the Go package reads from it.
    #[derive(serde::Deserialize)]
    struct Case {
        text: String,
        variables: Option<std::collections::BTreeMap<String, String>>,
    }

    #[test]
    fn every_file_reads_as_the_go_package_reads_it() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../tests/golden/dotenv/cases.json")).expect("golden file");
        assert!(cases.len() > 30);
        for case in cases {
            let ours = parse(&case.text, Path::new(ENV_FILE)).ok().map(|list| list.into_iter().collect());
            assert_eq!(ours, case.variables, "{:?}", case.text);
        }
    }

    #[test]
    fn faults_name_their_line() {
        insta::assert_snapshot!(parse("A=1\nB C\nD=2\n", Path::new(ENV_FILE)).unwrap_err(), @r"
        error[config/env-file]: this line has no `=`
         --> skaffold.env:2:4
          |
        2 | B C
          |    ^
        help: write `NAME=value`, one variable a line; quote values with spaces or `#`
        ");
        insta::assert_snapshot!(parse("A=1\n  my-name=2\n", Path::new(ENV_FILE)).unwrap_err(), @r"
        error[config/env-file]: `-` cannot stand in the name of a variable
         --> skaffold.env:2:5
          |
        2 |   my-name=2
          |     ^
        help: write `NAME=value`, one variable a line; quote values with spaces or `#`
        ");
        insta::assert_snapshot!(parse("A=1\nB=\"x\nC=3\n", Path::new(ENV_FILE)).unwrap_err(), @r#"
        error[config/env-file]: this quote is never closed
         --> skaffold.env:2:3
          |
        2 | B="x
          |   ^
        help: write `NAME=value`, one variable a line; quote values with spaces or `#`
        "#);
        insta::assert_snapshot!(parse("# only\nlast", Path::new(ENV_FILE)).unwrap_err(), @r"
        error[config/env-file]: this line has no `=`
         --> skaffold.env:2:1
          |
        2 | last
          | ^
        help: write `NAME=value`, one variable a line; quote values with spaces or `#`
        ");
    }

    #[test]
    fn a_file_that_is_not_there_gives_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load_env_file(dir.path()), Ok(Vec::new()));
        fs::write(dir.path().join(ENV_FILE), "B=2\nA=1\nB=3").unwrap();
        assert_eq!(load_env_file(dir.path()), Ok(vec![("B".to_owned(), "3".to_owned()), ("A".to_owned(), "1".to_owned())]));
    }
}
