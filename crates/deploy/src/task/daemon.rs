//! Tasks in the container daemon: each is one container, which is removed whatever becomes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use devloop_clients::docker::ContainerLogs;
use devloop_clients::docker::ContainerSpec;
use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ImageRef;
use devloop_model::Namespace;
use devloop_model::Stream;
use devloop_model::Task;
use devloop_model::TaskPlace;
use devloop_model::Timestamp;
use futures::StreamExt as _;

use super::Failure;
use super::TASK_LABEL;
use super::TaskJob;
use super::artifact;
use super::built;
use super::exited;
use super::image;
use crate::docker::free_name;

/// How long a container that is stopped has to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// What the containers of all tasks share.
pub(super) struct Ground<'a> {
    job: &'a TaskJob,
    images: &'a [BuiltImage],
    docker: &'a Docker,
    network: String,
    /// Whether the network was made for these tasks.
    is_own: bool,
}

impl From<DockerError> for Failure {
    fn from(error: DockerError) -> Self {
        match error {
            DockerError::Cancelled(_) => Self::Stopped,
            error => error.diagnostic().into(),
        }
    }
}

impl<'a> Ground<'a> {
    /// Pulls the images, each once, and makes a network unless there is one to use.
    pub(super) async fn prepare(job: &'a TaskJob, images: &'a [BuiltImage], docker: &'a Docker, cx: &Cx) -> Result<Self, Failure> {
        let mut seen = BTreeSet::new();
        for group in &job.groups {
            let TaskPlace::Daemon { use_local_images } = group.place else { continue };
            for task in &group.tasks {
                let is_kept = use_local_images || built(task, images).is_some();
                if seen.insert(&task.image) {
                    pull(task, &image(task, images), is_kept, docker, cx).await?;
                }
            }
        }
        let shared = match &job.network {
            Some(named) => Some(named.clone()),
            None => docker.network_labels(&job.project_network, cx).await?.map(|_| job.project_network.clone()),
        };
        let is_own = shared.is_none();
        let network = shared.unwrap_or_else(|| format!("devloop-tasks-{}-{}", std::process::id(), Timestamp::now().as_millisecond()));
        if is_own {
            let labels = [(TASK_LABEL.to_owned(), String::new())].into_iter().collect();
            docker.ensure_network(&network, &labels, cx).await?;
        }
        Ok(Self { job, images, docker, network, is_own })
    }

    /// Removes what was made for these tasks.
    pub(super) async fn clean_up(&self, cx: &Cx) {
        if self.is_own
            && let Err(error) = self.docker.remove_network(&self.network, &cx.for_clean_up()).await
        {
            tracing::debug!(network = self.network, %error, "not removed");
        }
    }

    /// Runs one task to its end.
    pub(super) async fn run(&self, task: &Task, cx: &Cx) -> Result<(), Failure> {
        let name = free_name(&task.container, self.docker, cx).await?.0;
        let env = task.env.iter().chain(&self.job.env).map(|(name, value)| format!("{name}={value}"));
        let spec = ContainerSpec {
            name: Some(name.clone()),
            image: image(task, self.images),
            network: Some(self.network.clone()),
            labels: [(TASK_LABEL.to_owned(), task.name.clone())].into_iter().collect(),
            command: task.command.clone(),
            args: task.args.clone(),
            env: env.collect(),
            ..ContainerSpec::default()
        };
        let id = self.docker.create_container(&spec, cx).await?;
        let ended = self.to_its_end(&id, task, cx).await;
        // The step may be over by now; what it made is not left for that.
        let after = cx.for_clean_up();
        if cx.cancel.is_cancelled() {
            self.docker.stop_container(&id, GRACE, &after).await.ok();
        }
        let removed = self.docker.remove_container(&id, &after).await;
        ended?;
        removed.map_err(Failure::from)
    }

    async fn to_its_end(&self, id: &str, task: &Task, cx: &Cx) -> Result<(), Failure> {
        self.docker.start_container(id, cx).await?;
        // The log ends when the container does, and not before all of it was read.
        let (code, lines) = tokio::join!(self.docker.wait_container(id, cx), self.read(id, task, true, 0, cx));
        let code = code?;
        // The daemon may end a followed log before a last line that has no newline.
        self.read(id, task, false, lines, cx).await;
        match code {
            0 => Ok(()),
            code => Err(exited(task, code).into()),
        }
    }

    /// Records the lines of a container after the first `known`; returns how many it has.
    async fn read(&self, id: &str, task: &Task, follow: bool, known: usize, cx: &Cx) -> usize {
        let wanted = ContainerLogs { follow, ..ContainerLogs::default() };
        let mut lines = self.docker.container_logs(id, &wanted, cx);
        let mut count = 0;
        while let Some(Ok(line)) = lines.next().await {
            count += 1;
            if count <= known {
                continue;
            }
            let fact = EventKind::PodLog {
                namespace: Namespace(String::new()),
                pod: String::new(),
                container: task.container.clone(),
                artifact: artifact(task, self.images),
                line,
            };
            cx.emit_line(fact).await;
        }
        count
    }
}

/// Brings an image into the daemon, unless it is there and is not to be looked for elsewhere.
async fn pull(task: &Task, reference: &str, is_kept: bool, docker: &Docker, cx: &Cx) -> Result<(), Failure> {
    if is_kept && docker.image_id(reference, cx).await?.is_some() {
        return Ok(());
    }
    let parsed = ImageRef::parse(reference).map_err(|error| {
        let what = format!("`{}` is no image", task.image);
        Diagnostic::error("task/image-name", what).at(task.at.clone()).because(error.to_string())
    })?;
    cx.log(Stream::Stdout, format!("Pulling {reference}"));
    match docker.pull(&parsed, None, cx).await {
        Ok(()) => Ok(()),
        Err(DockerError::Cancelled(_)) => Err(Failure::Stopped),
        Err(error) => Err(no_image(task, &error).into()),
    }
}

fn no_image(task: &Task, error: &DockerError) -> Diagnostic {
    let mut told =
        Diagnostic::error("task/image-pull", format!("the image `{}` of `{}` cannot be pulled", task.image, task.name)).at(task.at.clone());
    told.why = error.diagnostic().why;
    told.help(
        "give a built image with `--build-artifacts` or `--images`; for one that the daemon has, set `executionMode.local.useLocalImages`",
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::task;
    use super::*;

    #[test]
    fn an_image_that_cannot_be_pulled_is_shown_at_its_place() {
        let error = DockerError::Answer { what: "pull".into(), message: "pull access denied for web".into() };
        insta::assert_snapshot!(no_image(&task(), &error), @r"
        error[task/image-pull]: the image `web` of `health` cannot be pulled
         --> skaffold.yaml:4:12
          |
        4 |     image: web
          |            ^^^
          pull access denied for web
        help: give a built image with `--build-artifacts` or `--images`; for one that the daemon has, set `executionMode.local.useLocalImages`
        ");
    }
}
