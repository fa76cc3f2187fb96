//! Loading images into the nodes of a local cluster, which are containers that run containerd: only the layers that
//! a node does not have.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageRef;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::archive::Saved;
use crate::BuildError;

/// containerd's client, in the namespace of Kubernetes.
const CTR: [&str; 3] = ["ctr", "--namespace", "k8s.io"];

/// The nodes of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nodes {
    /// For errors: which cluster.
    title: String,
    /// What labels a node has, in alternatives.
    labels: [Vec<String>; 2],
}

/// Returns the nodes of a kind cluster, by kind's own labels; its load balancer is none.
pub(super) fn kind(cluster: &str) -> Nodes {
    let labels = |role: &str| vec![format!("io.x-k8s.kind.cluster={cluster}"), format!("io.x-k8s.kind.role={role}")];
    Nodes { title: format!("kind cluster `{cluster}`"), labels: [labels("control-plane"), labels("worker")] }
}

/// Returns the nodes of a k3d cluster, by k3d's own labels; its load balancer is none.
pub(super) fn k3d(cluster: &str) -> Nodes {
    let labels = |role: &str| vec![format!("k3d.cluster={cluster}"), format!("k3d.role={role}")];
    Nodes { title: format!("k3d cluster `{cluster}`"), labels: [labels("server"), labels("agent")] }
}

/// Brings an image of the daemon to all nodes at once.
pub(super) async fn load(image: &ImageRef, nodes: Nodes, docker: &Docker, cx: &Cx) -> Result<(), BuildError> {
    let mut names = Vec::new();
    for labels in &nodes.labels {
        names.extend(docker.containers(labels, cx).await?);
    }
    if names.is_empty() {
        let fault = Diagnostic::error(
            "build/no-nodes",
            format!("`{image}` cannot be loaded: {} has no running node in this container daemon", nodes.title),
        );
        return Err(fault.help("start the cluster, or push to a registry: `--push` or `build.local.push: true`").into());
    }
    let name = full_name(image);
    let mut lacking = Vec::new();
    for node in names {
        let found = ctr(docker, &node, &["images", "ls", "-q", &format!("name=={name}")], tokio::io::empty(), cx).await?;
        if !found.lines().any(|line| line == name) {
            lacking.push(node);
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let saved = Arc::new(save(image, docker, cx).await?);
    let work = lacking.iter().map(|node| load_into(node, &name, &saved, docker, cx));
    futures::future::try_join_all(work).await.map(drop)
}

async fn save(image: &ImageRef, docker: &Docker, cx: &Cx) -> Result<Saved, BuildError> {
    let unsaved = |error: &dyn std::fmt::Display| DockerError::Answer { what: format!("save `{image}`"), message: error.to_string() };
    let file = tempfile::NamedTempFile::new().map_err(|error| unsaved(&error))?;
    let mut out = tokio::fs::File::create(file.path()).await.map_err(|error| unsaved(&error))?;
    let mut parts = std::pin::pin!(docker.save(&[image.to_string()]));
    let mut done = 0;
    while let Some(part) = cx.unless_cancelled(parts.next()).await? {
        let part = part?;
        out.write_all(&part).await.map_err(|error| unsaved(&error))?;
        done += part.len() as u64;
        cx.progress("save", done, None, true);
    }
    out.flush().await.map_err(|error| unsaved(&error))?;
    Ok(blocking(move || Saved::read(file.into_file())).await.map_err(|error| unsaved(&error))?)
}

/// Runs file work beside the runtime; a panic of it goes on here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn load_into(node: &str, name: &str, saved: &Arc<Saved>, docker: &Docker, cx: &Cx) -> Result<(), BuildError> {
    let listed = ctr(docker, node, &["content", "ls", "-q"], tokio::io::empty(), cx).await?;
    let (packed, wanted) = (Arc::clone(saved), name.to_owned());
    let file = blocking(move || {
        let present: HashSet<&str> = listed.lines().map(str::trim).collect();
        let file = tempfile::NamedTempFile::new()?;
        packed.write_layout(&wanted, &present, file.as_file())?;
        Ok::<_, std::io::Error>(file)
    });
    let file = file.await.map_err(|error| DockerError::Answer { what: format!("pack `{name}`"), message: error.to_string() })?;
    let input = open(file.path()).await?;
    ctr(docker, node, &["images", "import", "-"], input, cx).await?;
    Ok(())
}

async fn open(path: &Path) -> Result<tokio::fs::File, BuildError> {
    tokio::fs::File::open(path).await.map_err(|source| BuildError::Read { path: path.to_owned(), source })
}

async fn ctr(
    docker: &Docker,
    node: &str,
    arguments: &[&str],
    input: impl tokio::io::AsyncRead + Send,
    cx: &Cx,
) -> Result<String, DockerError> {
    docker.run_in(node, &[&CTR[..], arguments].concat(), input, cx).await
}

/// Returns the name under which containerd knows an image: with its registry, as the kubelet asks for it.
fn full_name(image: &ImageRef) -> String {
    match image.name.domain() {
        Some(_) => image.to_string(),
        None if image.name.path().contains('/') => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_knows_full_names() {
        for (name, full) in [
            ("web:v1", "docker.io/library/web:v1"),
            ("me/web:v1", "docker.io/me/web:v1"),
            ("localhost:5000/web:v1", "localhost:5000/web:v1"),
        ] {
            assert_eq!(full_name(&name.parse().unwrap()), full);
        }
    }

    #[test]
    fn nodes_have_the_labels_of_their_tool() {
        assert_eq!(kind("dev").labels[1], ["io.x-k8s.kind.cluster=dev", "io.x-k8s.kind.role=worker"]);
        assert_eq!(k3d("dev").labels[0], ["k3d.cluster=dev", "k3d.role=server"]);
    }
}
