//! Values of flags, read as Go's pflag reads them, so that scripts written for Skaffold keep working.

use std::str::FromStr;

/// A boolean flag: `--flag` alone means true, and `--flag=false` is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Switch(pub(crate) bool);

/// A list flag: each occurrence holds one line of comma-separated values, quoted where a value has a comma.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct List(pub(crate) Vec<String>);

/// Why a value is not what its flag wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// Not one of Go's booleans.
    #[error("expected `true` or `false`")]
    Switch,
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    Quote,
}

impl FromStr for Switch {
    type Err = ValueError;

    /// Takes what Go's `strconv.ParseBool` takes.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Self(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Self(false)),
            _ => Err(ValueError::Switch),
        }
    }
}

impl FromStr for List {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut values = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (value, after) = if let Some(quoted) = rest.strip_prefix('"') {
                unquote(quoted)?
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            };
            values.push(value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        Ok(Self(values))
    }
}

/// Returns the text up to the closing quote, with doubled quotes made single, and what follows.
fn unquote(text: &str) -> Result<(String, &str), ValueError> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or(ValueError::Quote)?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None => return Ok((value, rest)),
        }
    }
}

impl List {
    /// Returns all values of all occurrences, in order.
    pub(crate) fn flatten(lists: &[Self]) -> Vec<String> {
        lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_lines_of_comma_separated_values() {
        for (text, values) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a,b=c", vec!["a", "b=c"]),
            (r#""a,b",c"#, vec!["a,b", "c"]),
            (r#""say ""hi""""#, vec![r#"say "hi""#]),
        ] {
            assert_eq!(text.parse::<List>().unwrap().0, values, "{text}");
        }
        assert_eq!(r#""open"#.parse::<List>(), Err(ValueError::Quote));
    }

    #[test]
    fn switches_are_go_booleans() {
        for (text, value) in [("true", true), ("1", true), ("T", true), ("False", false), ("0", false)] {
            assert_eq!(text.parse::<Switch>().unwrap().0, value, "{text}");
        }
        assert_eq!("yes".parse::<Switch>(), Err(ValueError::Switch));
    }
}
