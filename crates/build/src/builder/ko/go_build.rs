//! One run of `go build`.

use std::path::Path;
use std::path::PathBuf;

use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Platform;

use super::settings::Settings;
use crate::BuildError;
use crate::inputs::ko::Program;

/// Where the program was built; removed when dropped, unless it is in the user's `KOCACHE`.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    _directory: Option<tempfile::TempDir>,
}

impl Output {
    /// Returns the path of the program.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns the program, built for `platform`; Go's own lines go to the log.
///
/// # Errors
/// When there is no Go, or it does not compile.
pub(super) async fn run(settings: &Settings, program: &Program, platform: &Platform, cx: &Cx) -> Result<Output, BuildError> {
    let output = output(&program.import_path, platform, cx)?;
    let go = settings.find_go(&cx.env)?;
    let env = settings.go_env(platform, &cx.env)?;
    let command = Command::new(go).arg("build").args(&settings.flags);
    let command = if settings.ldflags.is_empty() { command } else { command.arg(format!("-ldflags={}", settings.ldflags.join(" "))) };
    let command = command.arg("-o").arg(&output.path).arg(&program.import_path).dir(&settings.dir);
    let command = env.iter().fold(command.env_clear(), |command, (name, value)| command.env(name, value));
    command.run(cx).await.map_err(|error| failure(error, program, platform))?;
    Ok(output)
}

/// With `KOCACHE` the program of the last build stands there still, so that Go has less to do
/// (<https://ko.build/advanced/limitations/>).
fn output(import_path: &str, platform: &Platform, cx: &Cx) -> Result<Output, BuildError> {
    let Some(cache) = cx.env.get("KOCACHE").filter(|dir| !dir.is_empty()) else {
        let directory = tempfile::Builder::new().prefix("devloop-ko").tempdir();
        let directory = directory.map_err(|source| BuildError::Read { path: std::env::temp_dir(), source })?;
        return Ok(Output { path: directory.path().join("out"), _directory: Some(directory) });
    };
    let directory = Path::new(cache).join("bin").join(import_path).join(platform.as_str());
    std::fs::create_dir_all(&directory).map_err(|source| BuildError::Read { path: directory.clone(), source })?;
    Ok(Output { path: directory.join("out"), _directory: None })
}

fn failure(error: ProcessError, program: &Program, platform: &Platform) -> BuildError {
    match error {
        ProcessError::Failed { last_lines, .. } => {
            Diagnostic::error("build/ko-go-build", format!("`go build` of `{}` for {platform} failed", program.import_path))
                .because(last_lines.join("\n"))
                .into()
        }
        other => other.into(),
    }
}
