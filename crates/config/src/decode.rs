//! A tree to the types of the schema; a field of the wrong type was found before, so that only numbers can be out of range here.

use std::fmt;

use devloop_model::Diagnostic;
use serde::de;
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::Visitor;

use crate::Node;
use crate::Span;
use crate::Value;

/// Returns the value that `node` holds.
///
/// # Errors
/// When it has not the shape of `T`.
pub(crate) fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(Reader(node)).map_err(|fault| {
        let span = fault.span.unwrap_or_else(|| node.span.clone());
        span.error("config/wrong-type", fault.what)
    })
}

/// A fault, and the innermost place that it was seen at.
#[derive(Debug)]
struct Fault {
    what: String,
    span: Option<Span>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self { what: what.to_string(), span: None }
    }
}

impl Fault {
    fn at(mut self, node: &Node) -> Self {
        self.span.get_or_insert_with(|| node.span.clone());
        self
    }
}

fn unexpected(node: &Node, expected: &str) -> Fault {
    Fault { what: format!("expected {expected}, not {}", node.kind()), span: Some(node.span.clone()) }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(node)).map(Some).map_err(|fault| fault.at(node))
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, (crate::Key, Node)>,
    value: Option<&'a Node>,
    /// A field that is null is as good as none; an entry of a text map that is null is one.
    skips_null: bool,
}

impl<'a> Entries<'a> {
    fn of(node: &'a Node, skips_null: bool) -> Self {
        Self { rest: node.as_map().unwrap_or_default().iter(), value: None, skips_null }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let skips_null = self.skips_null;
        let Some((key, value)) = self.rest.find(|(_, value)| !(skips_null && value.is_null())) else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key.text.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let node = self.value.take().expect("serde asks for the key before its value");
        seed.deserialize(Reader(node)).map_err(|fault| fault.at(node))
    }
}

/// Reads one node.
struct Reader<'a>(&'a Node);

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(_) => visitor.visit_map(Entries::of(self.0, false)),
        }
        .map_err(|fault: Fault| fault.at(self.0))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(if self.0.is_null() { false } else { self.0.as_bool().ok_or_else(|| unexpected(self.0, "true or false"))? })
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_i64(if self.0.is_null() { 0 } else { self.0.as_int().ok_or_else(|| unexpected(self.0, "a whole number"))? })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() {
            return visitor.visit_str("");
        }
        visitor.visit_str(&self.0.as_text().ok_or_else(|| unexpected(self.0, "text"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() {
            return visitor.visit_seq(Items([].iter()));
        }
        visitor.visit_seq(Items(self.0.as_list().ok_or_else(|| unexpected(self.0, "a list"))?.iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if !self.0.is_null() && self.0.as_map().is_none() {
            return Err(unexpected(self.0, "a mapping"));
        }
        visitor.visit_map(Entries::of(self.0, false))
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        if !self.0.is_null() && self.0.as_map().is_none() {
            return Err(unexpected(self.0, "a mapping"));
        }
        visitor.visit_map(Entries::of(self.0, true))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct newtype_struct tuple tuple_struct enum identifier ignored_any
    }
}
