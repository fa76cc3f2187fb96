//! Inputs that a command of the user's names (`dependencies.command`).

use std::path::PathBuf;
use std::time::Duration;

use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::Diagnostic;

use crate::BuildError;

/// How long a command may take to name its inputs.
const DEADLINE: Duration = Duration::from_mins(1);

/// Returns the paths that `command` prints as a JSON list, relative to the context of `artifact`.
/// It is split at spaces and run without a shell, as Skaffold does (`pkg/skaffold/build/custom`).
///
/// # Errors
/// When it fails, takes too long, or prints something else.
pub(crate) async fn list(artifact: &Artifact, command: &str, cx: &Cx) -> Result<Vec<PathBuf>, BuildError> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    let mut process = Command::new(program).args(words).dir(&artifact.context).deadline(DEADLINE);
    for (name, value) in cx.env.iter() {
        process = process.env(name, value);
    }
    let output = process.output(cx).await.map_err(|error| failed(artifact, command, error))?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        Diagnostic::error(
            "build/inputs-not-listed",
            format!("the command that names the inputs of `{}` does not print a JSON list of paths", artifact.image),
        )
        .at(artifact.at.clone())
        .because(error.to_string())
        .because(String::from_utf8_lossy(&output.stdout).lines().take(5).collect::<Vec<_>>().join("\n"))
        .help(format!("`{command}` must print something like [\"go.mod\", \"main.go\"] and nothing else"))
        .into()
    })
}

fn failed(artifact: &Artifact, command: &str, error: ProcessError) -> BuildError {
    if matches!(error, ProcessError::Cancelled) {
        return error.into();
    }
    Diagnostic::error("build/inputs-not-listed", format!("the command that names the inputs of `{}` failed", artifact.image))
        .at(artifact.at.clone())
        .caused_by(error.diagnostic())
        .help(format!("`{command}` is run in the context of the artifact, without a shell; `sh -c` in a script of its own has one"))
        .into()
}

#[cfg(test)]
mod tests {
    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_command_names_inputs() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("list"), r#"["a.go", "sub/b.go"]"#).unwrap();
        let artifact = testing::custom("web", dir.path());
        let cx = Cx::silent(StepId::of(Stage::Prepare));
        assert_eq!(list(&artifact, "cat list", &cx).await.unwrap(), [PathBuf::from("a.go"), PathBuf::from("sub/b.go")]);
        let error = list(&artifact, "false", &cx).await.unwrap_err().diagnostic();
        insta::assert_snapshot!(error, @r"
        error[build/inputs-not-listed]: the command that names the inputs of `web` failed
         --> skaffold.yaml:1:1
          |
        1 | image: web
          | ^
          `false` ended with exit status: 1
        help: `false` is run in the context of the artifact, without a shell; `sh -c` in a script of its own has one
        ");
        std::fs::write(dir.path().join("list"), "a.go\nb.go\n").unwrap();
        let error = list(&artifact, "cat list", &cx).await.unwrap_err().diagnostic();
        insta::assert_snapshot!(error, @r#"
        error[build/inputs-not-listed]: the command that names the inputs of `web` does not print a JSON list of paths
         --> skaffold.yaml:1:1
          |
        1 | image: web
          | ^
          expected value at line 1 column 1
          a.go
          b.go
        help: `cat list` must print something like ["go.mod", "main.go"] and nothing else
        "#);
    }
}
