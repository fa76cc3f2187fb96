//! What the user's configuration means, after modules, profiles, templates and defaults.

mod builders;
mod cluster_build;
mod docker;
mod helm;
mod task;
mod test;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

pub use self::helm::HelmChart;
pub use self::helm::HelmDeploy;
pub use self::helm::HelmFile;
pub use self::helm::HelmFlags;
pub use self::helm::HelmPackage;
pub use self::helm::HelmRelease;
pub use self::test::CustomTest;
pub use self::test::StructureTest;
pub use self::test::Test;
pub use self::test::TestDependencies;
pub use self::test::TestKind;
use crate::Diagnostic;
use crate::Hooks;
use crate::ImageName;
use crate::Location;
use crate::Namespace;
use crate::Platform;
use crate::RenderHooks;
use crate::Template;

pub use self::builders::*;
pub use self::cluster_build::*;
pub use self::docker::*;
pub use self::task::*;

/// The fully resolved configuration of a session.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One entry per configuration document, dependencies first.
    pub modules: Vec<Module>,
    /// The artifacts of all modules, in file order.
    pub artifacts: Vec<Artifact>,
    /// The tests of images of all modules, in file order.
    pub tests: Vec<Test>,
    /// What holds for every build.
    pub build: BuildSettings,
    /// What holds for every deploy.
    pub deploy: DeploySettings,
    /// Which manifest fields hold images and labels, beyond the built-in kinds.
    pub resource_selector: ResourceSelector,
    /// Tests of a deployment.
    pub verify: Vec<TaskGroup>,
    /// Actions that `exec` runs.
    pub custom_actions: Vec<TaskGroup>,
    /// Ports that the user wants on this machine.
    pub port_forward: Vec<PortForward>,
    /// Profiles that are active in the root configuration.
    pub profiles: Vec<String>,
    /// Every file that this plan was read from.
    pub files: Vec<PathBuf>,
    /// What was noticed while loading.
    pub warnings: Vec<Diagnostic>,
}

/// One configuration document.
#[derive(Debug, Clone)]
pub struct Module {
    /// `metadata.name`.
    pub name: Option<String>,
    /// The file that it stands in.
    pub file: PathBuf,
    /// The directory that its relative paths start from.
    pub dir: PathBuf,
    /// What it builds, and what runs around that.
    pub build: BuildSpec,
    /// What it renders.
    pub render: RenderSpec,
    /// How it deploys.
    pub deploy: DeploySpec,
}

/// What a module builds together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildSpec {
    /// Its artifacts.
    pub artifacts: BTreeSet<ImageName>,
    /// What runs before the first of their builds, and after the last.
    pub hooks: Hooks,
}

/// An image to build, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Its name, before default-repo rewriting.
    pub image: ImageName,
    /// The build context: an absolute path.
    pub context: PathBuf,
    /// How it is built.
    pub builder: Builder,
    /// How it is tagged.
    pub tagger: Tagger,
    /// Images that are built first and given to this build.
    pub requires: Vec<Requirement>,
    /// What to build for; empty means the cluster's, else the builder's own platform.
    pub platforms: Vec<Platform>,
    /// The language runtime, if the configuration names it.
    pub runtime: Option<Runtime>,
    /// Where Dockerfiles of its module are built.
    pub place: BuildPlace,
    /// Which of its files are copied into running containers; none means that every change is built.
    pub sync: Option<SyncSpec>,
    /// What runs around its build.
    pub hooks: Hooks,
    /// Where the artifact stands in skaffold.yaml.
    pub at: Location,
}

impl Artifact {
    /// Returns the settings of `build.local`; the defaults where it is built elsewhere.
    pub fn local(&self) -> &LocalBuild {
        const DEFAULT: &LocalBuild =
            &LocalBuild { push: None, try_import_missing: false, use_docker_cli: false, use_buildkit: None, concurrency: None };
        if let BuildPlace::Local(local) = &self.place { local } else { DEFAULT }
    }

