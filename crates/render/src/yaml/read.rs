//! YAML text to JSON values, with the places of its documents.

use std::collections::HashMap;

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Span;
use saphyr_parser::Tag;
use serde_json::Map;
use serde_json::Value;

use super::scalar;

/// How many values a file may grow to through its aliases; a file of this size by itself would be 10 MB.
const MOST_VALUES: usize = 1_000_000;
/// How deep values may be nested.
const DEEPEST: usize = 200;

/// One YAML document.
#[derive(Debug, PartialEq)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) value: Value,
    /// Line of its first value, from 1.
    pub(crate) line: usize,
    /// Column of its first value, from 1.
    pub(crate) column: usize,
    /// Keys that are written twice in one mapping, with the line of the second.
    pub(crate) doubles: Vec<(usize, String)>,
}

/// Why a text is not YAML that Kubernetes could read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReadError {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column, from 1.
    pub(crate) column: usize,
    /// What is wrong.
    pub(crate) why: String,
}

impl ReadError {
    fn at(span: Span, why: impl Into<String>) -> Self {
        Self { line: span.start.line(), column: span.start.col() + 1, why: why.into() }
    }
}

/// Returns the documents of `text`, without the empty ones.
///
/// # Errors
/// When it is not YAML, or holds what JSON cannot.
pub(crate) fn read(text: &str) -> Result<Vec<Document>, ReadError> {
    let mut documents = Vec::new();
    let mut builder = Builder::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| ReadError {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            why: error.info().to_owned(),
        })?;
        match event {
            Event::DocumentStart(_) => builder = Builder::default(),
            Event::DocumentEnd => documents.extend(std::mem::take(&mut builder).finish()),
            event => builder.take(event, span)?,
        }
    }
    Ok(documents)
}

/// A collection that is not closed yet.
#[derive(Debug)]
enum Open {
    Sequence { anchor: usize, items: Vec<Value> },
    Mapping { anchor: usize, entries: Map<String, Value>, key: Option<Key> },
}

/// What the next value of a mapping belongs to.
#[derive(Debug)]
enum Key {
    Named(String),
    Merge,
}

/// Builds the value of one document from the parser's events.
#[derive(Debug, Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    root: Option<Value>,
    start: Option<Span>,
    values: usize,
    doubles: Vec<(usize, String)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ReadError> {
        let is_value = matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_));
        if is_value {
            self.start.get_or_insert(span);
            self.count(1, span)?;
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(anchor, _) => self.begin(Open::Sequence { anchor, items: Vec::new() }, span),
            Event::MappingStart(anchor, _) => self.begin(Open::Mapping { anchor, entries: Map::new(), key: None }, span),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let (value, size) = self
                    .anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or_else(|| ReadError::at(span, "this alias stands inside the value that it names"))?;
                self.count(size, span)?;
                self.value(value, span)
            }
            _ => Ok(()),
        }
    }

    /// Counts values, so that aliases of aliases cannot fill the memory.
    fn count(&mut self, more: usize, span: Span) -> Result<(), ReadError> {
        self.values += more;
        if self.values > MOST_VALUES {
            Err(ReadError::at(span, format!("aliases make this document larger than {MOST_VALUES} values")))
        } else {
            Ok(())
        }
    }

    fn begin(&mut self, collection: Open, span: Span) -> Result<(), ReadError> {
        if self.open.len() == DEEPEST {
            return Err(ReadError::at(span, format!("values are nested deeper than {DEEPEST} levels")));
        }
        if matches!(self.open.last(), Some(Open::Mapping { key: None, .. })) {
            return Err(ReadError::at(span, "a key must be text, not a mapping or a sequence"));
        }
        self.open.push(collection);
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), ReadError> {
        let (anchor, value) = match self.open.pop() {
            Some(Open::Sequence { anchor, items }) => (anchor, Value::Array(items)),
            Some(Open::Mapping { anchor, entries, .. }) => (anchor, Value::Object(entries)),
            None => return Ok(()),
        };
        self.remember(anchor, &value);
        self.value(value, span)
    }

    fn remember(&mut self, anchor: usize, value: &Value) {
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size(value)));
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), ReadError> {
        if let Some(Open::Mapping { key: key @ None, entries, .. }) = self.open.last_mut() {
            let plain = style == ScalarStyle::Plain && tag.is_none();
            if plain && text == "<<" {
                *key = Some(Key::Merge);
            } else {
                let name = if plain { scalar::key(text) } else { text.to_owned() };
                if entries.contains_key(&name) {
                    self.doubles.push((span.start.line(), name.clone()));
                }
                *key = Some(Key::Named(name.clone()));
                self.remember(anchor, &Value::String(name));
            }
            return Ok(());
        }
        let value = scalar_value(text, style, tag).map_err(|why| ReadError::at(span, why))?;
        self.remember(anchor, &value);
        self.value(value, span)
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, value: Value, span: Span) -> Result<(), ReadError> {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::Sequence { items, .. }) => items.push(value),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                Some(Key::Named(name)) => drop(entries.insert(name, value)),
                Some(Key::Merge) => merge(entries, value).map_err(|why| ReadError::at(span, why))?,
                None => match value {
                    Value::String(name) => *key = Some(Key::Named(name)),
                    _ => return Err(ReadError::at(span, "a key must be text, not a mapping or a sequence")),
                },
            },
        }
        Ok(())
    }

    fn finish(self) -> Option<Document> {
        let value = self.root.filter(|value| !value.is_null())?;
        let start = self.start.unwrap_or_default().start;
        Some(Document { value, line: start.line(), column: start.col() + 1, doubles: self.doubles })
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Puts the entries of `<<` in, in go-yaml's order: a list's first mapping wins, and the merge wins over keys before it.
fn merge(entries: &mut Map<String, Value>, value: Value) -> Result<(), &'static str> {
    match value {
        Value::Object(merged) => entries.extend(merged),
        Value::Array(items) => {
            for item in items.into_iter().rev() {
                let Value::Object(merged) = item else { return Err("`<<` takes a mapping or a list of mappings") };
                entries.extend(merged);
            }
        }
        _ => return Err("`<<` takes a mapping or a list of mappings"),
    }
    Ok(())
}

