//! `build.artifacts`: images and their builders.

use schemars::JsonSchema;
use serde::Deserialize;

use super::HostHooks;
use super::KanikoArtifact;
use super::OptionalTextMap;
use super::SyncHooks;
use super::TextMap;
use super::words;

/// An image to build.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["image"]), extend("x-one-of" = {"builder": ["docker", "bazel", "ko", "jib", "kaniko", "buildpacks", "custom"]}))]
pub struct Artifact {
    /// Its name, without a tag: `gcr.io/project/web`.
    pub image: String,
    /// Directory of its sources; `.` by default.
    #[schemars(extend("x-path" = true))]
    pub context: String,
    /// Files that are copied into running containers.
    pub sync: Option<Sync>,
    /// From a Dockerfile: the default.
    pub docker: Option<DockerArtifact>,
    /// By Bazel.
    pub bazel: Option<BazelArtifact>,
    /// By ko.
    pub ko: Option<KoArtifact>,
    /// By Jib.
    pub jib: Option<JibArtifact>,
    /// By kaniko.
    pub kaniko: Option<KanikoArtifact>,
    /// By Cloud Native Buildpacks.
    pub buildpacks: Option<BuildpackArtifact>,
    /// By a command.
    pub custom: Option<CustomArtifact>,
    /// Artifacts that are built first.
    pub requires: Vec<ArtifactDependency>,
    /// Commands around its build.
    pub hooks: HostHooks,
    /// What it is built for: `linux/amd64`.
    pub platforms: Vec<String>,
    /// Its language, for `debug`: `go`, `nodejs`, `jvm`, `python` or `netcore`.
    #[schemars(extend("x-values" = words::RUNTIMES))]
    pub runtime_type: String,
}

/// An artifact that another needs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["image"]))]
pub struct ArtifactDependency {
    /// Its image.
    pub image: String,
    /// Build argument or variable that names it; the image by default.
    pub alias: String,
}

/// Files that are copied into running containers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"sync mode": ["manual", "infer", "auto"]}))]
pub struct Sync {
    /// By rules.
    pub manual: Vec<SyncRule>,
    /// To where the Dockerfile copies them, for these patterns.
    #[schemars(extend("x-path" = "context"))]
    pub infer: Vec<String>,
    /// As the builder says.
    pub auto: Option<bool>,
    /// Commands around a sync.
    pub hooks: SyncHooks,
}

/// Which files go where.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["src", "dest"]))]
pub struct SyncRule {
    /// Pattern of files.
    #[schemars(extend("x-path" = "context"))]
    pub src: String,
    /// Directory in the container.
    pub dest: String,
    /// Taken off the start of a path.
    pub strip: String,
}

/// A build from a Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DockerArtifact {
    /// Path of the Dockerfile; `Dockerfile` by default.
    #[schemars(extend("x-path" = "context"))]
    pub dockerfile: String,
    /// Stage to build.
    pub target: String,
    /// Build arguments; null takes the environment's.
    #[schemars(extend("x-template" = true))]
    pub build_args: OptionalTextMap,
    /// Network of RUN: `host`, `bridge`, `none` or `container:name`.
    pub network: String,
    /// More `host:ip` entries.
    pub add_host: Vec<String>,
    /// Images to take cached layers from, or `type=local,src=DIRECTORY`.
    pub cache_from: Vec<String>,
    /// Where cached layers are kept for other machines: `type=registry,ref=NAME,mode=max`, `type=inline` or `type=local,dest=DIRECTORY`.
    #[schemars(extend("x-instead" = "`cliFlags` with `--cache-to=…` passes it to the docker command"))]
    pub cache_to: Vec<String>,
    /// Flags of the docker command.
    pub cli_flags: Vec<String>,
    /// Whether newer base images are pulled.
    pub pull_parent: bool,
    /// Whether nothing is taken from a cache.
    pub no_cache: bool,
    /// Whether layers are squashed.
    pub squash: bool,
    /// Secrets for `RUN --mount=type=secret`.
    pub secrets: Vec<DockerSecret>,
    /// Agent or keys for `RUN --mount=type=ssh`: `default`, `id=path`.
    pub ssh: String,
}

/// A secret of a build.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["id"]), extend("x-one-of" = {"secret source": ["src", "env"]}))]
pub struct DockerSecret {
    /// Its name in the Dockerfile.
    pub id: String,
    /// File that has it.
    #[schemars(extend("x-path" = "module"))]
    pub src: String,
    /// Environment variable that has it.
    pub env: String,
}

