//! Regular expressions as Go's `regexp` reads them: what it takes for a letter and Rust's `regex` does not, is escaped.

use regex::Regex;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;

/// A regular expression of Go's, found anywhere in a text.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    written: String,
    regex: Regex,
}

impl Pattern {
    /// Returns the expression.
    ///
    /// # Errors
    /// When it does not parse; the last line says why.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let why = |error: regex::Error| {
            let text = error.to_string();
            text.lines().next_back().unwrap_or_default().trim_start_matches("error: ").to_owned()
        };
        let regex = Regex::new(&translated(written)).map_err(why)?;
        Ok(Self { written: written.to_owned(), regex })
    }

    /// Returns whether it fits anywhere in `text`.
    pub(super) fn fits(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Returns it as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.written
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        Self::parse(&written).map_err(|why| D::Error::custom(format!("`{written}` is no regular expression: {why}")))
    }
}

/// Returns an expression of Go's in the words of `regex`: classes such as `\d` are of ASCII, a brace that counts nothing is
/// a letter, and nothing in brackets means anything but ranges and named classes.
fn translated(go: &str) -> String {
    let mut out = String::new();
    let mut rest = go;
    let mut in_class = false;
    while let Some(next) = rest.chars().next() {
        let (taken, put) = match next {
            '\\' => escape(rest, in_class),
            '[' if in_class => match rest.find(":]").filter(|_| rest.starts_with("[:")) {
                Some(end) => (end + 2, rest[..end + 2].to_owned()),
                None => (1, "\\[".to_owned()),
            },
            '[' => {
                in_class = true;
                // A bracket that comes first in a class is a letter of it.
                let open = if rest.starts_with("[^") { 2 } else { 1 };
                let closes = rest[open..].starts_with(']');
                (open + usize::from(closes), format!("{}{}", &rest[..open], if closes { "\\]" } else { "" }))
            }
            ']' => {
                in_class = false;
                (1, "]".to_owned())
            }
            '{' if !in_class && !counts(rest) => (1, "\\{".to_owned()),
            '&' | '~' if in_class => (1, format!("\\{next}")),
            other => (other.len_utf8(), other.to_string()),
        };
        out.push_str(&put);
        rest = &rest[taken..];
    }
    out
}

/// Returns how long an escape is, and its translation.
fn escape(rest: &str, in_class: bool) -> (usize, String) {
    let Some(escaped) = rest[1..].chars().next() else { return (1, "\\".to_owned()) };
    let length = 1 + escaped.len_utf8();
    let put = match escaped {
        'Q' => {
            let end = rest.find("\\E");
            return (end.map_or(rest.len(), |end| end + 2), regex::escape(&rest[2..end.unwrap_or(rest.len())]));
        }
        'd' if in_class => "0-9".to_owned(),
        'w' if in_class => "0-9A-Za-z_".to_owned(),
        's' if in_class => r"\t\n\f\r ".to_owned(),
        'd' => "[0-9]".to_owned(),
        'w' => "[0-9A-Za-z_]".to_owned(),
        's' => r"[\t\n\f\r ]".to_owned(),
        'b' | 'B' => format!("(?-u:\\{escaped})"),
        '<' | '>' => escaped.to_string(),
        _ => rest[..length].to_owned(),
    };
    (length, put)
}

/// Returns whether a text starts with `{2}`, `{2,}` or `{2,3}`.
fn counts(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        Some((low, high)) => is_number(low) && (high.is_empty() || is_number(high)),
        None => is_number(inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_in_go() {
        for (pattern, text, fits) in [
            ("^hello$", "hello", true),
            ("^hello$", "hello\n", false),
            ("hello", "say hello!", true),
            (r#"{"status":"ok"}"#, r#"{"status":"ok"}"#, true),
            ("a{2}", "aa", true),
            ("a{2,}$", "aaa", true),
            ("a{2,x}", "a{2,x}", true),
            (r"\d+", "٣", false),
            (r"\w", "é", false),
            (r"[\d.]+", "1.2", true),
            (r"\<b\>", "<b>", true),
            (r"\Qa.b\E.", "a.bc", true),
            (r"\Qa.b", "axb", false),
            ("[[]", "[", true),
            ("[]a]", "]", true),
            ("[^]a]", "]", false),
            ("[a&&b]", "&", true),
            ("[[:digit:]]x", "1x", true),
            ("(?i)HELLO", "hello", true),
            ("(?m)^b$", "a\nb", true),
            ("a.b", "a\nb", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().fits(text), fits, "{pattern} in {text:?}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        assert_eq!(Pattern::parse("a(").unwrap_err(), "unclosed group");
        assert_eq!(Pattern::parse("*a").unwrap_err(), "repetition operator missing expression");
    }
}
