//! The container daemon: images, builds, pushes, loads, over Docker's engine API.

mod build;
mod container;
mod containers;
mod context;
mod endpoint;
mod error;
mod events;
mod exec;
mod files;
mod logs;
mod minikube;
mod network;
mod run;
mod transfer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::ClientVersion;
use bollard::query_parameters::RemoveImageOptions;
use bollard::query_parameters::TagImageOptions;
use devloop_model::BuildSecret;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::ImageId;
use devloop_model::ImageRef;
use devloop_model::Platform;

use crate::activity::Activity;

pub(crate) use build::LAST_LINES;
pub(crate) use build::build_error;
pub use containers::Container;
pub use containers::ContainerSpec;
pub use containers::ContainerStatus;
pub use containers::Health;
pub(crate) use context::Entry;
pub(crate) use context::EntryKind;
pub(crate) use context::list_entries;
use endpoint::Endpoint;
pub(crate) use endpoint::Wire;
pub use error::DockerError;
pub(crate) use error::root_cause;
pub use events::ContainerAction;
pub use events::ContainerEvent;
pub use events::ContainerNews;
pub use files::FileKind;
pub use files::FileRequest;
pub use files::FoundFile;
pub use logs::ContainerLogs;
pub(crate) use minikube::minikube_env;
pub use run::CommandSpec;
pub use run::Ended;

/// How long a question that the daemon answers by itself may take.
const QUESTION: Duration = Duration::from_secs(30);
/// How long bollard waits for the head of an answer that comes when work is done; the work is cancelled through `cx`.
const WORK_SECONDS: u64 = 24 * 3600;
/// The newest version of the API that is spoken; an older daemon lowers it.
const NEWEST: ClientVersion = ClientVersion { major_version: 1, minor_version: 47 };
/// The first version that has BuildKit without being told to.
const BUILDKIT_SINCE: ClientVersion = ClientVersion { major_version: 1, minor_version: 39 };

/// A connection to a container daemon that has answered; cheap to clone.
#[derive(Debug, Clone)]
pub struct Docker {
    client: bollard::Docker,
    endpoint: Endpoint,
    env: Env,
    version: DockerVersion,
    /// When an image last moved to or from it: those that it moves at the same time wait for one another.
    moved: Activity,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerVersion {
    /// Its version: `20.10.24`.
    pub engine: String,
    /// The API version that is spoken with it: `1.41`.
    pub api: String,
    /// What it runs, and so what it builds unless told otherwise.
    pub platform: Option<Platform>,
    /// Whether it can build with BuildKit.
    pub has_buildkit: bool,
}

/// An image to build from a Dockerfile.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The context directory.
    pub context: PathBuf,
    /// A git repository that BuildKit fetches in the place of the directory: `https://host/repo.git#ref:path`. The Dockerfile is
    /// a path in it then.
    pub remote_context: Option<String>,
    /// What of it is sent: paths relative to the context, directories included only to exist.
    pub files: Vec<PathBuf>,
    /// The Dockerfile: an absolute path, in the context or not.
    pub dockerfile: PathBuf,
    /// The name that the image gets.
    pub tag: ImageRef,
    /// What it is built for; none is the builder's own platform. The container daemon builds for one at a time.
    pub platforms: Vec<Platform>,
    /// Build arguments.
    pub build_args: BTreeMap<String, String>,
    /// The stage to build.
    pub target: Option<String>,
    /// Network mode of RUN.
    pub network: Option<String>,
    /// Additional `host:ip` entries.
    pub add_hosts: Vec<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Images, or caches as buildx writes them (`type=registry,ref=NAME`), to take cached steps from.
    pub cache_from: Vec<String>,
    /// Caches to write steps to: `type=registry,ref=NAME`, `type=inline`.
    pub cache_to: Vec<String>,
    /// Whether to build every step anew.
    pub no_cache: bool,
    /// Whether to ask the registry for a newer base.
    pub pull: bool,
    /// Attributes of BuildKit's exporter beside those of the output: `compression`.
    pub export: BTreeMap<String, String>,
    /// Whether no time of this build is in the image, so that the same inputs give the same image.
    pub reproducible: bool,
    /// Whether to squash the layers, which only the classic builder can.
    pub squash: bool,
    /// Secrets for RUN; environment variables are those of the step.
    pub secrets: Vec<BuildSecret>,
    /// `default`, `id`, `id=socket`: an SSH agent for RUN.
    pub ssh: Option<String>,
    /// Whether to use BuildKit; unset means where the daemon has it.
    pub use_buildkit: Option<bool>,
}

