//! Builders that are programs of others: Jib, Bazel and Cloud Native Buildpacks.

use super::PathList;
use crate::Platform;
use crate::Template;

/// `artifacts[].jib`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JibBuild {
    /// The module of Maven or subproject of Gradle that becomes the image; none is the whole project.
    pub project: Option<String>,
    /// More arguments of `mvn` or `gradle`.
    pub args: Vec<String>,
    /// What builds the project; none means what its files say.
    pub kind: Option<JibKind>,
    /// The base image, or the alias of a required one; none means what the project says.
    pub from_image: Option<String>,
}

/// What Jib is a plugin of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JibKind {
    /// Maven.
    Maven,
    /// Gradle.
    Gradle,
}

/// `artifacts[].bazel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BazelBuild {
    /// The target, which makes an archive of an image.
    pub target: String,
    /// More arguments of `bazel build`.
    pub args: Vec<String>,
    /// Bazel's targets of platforms.
    pub platforms: Vec<BazelPlatform>,
}

/// Bazel's target of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BazelPlatform {
    /// The platform.
    pub platform: Platform,
    /// What Bazel calls it.
    pub target: String,
}

/// `artifacts[].buildpacks`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BuildpacksBuild {
    /// The builder image, or the alias of a required one; none means that of `pack config default-builder`.
    pub builder: Option<String>,
    /// The run image, or the alias of a required one; none means the builder's.
    pub run_image: Option<String>,
    /// Environment of the build: names and values.
    pub env: Vec<(String, Template)>,
    /// The buildpacks; none means what the project descriptor or the builder says.
    pub buildpacks: Vec<String>,
    /// Whether all phases run in one container of the builder, which then sees credentials.
    pub trust_builder: bool,
    /// Whether the build starts without the cache of earlier ones.
    pub clear_cache: bool,
    /// Path of the project descriptor, relative to the context.
    pub project_descriptor: String,
    /// The inputs.
    pub dependencies: PathList,
    /// Volumes of the build, as `host:target` or `host:target:options`.
    pub volumes: Vec<String>,
    /// More arguments of `pack build`.
    pub build_args: Vec<String>,
}
