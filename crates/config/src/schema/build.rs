//! `build`: tags and where builds run.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Artifact;
use super::HostHooks;
use super::TextMap;
use super::words;

/// How images are built.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"build type": ["local", "googleCloudBuild", "cluster"]}))]
pub struct BuildConfig {
    /// Commands around all builds.
    pub hooks: HostHooks,
    /// The images.
    pub artifacts: Vec<Artifact>,
    /// Registries that are spoken to without TLS.
    pub insecure_registries: Vec<String>,
    /// How images are tagged; `gitCommit` by default.
    pub tag_policy: TagPolicy,
    /// Platforms of artifacts that name none: `linux/amd64`.
    pub platforms: Vec<String>,
    /// Builds run on this machine: the default.
    pub local: Option<LocalBuild>,
    /// Builds run on Google Cloud Build.
    pub google_cloud_build: Option<GoogleCloudBuild>,
    /// Builds run in pods.
    pub cluster: Option<ClusterDetails>,
}

/// How images are tagged.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"tag policy": ["gitCommit", "sha256", "envTemplate", "dateTime", "customTemplate", "inputDigest"]}))]
pub struct TagPolicy {
    /// By the git tag or commit.
    pub git_commit: Option<GitTagger>,
    /// By `latest`: the digest tells builds apart.
    pub sha256: Option<EmptyTagger>,
    /// By a template over the environment.
    pub env_template: Option<EnvTemplateTagger>,
    /// By the time of the build.
    pub date_time: Option<DateTimeTagger>,
    /// By a template over other tag policies.
    pub custom_template: Option<CustomTemplateTagger>,
    /// By a digest of the inputs.
    pub input_digest: Option<EmptyTagger>,
}

/// A tag policy without settings: `{}`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EmptyTagger {}

/// Tags from git.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GitTagger {
    /// `Tags` (the default), `CommitSha`, `AbbrevCommitSha`, `TreeSha`, `AbbrevTreeSha` or `Branches`.
    #[schemars(extend("x-values" = words::GIT_VARIANTS))]
    pub variant: String,
    /// Put before the tag.
    pub prefix: String,
    /// Whether uncommitted changes leave no `-dirty`.
    pub ignore_changes: bool,
}

/// Tags from the environment.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["template"]))]
pub struct EnvTemplateTagger {
    /// A Go template, for example `{{.RELEASE}}`; `IMAGE_NAME` is set too.
    #[schemars(extend("x-template" = true))]
    pub template: String,
}

/// Tags from the clock.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DateTimeTagger {
    /// A Go time layout; `2006-01-02_15-04-05.999_MST` by default.
    pub format: String,
    /// A zone of the IANA database; `Local` by default.
    pub timezone: String,
}

/// Tags from other tag policies.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["template"]))]
pub struct CustomTemplateTagger {
    /// A Go template, for example `{{.DATE}}_{{.SHA}}`.
    pub template: String,
    /// The names in it.
    pub components: Vec<TaggerComponent>,
}

/// A tag policy with a name.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"tag policy": ["gitCommit", "sha256", "envTemplate", "dateTime", "customTemplate", "inputDigest"]}))]
pub struct TaggerComponent {
    /// The name.
    pub name: String,
    /// By the git tag or commit.
    pub git_commit: Option<GitTagger>,
    /// By `latest`.
    pub sha256: Option<EmptyTagger>,
    /// By a template over the environment.
    pub env_template: Option<EnvTemplateTagger>,
    /// By the time of the build.
    pub date_time: Option<DateTimeTagger>,
    /// Not allowed here.
    pub custom_template: Option<CustomTemplateTagger>,
    /// By a digest of the inputs.
    pub input_digest: Option<EmptyTagger>,
}

/// Builds on this machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LocalBuild {
    /// Whether images are pushed; by default unless the cluster is local.
    pub push: Option<bool>,
    /// Whether an image that the cache does not know is pulled, if it is there, instead of built.
    pub try_import_missing: bool,
    /// Whether the docker command builds.
    #[serde(rename = "useDockerCLI")]
    pub use_docker_cli: bool,
    /// Whether BuildKit builds; by default where the daemon has it.
    pub use_buildkit: Option<bool>,
    /// How many builds run at once; 0 is all.
    pub concurrency: Option<i64>,
}