    /// Returns the settings of `build.cluster`, if it is built there.
    pub fn cluster(&self) -> Option<&Arc<ClusterBuild>> {
        if let BuildPlace::Cluster(cluster) = &self.place { Some(cluster) } else { None }
    }

    /// Returns whether both are the same, wherever they stand: a comment above an artifact builds nothing.
    pub fn is_same(&self, other: &Self) -> bool {
        *self == Self { at: self.at.clone(), ..other.clone() }
    }
}

/// An image that another needs (`requires[]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The artifact that is needed.
    pub image: ImageName,
    /// The build argument or variable that names it.
    pub alias: String,
}

/// A language runtime that `debug` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// Go.
    Go,
    /// Node.js.
    NodeJs,
    /// The Java virtual machine.
    Jvm,
    /// Python.
    Python,
    /// .NET.
    NetCore,
}

/// Where a module's images are built.
#[derive(Debug, Clone, PartialEq)]
pub enum BuildPlace {
    /// On this machine: `build.local`.
    Local(LocalBuild),
    /// In pods: `build.cluster`. Images go to a registry.
    Cluster(Arc<ClusterBuild>),
}

impl Default for BuildPlace {
    fn default() -> Self {
        Self::Local(LocalBuild::default())
    }
}

/// `build.local`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalBuild {
    /// Whether to push; unset means unless the cluster is local.
    pub push: Option<bool>,
    /// Whether to pull an image that the cache does not know, instead of building it.
    pub try_import_missing: bool,
    /// Whether to run the docker command.
    pub use_docker_cli: bool,
    /// Whether to use BuildKit; unset means where the daemon has it.
    pub use_buildkit: Option<bool>,
    /// How many builds at once; `Some(0)` is all, unset is what the builders allow.
    pub concurrency: Option<usize>,
}

/// The closed set of builders.
#[derive(Debug, Clone, PartialEq)]
pub enum Builder {
    /// A Dockerfile, by the container daemon, or by BuildKit in the cluster.
    Docker(DockerBuild),
    /// A Dockerfile, by kaniko in a pod; by BuildKit where nothing asks for kaniko itself.
    Kaniko(Box<KanikoBuild>),
    /// A Go program, by `go build` and two layers.
    Ko(KoBuild),
    /// A Java project, by the Jib plugin of Maven or Gradle.
    Jib(JibBuild),
    /// A target of Bazel that makes an archive of an image.
    Bazel(BazelBuild),
    /// Sources, by Cloud Native Buildpacks.
    Buildpacks(Box<BuildpacksBuild>),
    /// A command of the user's.
    Custom(CustomBuild),
}

impl Builder {
    /// Returns what is built from a Dockerfile, whoever builds it.
    pub fn dockerfile(&self) -> Option<&DockerBuild> {
        match self {
            Self::Docker(docker) => Some(docker),
            Self::Kaniko(kaniko) => Some(&kaniko.dockerfile),
            Self::Ko(_) | Self::Jib(_) | Self::Bazel(_) | Self::Buildpacks(_) | Self::Custom(_) => None,
        }
    }
}

/// `artifacts[].docker`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DockerBuild {
    /// Path of the Dockerfile, relative to the context.
    pub dockerfile: PathBuf,
    /// Stage to build.
    pub target: Option<String>,
    /// Build arguments; a value of none is taken from the environment.
    pub build_args: BTreeMap<String, Option<Template>>,
    /// Network mode of RUN.
    pub network: Option<String>,
    /// Additional `host:ip` entries.
    pub add_hosts: Vec<String>,
    /// Images to take cached layers from.
    pub cache_from: Vec<String>,
    /// Where cached layers are kept, in the words of buildx: `type=registry,ref=NAME`.
    pub cache_to: Vec<String>,
    /// Flags for the docker command; they switch to it.
    pub cli_flags: Vec<Template>,
    /// Whether to ask the registry for a newer base.
    pub pull_parent: bool,
    /// Whether to build every step anew.
    pub no_cache: bool,
    /// Whether to squash the layers.
    pub squash: bool,
    /// Secrets for `RUN --mount=type=secret`.
    pub secrets: Vec<BuildSecret>,
    /// SSH agents or keys for `RUN --mount=type=ssh`: `default`, `id=path`.
    pub ssh: Option<String>,
}

