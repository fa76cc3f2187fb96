//! How an image is run: the fields of its configuration that a Dockerfile decides.

use serde_json::Map;
use serde_json::Value;

/// What a Dockerfile can set.
const FIELDS: [&str; 12] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "User",
    "WorkingDir",
    "ExposedPorts",
    "Volumes",
    "Labels",
    "StopSignal",
    "Healthcheck",
    "Shell",
    "OnBuild",
];

/// What `PATH` is without being set: a builder may say so or leave it to whoever runs the image.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The fields that say something: absent, null and empty are the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Returns what an image's configuration document says.
    pub fn of(document: &Value) -> Self {
        let mut config = Self::default();
        for field in FIELDS {
            config.set(field, document["config"][field].clone());
        }
        for field in ["architecture", "os"] {
            config.set(field, document[field].clone());
        }
        config
    }

    /// Sets a field; to nothing removes it.
    pub fn set(&mut self, field: &str, mut value: Value) {
        if let Value::Array(items) = &mut value
            && field == "Env"
        {
            items.retain(|item| item != DEFAULT_PATH);
        }
        let says_nothing = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty() || field == "WorkingDir" && text == "/",
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        };
        if says_nothing {
            self.0.shift_remove(field);
        } else {
            self.0.insert(field.to_owned(), value);
        }
    }

    /// Returns a field, if it says something.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Returns the names of the fields that say something.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
