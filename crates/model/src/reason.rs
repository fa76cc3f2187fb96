//! Why a step runs, and why it waits.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::StepId;

/// Why a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Reason {
    /// The first pass of this session.
    FirstRun,
    /// The image is not what its inputs would give.
    Rebuild {
        /// What differs from the last build.
        causes: Vec<RebuildCause>,
    },
    /// Another step gave a new result.
    After {
        /// That step.
        step: StepId,
    },
    /// Files changed.
    Changed {
        /// The files, as the user names them.
        files: Vec<String>,
    },
    /// A person or a program asked.
    Asked,
    /// It failed before, and what it works on may be right now.
    Retry,
    /// Files of the artifact could not be brought into its containers.
    SyncFailed,
}

/// One difference between the inputs of the last build and those of now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "cause")]
pub enum RebuildCause {
    /// No build of this artifact is remembered.
    NeverBuilt,
    /// A file was added, changed or removed.
    File {
        /// Path, relative to the artifact's context.
        path: String,
        /// `added`, `changed` or `removed`.
        change: String,
    },
    /// A build argument, environment value or label differs.
    Argument {
        /// Its name; values may be secret and are not kept.
        name: String,
    },
    /// The base image points to another digest.
    Base {
        /// The base image as written.
        image: String,
    },
    /// The builder, or a setting of it, differs.
    Builder {
        /// The setting.
        setting: String,
    },
    /// The target platforms differ.
    Platforms,
    /// An image that this one requires is rebuilt.
    Required {
        /// That artifact.
        artifact: String,
    },
    /// The image was built but is no longer where it was delivered.
    Gone {
        /// The registry or daemon that no longer has it.
        place: String,
    },
    /// The cache is switched off.
    CacheOff,
    /// A person or a program asked for a build, whatever the cache has.
    Asked,
}

impl fmt::Display for RebuildCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverBuilt => f.write_str("never built here"),
            Self::File { path, change } => write!(f, "{path} {change}"),
            Self::Argument { name } => write!(f, "argument {name} changed"),
            Self::Base { image } => write!(f, "base image {image} changed"),
            Self::Builder { setting } => write!(f, "{setting} changed"),
            Self::Platforms => f.write_str("target platforms changed"),
            Self::Required { artifact } => write!(f, "{artifact}, which it requires, is rebuilt"),
            Self::Gone { place } => write!(f, "{place} does not have the image"),
            Self::CacheOff => f.write_str("the cache is off"),
            Self::Asked => f.write_str("asked for"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstRun => f.write_str("first run"),
            Self::Rebuild { causes } => first_three(causes, f),
            Self::After { step } => write!(f, "after {step}"),
            Self::Changed { files } => {
                first_three(files, f)?;
                f.write_str(" changed")
            }
            Self::Asked => f.write_str("asked for"),
            Self::Retry => f.write_str("another try"),
            Self::SyncFailed => f.write_str("its files could not be synced"),
        }
    }
}

fn first_three(all: &[impl fmt::Display], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown: Vec<String> = all.iter().take(3).map(ToString::to_string).collect();
    f.write_str(&shown.join(", "))?;
    if all.len() > 3 {
        write!(f, " and {} more", all.len() - 3)?;
    }
    Ok(())
}

/// Why a step waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "hold")]
pub enum Hold {
    /// A step that it needs is not done yet.
    Needs {
        /// That step.
        step: StepId,
    },
    /// A step that it needs failed.
    Failed {
        /// That step.
        step: StepId,
    },
    /// It waits for being asked: `--auto-build=false` and its kind.
    Manual {
        /// The stage that does not act by itself.
        stage: crate::AutoStage,
    },
    /// The session is paused.
    Paused,
    /// The builder's concurrency limit is reached.
    Concurrency {
        /// How many builds may run at once.
        limit: usize,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needs { step } => write!(f, "{step} is not done"),
            Self::Failed { step } => write!(f, "{step} failed"),
            Self::Manual { stage } => write!(f, "{stage} waits for being asked"),
            Self::Paused => f.write_str("the session is paused"),
            Self::Concurrency { limit } => write!(f, "{limit} builds run at once"),
        }
    }
}
