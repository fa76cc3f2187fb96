//! Commands in running containers: the nodes of a kind or k3d cluster are such containers.

use std::collections::HashMap;

use bollard::container::LogOutput;
use bollard::exec::StartExecOptions;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bollard::query_parameters::ListContainersOptions;
use devloop_model::Cx;
use futures::StreamExt as _;
use tokio::io::AsyncRead;
use tokio::io::AsyncWriteExt as _;

use super::Docker;
use super::DockerError;

impl Docker {
    /// Returns the names of the running containers that have all these labels, `name` or `name=value`.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn containers(&self, labels: &[String], cx: &Cx) -> Result<Vec<String>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = ListContainersOptions { filters: Some(filters), ..ListContainersOptions::default() };
        let found = self.ask("list containers", self.client.list_containers(Some(options)), cx).await?;
        let first_name = |names: Option<Vec<String>>| {
            names.and_then(|names| names.into_iter().next()).map(|name| name.trim_start_matches('/').to_owned())
        };
        let mut names: Vec<String> = found.into_iter().filter_map(|container| first_name(container.names)).collect();
        names.sort();
        Ok(names)
    }

    /// Runs a command in a container, with `input` as its standard input, and returns what it wrote to standard output.
    ///
    /// # Errors
    /// When it cannot be started, or ends with another status than 0.
    pub async fn run_in(&self, container: &str, command: &[&str], input: impl AsyncRead + Send, cx: &Cx) -> Result<String, DockerError> {
        let what = format!("run `{}` in container `{container}`", command.join(" "));
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(ToString::to_string).collect()),
            ..ExecConfig::default()
        };
        let exec = self.ask(&what, self.client.create_exec(container, config), cx).await?;
        let started = self.ask(&what, self.client.start_exec(&exec.id, None::<StartExecOptions>), cx).await?;
        let StartExecResults::Attached { mut output, input: mut stdin } = started else {
            return Err(DockerError::Answer { what, message: "it did not attach".to_owned() });
        };
        let feeding = async move {
            let mut input = std::pin::pin!(input);
            // A command that ends early closes the pipe: its status tells whether that is a failure.
            let copied = tokio::io::copy(&mut input, &mut stdin).await;
            stdin.shutdown().await.ok();
            copied.err().filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe)
        };
        let reading = async {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            while let Some(Ok(part)) = output.next().await {
                match part {
                    LogOutput::StdErr { message } => err.extend_from_slice(&message),
                    LogOutput::StdOut { message } | LogOutput::Console { message } => out.extend_from_slice(&message),
                    LogOutput::StdIn { .. } => {}
                }
            }
            (out, err)
        };
        let (unread, (out, err)) = cx.unless_cancelled(async { tokio::join!(feeding, reading) }).await?;
        let ended = self.ask(&what, self.client.inspect_exec(&exec.id), cx).await?;
        match (ended.exit_code, unread) {
            (Some(0), None) => Ok(String::from_utf8_lossy(&out).into_owned()),
            (Some(0), Some(error)) => Err(DockerError::Answer { what, message: error.to_string() }),
            (code, _) => {
                let said = String::from_utf8_lossy(&err).trim().to_owned();
                let message = if said.is_empty() { format!("it ended with status {}", code.unwrap_or(-1)) } else { said };
                Err(DockerError::Answer { what, message })
            }
        }
    }
}
