//! The agent through a shell of the container, which is given the program over the connection that is then kept.

use devloop_clients::kube::Cluster;
use devloop_clients::kube::ContainerRef;
use devloop_model::Cx;
use tokio::io::AsyncWriteExt as _;

use super::agent::Agent;
use super::agent::PROGRAM;
use super::agent::expect;
use super::channel::Closed;

/// Finds a directory that files can be created and run in, and runs the program from there; it deletes its own file.
///
/// `/dev/shm` and others may be mounted so that nothing in them runs: a script of one line is tried first, as the program can be
/// read once only. What is created must not be there before: these directories are everybody's.
const SCRIPT: &str = r#"
for d in /tmp /var/tmp /dev/shm "$HOME" .; do
  f="$d/.devloop-agent-$$"
  (set -C; echo '#!/bin/sh' > "$f") 2>/dev/null || continue
  if chmod 700 "$f" && "$f" 2>/dev/null; then
    echo ready
    head -c "$1" > "$f" && "$f"
    code=$?
    rm -f "$f"
    exit "$code"
  fi
  rm -f "$f"
done
echo 'there is no directory that a program can be put into and run from' >&2
exit 1
"#;

/// What the script says once it waits for the program.
const READY: &[u8; 6] = b"ready\n";

/// Returns an agent that runs in the container as the container's user.
///
/// # Errors
/// Why there is none.
pub(super) async fn start(container: &ContainerRef, cluster: &Cluster, cx: &Cx) -> Result<Agent, Closed> {
    let command = ["sh", "-c", SCRIPT, "devloop", &PROGRAM.len().to_string()].map(str::to_owned);
    let mut exec = cluster.exec(container, &command, cx).await.map_err(|error| Closed::of(&error))?;
    // Nothing is sent to a shell that is not there: that would only hide why.
    expect(&mut exec, READY).await?;
    exec.write_all(PROGRAM).await.map_err(|error| Closed::ForNow(error.to_string()))?;
    exec.flush().await.map_err(|error| Closed::ForNow(error.to_string()))?;
    Agent::greet(exec).await
}
