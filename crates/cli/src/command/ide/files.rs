//! The files of an editor.

use std::fs;
use std::io;
use std::io::ErrorKind;
use std::path::Path;

use devloop_ide::File;
use devloop_model::Diagnostic;

use crate::settings::IdeSettings;

/// Returns the text of a file of the workspace; none if there is none.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(ide: &IdeSettings, path: &str) -> Result<Option<String>, Diagnostic> {
    match fs::read_to_string(ide.workspace.join(path)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Diagnostic::error("ide/unreadable", format!("{path} cannot be read")).because(error.to_string())),
    }
}

/// Writes a file whole or not at all, if it differs; returns what is to be said of it.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(ide: &IdeSettings, file: &File) -> Result<String, Diagnostic> {
    let (path, shown) = (ide.workspace.join(&file.path), file.path.display());
    if ide.dry_run {
        return Ok(format!("# {shown}\n{}", file.text));
    }
    let before = fs::read_to_string(&path).ok();
    if before.as_ref() == Some(&file.text) {
        return Ok(format!("{shown} is as it should be\n"));
    }
    replace(&path, &file.text).map_err(|error| unwritable(&format!("{shown} cannot be written"), &error))?;
    Ok(format!("{shown} was {}\n", if before.is_some() { "updated" } else { "created" }))
}

/// Removes a file; returns what is to be said of it.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn remove(ide: &IdeSettings, path: &Path) -> Result<String, Diagnostic> {
    let shown = path.display();
    if ide.dry_run {
        return Ok(format!("# {shown} would be removed\n"));
    }
    fs::remove_file(ide.workspace.join(path)).map_err(|error| unwritable(&format!("{shown} cannot be removed"), &error))?;
    Ok(format!("{shown} was removed\n"))
}

/// Puts a text in the place of a file, which keeps its mode; a link still leads there.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut draft = path.clone().into_os_string();
    draft.push(".devloop-draft");
    let mode = fs::metadata(&path).map(|before| before.permissions()).ok();
    let written = fs::write(&draft, text).and_then(|()| mode.map_or(Ok(()), |mode| fs::set_permissions(&draft, mode)));
    written.and_then(|()| fs::rename(&draft, &path)).inspect_err(|_| drop(fs::remove_file(&draft)))
}

fn unwritable(what: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::error("ide/unwritable", what.to_owned()).because(error.to_string())
}
