//! Containers that run to their end: tests of `verify`, and custom actions.

use std::path::PathBuf;
use std::time::Duration;

use crate::Location;

/// Containers that run together: a test of `verify` has one, a custom action as many as it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskGroup {
    /// Its name.
    pub name: String,
    /// The containers.
    pub tasks: Vec<Task>,
    /// Whether the first failure stops the others.
    pub fail_fast: bool,
    /// How long all of it may take; none is for ever.
    pub timeout: Option<Duration>,
    /// Where it runs.
    pub place: TaskPlace,
    /// Where it stands.
    pub at: Location,
}

/// One container that runs to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What it is called: the name of the test, or of the container of an action.
    pub name: String,
    /// The name of its container.
    pub container: String,
    /// Its image: an artifact, or any other.
    pub image: String,
    /// Its program; empty means the image's.
    pub command: Vec<String>,
    /// Arguments of the program; empty means the image's.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Where its image stands.
    pub at: Location,
}

/// Where tasks run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskPlace {
    /// In the container daemon.
    Daemon {
        /// Whether images that the daemon has are not pulled.
        use_local_images: bool,
    },
    /// Each as a Job in the cluster.
    Cluster(Box<JobSettings>),
}

/// What a Job is made of besides its container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobSettings {
    /// JSON that is merged into it (RFC 7386), and where that stands.
    pub overrides: Option<(serde_json::Value, Location)>,
    /// The file of a Job that is used instead of the generated one: an absolute path, and where it is named.
    pub manifest: Option<(PathBuf, Location)>,
}

impl TaskGroup {
    /// Returns whether it runs in the cluster.
    pub fn needs_cluster(&self) -> bool {
        matches!(self.place, TaskPlace::Cluster(_))
    }
}