/// Returns the value of a scalar that is not a key.
fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let resolved = || scalar::resolve(text).map_err(|scalar::NotJson| format!("`{text}` is a number that Kubernetes cannot hold"));
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { resolved() } else { Ok(Value::String(text.to_owned())) };
    };
    if !tag.is_yaml_core_schema() {
        return Ok(Value::String(text.to_owned()));
    }
    let value = match tag.suffix.as_str() {
        "str" | "timestamp" => return Ok(Value::String(text.to_owned())),
        "binary" => return Err("`!!binary` has no place in a manifest; write the base64 text in quotes".to_owned()),
        _ => resolved()?,
    };
    let fits = match tag.suffix.as_str() {
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    };
    if fits { Ok(value) } else { Err(format!("`{text}` cannot be read as `!!{}`", tag.suffix)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Value {
        let mut documents = read(text).unwrap();
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0).value
    }

    #[test]
    fn collections_anchors_and_merges() {
        for (text, value) in [
            ("a: 1\nb: [x, 'yes', \"0644\", yes]", json!({"a": 1, "b": ["x", "yes", "0644", true]})),
            ("{\"a\": {\"b\": [1, 2.5, null]}}", json!({"a": {"b": [1, 2.5, null]}})),
            ("a: &x {p: 1}\nb: *x", json!({"a": {"p": 1}, "b": {"p": 1}})),
            ("base: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3", json!({"base": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}})),
            ("l: &l {p: 1}\nm: &m {p: 2, q: 2}\nb:\n  <<: [*l, *m]", json!({"l": {"p": 1}, "m": {"p": 2, "q": 2}, "b": {"p": 1, "q": 2}})),
            ("a: !!str 12\nb: !!int \"12\"\nc: !custom 12", json!({"a": "12", "b": 12, "c": "12"})),
            ("a: |\n  x\n  y\nb: >-\n  x\n  y", json!({"a": "x\ny\n", "b": "x y"})),
            ("80: web\non: push\n'<<': 1", json!({"80": "web", "true": "push", "<<": 1})),
            ("a:\nb: ''", json!({"a": null, "b": ""})),
            ("\u{feff}a: 1", json!({"a": 1})),
        ] {
            assert_eq!(one(text), value, "{text}");
        }
    }

    #[test]
    fn documents_keep_their_places() {
        let documents = read("# a comment\n---\na: 1\n---\n---\n# nothing\n---\n\n  b: 1\n  b: 2\n").unwrap();
        let places: Vec<(usize, usize)> = documents.iter().map(|d| (d.line, d.column)).collect();
        assert_eq!(places, [(3, 1), (9, 3)]);
        assert_eq!(documents[1].value, json!({"b": 2}));
        assert_eq!(documents[1].doubles, [(10, "b".to_owned())]);
    }

    #[test]
    fn what_is_not_yaml_has_a_place() {
        for (text, line, why) in [
            ("a: 1\n b: 2\n", 2, "mapping values"),
            ("a: [1, 2\n", 2, "flow"),
            ("a: .inf\n", 1, "cannot hold"),
            ("? [a]\n: 1\n", 1, "key must be text"),
            ("a: *nowhere\n", 1, "anchor"),
            ("a: !!int x\n", 1, "!!int"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error:?}");
            assert!(error.why.contains(why), "{text}: {error:?}");
        }
    }

    #[test]
    fn aliases_of_aliases_do_not_fill_the_memory() {
        let lines = (1..10).map(|level| format!("a{level}: &a{level} [{}]\n", format!("*a{}, ", level - 1).repeat(10)));
        let text: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()).chain(lines).collect();
        assert!(read(&text).unwrap_err().why.contains("larger than"));
    }
}