/// A build by Bazel.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["target"]))]
pub struct BazelArtifact {
    /// The target; ends with `.tar`.
    pub target: String,
    /// More arguments of `bazel build`.
    pub args: Vec<String>,
    /// Bazel's names of platforms.
    pub platforms: Vec<BazelPlatformMapping>,
}

/// Bazel's name of a platform.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["platform", "target"]))]
pub struct BazelPlatformMapping {
    /// The platform: `linux/amd64`.
    pub platform: String,
    /// The target of Bazel.
    pub target: String,
}

/// A build by ko.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KoArtifact {
    /// The base image.
    pub from_image: String,
    /// Its inputs; `**/*.go` by default.
    pub dependencies: Option<PathDependencies>,
    /// Directory to run `go` in.
    #[schemars(extend("x-path" = "context"))]
    pub dir: String,
    /// Environment of `go build`.
    #[schemars(extend("x-template" = true))]
    pub env: Vec<String>,
    /// Flags of `go build`.
    #[schemars(extend("x-template" = true))]
    pub flags: Vec<String>,
    /// Labels of the image.
    #[schemars(extend("x-template" = true))]
    pub labels: TextMap,
    /// Flags of the linker.
    #[schemars(extend("x-template" = true))]
    pub ldflags: Vec<String>,
    /// The main package; `.` by default.
    pub main: String,
}

/// Inputs by patterns.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PathDependencies {
    /// Files and directories that count.
    #[schemars(extend("x-path" = "context"))]
    pub paths: Vec<String>,
    /// What of them does not.
    #[schemars(extend("x-path" = "context"))]
    pub ignore: Vec<String>,
}

/// A build by Jib.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JibArtifact {
    /// Subproject of Maven or Gradle.
    pub project: String,
    /// More arguments.
    pub args: Vec<String>,
    /// `maven` or `gradle`; by default what is there.
    #[serde(rename = "type")]
    #[schemars(extend("x-values" = words::JIB_TYPES))]
    pub kind: String,
    /// The base image.
    pub from_image: String,
}

/// A build by Cloud Native Buildpacks.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BuildpackArtifact {
    /// The builder image.
    pub builder: String,
    /// The run image.
    pub run_image: String,
    /// Environment of the build.
    pub env: Vec<String>,
    /// The buildpacks; by default what the builder detects.
    pub buildpacks: Vec<String>,
    /// Whether the builder may have secrets.
    pub trust_builder: bool,
    /// Whether the build cache is emptied.
    pub clear_cache: bool,
    /// Path of the project descriptor; `project.toml` by default.
    #[schemars(extend("x-path" = "context"))]
    pub project_descriptor: String,
    /// Its inputs; all by default.
    pub dependencies: Option<PathDependencies>,
    /// Volumes of the build.
    pub volumes: Vec<BuildpackVolume>,
    /// More arguments of pack.
    pub build_args: Vec<String>,
}

/// A volume of a build.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["host", "target"]))]
pub struct BuildpackVolume {
    /// Path on this machine.
    #[schemars(extend("x-path" = true))]
    pub host: String,
    /// Path in the build.
    pub target: String,
    /// Options of the mount.
    pub options: String,
}

/// A build by a command.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CustomArtifact {
    /// The command; it is given `IMAGE`, `PUSH_IMAGE`, `BUILD_CONTEXT` and `PLATFORMS`.
    pub build_command: String,
    /// Its inputs; all by default.
    pub dependencies: Option<CustomDependencies>,
}

/// Inputs of a command.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"kind of dependencies": ["dockerfile", "command", "paths"]}))]
pub struct CustomDependencies {
    /// What a Dockerfile copies.
    pub dockerfile: Option<DockerfileDependency>,
    /// A command that prints a JSON list of paths.
    pub command: String,
    /// Files and directories that count.
    #[schemars(extend("x-path" = "context"))]
    pub paths: Vec<String>,
    /// What of `paths` does not.
    #[schemars(extend("x-path" = "context"))]
    pub ignore: Vec<String>,
}

/// A Dockerfile that names inputs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DockerfileDependency {
    /// Its path.
    #[schemars(extend("x-path" = "context"))]
    pub path: String,
    /// Build arguments that it uses to name files.
    pub build_args: OptionalTextMap,
}
