//! YAML text to trees: anchors, aliases and merge keys resolved, duplicate keys and alias bombs refused.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use devloop_model::Diagnostic;
use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Tag;

use super::Key;
use super::Node;
use super::Source;
use super::Span;
use super::Value;
use super::scalar;
use super::syntax;

/// Deeper nesting is refused: trees are walked by recursion.
pub(crate) const MAX_DEPTH: usize = 100;
/// How many values a file may have, and how many more its aliases may add: far above any real use, far below what fills memory.
pub(crate) const MAX_NODES: usize = 100_000;
/// How many documents a file may have.
const MAX_DOCUMENTS: usize = 1000;
/// Where one thing is wrong a hundred times, the rest says no more.
const MAX_ERRORS: usize = 100;

/// Returns one tree per document of `source`, empty documents left out, top-level keys that start with `.` dropped (they park anchors).
///
/// # Errors
/// When the text is not YAML, or has a duplicate key, an unknown alias, or aliases and nesting without bound.
pub fn parse_documents(source: &Arc<Source>) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let mut builder = Builder::new(source);
    for event in Parser::new_from_str(&source.text) {
        let step = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(syntax::error(source, &error)),
        };
        if let Err(fatal) = step {
            builder.errors.push(fatal);
            break;
        }
        if builder.documents.len() > MAX_DOCUMENTS {
            let what = format!("this file has more than {MAX_DOCUMENTS} documents");
            builder.errors.extend(builder.documents.last().map(|last| last.span.error("config/too-large", what)));
        }
        if builder.errors.len() >= MAX_ERRORS || builder.documents.len() > MAX_DOCUMENTS {
            break;
        }
    }
    if builder.errors.is_empty() { Ok(builder.documents) } else { Err(builder.errors) }
}

/// A collection that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<Key>,
    /// The keys that were there.
    keys: HashSet<String>,
    /// Values of `<<`, merged when the mapping closes, so that its own keys win.
    merges: Vec<Node>,
    /// The depth of what is inside.
    depth: usize,
}

struct Anchor {
    node: Node,
    depth: usize,
    nodes: usize,
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    documents: Vec<Node>,
    errors: Vec<Diagnostic>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchor>,
    nodes: usize,
    alias_nodes: usize,
}

