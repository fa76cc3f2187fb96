//! Events to console, JSON lines, and the HTTP API of a session.
//!
//! Everything that is shown is a fold of [`devloop_model::Event`]: what is not an event cannot be shown.
//! Secrets are taken out here, at the sink, whatever stage let them slip into a line.

mod api;
mod console;
mod json;
mod redact;
pub mod snapshot;

pub use api::Api;
pub use api::ApiError;
pub use api::ApiSettings;
pub use api::EventLog;
pub use api::SessionInfo;
pub use console::ATTACHABLE;
pub use console::Colours;
pub use console::Console;
pub use console::ConsoleSettings;
pub use console::KeyAction;
pub use console::Mute;
pub use console::PASS_BEGINS;
pub use console::Progress;
pub use console::Verbosity;
pub use console::count;
pub use console::local_time_zone;
pub use console::render_diagnostic;
pub use json::JsonLines;
pub use json::event_schema;
pub use redact::Redactor;
pub use snapshot::Snapshot;

use devloop_model::Event;

/// Where events are shown: on an output, and to clients of the session's API if it has one.
#[derive(Debug)]
pub struct Reporter {
    output: Output,
    api: Option<Api>,
    log: Option<EventLog>,
}

#[derive(Debug)]
enum Output {
    /// For people.
    Console(Box<Console>),
    /// For programs.
    Json(JsonLines),
}

impl Reporter {
    /// Returns a console on standard output and standard error.
    pub fn console(settings: ConsoleSettings, redactor: Redactor) -> Self {
        Self { output: Output::Console(Box::new(Console::new(settings, redactor))), api: None, log: None }
    }

    /// Returns JSON lines on standard output.
    pub fn json(redactor: Redactor) -> Self {
        Self { output: Output::Json(JsonLines::new(Box::new(std::io::stdout()), redactor)), api: None, log: None }
    }

    /// Shows the events from now on to clients of `api` as well.
    pub fn serve(&mut self, api: Api) {
        self.api = Some(api);
    }

    /// Writes the events from now on into files as well.
    pub fn record(&mut self, log: EventLog) {
        self.log = Some(log);
    }

    /// Shows one event; an output that is closed is no error, the program goes on.
    pub fn report(&mut self, event: &Event) {
        if let Some(api) = &self.api {
            api.report(event);
        }
        if let Some(log) = &mut self.log {
            log.report(event);
        }
        match &mut self.output {
            Output::Console(console) => console.report(event),
            Output::Json(lines) => lines.report(event),
        }
    }

    /// Returns what a key asks for; what it changes of the display is shown at once.
    pub fn key(&mut self, key: devloop_model::Key) -> KeyAction {
        match &mut self.output {
            Output::Console(console) => console.key(key),
            Output::Json(_) => KeyAction::None,
        }
    }

    /// Shows a person something that is no fact of the session.
    pub fn note(&mut self, diagnostic: &devloop_model::Diagnostic) {
        if let Output::Console(console) = &mut self.output {
            console.note(diagnostic);
        }
    }

    /// Draws what moves again: the terminal may have another size.
    pub fn resized(&mut self) {
        if let Output::Console(console) = &mut self.output {
            console.draw();
        }
    }

    /// Sets how logs of pods are shown, which only the plan knows.
    pub fn show_logs(&mut self, settings: devloop_model::LogSettings) {
        if let Output::Console(console) = &mut self.output {
            console.show_logs(settings);
        }
    }

    /// Runs `print` while no progress bar is drawn, for data on standard output.
    pub fn suspended<T>(&mut self, print: impl FnOnce() -> T) -> T {
        match &mut self.output {
            Output::Console(console) => console.suspended(print),
            Output::Json(_) => print(),
        }
    }

    /// Ends the display: erases what moves.
    pub fn finish(&mut self) {
        if let Output::Console(console) = &mut self.output {
            console.finish();
        }
    }
}
