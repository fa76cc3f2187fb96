//! Commands in containers of pods, over one connection each.

use std::time::Duration;

use devloop_model::Cx;
use devloop_model::Namespace;
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::Api;
use kube::api::AttachParams;

use super::Cluster;
use super::KubeError;
use super::cluster::Call;
use super::kinds::built_in_kind;
use crate::exec::BUFFERED;
use crate::exec::Exec;
use crate::exec::ExecEnd;
use crate::exec::Streams;

/// How long it may take until the command runs.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerRef {
    /// Namespace of its pod.
    pub namespace: Namespace,
    /// Its pod.
    pub pod: String,
    /// Its name in the pod.
    pub container: String,
}

impl std::fmt::Display for ContainerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "container {} of pod/{} in namespace {}", self.container, self.pod, self.namespace)
    }
}

impl Cluster {
    /// Returns a command that was started in a container; standard input is what is written to it, standard output what is read.
    ///
    /// # Errors
    /// When the pod is gone, the container does not run, RBAC forbids it, or the cluster does not answer. A command that
    /// cannot be started is told by [`Exec::end`].
    pub async fn exec(&self, container: &ContainerRef, command: &[String], cx: &Cx) -> Result<Exec, KubeError> {
        self.start(container, command, true, cx).await
    }

    /// Returns the same, with or without a standard input.
    pub(crate) async fn start(&self, container: &ContainerRef, command: &[String], stdin: bool, cx: &Cx) -> Result<Exec, KubeError> {
        let api: Api<Pod> = Api::namespaced(self.client().clone(), container.namespace.as_str());
        let params = AttachParams::default()
            .container(container.container.clone())
            .stdin(stdin)
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(BUFFERED)
            .max_stdout_buf_size(BUFFERED)
            .max_stderr_buf_size(BUFFERED);
        let call = Call::get(String::new(), format!("run {} in {container}", command.first().map_or("", String::as_str)))
            .about(&built_in_kind("v1", "Pod").expect("pods are in the table"));
        let starting = tokio::time::timeout(CONNECT_LIMIT, api.exec(&container.pod, command, &params));
        let mut process = match cx.unless_cancelled(starting).await? {
            Ok(started) => started.map_err(|error| self.error(error, &call))?,
            Err(_) => return Err(KubeError::TimedOut { action: call.action, limit: CONNECT_LIMIT }),
        };
        let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
        let status = process.take_status().expect("it was not taken yet");
        Ok(Exec::new(Streams {
            stdin: stdin.map(|stdin| Box::new(stdin) as _),
            stdout: Box::new(stdout.expect("it was asked for")),
            stderr: Box::new(stderr.expect("it was asked for")),
            end: Box::pin(status.map(|status| status.as_ref().map_or(ExecEnd::Lost, end_of))),
            kept: Box::new(process),
        }))
    }
}

/// What the kubelet says of a command: `NonZeroExitCode` with the code as a cause, or that there was no command.
fn end_of(status: &Status) -> ExecEnd {
    if status.status.as_deref() == Some("Success") {
        return ExecEnd::Exited(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let code = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode")).find_map(|cause| cause.message.as_deref()?.parse().ok());
    match code {
        Some(code) => ExecEnd::Exited(code),
        None => ExecEnd::NotStarted(status.message.clone().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ends_are_told_apart() {
        for (status, end) in [
            (json!({"status": "Success"}), ExecEnd::Exited(0)),
            (
                json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with exit code 127",
                       "details": {"causes": [{"reason": "ExitCode", "message": "127"}]}}),
                ExecEnd::Exited(127),
            ),
            (
                json!({"status": "Failure", "reason": "InternalError", "message": "exec: \"sh\": not found"}),
                ExecEnd::NotStarted("exec: \"sh\": not found".into()),
            ),
        ] {
            assert_eq!(end_of(&serde_json::from_value(status.clone()).unwrap()), end, "{status}");
        }
    }
}
