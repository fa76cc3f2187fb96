//! The functions of Sprig 3, which Skaffold offers in its templates; held to what Go gives by golden files.
//!
//! Values have fewer types here than in Go: all whole numbers are one type, a point in time is the text that Go
//! prints for it, a version is a mapping. Random ones, and those that ask the network or make keys, are in [`random`].

mod dates;
mod defaults;
mod dicts;
mod encoding;
mod go;
mod lists;
mod math;
mod paths;
mod random;
mod regexes;
mod semver;
mod strings;
mod urls;
mod words;

pub use self::dates::parse_duration as parse_go_duration;

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::TemplateError;
use gotmpl::Value;
use gotmpl::ValueFunc;

type Result = std::result::Result<Value, TemplateError>;

/// One function: its name, how many arguments it takes (none for the second: any number), and what it does.
type Function = (&'static str, usize, Option<usize>, fn(&Call<'_>) -> Result);

const FAMILIES: [&[Function]; 13] = [
    strings::FUNCTIONS,
    words::FUNCTIONS,
    math::FUNCTIONS,
    lists::FUNCTIONS,
    dicts::FUNCTIONS,
    dates::FUNCTIONS,
    defaults::FUNCTIONS,
    encoding::FUNCTIONS,
    regexes::FUNCTIONS,
    semver::FUNCTIONS,
    urls::FUNCTIONS,
    paths::FUNCTIONS,
    random::FUNCTIONS,
];

/// Returns those functions that `text` may call, by name; `variables` are what `env` and the time zone come from.
pub(super) fn functions(text: &str, variables: &Arc<BTreeMap<String, String>>) -> Vec<(&'static str, ValueFunc)> {
    let named = FAMILIES.iter().flat_map(|family| family.iter()).filter(|(name, ..)| text.contains(name));
    named.map(|&function| (function.0, callable(function, Arc::clone(variables)))).collect()
}

fn callable((name, least, most, body): Function, variables: Arc<BTreeMap<String, String>>) -> ValueFunc {
    Arc::new(move |arguments| {
        if arguments.len() < least || most.is_some_and(|most| arguments.len() > most) {
            return Err(TemplateError::ArgCount { name: name.to_owned(), expected: least, got: arguments.len() });
        }
        body(&Call { name, arguments, variables: &variables })
    })
}

/// Returns whether there is a function called `name`.
pub(super) fn has(name: &str) -> bool {
    FAMILIES.iter().flat_map(|family| family.iter()).any(|(known, ..)| *known == name)
}

/// Returns whether the function changes the mapping that is its first argument, in Go.
pub(super) fn changes_its_argument(name: &str) -> bool {
    matches!(name, "set" | "unset" | "merge" | "mergeOverwrite" | "mustMerge" | "mustMergeOverwrite")
}

/// Returns the value as an action prints it: text where Go writes numbers in another way than gotmpl.
pub(super) fn shown(value: &Value) -> Value {
    match value {
        Value::Float(_) | Value::List(_) | Value::Map(_) => Value::String(go::show(value).into()),
        other => other.clone(),
    }
}

/// One call of a function.
struct Call<'a> {
    name: &'static str,
    arguments: &'a [Value],
    variables: &'a BTreeMap<String, String>,
}

impl<'a> Call<'a> {
    fn get(&self, at: usize) -> &'a Value {
        // The number of arguments was checked before the call.
        self.arguments.get(at).unwrap_or(&Value::Nil)
    }

    fn len(&self) -> usize {
        self.arguments.len()
    }

    fn text(&self, at: usize) -> std::result::Result<&'a str, TemplateError> {
        self.get(at).as_str().ok_or_else(|| self.wrong_type(at, "string"))
    }

    fn int(&self, at: usize) -> std::result::Result<i64, TemplateError> {
        match self.get(at) {
            Value::Int(number) => Ok(*number),
            Value::Uint(number) => Ok(number.cast_signed()),
            _ => Err(self.wrong_type(at, "int")),
        }
    }

    fn boolean(&self, at: usize) -> std::result::Result<bool, TemplateError> {
        if let Value::Bool(value) = self.get(at) { Ok(*value) } else { Err(self.wrong_type(at, "bool")) }
    }

    fn list(&self, at: usize) -> std::result::Result<&'a [Value], TemplateError> {
        match self.get(at) {
            Value::List(items) => Ok(items),
            other => Err(self.fault(format!("cannot be used on type {}", go::kind(other)))),
        }
    }

    fn dict(&self, at: usize) -> std::result::Result<&'a Dict, TemplateError> {
        if let Value::Map(entries) = self.get(at) { Ok(entries) } else { Err(self.wrong_type(at, "map[string]interface {}")) }
    }

    fn texts(&self, from: usize) -> std::result::Result<Vec<&'a str>, TemplateError> {
        (from..self.len()).map(|at| self.text(at)).collect()
    }

    fn wrong_type(&self, at: usize, wanted: &str) -> TemplateError {
        match self.get(at) {
            Value::Nil => self.fault(format!("invalid value; expected {wanted}")),
            other => self.fault(format!("wrong type for value; expected {wanted}; got {}", go::type_of(other))),
        }
    }

    fn fault(&self, why: impl std::fmt::Display) -> TemplateError {
        TemplateError::Exec(format!("error calling {}: {why}", self.name))
    }
}

type Dict = BTreeMap<Arc<str>, Value>;

fn text(text: impl AsRef<str>) -> Result {
    Ok(Value::String(text.as_ref().into()))
}

fn texts<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Result {
    list(items.into_iter().map(|item| Value::String(item.as_ref().into())))
}

fn list(items: impl IntoIterator<Item = Value>) -> Result {
    Ok(Value::List(items.into_iter().collect()))
}

fn dict(entries: impl IntoIterator<Item = (Arc<str>, Value)>) -> Result {
    Ok(Value::Map(Arc::new(entries.into_iter().collect())))
}
