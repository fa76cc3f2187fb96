//! Variables in a text, as Go's `os.Expand` replaces them.

use std::collections::BTreeMap;

/// Returns `text` with `$name` and `${name}` replaced; what is not set is empty, and a `$` that names nothing stays.
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let (name, taken) = name(&rest[at + 1..]);
        match name {
            Some(name) => out.push_str(variables.get(name).map_or("", String::as_str)),
            // Bad syntax is eaten, as there.
            None if taken > 0 => {}
            None => out.push('$'),
        }
        rest = &rest[at + 1 + taken..];
    }
    out + rest
}

/// Returns the name that follows a `$`, and how much of the text it takes; no name for a brace that holds none.
fn name(text: &str) -> (Option<&str>, usize) {
    let is_special = |c: char| "*#$@!?-".contains(c) || c.is_ascii_digit();
    if let Some(inside) = text.strip_prefix('{') {
        return match inside.find('}') {
            Some(0) => (None, 2),
            Some(end) => (Some(&inside[..end]), end + 2),
            None => (None, 1),
        };
    }
    if text.starts_with(is_special) {
        return (Some(&text[..1]), 1);
    }
    let end = text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric())).unwrap_or(text.len());
    if end == 0 { (None, 0) } else { (Some(&text[..end]), end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_in_go() {
        let variables = BTreeMap::from([("PATH".to_owned(), "/bin".to_owned()), ("A_1".to_owned(), "a".to_owned())]);
        for (text, expected) in [
            ("/app:$PATH", "/app:/bin"),
            ("${PATH}x$PATHx", "/binx"),
            ("$A_1-${A_1}", "a-a"),
            ("$1 $? $$", "  "),
            ("${", ""),
            ("${}x", "x"),
            ("100$", "100$"),
            ("$ {a}", "$ {a}"),
            ("é$é", "é$é"),
            ("none", "none"),
        ] {
            assert_eq!(expand(text, &variables), expected, "{text}");
        }
    }
}
