//! Exit codes, and what is said when the program itself is at fault.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use devloop_model::Diagnostic;
use devloop_model::Outcome;

use crate::args::ArgsError;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or stopped by the user.
    Done,
    /// What was asked for failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The program is wrong.
    Bug,
    /// No configuration could be made, for a reason that has a code of its own.
    Init(InitFault),
}

/// Why no configuration could be made (Skaffold's `pkg/skaffold/initializer/errors`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InitFault {
    /// Nothing builds an image.
    NoBuilder,
    /// Nothing is deployed.
    NoManifest,
    /// There is a configuration already.
    Exists,
    /// It is not clear which image is built by what.
    Ambiguous,
    /// No chart can be understood.
    NoCharts,
}

impl InitFault {
    const ALL: [(&str, Self); 5] = [
        ("init/no-builder", Self::NoBuilder),
        ("init/no-manifest", Self::NoManifest),
        ("init/exists", Self::Exists),
        ("init/ambiguous", Self::Ambiguous),
        ("init/no-charts", Self::NoCharts),
    ];
}

impl Exit {
    /// Returns the code: as Skaffold's, and 255 for what Skaffold has no code for.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 127,
            Self::Bug => 255,
            Self::Init(InitFault::NoBuilder) => 101,
            Self::Init(InitFault::NoManifest) => 102,
            Self::Init(InitFault::Exists) => 103,
            Self::Init(InitFault::Ambiguous) => 104,
            Self::Init(InitFault::NoCharts) => 105,
        }
    }
}

impl From<&Outcome> for Exit {
    /// An interrupt is no failure.
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded | Outcome::Cancelled => Self::Done,
            Outcome::Failed { .. } => Self::Failed,
        }
    }
}

impl From<&[Diagnostic]> for Exit {
    /// Few faults have a code of their own.
    fn from(faults: &[Diagnostic]) -> Self {
        let fault = faults.iter().find_map(|fault| InitFault::ALL.into_iter().find(|(code, _)| *code == fault.code));
        fault.map_or(Self::Failed, |(_, fault)| Self::Init(fault))
    }
}

impl From<&ArgsError> for Exit {
    /// `--help` and `--version` stop parsing as well.
    fn from(error: &ArgsError) -> Self {
        match error {
            ArgsError::Usage(error) if !error.use_stderr() => Self::Done,
            _ => Self::Usage,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Runs the program; a panic in it becomes [`Exit::Bug`] after its message.
pub(crate) fn guard(program: impl FnOnce() -> Exit) -> Exit {
    std::panic::set_hook(Box::new(|panic| {
        // Nothing can be done about a standard error that is closed.
        drop(std::io::stderr().write_all(report(panic).as_bytes()));
    }));
    // Nothing of the program is used after it.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(program)).unwrap_or(Exit::Bug)
}

/// Returns what is said of a panic: what a report needs.
fn report(panic: &PanicHookInfo<'_>) -> String {
    let what = panic.payload_as_str().unwrap_or("no message");
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "error[devloop/bug]: devloop stopped because of a mistake of its own\n  {what}\n  at {at}, version {version}\n\
         help: please report it with these lines, the command line and the skaffold.yaml\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use devloop_model::Env;

    fn exit_of(line: &str) -> u8 {
        let error = args::parse(line.split_whitespace().map(Into::into), &Env::default()).unwrap_err();
        Exit::from(&error).code()
    }

    #[test]
    fn usage_errors_are_127_and_help_is_0() {
        for (line, code) in [
            ("devloop --help", 0),
            ("devloop run --help", 0),
            ("devloop --version", 0),
            ("devloop", 127),
            ("devloop fly", 127),
            ("devloop run --no-such-flag", 127),
            ("devloop run --namespace", 127),
            ("devloop run --tail=maybe", 127),
            ("devloop run one", 127),
            ("devloop schema get", 127),
        ] {
            assert_eq!(exit_of(line), code, "{line}");
        }
    }

    #[test]
    fn an_interrupt_is_no_failure() {
        assert_eq!(Exit::from(&Outcome::Succeeded).code(), 0);
        assert_eq!(Exit::from(&Outcome::Cancelled).code(), 0);
        assert_eq!(Exit::from(&Outcome::Failed { diagnostic: Diagnostic::error("a/b", "c") }).code(), 1);
    }

    #[test]
    fn init_has_codes_of_its_own() {
        let codes = ["no-builder", "no-manifest", "exists", "ambiguous", "no-charts", "other"].map(|name| {
            let mut fault = Diagnostic::error("init/other", "x");
            fault.code = format!("init/{name}").into();
            Exit::from([fault].as_slice()).code()
        });
        assert_eq!(codes, [101, 102, 103, 104, 105, 1]);
        assert_eq!(Exit::from([].as_slice()).code(), 1);
    }

    #[test]
    fn a_panic_is_255() {
        assert_eq!(guard(|| panic!("boom")).code(), 255);
        assert_eq!(guard(|| Exit::Done).code(), 0);
    }
}
