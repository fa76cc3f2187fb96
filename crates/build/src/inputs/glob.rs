//! Go's `filepath.Match` and `filepath.Glob`: what COPY and ADD understand.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A pattern that is malformed: an open `[`, an empty range, a `\` at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadPattern;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Star,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// A parsed pattern (Go's `path/filepath/match.go`, as on Unix).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Token>);

impl Glob {
    /// Returns the pattern.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn parse(pattern: &str) -> Result<Self, BadPattern> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(next) = chars.next() {
            tokens.push(match next {
                '*' => Token::Star,
                '?' => Token::One,
                '[' => class(&mut chars)?,
                '\\' => Token::Char(chars.next().ok_or(BadPattern)?),
                other => Token::Char(other),
            });
        }
        Ok(Self(tokens))
    }

    /// Returns whether the whole of `name` fits.
    pub(crate) fn matches(&self, name: &str) -> bool {
        fits(&self.0, name)
    }
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, BadPattern> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if chars.peek() == Some(&']') && !ranges.is_empty() {
            chars.next();
            return Ok(Token::Class { negated, ranges });
        }
        let low = class_char(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { class_char(chars)? } else { low };
        ranges.push((low, high));
    }
}

fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, BadPattern> {
    match chars.next() {
        None | Some('-' | ']') => Err(BadPattern),
        Some('\\') => chars.next().ok_or(BadPattern),
        Some(other) => Ok(other),
    }
}

fn fits(tokens: &[Token], name: &str) -> bool {
    let Some((first, rest)) = tokens.split_first() else { return name.is_empty() };
    if *first == Token::Star {
        let reach = name.find('/').unwrap_or(name.len());
        return name[..reach].char_indices().map(|(at, _)| at).chain([reach]).any(|at| fits(rest, &name[at..]));
    }
    let Some(next) = name.chars().next() else { return false };
    let here = match first {
        Token::Star => false,
        Token::One => next != '/',
        Token::Char(expected) => *expected == next,
        Token::Class { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&next)) != *negated,
    };
    here && fits(rest, &name[next.len_utf8()..])
}

/// Returns whether `text` has letters that mean something in a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// Returns what exists below `root` and fits `pattern`, component by component, as paths relative to
/// `root`, sorted; directories that cannot be read have nothing.
///
/// # Errors
/// When the pattern is malformed.
pub(crate) fn expand(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, BadPattern> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.split('/').filter(|component| !component.is_empty() && *component != ".") {
        found = if is_pattern(component) {
            let glob = Glob::parse(component)?;
            found.iter().flat_map(|base| entries(root, base, &glob)).collect()
        } else {
            found.into_iter().map(|base| base.join(component)).filter(|path| root.join(path).symlink_metadata().is_ok()).collect()
        };
    }
    Ok(found)
}

fn entries(root: &Path, base: &Path, glob: &Glob) -> Vec<PathBuf> {
    let names = fs::read_dir(root.join(base)).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.file_name());
    let mut fitting: Vec<PathBuf> =
        names.filter(|name| name.to_str().is_some_and(|name| glob.matches(name))).map(|name| base.join(name)).collect();
    fitting.sort();
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_go() {
        for (pattern, name, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("[x\\-]", "z", false),
            ("*x", "xxx", true),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn malformed_patterns_are_told() {
        for pattern in ["[", "[^", "[^bc", "a[", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "\\"] {
            assert_eq!(Glob::parse(pattern), Err(BadPattern), "{pattern}");
        }
    }

    #[test]
    fn files_are_found_component_by_component() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/x.go", "a/y.txt", "b/x.go", "b/deep/x.go", "*star"] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), "").unwrap();
        }
        for (pattern, expected) in [
            ("*/x.go", vec!["a/x.go", "b/x.go"]),
            ("/a/*", vec!["a/x.go", "a/y.txt"]),
            ("./a/x.go", vec!["a/x.go"]),
            ("a/none", vec![]),
            ("\\*star", vec!["*star"]),
            ("*", vec!["*star", "a", "b"]),
            (".", vec![""]),
        ] {
            let expected: Vec<PathBuf> = expected.into_iter().map(PathBuf::from).collect();
            assert_eq!(expand(dir.path(), pattern).unwrap(), expected, "{pattern}");
        }
    }
}
