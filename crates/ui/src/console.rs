//! The console: Skaffold's lines in Skaffold's order, progress bars on a terminal, diagnostics.

mod bars;
mod debuggers;
mod diagnostic;
mod duration;
mod hands;
mod logs;
mod muted;
mod paint;
mod panel;
mod pass;
mod readiness;
#[cfg(test)]
pub(crate) mod sample;
mod saves;
mod terminal;
#[cfg(test)]
mod tests;
mod transcript;
mod turns;

use std::fmt;
use std::io::IsTerminal;
use std::io::Write;

use devloop_model::Diagnostic;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::Key;
use devloop_model::LogSettings;
use devloop_model::Outcome;

pub use self::debuggers::ATTACHABLE;
pub use self::debuggers::PASS_BEGINS;
pub use self::diagnostic::render_diagnostic;
pub use self::hands::KeyAction;
pub use self::paint::Colours;
pub use self::pass::count;

use self::bars::Bars;
use self::hands::Hands;
use self::paint::Line;
use self::paint::Place;
use self::panel::Panel;
use self::transcript::Transcript;
use crate::Redactor;

/// Where progress goes; diagnostics always go to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Progress {
    /// Standard output, as Skaffold.
    #[default]
    Stdout,
    /// Standard error: standard output has data.
    Stderr,
    /// Nowhere.
    Nowhere,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors only.
    Errors,
    /// And warnings.
    #[default]
    Warnings,
    /// And what is decided and why.
    Info,
    /// And everything else.
    Debug,
}

/// Stages whose own lines are hidden (`--mute-logs`) unless they fail; their results are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mute {
    /// Lines of builders.
    pub build: bool,
    /// Lines of tests.
    pub tests: bool,
    /// Lines of deployers.
    pub deploy: bool,
    /// Progress of objects that are waited for.
    pub status_check: bool,
}

/// How the console looks.
#[derive(Debug, Clone, Default)]
pub struct ConsoleSettings {
    /// Where progress goes.
    pub progress: Progress,
    /// Whether that place is a terminal, so that bars can move.
    pub terminal: bool,
    /// Whether lines have colours.
    pub colours: Colours,
    /// The zone of the time before each line; none means no time.
    pub timestamps: Option<jiff::tz::TimeZone>,
    /// How much is said.
    pub verbosity: Verbosity,
    /// What is hidden.
    pub mute: Mute,
    /// Whether the bell rings when builds and deploys are done.
    pub bell: bool,
    /// How logs of pods are shown.
    pub logs: LogSettings,
}

/// Returns the time zone of this machine, for [`ConsoleSettings::timestamps`].
pub fn local_time_zone() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::system()
}

/// Shows events to people.
pub struct Console {
    transcript: Transcript,
    bars: Option<Bars>,
    /// The foot of a watching session's terminal.
    panel: Option<Panel>,
    hands: Hands,
    progress: Option<Box<dyn Write + Send>>,
    errors: Box<dyn Write + Send>,
    colours: Colours,
    timestamps: Option<jiff::tz::TimeZone>,
    redactor: Redactor,
}

impl Console {
    /// Returns a console on standard output and standard error.
    pub fn new(mut settings: ConsoleSettings, redactor: Redactor) -> Self {
        settings.terminal &= match settings.progress {
            Progress::Stdout => std::io::stdout().is_terminal(),
            Progress::Stderr => std::io::stderr().is_terminal(),
            Progress::Nowhere => false,
        };
        let (out, target): (Option<Box<dyn Write + Send>>, _) = match settings.progress {
            Progress::Stdout => (Some(Box::new(std::io::stdout())), terminal::target(console::Term::buffered_stdout())),
            Progress::Stderr => (Some(Box::new(std::io::stderr())), terminal::target(console::Term::buffered_stderr())),
            Progress::Nowhere => (None, indicatif::ProgressDrawTarget::hidden()),
        };
        let bars = (settings.terminal && out.is_some()).then(|| Bars::new(target, true));
        Self::with(settings, redactor, out, Box::new(std::io::stderr()), bars)
    }

