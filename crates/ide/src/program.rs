//! What is known of an artifact before anything runs.

use std::path::PathBuf;

use devloop_model::Runtime;

use crate::PathMap;

/// An artifact, as far as an editor has to know it. Paths of this machine are relative to the workspace, or absolute outside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The name of its image.
    pub image: String,
    /// The runtime that the configuration names.
    pub runtime: Option<Runtime>,
    /// How it is built.
    pub recipe: Recipe,
    /// Its build context.
    pub dir: PathBuf,
    /// The module path of the `go.mod` in its context.
    pub go_module: Option<String>,
    /// The port of this machine that a running session has for its debugger.
    pub port: Option<u16>,
    /// Where its files are, if the user said so.
    pub maps: Vec<PathMap>,
}

/// How an artifact is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipe {
    /// A Go program, on this machine.
    Ko,
    /// The stages of a Dockerfile that it needs, the one that becomes the image last.
    Dockerfile(Vec<Stage>),
    /// A command that only the user knows.
    Command,
}

/// A stage of a Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    /// The image that it starts from.
    pub base: String,
    /// The commands that it runs.
    pub commands: Vec<String>,
    /// The words that it starts.
    pub start: Vec<String>,
    /// The directories that it has of this machine.
    pub copies: Vec<Copied>,
}

/// A directory, and where a stage has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Both places.
    pub map: PathMap,
    /// The file or pattern of the directory that is there, where that is not all of it.
    pub file: Option<String>,
}
