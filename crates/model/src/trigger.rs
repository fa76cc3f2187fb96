//! What wakes the loop of a watching session, and what it touches.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::ImageName;

/// What wakes the loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Files changed: absolute paths, each once.
    Files(Vec<PathBuf>),
    /// Changes were lost: anything may have changed.
    Rescan,
    /// A person or a program asks for something.
    Command(Command),
}

/// What a person, by a key, or a program, by the API, asks of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "command")]
pub enum Command {
    /// Do what waits for being asked: changes that an automatic stage would have acted on at once.
    Execute {
        /// Build what changed.
        build: bool,
        /// Sync what changed.
        sync: bool,
        /// Deploy what was built.
        deploy: bool,
    },
    /// Build anew, whatever the cache has; all artifacts if none is named.
    Rebuild {
        /// The artifact.
        artifact: Option<ImageName>,
    },
    /// Render and apply again, whether anything changed or not.
    Redeploy,
    /// Bring all changed files to all containers again.
    Resync,
    /// Switch a stage between acting on changes by itself and waiting for being asked.
    Auto {
        /// The stage.
        stage: AutoStage,
        /// Whether it acts by itself.
        enabled: bool,
    },
    /// Hold everything, or go on; changes are kept.
    Pause {
        /// Whether to hold.
        paused: bool,
    },
    /// Stop and clean up.
    Quit,
}

/// A stage that acts on changes by itself unless it is told not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AutoStage {
    /// Builds.
    Build,
    /// File sync.
    Sync,
    /// Rendering and deploying.
    Deploy,
}

impl fmt::Display for AutoStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Build => "build",
            Self::Sync => "sync",
            Self::Deploy => "deploy",
        })
    }
}

/// What changed files mean to the stages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Touched {
    /// Artifacts whose inputs may have changed.
    pub artifacts: Vec<TouchedArtifact>,
    /// Images whose tests depend on what changed.
    #[serde(default)]
    pub tests: Vec<TouchedTests>,
    /// Files that manifests are rendered from, as the user names them.
    pub manifests: Vec<String>,
    /// Files that the configuration is read from, as the user names them.
    pub config: Vec<String>,
}

/// An artifact whose inputs may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TouchedArtifact {
    /// The artifact.
    pub artifact: ImageName,
    /// Its files, relative to its context.
    pub files: Vec<String>,
    /// Whether all of them can be brought into running containers.
    pub syncable: bool,
}

/// An image whose tests depend on what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TouchedTests {
    /// The image.
    pub artifact: ImageName,
    /// The files, as the user names them.
    pub files: Vec<String>,
}

impl Touched {
    /// Returns whether the change concerns nothing of the plan.
    pub fn is_empty(&self) -> bool {
        self.artifacts.is_empty() && self.tests.is_empty() && self.manifests.is_empty() && self.config.is_empty()
    }

    /// Returns every file that is named, each once, in the order of artifacts, tests, manifests, configuration.
    pub fn files(&self) -> Vec<&str> {
        let of_artifacts = self.artifacts.iter().flat_map(|touched| &touched.files);
        let of_tests = self.tests.iter().flat_map(|touched| &touched.files);
        let mut seen = std::collections::HashSet::new();
        of_artifacts
            .chain(of_tests)
            .chain(&self.manifests)
            .chain(&self.config)
            .map(String::as_str)
            .filter(|file| seen.insert(*file))
            .collect()
    }
}