    /// Returns a console on these outputs.
    fn with(
        settings: ConsoleSettings,
        redactor: Redactor,
        progress: Option<Box<dyn Write + Send>>,
        errors: Box<dyn Write + Send>,
        bars: Option<Bars>,
    ) -> Self {
        Self {
            colours: settings.colours,
            timestamps: settings.timestamps.clone(),
            transcript: Transcript::new(settings),
            bars,
            panel: None,
            hands: Hands::default(),
            progress,
            errors,
            redactor,
        }
    }

    /// Shows one event; an output that is closed is no error, the program goes on.
    pub fn report(&mut self, event: &Event) {
        if let EventKind::SessionStarted { command, .. } = &event.fact
            && matches!(command.as_str(), "dev" | "debug")
            && self.bars.is_some()
        {
            self.panel = Some(Panel::default());
        }
        let lines = self.transcript.lines(event);
        let mut lines = self.hands.wanted(event, lines);
        if matches!(&event.fact, EventKind::StepFinished { outcome: Outcome::Failed { .. }, .. }) {
            // What was hidden may say why.
            lines.extend(self.hands.back());
        }
        self.print(lines, event.at);
        if let Some(bars) = &mut self.bars {
            bars.follow(event, &self.redactor);
        }
        if self.panel.as_mut().is_some_and(|panel| panel.apply(event)) {
            self.draw();
        }
    }

    /// Returns what a key asks for, after showing what it changes here.
    pub fn key(&mut self, key: Key) -> KeyAction {
        let Some(panel) = &self.panel else { return KeyAction::None };
        let (action, lines) = self.hands.key(key, panel.snapshot());
        self.print(lines, jiff::Timestamp::now());
        self.draw();
        action
    }

    /// Shows something that is no fact of the session.
    pub fn note(&mut self, diagnostic: &Diagnostic) {
        self.print(vec![diagnostic::line(diagnostic)], jiff::Timestamp::now());
        self.draw();
    }

    /// Draws the foot of the terminal again, which may have another size now.
    pub fn draw(&mut self) {
        if let (Some(panel), Some(bars)) = (&self.panel, &mut self.bars) {
            let rows = panel.rows(&self.hands.row(), Bars::columns(), self.colours);
            let clean: Vec<String> = rows.iter().map(|row| self.redactor.text(row).into_owned()).collect();
            bars.show(&clean);
        }
    }

    fn print(&mut self, mut lines: Vec<Line>, at: jiff::Timestamp) {
        for line in &mut lines {
            line.redact(&self.redactor);
        }
        if lines.is_empty() {
            return;
        }
        let bars = self.bars.take();
        match &bars {
            Some(bars) => bars.suspended(|| self.write(&lines, at)),
            None => self.write(&lines, at),
        }
        self.bars = bars;
    }

    /// Sets how logs of pods are shown.
    pub fn show_logs(&mut self, settings: LogSettings) {
        self.transcript.show_logs(settings);
    }

    /// Runs `print` while no bar is drawn.
    pub fn suspended<T>(&mut self, print: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspended(print),
            None => print(),
        }
    }

    /// Erases the bars.
    pub fn finish(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.clear();
        }
    }

    fn write(&mut self, lines: &[Line], at: jiff::Timestamp) {
        let time =
            self.timestamps.as_ref().map(|zone| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S ").to_string()).unwrap_or_default();
        for line in lines {
            let text = line.painted(self.colours);
            let out = match line.place {
                Place::Progress | Place::Bell => self.progress.as_mut(),
                Place::Errors => Some(&mut self.errors),
            };
            let Some(out) = out else { continue };
            // An output that is closed cannot be told about.
            drop(match line.place {
                Place::Bell => out.write_all(text.as_bytes()),
                Place::Progress | Place::Errors => text.split('\n').try_for_each(|row| writeln!(out, "{time}{row}")),
            });
        }
        if let Some(progress) = &mut self.progress {
            drop(progress.flush());
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("colours", &self.colours).finish_non_exhaustive()
    }
}
