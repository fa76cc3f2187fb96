//! `.dockerignore`: which files a build cannot see, by the rules of moby's `patternmatcher` and
//! `ignorefile` packages. They are not those of `.gitignore`.

use std::path::Component;
use std::path::Path;

use regex::Regex;

use super::glob::Glob;

/// The patterns of one ignore file, in their order: the last that matches decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct IgnorePatterns {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    /// Starts with `!`: what it matches is seen again.
    negated: bool,
    text: String,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Exact,
    /// `a**`: any path that starts so.
    Prefix,
    /// `**a`: any path that ends so; the text behind the stars.
    Suffix,
    Regex(Regex),
}

/// Why an ignore file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct IgnoreError {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Text of that line.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) why: &'static str,
}

/// Which patterns matched a directory or one above it; what is below it inherits them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matched(Option<Vec<bool>>);

impl IgnorePatterns {
    /// Returns the patterns of an ignore file: a byte order mark, lines that start with `#` and white
    /// space around a pattern are dropped, `/` at its start means nothing.
    ///
    /// # Errors
    /// When a pattern is malformed.
    pub(crate) fn parse(file: &str) -> Result<Self, IgnoreError> {
        let mut patterns = Vec::new();
        for (at, line) in file.strip_prefix('\u{feff}').unwrap_or(file).lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let fail = |why| IgnoreError { line: at + 1, text: line.to_owned(), why };
            patterns.push(Pattern::parse(line.trim()).map_err(fail)?);
        }
        Ok(Self { patterns })
    }

    /// Returns whether there is nothing to ignore.
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns whether `path` is ignored, and what matched on the way, for the paths below it.
    /// `parent` is what matched the directory that it is in.
    pub(crate) fn check(&self, path: &str, parent: &Matched) -> (bool, Matched) {
        let mut ignored = false;
        let mut matched = vec![false; self.patterns.len()];
        for (at, pattern) in self.patterns.iter().enumerate() {
            let inherited = parent.0.as_ref().is_some_and(|parent| parent[at]);
            // A pattern that cannot change the outcome is not tried; moby's matcher does the same,
            // and what is not tried is not inherited.
            if !inherited && (pattern.negated != ignored || !pattern.matches(path)) {
                continue;
            }
            matched[at] = true;
            ignored = !pattern.negated;
        }
        (ignored, Matched(Some(matched)))
    }

    /// Returns whether `path` is ignored, looking at every directory above it.
    #[cfg(test)]
    pub(crate) fn ignores(&self, path: &str) -> bool {
        let mut matched = Matched::default();
        let mut ignored = false;
        for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
            (ignored, matched) = self.check(&path[..end], &matched);
        }
        ignored
    }

    /// Returns what matched the directories above `path`, to start checking in the middle of a tree.
    pub(crate) fn above(&self, path: &str) -> Matched {
        let mut matched = Matched::default();
        for (end, _) in path.match_indices('/') {
            matched = self.check(&path[..end], &matched).1;
        }
        matched
    }

    /// Returns whether something below the ignored directory `dir` may be seen again, so that it has
    /// to be looked into.
    pub(crate) fn may_see_below(&self, dir: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.negated && pattern.may_match_below(dir))
    }
}

impl Pattern {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let (negated, text) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        if text.is_empty() {
            return Err("a `!` needs a pattern behind it");
        }
        let text = clean(text);
        let text = if text.len() > 1 { text.strip_prefix('/').unwrap_or(&text).to_owned() } else { text };
        Glob::parse(&text).map_err(|_| "this pattern is malformed")?;
        let test = compile(&text)?;
        Ok(Self { negated, text, test })
    }

    fn matches(&self, path: &str) -> bool {
        match &self.test {
            Test::Exact => path == self.text,
            Test::Prefix => path.starts_with(&self.text[..self.text.len() - 2]),
            Test::Suffix => {
                let suffix = &self.text[2..];
                path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path)
            }
            Test::Regex(regex) => regex.is_match(path),
        }
    }

    /// Component by component: one with a wildcard may be anything, one with `**` anything and more.
    fn may_match_below(&self, dir: &str) -> bool {
        let mut wanted = self.text.split('/');
        for component in dir.split('/') {
            match wanted.next() {
                None => return false,
                Some(pattern) if pattern.contains("**") => return true,
                Some(pattern) if !super::glob::is_pattern(pattern) && pattern != component => return false,
                Some(_) => {}
            }
        }
        wanted.next().is_some()
    }
}

/// Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            Component::ParentDir if path.starts_with('/') => {}
            Component::ParentDir => parts.push(".."),
            Component::Normal(name) => parts.push(name.to_str().unwrap_or_default()),
            _ => {}
        }
    }
    let joined = parts.join("/");
    match (path.starts_with('/'), joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Chooses the cheapest test, as moby does: most patterns need no regular expression.
fn compile(pattern: &str) -> Result<Test, &'static str> {
    let mut regex = String::from("^");
    let mut test = Test::Exact;
    let mut needs_regex = false;
    let mut chars = pattern.chars().peekable();
    let mut first = true;
    while let Some(next) = chars.next() {
        match next {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_some() {
                    regex.push_str("(.*/)?");
                    needs_regex = true;
                } else if matches!(test, Test::Exact) && !needs_regex {
                    test = Test::Prefix;
                } else {
                    regex.push_str(".*");
                    needs_regex = true;
                }
                if first {
                    test = Test::Suffix;
                    needs_regex = false;
                }
            }
            '*' | '?' => {
                regex.push_str(if next == '*' { "[^/]*" } else { "[^/]" });
                needs_regex = true;
            }
            '\\' => {
                regex.push('\\');
                regex.extend(chars.next());
                needs_regex = true;
            }
            '[' | ']' => {
                regex.push(next);
                needs_regex = true;
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => regex.extend(['\\', next]),
            other => regex.push(other),
        }
        first = false;
    }
    if !needs_regex {
        return Ok(test);
    }
    regex.push('$');
    Regex::new(&from_go(&regex)).map(Test::Regex).map_err(|_| "this pattern is malformed")
}

/// Rewrites what Go's regular expressions read differently: in a class, `[`, `&&`, `--` and `~~` are
/// plain letters there; `\<` and `\>` are no word borders.
fn from_go(go: &str) -> String {
    let mut rust = String::with_capacity(go.len());
    let mut in_class = false;
    let mut chars = go.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '\\' if chars.peek().is_some_and(|c| matches!(c, '<' | '>')) => rust.extend(chars.next()),
            '\\' => {
                rust.push('\\');
                rust.extend(chars.next());
            }
            '[' if !in_class => {
                in_class = true;
                rust.push('[');
                rust.extend(chars.next_if_eq(&'^'));
                if chars.next_if_eq(&']').is_some() {
                    rust.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                rust.push(']');
            }
            '[' | '&' | '~' if in_class => rust.extend(['\\', next]),
            '-' if in_class && chars.peek() == Some(&'-') => rust.push_str("\\-"),
            other => rust.push(other),
        }
    }
    rust
}

#[cfg(test)]
mod tests;