/// A secret of a build: never in an argument or an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// Its ID in the Dockerfile.
    pub id: String,
    /// Where its value is.
    pub source: SecretSource,
}

/// Where the value of a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// `artifacts[].ko`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KoBuild {
    /// The base image; none means ko's default.
    pub from_image: Option<String>,
    /// Directory to run `go` in, relative to the context.
    pub dir: Option<PathBuf>,
    /// Environment of `go build`, `NAME=value`.
    pub env: Vec<Template>,
    /// Flags of `go build`.
    pub flags: Vec<Template>,
    /// Linker flags.
    pub ldflags: Vec<Template>,
    /// Labels of the image.
    pub labels: BTreeMap<String, Template>,
    /// The main package, relative to the directory; none means `.`.
    pub main: Option<String>,
    /// Additional inputs that the configuration names; none means what `go list` says alone.
    pub dependencies: Option<PathList>,
}

/// `artifacts[].custom`.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomBuild {
    /// The command, for `sh -c`.
    pub command: Template,
    /// What its inputs are.
    pub dependencies: CustomDependencies,
}

/// What the inputs of a custom build are.
#[derive(Debug, Clone, PartialEq)]
pub enum CustomDependencies {
    /// Files by patterns.
    Paths(PathList),
    /// A command that prints them as a JSON list.
    Command(String),
    /// Whatever this Dockerfile copies.
    Dockerfile {
        /// Path of the Dockerfile, relative to the context.
        path: PathBuf,
        /// Build arguments that its FROM and COPY use.
        build_args: BTreeMap<String, Option<Template>>,
    },
}

/// Patterns of files, relative to the context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathList {
    /// Files and directories that count.
    pub paths: Vec<String>,
    /// What of them does not.
    pub ignore: Vec<String>,
}

/// `build.tagPolicy`: a closed set.
#[derive(Debug, Clone, PartialEq)]
pub enum Tagger {
    /// From git.
    GitCommit {
        /// What of it.
        variant: GitVariant,
        /// Put before it.
        prefix: String,
        /// Whether uncommitted changes leave no mark.
        ignore_changes: bool,
    },
    /// `latest`, or the tag that the image name has: the digest alone tells builds apart.
    Sha256,
    /// A Go template over the environment.
    EnvTemplate(Template),
    /// The time of the build.
    DateTime {
        /// A Go time layout; none means `2006-01-02_15-04-05.999_MST`.
        format: Option<String>,
        /// An IANA zone or `Local`; none means local time.
        timezone: Option<String>,
    },
    /// A Go template over other taggers.
    CustomTemplate {
        /// The template.
        template: Template,
        /// Named taggers that it may use.
        components: Vec<(String, Tagger)>,
    },
    /// A digest of the inputs.
    InputDigest,
    /// The same text for every image (`--tag`).
    Fixed(String),
}

/// `gitCommit.variant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GitVariant {
    /// `git describe --tags --always`.
    #[default]
    Tags,
    /// The full hash of the commit.
    CommitSha,
    /// The short hash of the commit.
    AbbrevCommitSha,
    /// The full hash of the context's tree.
    TreeSha,
    /// The short hash of the context's tree.
    AbbrevTreeSha,
    /// The name of the branch.
    Branches,
}

/// What holds for every build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildSettings {
    /// Registries that are spoken to without TLS, or without checking it.
    pub insecure_registries: Vec<String>,
    /// How many builds at once over all modules: the smallest that a module asks for; `Some(0)` is all.
    pub concurrency: Option<usize>,
    /// Platforms for artifacts that name none.
    pub platforms: Vec<Platform>,
}

