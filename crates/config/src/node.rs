//! A YAML tree that knows where each of its parts was written.

mod parse;
mod scalar;
mod syntax;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_model::Diagnostic;
use devloop_model::Location;

pub(crate) use self::parse::MAX_DEPTH;
pub(crate) use self::parse::MAX_NODES;
pub use self::parse::parse_documents;
pub(crate) use self::parse::too_deep;

/// How far from a place its line is looked at.
const FAR: usize = 2000;
/// A caret that is longer says no more.
const MAX_WIDTH: usize = 100;

/// The text of one file, with the name that the user knows it by.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, as the user would write it.
    pub file: PathBuf,
    /// All of its text.
    pub text: String,
    /// Where each line starts in it.
    lines: Vec<usize>,
    /// Whether every character of it is one byte.
    is_ascii: bool,
}

/// A place in a source.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    /// The text that the place is in.
    pub source: Arc<Source>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters of that line; at least 1.
    pub width: usize,
}

/// A value and its place.
#[derive(Clone, PartialEq)]
pub struct Node {
    /// What it means by the core schema of YAML 1.2.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
    /// The text of a scalar whose meaning is not text: `1.10` and `0x1F` in a text field mean these letters.
    written: Option<Box<str>>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: `null`, `~` or an empty value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order it was written.
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Source {
    /// Returns `text` as a source called `file`.
    pub fn new(file: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { file: file.into(), is_ascii: text.is_ascii(), text, lines })
    }

    /// Returns a place at `line` and `column`, both from 1.
    pub fn span(self: &Arc<Self>, line: usize, column: usize, width: usize) -> Span {
        Span { source: Arc::clone(self), line, column, width }
    }

    /// Returns what stands in `line` from `column` on.
    fn rest(&self, line: usize, column: usize) -> &str {
        let text = self.line(line);
        let before = column.saturating_sub(1);
        // A long line with many values in it is not counted through for each of them.
        let start = if self.is_ascii { Some(before) } else { text.char_indices().nth(before).map(|(at, _)| at) };
        start.and_then(|start| text.get(start..)).unwrap_or_default()
    }

    fn line(&self, line: usize) -> &str {
        let Some(start) = self.lines.get(line.saturating_sub(1)) else { return "" };
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        self.text[*start..end].strip_suffix('\r').unwrap_or(&self.text[*start..end])
    }
}

impl Span {
    /// Returns the place as a diagnostic shows it, with `label` beside its caret.
    pub fn location(&self, label: impl Into<Option<String>>) -> Location {
        // What is far from the place in a very long line is not looked at, or many faults of one line would take for ever.
        let skipped = self.column.saturating_sub(1 + FAR);
        let line: String = self.source.rest(self.line, skipped + 1).chars().take(2 * FAR).collect();
        // The line of a repository may have a token in it.
        let line = devloop_model::without_credentials(&line);
        let column = self.column - skipped;
        let text = Location::line_text(&line, column);
        let rest = line.chars().skip(column.saturating_sub(1)).take(self.width.min(MAX_WIDTH)).count();
        Location { file: self.source.file.clone(), line: self.line, column: self.column, text, width: rest.max(1), label: label.into() }
    }

    /// Returns an error at this place.
    pub fn error(&self, code: &'static str, what: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, what).at(self.location(None))
    }
}

impl Node {
    /// Returns a node that has no text of its own.
    pub fn new(value: Value, span: Span) -> Self {
        Self { value, span, written: None }
    }

    /// Returns a text node.
    pub fn text(text: impl Into<String>, span: Span) -> Self {
        Self::new(Value::Text(text.into()), span)
    }

    /// Returns an empty mapping.
    pub fn empty_map(span: Span) -> Self {
        Self::new(Value::Map(Vec::new()), span)
    }

    /// Returns whether this is null: the same as if its key were not there.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Returns the entries if this is a mapping.
    pub fn as_map(&self) -> Option<&[(Key, Self)]> {
        if let Value::Map(entries) = &self.value { Some(entries) } else { None }
    }

    /// Returns the items if this is a sequence.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Value::List(items) = &self.value { Some(items) } else { None }
    }

    /// Returns the text of a scalar as a text field takes it: as it was written, whatever it means elsewhere.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        if let Some(written) = &self.written
            && !self.is_null()
        {
            return Some(Cow::Borrowed(written));
        }
        match &self.value {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Bool(value) => Some(Cow::Owned(value.to_string())),
            Value::Int(value) => Some(Cow::Owned(value.to_string())),
            Value::Float(value) => Some(Cow::Owned(value.to_string())),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Returns the meaning in a field of type bool, where YAML 1.1's `yes`, `no`, `on` and `off` count as well (as in go-yaml v3).
    pub fn as_bool(&self) -> Option<bool> {
        match &self.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) => scalar::yaml_1_1_bool(text),
            _ => None,
        }
    }

    /// Returns the meaning in a field that holds a whole number.
    pub fn as_int(&self) -> Option<i64> {
        match self.value {
            Value::Int(value) => Some(value),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(value as i64),
            _ => None,
        }
    }

    /// Returns the value of `key` if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Returns the node that a JSON pointer (RFC 6901) leads to: `/build/artifacts/0/image`.
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        let mut parts = pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
        parts.next();
        parts.try_fold(self, |node, part| match &node.value {
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => node.get(&part),
        })
    }

    /// Returns the key and the value of `key` if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Self)> {
        self.as_map()?.iter().find(|(k, _)| k.text == key).map(|(k, v)| (k, v))
    }

    /// Returns the value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Value::Map(entries) = &mut self.value else { return None };
        entries.iter_mut().find(|(k, _)| k.text == key).map(|(_, value)| value)
    }

    /// Sets `key`: in its place if it is there, else at the end; does nothing if this is no mapping.
    pub fn set(&mut self, key: &str, value: Self) {
        let Value::Map(entries) = &mut self.value else { return };
        if let Some((_, old)) = entries.iter_mut().find(|(k, _)| k.text == key) {
            *old = value;
        } else {
            let key = Key { text: key.to_owned(), span: value.span.clone() };
            entries.push((key, value));
        }
    }

    /// Takes `key` out and returns what it had.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        let Value::Map(entries) = &mut self.value else { return None };
        let at = entries.iter().position(|(k, _)| k.text == key)?;
        Some(entries.remove(at).1)
    }

    /// Returns how many values it is made of.
    pub(crate) fn size(&self) -> usize {
        1 + self.children().map(Self::size).sum::<usize>()
    }

    /// Returns how many values stand within one another.
    pub(crate) fn depth(&self) -> usize {
        1 + self.children().map(Self::depth).max().unwrap_or(0)
    }

    fn children(&self) -> impl Iterator<Item = &Self> {
        let items = self.as_list().unwrap_or_default().iter();
        items.chain(self.as_map().unwrap_or_default().iter().map(|(_, value)| value))
    }

    /// Returns the tree as JSON, without its places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => serde_json::Value::Object(entries.iter().map(|(k, v)| (k.text.clone(), v.to_json())).collect()),
        }
    }

    /// Returns what kind of value this is, in the user's words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}+{}", self.source.file.display(), self.line, self.column, self.width)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{:?}", self.text, self.span)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{:?}", self.value, self.span)
    }
}

/// Returns whether `text` without quotes means itself.
pub(crate) fn plain_text(text: &str) -> bool {
    scalar::is_text(text)
}

#[cfg(test)]
mod tests;
