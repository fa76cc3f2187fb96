//! What the user asks `init` for.

/// What the user asks for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// No artifacts.
    pub skip_build: bool,
    /// Neither manifests nor releases.
    pub skip_deploy: bool,
    /// Jib is looked for in Maven's files.
    pub jib: bool,
    /// Jib is looked for in Gradle's files.
    pub jib_gradle: bool,
    /// Go programs are built by ko.
    pub ko: bool,
    /// Sources are built by buildpacks.
    pub buildpacks: bool,
    /// The image that builds them.
    pub buildpacks_builder: String,
    /// Images and what builds them, as `--artifact` has them.
    pub artifacts: Vec<String>,
    /// Paths and patterns of manifests, in place of what is found.
    pub manifests: Vec<String>,
    /// The kustomization that is used without a profile.
    pub default_kustomization: Option<String>,
    /// Manifests are made for what has none.
    pub generate_manifests: bool,
}

/// What one that reads Dockerfiles says of a text: the ports that it exposes; none if it is no Dockerfile.
pub type ReadDockerfile<'a> = &'a dyn Fn(&str) -> Option<Vec<u16>>;