/// What a module renders.
#[derive(Debug, Clone, Default)]
pub struct RenderSpec {
    /// The directory that relative paths start from.
    pub dir: PathBuf,
    /// `manifests.rawYaml`: paths, globs and URLs.
    pub raw_yaml: Vec<RawManifests>,
    /// `manifests.remoteManifests`: objects that are in the cluster already.
    pub remote_manifests: Vec<RemoteManifest>,
    /// `manifests.kustomize`.
    pub kustomize: Option<KustomizeSpec>,
    /// What runs around rendering.
    pub hooks: RenderHooks,
    /// `manifests.helm`: releases that `helm template` renders.
    pub helm: Vec<HelmRelease>,
}

impl RenderSpec {
    /// Returns whether it has manifests that no other program renders.
    pub fn has_manifests(&self) -> bool {
        !self.raw_yaml.is_empty() || !self.remote_manifests.is_empty()
    }
}

/// `manifests.kustomize`.
#[derive(Debug, Clone, Default)]
pub struct KustomizeSpec {
    /// Kustomizations.
    pub paths: Vec<KustomizePath>,
    /// More arguments of `kustomize build`; an entry may hold several.
    pub build_args: Vec<String>,
}

/// One entry of `manifests.kustomize.paths`.
#[derive(Debug, Clone)]
pub struct KustomizePath {
    /// A directory, or a URL.
    pub path: Template,
    /// Where it stands; none for the default.
    pub at: Option<Location>,
}

/// One entry of `manifests.rawYaml`.
#[derive(Debug, Clone)]
pub struct RawManifests {
    /// A path, glob or URL.
    pub pattern: Template,
    /// Whether it may match nothing: the default pattern, and those of configurations from elsewhere.
    pub may_match_nothing: bool,
    /// Where it stands; none for the default.
    pub at: Option<Location>,
}

/// One entry of `manifests.remoteManifests` or `deploy.kubectl.remoteManifests`.
#[derive(Debug, Clone)]
pub struct RemoteManifest {
    /// `namespace:kind/name` or `kind/name`.
    pub manifest: String,
    /// Kubernetes context, if not the current one.
    pub kube_context: Option<String>,
    /// The field that it stands in: `manifests.remoteManifests`.
    pub field: String,
    /// Where it stands.
    pub at: Option<Location>,
}

/// How a module deploys.
#[derive(Debug, Clone, Default)]
pub struct DeploySpec {
    /// `deploy.kubeContext`, where it is not the session's: a cluster of its own.
    pub context: Option<String>,
    /// `deploy.kubectl`, written or implied.
    pub kubectl: Option<KubectlDeploy>,
    /// `deploy.docker`.
    pub docker: Option<DockerDeploy>,
    /// `deploy.helm`, with the releases of `manifests.helm`.
    pub helm: Option<HelmDeploy>,
}

/// `deploy.kubectl`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KubectlDeploy {
    /// Flags for every kubectl call.
    pub global_flags: Vec<String>,
    /// Flags for `kubectl apply`.
    pub apply_flags: Vec<String>,
    /// Flags for `kubectl delete`.
    pub delete_flags: Vec<String>,
    /// Whether the server's field validation is off.
    pub disable_validation: bool,
    /// Namespace of objects that name none, unless the command line says one.
    pub default_namespace: Option<Template>,
    /// What runs around a deploy.
    pub hooks: Hooks,
}

/// What holds for every deploy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeploySettings {
    /// `deploy.kubeContext`.
    pub kube_context: Option<String>,
    /// Whether to wait until everything is ready; unset means yes.
    pub status_check: Option<bool>,
    /// How long that may take; the largest that a module asks for.
    pub status_check_deadline: Option<Duration>,
    /// Whether a failing pod is waited for until the deadline.
    pub tolerate_failures_until_deadline: bool,
    /// How pods' logs are shown.
    pub logs: LogSettings,
}

