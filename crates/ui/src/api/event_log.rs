//! `--event-log-file`: Skaffold's messages in files, one per line (`SaveEventsToFile` of `pkg/skaffold/event`).

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::path::Path;

use devloop_model::Event;
use devloop_model::EventKind;

use super::proto::Phases;
use super::skaffold_v1;
use super::skaffold_v2;
use crate::Redactor;
use crate::Snapshot;

/// Writes the messages of Skaffold's first event API into a file, and those of the second into `FILE.v2`.
///
/// They are written as they happen: a session that is killed leaves what it did.
#[derive(Debug)]
pub struct EventLog {
    first: File,
    second: File,
    redactor: Redactor,
    snapshot: Snapshot,
}

impl EventLog {
    /// Returns a log that goes on where these files end.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(file: &Path, redactor: Redactor) -> io::Result<Self> {
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let open = |path: &Path| File::options().append(true).create(true).open(path);
        let mut second = OsString::from(file);
        second.push(".v2");
        Ok(Self { first: open(file)?, second: open(Path::new(&second))?, redactor, snapshot: Snapshot::default() })
    }

    /// Writes one event; a disk that is full does not end the session.
    pub(crate) fn report(&mut self, event: &Event) {
        if matches!(event.fact, EventKind::PodLog { .. } | EventKind::StepProgress { .. }) {
            return;
        }
        let before = Phases::of(&self.snapshot);
        self.snapshot.apply(event);
        for (file, messages) in [
            (&mut self.first, skaffold_v1::entries(event, before, &self.snapshot)),
            (&mut self.second, skaffold_v2::events(event, before, &self.snapshot)),
        ] {
            for mut message in messages {
                self.redactor.json(&mut message);
                drop(file.write_all(format!("{message}\n").as_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::sample;

    #[test]
    fn messages_are_written_as_they_happen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("new/events.json");
        let mut log = EventLog::append(&file, Redactor::new(["FROM web".to_owned()])).unwrap();
        for event in sample::run_of_two() {
            log.report(&event);
        }
        let read = |path: &Path| -> Vec<serde_json::Value> {
            std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let first = read(&file);
        assert!(first[0]["event"].get("metaEvent").is_some() && first.last().unwrap()["event"].get("terminationEvent").is_some());
        let second = read(&file.with_extension("json.v2"));
        assert!(second.iter().any(|message| message["skaffoldLogEvent"]["message"] == "#1 ***\n"));
        drop(EventLog::append(&file, Redactor::default()).unwrap());
        assert_eq!(read(&file).len(), first.len(), "a later session adds to it");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(EventLog::append(directory.path(), Redactor::default()).is_err());
    }
}
