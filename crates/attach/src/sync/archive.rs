//! Files through the container's own `tar` and `rm`, one command each.

use std::io;
use std::time::Duration;

use devloop_agent::protocol::Failure;
use devloop_clients::exec::ExecEnd;
use devloop_clients::exec::ExecTarget;
use devloop_model::Cx;

use super::channel::Closed;
use super::content;
use super::content::Content;
use super::destinations::is_emptied;
use super::ledger::Change;

/// How long one command may take.
const LIMIT: Duration = Duration::from_mins(2);
/// How many paths one command is given: they are part of the address of a request.
const MOST_PATHS: usize = 32;

/// Returns whether the container has a `tar`.
///
/// # Errors
/// When it has none, or cannot be reached.
pub(super) async fn probe(target: ExecTarget<'_>, cx: &Cx) -> Result<(), Closed> {
    let command = ["tar", "--help"].map(str::to_owned);
    let output = target.exec_to_end(&command, &[], LIMIT, cx).await?;
    match output.end {
        // Not every tar can help.
        ExecEnd::Exited(_) => Ok(()),
        ExecEnd::Lost => Err(Closed::ForNow(ExecEnd::Lost.because_of(""))),
        end @ ExecEnd::NotStarted(_) => Err(Closed::ForGood(end.because_of(&output.stderr))),
    }
}

/// Applies changes and returns what failed; the flags are Skaffold's (`pkg/skaffold/sync/kubectl.go`).
///
/// # Errors
/// When the container cannot be reached.
pub(super) async fn apply(target: ExecTarget<'_>, changes: &[Change], cx: &Cx) -> Result<Vec<Failure>, String> {
    let mut archive = tar::Builder::new(Vec::new());
    let (mut deleted, mut added, mut failures) = (Vec::new(), false, Vec::new());
    for change in changes {
        let member = match content::of(change).await {
            Ok(Content::Nothing) => {
                deleted.push(change.destination.clone());
                continue;
            }
            Ok(content) => append(&mut archive, &change.destination, content),
            Err(error) => Err(error),
        };
        added = true;
        if let Err(error) = member {
            failures.push(Failure { path: change.destination.clone(), denied: false, why: error.to_string() });
        }
    }
    let (emptied, deleted): (Vec<String>, Vec<String>) = deleted.into_iter().partition(|destination| is_emptied(destination));
    let with = |command: &[&str], some: &[String]| -> Vec<String> {
        command.iter().map(|&word| word.to_owned()).chain(some.iter().cloned()).collect()
    };
    for some in deleted.chunks(MOST_PATHS) {
        failures.extend(run(target, &with(&["rm", "-rf", "--"], some), &[], cx).await?);
    }
    for some in emptied.chunks(MOST_PATHS) {
        // One that has something left stays.
        run(target, &with(&["rmdir", "--"], some), &[], cx).await?;
    }
    if added {
        let bytes = archive.into_inner().expect("memory can be written");
        let command = ["tar", "xmf", "-", "-C", "/", "--no-same-owner"].map(str::to_owned);
        failures.extend(run(target, &command, &bytes, cx).await?);
    }
    Ok(failures)
}

async fn run(target: ExecTarget<'_>, command: &[String], input: &[u8], cx: &Cx) -> Result<Option<Failure>, String> {
    let output = target.exec_to_end(command, input, LIMIT, cx).await.map_err(|error| error.to_string())?;
    match output.end {
        ExecEnd::Exited(0) => return Ok(None),
        ExecEnd::Lost => return Err(output.end.because_of("")),
        _ => {}
    }
    let denied = output.stderr.to_lowercase().contains("permission denied") || output.stderr.contains("Read-only file system");
    Ok(Some(Failure { path: format!("`{}`", command[0]), denied, why: output.end.because_of(&output.stderr) }))
}

fn append(archive: &mut tar::Builder<Vec<u8>>, destination: &str, content: Content) -> io::Result<()> {
    // Destinations have no `..`: they were cleaned when they were made.
    let path = destination.trim_start_matches('/');
    let mut header = tar::Header::new_gnu();
    match content {
        Content::File { mode, bytes } => {
            header.set_mode(mode);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path, bytes.as_slice())
        }
        Content::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            archive.append_link(&mut header, path, target)
        }
        Content::Directory { mode } => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(mode);
            header.set_size(0);
            archive.append_data(&mut header, path, io::empty())
        }
        Content::Nothing => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_relative_paths_and_modes() {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in [
            ("/app/run", Content::File { mode: 0o755, bytes: b"x".to_vec() }),
            ("/app/l", Content::Link("run".into())),
            ("/app/empty", Content::Directory { mode: 0o700 }),
        ] {
            append(&mut archive, path, content).unwrap();
        }
        let bytes = archive.into_inner().unwrap();
        let mut read = tar::Archive::new(bytes.as_slice());
        let shown = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let entry = entry.unwrap();
            let (path, header) = (entry.path().unwrap().display().to_string(), entry.header());
            (path, header.entry_type(), header.mode().unwrap(), header.size().unwrap())
        };
        let members: Vec<_> = read.entries().unwrap().map(shown).collect();
        assert_eq!(
            members,
            [
                ("app/run".into(), tar::EntryType::Regular, 0o755, 1),
                ("app/l".into(), tar::EntryType::Symlink, 0o777, 0),
                ("app/empty".into(), tar::EntryType::Directory, 0o700, 0)
            ]
        );
    }
}
