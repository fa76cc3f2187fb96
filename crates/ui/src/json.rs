//! Events as JSON, one per line, and their schema.

use std::fmt;
use std::io::Write;

use devloop_model::Event;

use crate::Redactor;

/// Writes one JSON object per event.
pub struct JsonLines {
    out: Box<dyn Write + Send>,
    redactor: Redactor,
}

impl JsonLines {
    /// Returns a writer of events into `out`.
    pub fn new(out: Box<dyn Write + Send>, redactor: Redactor) -> Self {
        Self { out, redactor }
    }

    /// Writes one event and flushes it: its reader acts on it now.
    pub fn report(&mut self, event: &Event) {
        let mut value = serde_json::to_value(event).expect("an event has text keys and finite numbers only");
        self.redactor.json(&mut value);
        let written = writeln!(self.out, "{value}").and_then(|()| self.out.flush());
        // A reader that went away is told nothing more; the signal for it ends the program.
        drop(written);
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").finish_non_exhaustive()
    }
}

/// Returns the JSON Schema of one line; `schemas/event.v1.json` is its text, and only grows.
pub fn event_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Event);
    schema.insert("$id".to_owned(), "event.v1.json".into());
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;
    use crate::console::sample;

    /// A writer that can be read afterwards.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_is_one_event() {
        let out = Shared::default();
        let mut lines = JsonLines::new(Box::new(out.clone()), Redactor::default());
        let events = sample::run_of_two();
        for event in &events {
            lines.report(event);
        }
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events);
    }

    #[test]
    fn secrets_do_not_reach_the_output() {
        let out = Shared::default();
        let mut lines = JsonLines::new(Box::new(out.clone()), Redactor::new(["hunter2".to_owned()]));
        lines.report(&sample::log_line(1, "password is hunter2"));
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("password is ***") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_schema_file_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/event.v1.json");
        let wanted = format!("{:#}\n", event_schema());
        if std::env::var_os("DEVLOOP_UPDATE_SCHEMAS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == wanted, "schemas/event.v1.json is old: run this test with DEVLOOP_UPDATE_SCHEMAS=1");
    }

    #[test]
    fn the_schema_names_every_type_that_is_written() {
        let schema = event_schema();
        let variants = schema["$defs"]["EventKind"]["oneOf"].as_array().unwrap();
        let names: Vec<&str> = variants.iter().map(|variant| variant["properties"]["type"]["const"].as_str().unwrap()).collect();
        for event in sample::run_of_two() {
            let value = serde_json::to_value(&event).unwrap();
            let name = value["fact"]["type"].as_str().unwrap();
            let variant = &variants[names.iter().position(|known| *known == name).unwrap()];
            for key in variant["required"].as_array().into_iter().flatten() {
                assert!(value["fact"].get(key.as_str().unwrap()).is_some(), "{name} lacks {key}");
            }
            for key in value["fact"].as_object().unwrap().keys() {
                assert!(variant["properties"].get(key).is_some(), "{name} has {key}, which the schema does not know");
            }
        }
    }
}
