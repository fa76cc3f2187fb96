//! Data that a command was asked for: on standard output or in a file.

use std::io::Write;
use std::path::Path;

use devloop_model::Diagnostic;

/// Writes data to standard output; a reader that has gone away is no error.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn to_stdout(text: &str) -> Result<(), Diagnostic> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(unwritable("standard output", &error)),
        _ => Ok(()),
    }
}

/// Writes data into a file; directories above it are made.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn to_file(file: &Path, text: &str) -> Result<(), Diagnostic> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    let written = directory.map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(file, text));
    written.map_err(|error| unwritable(&file.display().to_string(), &error))
}

/// Returns the error of a place that data cannot be written to.
pub(crate) fn unwritable(place: &str, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error("cli/unwritable", format!("{place} cannot be written")).because(error.to_string())
}
