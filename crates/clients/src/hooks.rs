//! Commands of the user's around a stage, on this machine and in containers.
//!
//! Facts: Skaffold's `pkg/skaffold/hooks`; a deadline is ours.

use devloop_model::ContainerHook;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::HookSettings;
use devloop_model::HostHook;
use devloop_model::Stream;

use crate::exec::ExecEnd;
use crate::exec::ExecError;
use crate::exec::ExecLogged;
use crate::exec::ExecTarget;
use crate::process::Command;
use crate::process::ProcessError;

/// When hooks run: `pre-build`, `post-deploy`.
pub type Phase = &'static str;

/// Why a hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Its command on this machine failed.
    #[error("a {phase} hook failed on this machine: `{}`", command.join(" "))]
    Host {
        /// When it ran.
        phase: Phase,
        /// Its command.
        command: Vec<String>,
        /// How that ended.
        source: ProcessError,
    },
    /// Its command in a container failed.
    #[error("a {phase} hook failed in {container}: `{}`", command.join(" "))]
    Container {
        /// When it ran.
        phase: Phase,
        /// Its command.
        command: Vec<String>,
        /// Where.
        container: String,
        /// How that ended.
        why: String,
    },
    /// Its command could not be run in a container.
    #[error("a {phase} hook could not be run in {container}: `{}`", command.join(" "))]
    NotRun {
        /// When it ran.
        phase: Phase,
        /// Its command.
        command: Vec<String>,
        /// Where.
        container: String,
        /// Why.
        source: Box<ExecError>,
    },
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl HookError {
    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let error = Diagnostic::error("hooks/failed", self.to_string());
        match self {
            Self::Host { source: source @ ProcessError::TimedOut { .. }, .. } => error.caused_by(source.diagnostic()).help(MORE_TIME),
            Self::Host { source, .. } => error.caused_by(source.diagnostic()),
            Self::Container { why, .. } => error.because(why),
            Self::NotRun { source, .. } if matches!(**source, ExecError::TimedOut { .. }) => {
                error.caused_by(source.diagnostic()).help(MORE_TIME)
            }
            Self::NotRun { source, .. } => error.caused_by(source.diagnostic()),
            Self::Cancelled => Diagnostic::error("hooks/interrupted", self.to_string()),
        }
    }
}

const MORE_TIME: &str = "`--hook-timeout` gives hooks more time, unless they have a `timeout` of their own";

/// The hooks of one phase: what they are told, and how long each may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRun {
    phase: Phase,
    settings: HookSettings,
}

impl HookRun {
    /// Returns the hooks of a phase, which are told `variables` (without their prefix `SKAFFOLD_`) besides what all are.
    pub fn new<'v>(phase: Phase, settings: &HookSettings, variables: impl IntoIterator<Item = (&'v str, String)>) -> Self {
        let own = variables.into_iter().map(|(name, value)| (format!("SKAFFOLD_{name}"), value));
        let variables = settings.variables.iter().cloned().chain(own).collect();
        Self { phase, settings: HookSettings { variables, limit: settings.limit } }
    }

    /// Says that hooks start, as Skaffold does.
    pub fn starting(&self, cx: &Cx) {
        cx.log(Stream::Stdout, format!("Starting {} hooks...", self.phase));
    }

    /// Says that hooks ran, as Skaffold does.
    pub fn completed(&self, cx: &Cx) {
        cx.log(Stream::Stdout, format!("Completed {} hooks", self.phase));
    }

    /// Runs the commands on this machine, one after the other, those for other systems left out.
    ///
    /// # Errors
    /// When one fails or takes too long; those behind it are not run.
    pub async fn on_host(&self, hooks: impl IntoIterator<Item = &HostHook>, cx: &Cx) -> Result<(), HookError> {
        for hook in hooks {
            if let Some(command) = self.command(hook) {
                command.run(cx).await.map_err(|error| self.host_error(hook, error))?;
            }
        }
        Ok(())
    }

    /// Runs a command with `input` on its standard input.
    ///
    /// # Errors
    /// When it fails or takes too long.
    pub async fn with_input(&self, hook: &HostHook, input: Vec<u8>, cx: &Cx) -> Result<(), HookError> {
        match self.command(hook) {
            Some(command) => command.input(input).run(cx).await.map_err(|error| self.host_error(hook, error)),
            None => Ok(()),
        }
    }

    /// Returns what a command makes of `input`; none where it is for another system.
    ///
    /// # Errors
    /// When it fails or takes too long.
    pub async fn filter(&self, hook: &HostHook, input: Vec<u8>, cx: &Cx) -> Result<Option<Vec<u8>>, HookError> {
        let Some(command) = self.command(hook) else { return Ok(None) };
        let output = command.input(input).output(cx).await.map_err(|error| self.host_error(hook, error))?;
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            cx.log(Stream::Stderr, line);
        }
        Ok(Some(output.stdout))
    }

    /// Runs a command in a container.
    ///
    /// # Errors
    /// When it fails, cannot be started, or takes too long.
    pub async fn in_container(&self, hook: &ContainerHook, target: ExecTarget<'_>, cx: &Cx) -> Result<(), HookError> {
        let (phase, command, container) = (self.phase, hook.command.clone(), target.to_string());
        match target.exec_logged(&hook.command, hook.limit.unwrap_or(self.settings.limit), cx).await {
            Ok(ExecLogged { end: ExecEnd::Exited(0), .. }) => Ok(()),
            Ok(ExecLogged { end, last_lines }) => {
                Err(HookError::Container { phase, command, container, why: end.because_of(&last_lines.join("\n")) })
            }
            Err(ExecError::Cancelled) => Err(HookError::Cancelled),
            Err(source) => Err(HookError::NotRun { phase, command, container, source: Box::new(source) }),
        }
    }

    /// Returns the process of a hook; none where it is for another system, or empty.
    fn command(&self, hook: &HostHook) -> Option<Command> {
        let (program, arguments) = hook.command.split_first()?;
        if !hook.os.is_empty() && !hook.os.iter().any(|name| name == own_os()) {
            return None;
        }
        let command = Command::new(program).args(arguments).deadline(hook.limit.unwrap_or(self.settings.limit));
        let command = self.settings.variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        Some(match &hook.dir {
            Some(dir) => command.dir(dir),
            None => command,
        })
    }

    fn host_error(&self, hook: &HostHook, source: ProcessError) -> HookError {
        match source {
            ProcessError::Cancelled => HookError::Cancelled,
            source => HookError::Host { phase: self.phase, command: hook.command.clone(), source },
        }
    }
}