impl Docker {
    /// Returns the daemon that `DOCKER_HOST`, the docker context or the default socket names.
    ///
    /// # Errors
    /// When it cannot be reached or does not answer.
    pub async fn connect(env: &Env, cx: &Cx) -> Result<Self, DockerError> {
        let endpoint = Endpoint::resolve(env).await?;
        let client = endpoint.client(WORK_SECONDS, &NEWEST)?;
        let answer = async {
            let client = client.negotiate_version().await?;
            let version = client.version().await?;
            Ok::<_, bollard::errors::Error>((client, version))
        };
        let answer = cx.unless_cancelled(tokio::time::timeout(QUESTION, answer)).await?;
        let no_daemon = |why: String| DockerError::NoDaemon { address: endpoint.to_string(), origin: endpoint.origin.clone(), why };
        let (client, version) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(no_daemon(error::root_cause(&error))),
            Err(_) => return Err(no_daemon(format!("no answer in {} s", QUESTION.as_secs()))),
        };
        let api = client.client_version();
        let is_podman = version.components.iter().flatten().any(|component| component.name.contains("Podman"));
        let os = version.os.unwrap_or_default();
        let version = DockerVersion {
            engine: version.version.unwrap_or_default(),
            api: api.to_string(),
            platform: Platform::parse(&format!("{os}/{}", version.arch.unwrap_or_default())).ok(),
            has_buildkit: os == "linux"
                && !is_podman
                && (api.major_version, api.minor_version) >= (BUILDKIT_SINCE.major_version, BUILDKIT_SINCE.minor_version),
        };
        Ok(Self { client, endpoint, env: env.clone(), version, moved: Activity::new() })
    }

    /// Returns what the daemon said of itself.
    pub fn version(&self) -> &DockerVersion {
        &self.version
    }

    /// Returns whether the daemon can build with BuildKit.
    pub fn has_buildkit(&self) -> bool {
        self.version.has_buildkit
    }

    /// Returns the variables with which the docker command reaches this same daemon.
    pub fn command_env(&self) -> Vec<(&'static str, String)> {
        self.endpoint.command_env()
    }

    /// Returns the ID of the image that a name, `name:tag`, `name@digest` or ID stands for; none if the daemon has none.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn image_id(&self, name: &str, cx: &Cx) -> Result<Option<ImageId>, DockerError> {
        let id = self.inspect(name, cx).await?.and_then(|image| image.id);
        id.map(|id| {
            ImageId::parse(&id).map_err(|error| DockerError::Answer { what: format!("find image `{name}`"), message: error.to_string() })
        })
        .transpose()
    }

    /// Returns the configuration of an image in the shape of the OCI specification (`architecture`, `os`,
    /// `config`), so that it reads as one from a registry; none if the daemon has no such image.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn image_config(&self, name: &str, cx: &Cx) -> Result<Option<serde_json::Value>, DockerError> {
        Ok(self.inspect(name, cx).await?.map(|image| {
            serde_json::json!({
                "architecture": image.architecture,
                "variant": image.variant,
                "os": image.os,
                "config": image.config,
                "rootfs": { "type": "layers", "diff_ids": image.root_fs.and_then(|fs| fs.layers).unwrap_or_default() },
            })
        }))
    }

    /// Returns the digests under which registries know an image: `name@sha256:…`.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn repo_digests(&self, name: &str, cx: &Cx) -> Result<Vec<String>, DockerError> {
        Ok(self.inspect(name, cx).await?.and_then(|image| image.repo_digests).unwrap_or_default())
    }

    async fn inspect(&self, name: &str, cx: &Cx) -> Result<Option<bollard::models::ImageInspect>, DockerError> {
        match self.ask(&format!("find image `{name}`"), self.client.inspect_image(name), cx).await {
            Err(DockerError::NotFound { .. }) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Gives the image that `name` stands for another name.
    ///
    /// # Errors
    /// When the daemon has no such image.
    pub async fn tag(&self, name: &str, target: &ImageRef, cx: &Cx) -> Result<(), DockerError> {
        let options = TagImageOptions {
            repo: Some(target.name.to_string()),
            tag: Some(target.tag.as_ref().map_or("latest", |tag| tag.as_str()).to_owned()),
        };
        self.ask(&format!("tag `{name}` as `{target}`"), self.client.tag_image(name, Some(options)), cx).await
    }

    /// Removes a name, and the image if it was the last one; nothing to do if there is none.
    ///
    /// # Errors
    /// When a container uses the image.
    pub async fn remove_image(&self, name: &str, cx: &Cx) -> Result<(), DockerError> {
        self.remove_image_with(name, true, cx).await
    }

    /// The same; untagged images that it was built on go with it if `parents`.
    ///
    /// # Errors
    /// [`DockerError::InUse`] when a container uses the image.
    pub async fn remove_image_with(&self, name: &str, parents: bool, cx: &Cx) -> Result<(), DockerError> {
        let options = RemoveImageOptions { noprune: !parents, ..RemoveImageOptions::default() };
        match self.ask(&format!("remove image `{name}`"), self.client.remove_image(name, Some(options), None), cx).await {
            Ok(_) | Err(DockerError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the answer to a question that the daemon needs no time for.
    async fn ask<T>(
        &self,
        what: &str,
        question: impl Future<Output = Result<T, bollard::errors::Error>>,
        cx: &Cx,
    ) -> Result<T, DockerError> {
        tracing::debug!("container daemon: {what}");
        match cx.unless_cancelled(tokio::time::timeout(QUESTION, question)).await? {
            Ok(result) => result.map_err(|error| DockerError::from_answer(what, &error)),
            Err(_) => Err(DockerError::TimedOut { what: what.to_owned(), limit: QUESTION }),
        }
    }
}