/// One entry of `portForward`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortForward {
    /// Kind in lower case: `service`, `pod`, `deployment`, `container` and their like.
    pub kind: String,
    /// Name.
    pub name: Template,
    /// Namespace; none means the session's.
    pub namespace: Option<Template>,
    /// The port.
    pub port: ForwardPort,
    /// The local address.
    pub address: String,
    /// The wanted local port, which is the same as `port` by default; none means any that is free.
    pub local_port: Option<u16>,
    /// The Kubernetes context of its module, where it is not the session's.
    pub context: Option<String>,
    /// Where the entry stands.
    pub at: Location,
}

impl PortForward {
    /// Returns whether it is of a container of the container daemon, which publishes its ports.
    pub fn is_of_container(&self) -> bool {
        self.kind == "container"
    }

    /// Returns whether its local port was chosen, rather than being the same as the port there.
    pub fn chooses_local_port(&self) -> bool {
        self.local_port.is_some_and(|local| self.port != ForwardPort::Number(local))
    }
}

/// A port by number or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPort {
    /// Its number.
    Number(u16),
    /// Its name in the Service or container.
    Name(String),
}

/// `artifacts[].sync`.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncSpec {
    /// Which files go where.
    pub mode: SyncMode,
    /// What runs around a sync.
    pub hooks: Hooks,
}

/// Which files go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncMode {
    /// By rules.
    Manual(Vec<SyncRule>),
    /// To where the Dockerfile, or the builder, copies them, for these patterns.
    Infer(Vec<String>),
    /// As the builder says.
    Auto,
}

/// One entry of `sync.manual`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRule {
    /// Pattern of files, relative to the context.
    pub src: String,
    /// Directory in the container; a relative one starts from the image's working directory.
    pub dest: String,
    /// Taken off the start of a path.
    pub strip: String,
}

/// `deploy.logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSettings {
    /// What is put before a line.
    pub prefix: LogPrefix,
    /// Keys of JSON lines to show; empty shows lines as they are.
    pub json_fields: Vec<String>,
}

/// `deploy.logs.prefix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogPrefix {
    /// `[container]`.
    #[default]
    Container,
    /// `[pod container]`.
    PodAndContainer,
    /// `[pod container]` unless both are the same.
    Auto,
    /// Nothing.
    None,
}

/// `resourceSelector`: kinds whose images and labels are rewritten, beyond the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceSelector {
    /// Also these.
    pub allow: Vec<ResourceRule>,
    /// Not these.
    pub deny: Vec<ResourceRule>,
}

/// One rule of a resource selector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceRule {
    /// Regular expression over `kind.group`.
    pub group_kind: String,
    /// JSON paths of image fields; `.*` is all.
    pub image: Vec<String>,
    /// JSON paths of label fields; `.*` is all.
    pub labels: Vec<String>,
    /// JSON paths of pod specs, where pods are kept on some nodes; `.*` is the usual one.
    pub pod_spec: Vec<String>,
}

/// Where this session builds for and deploys to: resolved once, before any stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Kubernetes context; none where no cluster is needed.
    pub context: Option<String>,
    /// Namespace of objects that name none.
    pub namespace: Namespace,
    /// `--namespace`, or its environment variable: written into every object.
    pub namespace_is_forced: bool,
    /// How images reach the cluster.
    pub delivery: Delivery,
    /// Put before image names; from the command line, the global configuration or the cluster.
    pub default_repo: Option<String>,
    /// Whether `/` in an image name survives default-repo rewriting.
    pub multi_level_repo: bool,
    /// What the cluster's nodes run; empty where no cluster is needed.
    pub node_platforms: Vec<Platform>,
}

/// How images reach the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Through a registry.
    Push,
    /// Put onto the nodes without a registry.
    Load(LoadInto),
}

/// What images are loaded into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadInto {
    /// Nothing more to do: the cluster runs from the daemon that built them.
    Daemon,
    /// The nodes of a kind cluster.
    Kind {
        /// The cluster's name.
        cluster: String,
    },
    /// The nodes of a k3d cluster.
    K3d {
        /// The cluster's name.
        cluster: String,
    },
}