/// The system in Go's words.
fn own_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use devloop_model::Env;
    use devloop_model::EventSink;
    use devloop_model::Stage;
    use devloop_model::StepId;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn cx() -> Cx {
        let env = Env::new(BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]));
        Cx::new(StepId::of(Stage::Deploy), env, EventSink::none(), CancellationToken::new())
    }

    fn host(command: &[&str], os: &[&str]) -> HostHook {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        HostHook { command: owned(command), os: owned(os), ..HostHook::default() }
    }

    fn run(limit: Duration) -> HookRun {
        let settings = HookSettings { variables: vec![("SKAFFOLD_WORK_DIR".into(), "/work".into())], limit };
        HookRun::new("pre-deploy", &settings, [("RUN_ID", "1".to_owned())])
    }

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn the_first_hook_that_fails_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        let line = format!("echo $SKAFFOLD_WORK_DIR $SKAFFOLD_RUN_ID >> {}", file.display());
        let hooks = [
            host(&["sh", "-c", &line], &["linux", "darwin"]),
            host(&["false"], &["plan9"]),
            host(&["sh", "-c", "echo lost >&2; exit 4"], &[]),
            host(&["sh", "-c", &line], &[]),
        ];
        let error = run(LONG).on_host(&hooks, &cx()).await.unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[hooks/failed]: a pre-deploy hook failed on this machine: `sh -c echo lost >&2; exit 4`
          `sh` ended with exit status: 4
          lost
        ");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "/work 1\n");
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_killed() {
        let error = run(Duration::from_millis(10)).on_host(&[host(&["sleep", "600"], &[])], &cx()).await.unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[hooks/failed]: a pre-deploy hook failed on this machine: `sleep 600`
          `sleep` was stopped after 0.01 s
        help: `--hook-timeout` gives hooks more time, unless they have a `timeout` of their own
        ");
    }

    #[tokio::test]
    async fn a_limit_of_its_own_counts_for_a_hook() {
        let hasty = HostHook { limit: Some(Duration::from_millis(10)), ..host(&["sleep", "600"], &[]) };
        let error = run(LONG).on_host(&[hasty], &cx()).await.unwrap_err();
        assert!(matches!(error, HookError::Host { source: ProcessError::TimedOut { .. }, .. }), "{error:?}");
        let patient = HostHook { limit: Some(LONG), ..host(&["true"], &[]) };
        run(Duration::ZERO).on_host(&[patient], &cx()).await.unwrap();
    }

    #[tokio::test]
    async fn a_filter_takes_manifests_and_gives_others() {
        let (upper, elsewhere) = (host(&["tr", "a-z", "A-Z"], &[]), host(&["false"], &["plan9"]));
        assert_eq!(run(LONG).filter(&upper, b"kind".to_vec(), &cx()).await.unwrap().as_deref(), Some(&b"KIND"[..]));
        assert_eq!(run(LONG).filter(&elsewhere, b"kind".to_vec(), &cx()).await.unwrap(), None);
    }
}
