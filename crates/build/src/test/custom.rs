//! A command of the user's that tests an image.

use devloop_clients::Clients;
use devloop_clients::docker::Docker;
use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::CustomTest;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Identity;
use devloop_model::Stream;
use devloop_model::Test;

use super::TestJob;
use crate::BuildError;

/// Runs the command in the context of the test, for at most as long as the configuration says.
///
/// # Errors
/// When it fails, or takes longer.
pub(super) async fn run(
    job: &TestJob<'_>,
    test: &Test,
    custom: &CustomTest,
    command: &str,
    clients: &Clients,
    cx: &Cx,
) -> Result<(), BuildError> {
    let limit = custom.timeout.map(|limit| format!(" with timeout {} s", limit.as_secs())).unwrap_or_default();
    // What its template is rendered with may be secret.
    cx.log(Stream::Stdout, format!("Running custom test command: {:?}{limit}", custom.command.source()));
    let (shell, flag) = if cfg!(windows) { ("cmd.exe", "/C") } else { ("sh", "-c") };
    let process = Command::new(shell).arg(flag).arg(command).dir(&test.context);
    let process = variables(job, test, clients, cx).await.into_iter().fold(process, |process, (name, value)| process.env(name, value));
    let process = custom.timeout.into_iter().fold(process, Command::deadline);
    process.run(cx).await.map_err(|error| failed(test, job.image.deployed(), error))
}

/// Returns what the command is told; what the environment says already stays, as the last value wins there.
/// Source: skaffold `pkg/skaffold/test/custom/custom.go`.
async fn variables(job: &TestJob<'_>, test: &Test, clients: &Clients, cx: &Cx) -> Vec<(String, String)> {
    // Where the image is in a daemon, `docker` in the command has to find it there.
    let daemon = match &job.image.identity {
        Identity::Id(_) => clients.docker(cx).await.map(Docker::command_env).unwrap_or_default(),
        _ => Vec::new(),
    };
    let own = [("IMAGE", job.image.deployed()), ("TEST_CONTEXT", test.context.display().to_string())];
    let all = own.into_iter().chain(daemon).map(|(name, value)| (name.to_owned(), value));
    all.filter(|(name, _)| cx.env.get(name).is_none()).collect()
}

fn failed(test: &Test, image: String, error: ProcessError) -> BuildError {
    let (name, context) = (test.name(), test.context.display());
    let diagnostic = |code, what: String| Diagnostic::error(code, what).at(test.at.clone());
    match error {
        ProcessError::Cancelled => error.into(),
        ProcessError::TimedOut { limit, .. } => {
            let what = format!("test `{name}` of `{}` was stopped after {} s", test.image, limit.as_secs());
            diagnostic("test/timed-out", what).help("see what it waits for, or raise `timeoutSeconds`").into()
        }
        ProcessError::Failed { status, last_lines, .. } => {
            let what = format!("test `{name}` of `{}` ended with {status}", test.image);
            let error = diagnostic("test/failed", what).help(format!("run it by hand in {context} with `IMAGE={image}`"));
            if last_lines.is_empty() { error.into() } else { error.because(last_lines.join("\n")).into() }
        }
        other => {
            diagnostic("test/failed", format!("test `{name}` of `{}` could not be run", test.image)).caused_by(other.diagnostic()).into()
        }
    }
}