type Step = Result<(), Diagnostic>;

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        Self { source, documents: Vec::new(), errors: Vec::new(), open: Vec::new(), anchors: HashMap::new(), nodes: 0, alias_nodes: 0 }
    }

    fn take(&mut self, event: Event<'_>, at: saphyr_parser::Span) -> Step {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, _) => self.start(Value::List(Vec::new()), anchor, at),
            Event::MappingStart(anchor, _) => self.start(Value::Map(Vec::new()), anchor, at),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::DocumentEnd => {
                // Anchors end with their document (YAML 1.2.2 §3.2.2.2).
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
        }
    }

    fn span(&self, at: saphyr_parser::Span) -> Span {
        let one_line = at.start.line() == at.end.line();
        let width = if one_line { at.end.index().saturating_sub(at.start.index()) } else { usize::MAX };
        self.source.span(at.start.line(), at.start.col() + 1, width.max(1))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, at: saphyr_parser::Span) -> Step {
        let value = scalar::resolve(text, style, tag);
        let mut span = self.span(at);
        if span.width != usize::MAX {
            // The parser counts the blanks before a comment or the end of the line as well.
            let written: String = self.source.rest(span.line, span.column).chars().take(span.width).collect();
            span.width = written.trim_end().chars().count().max(1);
        }
        let written = if matches!(value, Value::Text(_)) { None } else { Some(text.into()) };
        self.close(Node { value, span, written }, anchor, 0)
    }

    fn start(&mut self, value: Value, anchor: usize, at: saphyr_parser::Span) -> Step {
        let mut span = self.span(at);
        span.width = 1;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(&span));
        }
        self.open.push(Open { node: Node::new(value, span), anchor, key: None, keys: HashSet::new(), merges: Vec::new(), depth: 0 });
        Ok(())
    }

    fn end(&mut self) -> Step {
        let mut done = self.open.pop().expect("the parser closes only what it opened");
        for merged in std::mem::take(&mut done.merges) {
            merge(&mut done.node, merged)?;
        }
        if let Value::Map(entries) = &done.node.value
            && let Some((first, _)) = entries.first()
            && first.span.line == done.node.span.line
        {
            done.node.span.width = first.span.width;
        }
        self.close(done.node, done.anchor, done.depth + 1)
    }

    fn alias(&mut self, anchor: usize, at: saphyr_parser::Span) -> Step {
        let span = self.span(at);
        let Some(found) = self.anchors.get(&anchor) else {
            if self.open.iter().any(|open| open.anchor == anchor) {
                return Err(span.error("config/invalid-yaml", "an alias stands inside of the value that it names"));
            }
            let error = span.error("config/invalid-yaml", "this alias names an anchor of another document");
            return Err(error.help("anchors end with their document: write `&name` into this one as well"));
        };
        self.alias_nodes += found.nodes;
        if self.alias_nodes > MAX_NODES {
            return Err(span
                .error("config/too-many-aliases", format!("aliases add more than {MAX_NODES} values to this file"))
                .help("write a list or mapping once, and use it at fewer places"));
        }
        if self.open.len() + found.depth > MAX_DEPTH {
            return Err(too_deep(&span));
        }
        let (node, depth) = (found.node.clone(), found.depth);
        self.close(node, 0, depth)
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node, anchor: usize, depth: usize) -> Step {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { nodes: node.size(), node: node.clone(), depth });
        }
        let Some(parent) = self.open.last_mut() else {
            self.document(node);
            return Ok(());
        };
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(node.span.error("config/too-large", format!("this file has more than {MAX_NODES} values")));
        }
        parent.depth = parent.depth.max(depth);
        match &mut parent.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match parent.key.take() {
                None => parent.key = Some(key_of(&node)?),
                Some(key) if key.text == "<<" => parent.merges.push(node),
                Some(key) if parent.keys.insert(key.text.clone()) => entries.push((key, node)),
                Some(key) => {
                    let first = entries.iter().find(|(k, _)| k.text == key.text);
                    self.errors.extend(first.map(|(first, _)| duplicate_key(&key, first)));
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn document(&mut self, mut node: Node) {
        if let Value::Map(entries) = &mut node.value {
            entries.retain(|(key, _)| !key.text.starts_with('.'));
        }
        if !node.is_null() {
            self.documents.push(node);
        }
    }
}

fn key_of(node: &Node) -> Result<Key, Diagnostic> {
    let text = match &node.value {
        Value::Null => node.written.as_deref().unwrap_or_default().into(),
        _ => node.as_text().ok_or_else(|| no_key(node))?,
    };
    Ok(Key { text: text.into_owned(), span: node.span.clone() })
}

fn no_key(node: &Node) -> Diagnostic {
    let error = node.span.error("config/invalid-yaml", format!("a key must be text, not {}", node.kind()));
    let before = node.span.source.line(node.span.line).chars().take(node.span.column);
    // `{{.NAME}}` is a mapping in a mapping.
    if before.collect::<String>().ends_with("{{") { error.help("put a template in quotes: `\"{{.NAME}}\"`") } else { error }
}

/// Adds what `into` does not have yet; of several merged mappings the first wins.
fn merge(into: &mut Node, from: Node) -> Step {
    match from.value {
        Value::Map(new) => {
            if let Value::Map(entries) = &mut into.value {
                let known: HashSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
                entries.extend(new.into_iter().filter(|(key, _)| !known.contains(&key.text)));
            }
            Ok(())
        }
        Value::List(items) => items.into_iter().try_for_each(|item| merge(into, item)),
        _ => Err(from.span.error("config/invalid-yaml", "`<<` takes a mapping or a list of mappings")),
    }
}

fn duplicate_key(key: &Key, first: &Key) -> Diagnostic {
    Diagnostic::error("config/duplicate-key", format!("`{}` is written twice in one mapping", key.text))
        .at(key.span.location(format!("first written at line {}", first.span.line)))
}

/// Returns the error that what is at `span` is nested too deep.
pub(crate) fn too_deep(span: &Span) -> Diagnostic {
    span.error("config/nested-too-deep", format!("values are nested more than {MAX_DEPTH} deep"))
}
