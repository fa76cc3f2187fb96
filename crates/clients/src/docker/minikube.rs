//! The daemon inside of minikube.

use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Env;

use crate::process::Command;
use crate::process::ProcessError;

/// How long minikube may take to say where its daemon is.
const ANSWER: Duration = Duration::from_secs(30);

/// Returns `env` with the variables that lead to the daemon of a minikube profile, so that images built there
/// are in the cluster already.
///
/// # Errors
/// When there is no minikube, or it does not run.
pub(crate) async fn minikube_env(profile: &str, env: &Env, cx: &Cx) -> Result<Env, ProcessError> {
    let mut cx = cx.clone();
    cx.env = env.clone();
    let output = Command::new("minikube").args(["docker-env", "--shell", "none", "-p", profile]).deadline(ANSWER).output(&cx).await?;
    Ok(env.with(parse_variables(&String::from_utf8_lossy(&output.stdout))))
}

/// Reads `NAME=value` lines; minikube adds advice as comments.
fn parse_variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;

    #[tokio::test]
    async fn its_variables_win_over_ours() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("minikube");
        std::fs::write(&program, "#!/bin/sh\n[ \"$*\" = 'docker-env --shell none -p p1' ] || exit 9\necho DOCKER_TLS_VERIFY=1\necho DOCKER_HOST=tcp://192.168.49.2:2376\necho DOCKER_CERT_PATH=/c\necho '# run eval'\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let env = Env::new(BTreeMap::from([("PATH".to_owned(), path), ("DOCKER_HOST".to_owned(), "unix:///mine".to_owned())]));
        let merged = minikube_env("p1", &env, &Cx::silent(StepId::of(Stage::Build))).await.unwrap();
        assert_eq!(merged.get("DOCKER_HOST"), Some("tcp://192.168.49.2:2376"));
        assert_eq!(merged.get("DOCKER_CERT_PATH"), Some("/c"));
        assert!(merged.get("PATH").is_some());
    }
}
