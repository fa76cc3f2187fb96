//! Words of an instruction, and variables in them (BuildKit's `frontend/dockerfile/shell`).

/// Why a word cannot be told without running the builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It asks for a variable with `:?`, and there is none: the builder will say so.
    Unset,
    /// It edits a variable by patterns (`${x#y}`).
    Edited,
}

/// Returns the first word of `text` with its quotes; empty at the end.
pub(crate) fn first(text: &str, escape: char) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some('\'') if c != '\'' => {}
            _ if c == escape => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() => return &text[..at],
            _ => {}
        }
    }
    text
}

/// Returns the words of `text`, each with its quotes.
pub(crate) fn split(text: &str, escape: char) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_start();
    std::iter::from_fn(move || {
        let word = first(rest, escape);
        rest = rest[word.len()..].trim_start();
        (!word.is_empty()).then_some(word)
    })
}

/// Returns `word` without quotes and escapes; variables stay as they are.
pub(crate) fn unquote(word: &str, escape: char) -> String {
    expand(word, escape, &mut |name| Some(format!("${{{name}}}"))).unwrap_or_else(|_| word.to_owned())
}

/// Returns `word` without quotes and escapes, and with the values of its variables; one that is not
/// set is empty.
///
/// # Errors
/// When the value cannot be told.
pub(crate) fn expand(word: &str, escape: char, lookup: &mut dyn FnMut(&str) -> Option<String>) -> Result<String, Unknown> {
    let mut out = String::with_capacity(word.len());
    let mut quote = None;
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), c) => out.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (quote, c) if c == escape => {
                let next = rest.chars().next().unwrap_or(escape);
                // Between double quotes only what means something there is escaped.
                if quote.is_some() && next != '"' && next != '$' && next != escape {
                    out.push(escape);
                } else {
                    out.push(next);
                    rest = rest.get(next.len_utf8()..).unwrap_or_default();
                }
            }
            (_, '$') => rest = variable(rest, escape, lookup, &mut out)?,
            (_, c) => out.push(c),
        }
    }
    Ok(out)
}

/// Appends the value of the variable that `rest` starts with, and returns what is behind it.
fn variable<'a>(rest: &'a str, escape: char, lookup: &mut dyn FnMut(&str) -> Option<String>, out: &mut String) -> Result<&'a str, Unknown> {
    let Some(braced) = rest.strip_prefix('{') else {
        let name = name_of(rest);
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&lookup(name).unwrap_or_default());
        }
        return Ok(&rest[name.len()..]);
    };
    let name = name_of(braced);
    let close = closing(&braced[name.len()..]).ok_or(Unknown::Edited)? + name.len();
    let operation = &braced[name.len()..close];
    let behind = &braced[close + 1..];
    let value = lookup(name);
    let (colon, operation) = operation.strip_prefix(':').map_or((false, operation), |rest| (true, rest));
    let is_set = value.as_ref().is_some_and(|value| !colon || !value.is_empty());
    let mut chars = operation.chars();
    match chars.next() {
        None if colon || name.is_empty() => return Err(Unknown::Edited),
        None | Some('-' | '?') if operation.is_empty() || is_set => out.push_str(&value.unwrap_or_default()),
        Some('-') => out.push_str(&expand(chars.as_str(), escape, lookup)?),
        Some('+') if is_set => out.push_str(&expand(chars.as_str(), escape, lookup)?),
        Some('+') => {}
        Some('?') => return Err(Unknown::Unset),
        _ => return Err(Unknown::Edited),
    }
    Ok(behind)
}

/// A name, or one of the digits and signs that are names in a shell.
fn name_of(text: &str) -> &str {
    let end = match text.chars().next() {
        Some(c) if c.is_ascii_alphabetic() || c == '_' => text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len()),
        Some('0'..='9' | '@' | '*' | '#') => 1,
        _ => 0,
    };
    &text[..end]
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes() {
        let words: Vec<&str> = split(r#"a "b c" d\ e 'f " g'h  <<EOF"#, '\\').collect();
        assert_eq!(words, ["a", r#""b c""#, r"d\ e", r#"'f " g'h"#, "<<EOF"]);
    }

    #[test]
    fn variables_get_their_values() {
        for (word, expected) in [
            ("$a/x", Ok("1/x")),
            ("${a}x", Ok("1x")),
            ("$none/x", Ok("/x")),
            ("${none:-d}", Ok("d")),
            ("${none:-$a}", Ok("1")),
            ("${none:-${a}2}", Ok("12")),
            ("${empty:-d}", Ok("d")),
            ("${empty-d}", Ok("")),
            ("${none-d}", Ok("d")),
            ("${a:+y}", Ok("y")),
            ("${empty:+y}", Ok("")),
            ("${empty+y}", Ok("y")),
            ("${a:?no}", Ok("1")),
            ("${none:?no}", Err(Unknown::Unset)),
            ("${a#1}", Err(Unknown::Edited)),
            ("${a//1/2}", Err(Unknown::Edited)),
            ("${a", Err(Unknown::Edited)),
            ("'$a'", Ok("$a")),
            ("\"$a b\"", Ok("1 b")),
            (r"\$a", Ok("$a")),
            (r#""\$a \x \"""#, Ok(r#"$a \x ""#)),
            ("a$", Ok("a$")),
            ("$1x", Ok("x")),
            ("é$a", Ok("é1")),
        ] {
            let result = expand(word, '\\', &mut |name| match name {
                "a" => Some("1".to_owned()),
                "empty" => Some(String::new()),
                _ => None,
            });
            assert_eq!(result.as_deref(), expected.as_ref().copied(), "{word}");
        }
    }
}
