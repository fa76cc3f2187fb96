//! Launch configurations with which editors attach to what `devloop debug` runs: texts in, texts out.
//!
//! [`debuggees`] tells what can be attached to, and [`vscode`] and [`jetbrains`] write it down. What others wrote into the same files
//! stays as it is.

mod cloud_code;
mod debuggee;
mod jetbrains;

mod jsonc;
mod maps;
mod program;
mod runtime;
mod task;
#[cfg(test)]
mod testing;
mod vscode;

use std::path::PathBuf;

pub use cloud_code::CloudCode;
pub use debuggee::Debuggee;
pub use debuggee::Debuggees;
pub use debuggee::Skipped;
pub use debuggee::debuggees;
pub use jetbrains::Product;
pub use jetbrains::RUN;
pub use jetbrains::RunConfigurations;
pub use jetbrains::jetbrains;
pub use maps::PathMap;
pub use program::Copied;
pub use program::Program;
pub use program::Recipe;
pub use program::Stage;
pub use runtime::runtime_of;
pub use task::Task;
pub use vscode::Existing;
pub use vscode::LAUNCH;
pub use vscode::TASKS;
pub use vscode::vscode;

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, relative to the workspace.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}