/// Builds on Google Cloud Build.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GoogleCloudBuild {
    /// Project to build in; by default guessed from the image.
    pub project_id: String,
    /// Size of the disk in GB.
    pub disk_size_gb: i64,
    /// Type of the machine.
    pub machine_type: String,
    /// How long a build may take, for example `600s`.
    pub timeout: String,
    /// Where logs are kept.
    pub logging: String,
    /// When logs are kept.
    pub log_streaming_option: String,
    /// Image that runs docker.
    pub docker_image: String,
    /// Image that runs kaniko.
    pub kaniko_image: String,
    /// Image that runs Maven.
    pub maven_image: String,
    /// Image that runs Gradle.
    pub gradle_image: String,
    /// Image that runs pack.
    pub pack_image: String,
    /// Image that runs ko.
    pub ko_image: String,
    /// Bucket for sources.
    pub bucket: String,
    /// How many builds run at once; 0 is all.
    pub concurrency: i64,
    /// Pool of workers.
    pub worker_pool: String,
    /// Region to build in.
    pub region: String,
    /// A step that installs emulators of other platforms.
    pub platform_emulator_install_step: Option<PlatformEmulatorInstallStep>,
    /// Service account of the builds.
    pub service_account: String,
}

/// A step that installs emulators.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["image"]))]
pub struct PlatformEmulatorInstallStep {
    /// Its image.
    pub image: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its entry point.
    pub entrypoint: String,
}

/// Builds in pods.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterDetails {
    /// Image of the builder pod, instead of the one that the machine's settings or the default repository have.
    #[schemars(extend("x-instead" = "`--builder-image`, or `builder-image` of the settings, names it"))]
    pub builder_image: String,
    /// `HTTP_PROXY` of the pods.
    #[serde(rename = "HTTP_PROXY")]
    pub http_proxy: String,
    /// `HTTPS_PROXY` of the pods.
    #[serde(rename = "HTTPS_PROXY")]
    pub https_proxy: String,
    /// File with the Google service account key.
    #[schemars(extend("x-path" = "module"))]
    pub pull_secret_path: String,
    /// Secret with the Google service account key.
    pub pull_secret_name: String,
    /// Where that secret is mounted.
    pub pull_secret_mount_path: String,
    /// Namespace of the pods.
    pub namespace: String,
    /// How long a build may take; `20m` by default.
    pub timeout: String,
    /// Docker's `config.json`.
    pub docker_config: Option<DockerConfig>,
    /// Service account of the pods.
    pub service_account: String,
    /// Tolerations of the pods.
    pub tolerations: Vec<serde_json::Value>,
    /// Node selector of the pods.
    pub node_selector: TextMap,
    /// Annotations of the pods.
    pub annotations: TextMap,
    /// Labels of the pods.
    pub labels: TextMap,
    /// User that the pods run as.
    pub run_as_user: Option<i64>,
    /// Resources of the pods.
    pub resources: Option<ResourceRequirements>,
    /// How many builds run at once; 0 is all.
    pub concurrency: i64,
    /// Volumes of the pods.
    pub volumes: Vec<serde_json::Value>,
    /// Whether the name of the pull secret gets a random end.
    pub random_pull_secret: bool,
    /// Whether the name of the docker secret gets a random end.
    pub random_docker_config_secret: bool,
}

/// Docker's `config.json`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DockerConfig {
    /// Its path.
    #[schemars(extend("x-path" = "module"))]
    pub path: String,
    /// Secret that has it.
    pub secret_name: String,
}

/// Resources of a pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceRequirements {
    /// What it asks for.
    pub requests: Option<ResourceRequirement>,
    /// What it may use.
    pub limits: Option<ResourceRequirement>,
}

/// Amounts of resources.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceRequirement {
    /// Processors.
    pub cpu: String,
    /// Memory.
    pub memory: String,
    /// Local disk.
    pub ephemeral_storage: String,
    /// Storage.
    pub resource_storage: String,
}
