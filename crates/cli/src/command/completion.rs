//! `devloop completion`.

use std::io::Write;

use crate::args::CompletionShell;
use crate::completion;

/// Writes the script for one shell.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn run(shell: CompletionShell, out: &mut dyn Write) -> std::io::Result<()> {
    completion::write_script(shell, out)
}
