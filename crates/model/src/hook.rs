//! Commands of the user's around a stage.

use std::path::PathBuf;
use std::time::Duration;

/// A command around a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hook {
    /// On this machine.
    Host(HostHook),
    /// In containers.
    Container(ContainerHook),
}

impl Hook {
    /// Returns the command if it is one on this machine.
    pub fn on_host(&self) -> Option<&HostHook> {
        match self {
            Self::Host(host) => Some(host),
            Self::Container(_) => None,
        }
    }
}

/// A command on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostHook {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Operating systems that it is for, in Go's words; empty means all.
    pub os: Vec<String>,
    /// Its working directory; none means where devloop was started.
    pub dir: Option<PathBuf>,
    /// How long it may take; none means as long as every hook.
    pub limit: Option<Duration>,
}

/// A command in containers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerHook {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Glob of the names of pods; none means all that the stage is about.
    pub pod: Option<String>,
    /// Glob of the names of containers; none means all.
    pub container: Option<String>,
    /// How long it may take; none means as long as every hook.
    pub limit: Option<Duration>,
}

/// Commands before and after a stage, in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Before it.
    pub before: Vec<Hook>,
    /// After it.
    pub after: Vec<Hook>,
}

/// `manifests.hooks`: commands before and after rendering.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RenderHooks {
    /// Before it.
    pub before: Vec<HostHook>,
    /// After it, each with the manifests on its standard input.
    pub after: Vec<ManifestHook>,
}

/// A command that is given manifests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ManifestHook {
    /// The command.
    pub host: HostHook,
    /// Whether what it prints takes the place of the manifests.
    pub with_change: bool,
}

/// What holds for every hook of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSettings {
    /// What each is told of the session: `SKAFFOLD_WORK_DIR`, `SKAFFOLD_DEFAULT_REPO` and their like.
    pub variables: Vec<(String, String)>,
    /// How long each may take that does not say so itself.
    pub limit: Duration,
}

impl Default for HookSettings {
    fn default() -> Self {
        Self { variables: Vec::new(), limit: Duration::from_mins(10) }
    }
}
