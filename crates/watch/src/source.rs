//! The operating system's notifications, one directory at a time.

use std::path::Path;
use std::time::Instant;

use notify::Config;
use notify::ErrorKind;
use notify::Event;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;

use crate::inbox::Outbox;

/// What tells about changes in directories that are named to it one by one.
pub(crate) trait Directories: Send {
    /// Starts to tell about the entries of a directory, anew if it does so already.
    fn watch(&mut self, directory: &Path) -> Result<(), Refused>;

    /// Stops; that it had ended by itself is no matter.
    fn unwatch(&mut self, directory: &Path);
}

/// Why a directory is not watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It does not exist any more.
    #[error("it is gone")]
    Gone,
    /// The user watches as many directories as the system lets him.
    #[error("inotify: no space left for more watches")]
    Watches,
    /// The user, or this process, has as many inotify instances or files as the system lets him.
    #[error("inotify: too many instances or open files")]
    Instances,
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// The operating system's own notifications.
pub(crate) struct Notifications(RecommendedWatcher);

impl Notifications {
    /// Starts them; changes go to `outbox`.
    pub(crate) fn start(outbox: Outbox) -> Result<Box<dyn Directories>, Refused> {
        let handle = move |event: notify::Result<Event>| match event {
            Ok(event) if event.need_rescan() => outbox.lost(Instant::now()),
            Ok(event) => outbox.changes(crate::change::changes(event, Instant::now())),
            Err(error) => {
                tracing::debug!(%error, "file notifications");
                outbox.lost(Instant::now());
            }
        };
        Ok(Box::new(Self(RecommendedWatcher::new(handle, Config::default())?)))
    }
}

impl Directories for Notifications {
    fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
        Ok(self.0.watch(directory, RecursiveMode::NonRecursive)?)
    }

    fn unwatch(&mut self, directory: &Path) {
        if let Err(error) = self.0.unwatch(directory) {
            tracing::trace!(%error, directory = %directory.display(), "it was not watched any more");
        }
    }
}

impl From<notify::Error> for Refused {
    fn from(error: notify::Error) -> Self {
        match &error.kind {
            ErrorKind::PathNotFound => Self::Gone,
            ErrorKind::MaxFilesWatch => Self::Watches,
            ErrorKind::Io(cause) => match cause.raw_os_error().map(nix::errno::Errno::from_raw) {
                Some(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => Self::Gone,
                Some(nix::errno::Errno::ENOSPC) => Self::Watches,
                Some(nix::errno::Errno::EMFILE | nix::errno::Errno::ENFILE) => Self::Instances,
                _ => Self::Other(cause.to_string()),
            },
            _ => Self::Other(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn limits_are_told_from_other_failures() {
        let of = |errno: Errno| Refused::from(notify::Error::io(std::io::Error::from(errno)));
        assert!(matches!(of(Errno::EMFILE), Refused::Instances));
        assert!(matches!(of(Errno::ENOSPC), Refused::Watches));
        assert!(matches!(of(Errno::ENOENT), Refused::Gone));
        assert!(matches!(of(Errno::EACCES), Refused::Other(why) if why.contains("ermission denied")));
        assert!(matches!(Refused::from(notify::Error::new(ErrorKind::MaxFilesWatch)), Refused::Watches));
    }
}
