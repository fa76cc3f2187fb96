//! What `devloop status`, `why` and `logs` ask.

use std::time::Duration;

use crate::args::EventFormat;
use crate::args::LogsCommand;
use crate::args::SessionArgs;
use crate::args::StatusCommand;
use crate::args::WhyCommand;

/// What a running session is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskSettings {
    /// Its process; none means the one of the working directory, or the only one.
    pub pid: Option<u32>,
    /// Whether to print JSON.
    pub json: bool,
    /// The question.
    pub question: Question,
}

/// A question to a running session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// What it does, has and waits for.
    Status,
    /// Why it did what it did.
    Why {
        /// Only for this artifact.
        artifact: Option<String>,
    },
    /// What its containers said.
    Logs {
        /// Only those of these artifacts; empty means all.
        artifacts: Vec<String>,
        /// Whether to go on with what comes.
        follow: bool,
        /// Only lines of so long ago.
        since: Option<Duration>,
        /// Only so many of the lines that are kept.
        tail: Option<usize>,
    },
}

impl Question {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Why { .. } => "why",
            Self::Logs { .. } => "logs",
        }
    }
}

impl AskSettings {
    pub(super) fn status(arguments: &StatusCommand) -> Self {
        Self::new(&arguments.session, arguments.output, Question::Status)
    }

    pub(super) fn why(arguments: WhyCommand) -> Self {
        Self::new(&arguments.session, arguments.output, Question::Why { artifact: arguments.artifact })
    }

    pub(super) fn logs(arguments: LogsCommand) -> Self {
        let LogsCommand { artifacts, follow, since, tail, output, session } = arguments;
        let question = Question::Logs { artifacts, follow: follow.0, since: since.map(|since| since.0), tail };
        Self::new(&session, output, question)
    }

    fn new(session: &SessionArgs, output: EventFormat, question: Question) -> Self {
        Self { pid: session.session, json: output == EventFormat::Json, question }
    }
}
