//! What holds for every build of a session.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use devloop_model::Artifact;
use devloop_model::BuildSettings;
use devloop_model::Builder;
use devloop_model::Delivery;
use devloop_model::HookSettings;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Namespace;
use devloop_model::Platform;
use devloop_model::Target;

/// What holds for every build of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildOptions {
    /// Where images go.
    pub target: Target,
    /// `build` of the configuration.
    pub settings: BuildSettings,
    /// `--platform`: wins over what artifacts and the cluster say.
    pub platforms: Vec<Platform>,
    /// `--push`: wins over `build.local.push` and the kind of cluster.
    pub push: Option<bool>,
    /// `--tag`: one tag for every image, instead of the taggers'.
    pub tag: Option<String>,
    /// `--cache-artifacts`: whether images that exist already are used.
    pub cache_artifacts: bool,
    /// `--skip-tests`, for custom builds that test as well.
    pub skips_tests: bool,
    /// Artifacts that are built whatever the cache has.
    pub fresh: BTreeSet<ImageName>,
    /// Where the hash index and the build cache live (`$XDG_CACHE_HOME/devloop`).
    pub cache_dir: PathBuf,
    /// What builders in the cluster are.
    pub builder: BuilderOptions,
    /// What holds for every hook.
    pub hooks: HookSettings,
    /// The directory that devloop was started in.
    pub working_dir: PathBuf,
    /// The command, as builds see it in `SKAFFOLD_RUN_MODE`: `build`, `run`, `dev`, `debug`.
    pub mode: String,
    /// The time of this session: read once, so that all its dates agree.
    pub now: jiff::Timestamp,
}

/// What builders in the cluster are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuilderOptions {
    /// `--builder-image`, or that of the settings or the default repository.
    pub image: Option<String>,
    /// Whether it counts over what the configuration says.
    pub image_is_forced: bool,
    /// `--builder-idle`: after how long without a build they end; zero is never.
    pub idle: Duration,
    /// Registries that are spoken to without TLS, or without checking it.
    pub insecure: Vec<String>,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self { image: None, image_is_forced: false, idle: Duration::from_mins(30), insecure: Vec::new() }
    }
}

impl BuilderOptions {
    /// Returns whether the registry of `image` is spoken to without TLS.
    pub(crate) fn is_insecure(&self, image: &ImageRef) -> bool {
        image.name.as_str().split_once('/').is_some_and(|(host, _)| self.insecure.iter().any(|listed| listed == host))
    }
}

/// Returns the time now: the one clock read of a session.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

impl BuildOptions {
    /// Returns whether both build the same images: what was read at another time does.
    pub fn is_same(&self, other: &Self) -> bool {
        *self == Self { now: self.now, ..other.clone() }
    }

    /// Returns options for looking at artifacts where no cluster is asked, as `diagnose` does.
    pub fn without_cluster(cache_dir: PathBuf, working_dir: PathBuf, mode: &str) -> Self {
        let target = Target {
            context: None,
            namespace: Namespace("default".to_owned()),
            namespace_is_forced: false,
            delivery: Delivery::Push,
            default_repo: None,
            multi_level_repo: false,
            node_platforms: Vec::new(),
        };
        Self {
            target,
            settings: BuildSettings::default(),
            platforms: Vec::new(),
            push: None,
            tag: None,
            cache_artifacts: true,
            skips_tests: false,
            fresh: BTreeSet::new(),
            builder: BuilderOptions::default(),
            cache_dir,
            hooks: HookSettings::default(),
            working_dir,
            mode: mode.to_owned(),
            now: now(),
        }
    }

    /// Returns whether the image of `artifact` goes to a registry: the flag, else the artifact's
    /// own setting, else what the cluster needs.
    pub fn pushes(&self, artifact: &Artifact) -> bool {
        if artifact.cluster().is_some() && !matches!(artifact.builder, Builder::Ko(_)) {
            // A pod of the cluster has no daemon to leave an image in.
            return true;
        }
        self.push.or(artifact.local().push).unwrap_or(matches!(self.target.delivery, Delivery::Push))
    }

    /// Returns what `artifact` is built for: the flag, else its own platforms, else the
    /// configuration's, else those of the cluster's nodes; empty is the builder's own platform.
    pub fn platforms_of<'a>(&'a self, artifact: &'a Artifact) -> &'a [Platform] {
        let asked = self.asked_platforms_of(artifact);
        if asked.is_empty() { &self.target.node_platforms } else { asked }
    }

    /// Returns what somebody asks `artifact` to be built for, whatever the cluster's nodes are.
    pub(crate) fn asked_platforms_of<'a>(&'a self, artifact: &'a Artifact) -> &'a [Platform] {
        let asked = [&self.platforms, &artifact.platforms, &self.settings.platforms];
        asked.into_iter().find(|platforms| !platforms.is_empty()).map_or(&[], Vec::as_slice)
    }
}
