//! Events to console and JSON lines.
//!
//! Everything that is shown is a fold of [`devloop_model::Event`]: what is not an event cannot be shown.
//! Secrets are taken out here, at the sink, whatever stage let them slip into a line.

mod console;
mod json;
mod redact;

pub use console::Colours;
pub use console::Console;
pub use console::ConsoleSettings;
pub use console::Mute;
pub use console::Progress;
pub use console::Verbosity;
pub use console::local_time_zone;
pub use console::render_diagnostic;
pub use json::JsonLines;
pub use json::event_schema;
pub use redact::Redactor;

use devloop_model::Event;

/// Where events are shown.
#[derive(Debug)]
pub enum Reporter {
    /// For people.
    Console(Box<Console>),
    /// For programs.
    Json(JsonLines),
}

impl Reporter {
    /// Returns a console on standard output and standard error.
    pub fn console(settings: ConsoleSettings, redactor: Redactor) -> Self {
        Self::Console(Box::new(Console::new(settings, redactor)))
    }

    /// Returns JSON lines on standard output.
    pub fn json(redactor: Redactor) -> Self {
        Self::Json(JsonLines::new(Box::new(std::io::stdout()), redactor))
    }

    /// Shows one event; an output that is closed is no error, the program goes on.
    pub fn report(&mut self, event: &Event) {
        match self {
            Self::Console(console) => console.report(event),
            Self::Json(lines) => lines.report(event),
        }
    }

    /// Sets how logs of pods are shown, which only the plan knows.
    pub fn show_logs(&mut self, settings: devloop_model::LogSettings) {
        if let Self::Console(console) = self {
            console.show_logs(settings);
        }
    }

    /// Runs `print` while no progress bar is drawn, for data on standard output.
    pub fn suspended<T>(&mut self, print: impl FnOnce() -> T) -> T {
        match self {
            Self::Console(console) => console.suspended(print),
            Self::Json(_) => print(),
        }
    }

    /// Ends the display: erases what moves.
    pub fn finish(&mut self) {
        if let Self::Console(console) = self {
            console.finish();
        }
    }
}
