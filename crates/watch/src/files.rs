//! Watches files for a whole session.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use devloop_model::Diagnostic;
use devloop_model::Trigger;
use devloop_model::WatchMode;

use crate::inbox::Message;
use crate::inbox::Outbox;
use crate::inbox::inbox;
use crate::source::Directories;
use crate::source::Notifications;
use crate::source::Refused;
use crate::worker::Worker;

/// Batches that wait to be taken; later changes wait in the burst itself.
pub(crate) const BATCHES: usize = 4;

/// What is watched: the files that count, and what is near them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// Directories whose entries count, absolute, not recursive: every directory that holds an input, and those above it up to its context.
    pub directories: BTreeSet<PathBuf>,
    /// Single files that count, absolute (skaffold.yaml, skaffold.env, .ko.yaml): watched through their directory (editors rename over them), and
    /// only they count there unless the directory is in `directories`.
    pub files: BTreeSet<PathBuf>,
    /// Trees whose every file counts even though it does not exist yet (a context copied whole): directories made below them are watched at once,
    /// before the next set comes, so that nothing made right after the mkdir is missed.
    pub trees: BTreeSet<PathBuf>,
    /// Directories below trees that do not count (.git, what .dockerignore hides).
    pub pruned: BTreeSet<PathBuf>,
}

impl WatchSet {
    /// Returns whether every file below this directory counts: the nearest tree or pruned directory above it says so.
    pub(crate) fn in_tree(&self, directory: &Path) -> bool {
        let decides = |path: &&Path| self.pruned.contains(*path) || self.trees.contains(*path);
        directory.ancestors().find(decides).is_some_and(|path| !self.pruned.contains(path))
    }

    /// Returns the trees, and the directories in them, that did not count `before`.
    pub(crate) fn trees_since(&self, before: &Self) -> Vec<PathBuf> {
        let new = self.trees.difference(&before.trees).chain(before.pruned.difference(&self.pruned));
        new.filter(|tree| self.in_tree(tree)).cloned().collect()
    }

    /// Returns whether this entry of a directory that counts does not count itself.
    pub(crate) fn is_pruned(&self, entry: &Path) -> bool {
        self.pruned.contains(entry) && !self.directories.contains(entry)
    }
}

/// How files are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchSettings {
    /// How changes are noticed.
    pub mode: WatchMode,
    /// How often files are looked at where that is how they are noticed.
    pub poll_interval: Duration,
}

impl Default for WatchSettings {
    /// Returns what is done unless the user asks for something else: Skaffold's interval, and its default trigger.
    fn default() -> Self {
        Self { mode: WatchMode::Notify, poll_interval: Duration::from_secs(1) }
    }
}

/// What is watched now.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchReport {
    /// How changes are noticed, which is polling where notifications were asked for and are not to be had.
    pub mode: WatchMode,
    /// How many directories are watched.
    pub directories: usize,
    /// How many files count, as of when their directories began to be watched.
    pub files: usize,
    /// What the user should know, each once in a session.
    pub warnings: Vec<Diagnostic>,
}

/// Changes that belong together: a save, a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Absolute paths, each once, in order; a directory, which may be gone, stands for all that is below it as well.
    pub paths: Vec<PathBuf>,
    /// When the first of them happened.
    pub first: Instant,
    /// Whether changes were lost, so that anything may have changed; there are no paths then.
    pub rescan: bool,
}

impl From<Batch> for Trigger {
    fn from(batch: Batch) -> Self {
        if batch.rescan { Self::Rescan } else { Self::Files(batch.paths) }
    }
}

/// Why files cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system gives no thread.
    #[error("no thread can be started to watch files")]
    Thread(#[source] std::io::Error),
}

impl WatchError {
    /// Returns what the user is told.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error("watch/start", "files cannot be watched").because_of(self)
    }
}

/// Watches files until it is dropped.
#[derive(Debug)]
pub struct FileWatcher {
    outbox: Outbox,
    mode: WatchMode,
    worker: Option<JoinHandle<()>>,
}

impl FileWatcher {
    /// Returns a watcher that watches nothing yet, and where changes arrive.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(settings: WatchSettings) -> Result<(Self, tokio::sync::mpsc::Receiver<Batch>), WatchError> {
        Self::start_with(settings, Notifications::start)
    }

    /// The same with other notifications than the operating system's.
    pub(crate) fn start_with(
        settings: WatchSettings,
        notifications: impl FnOnce(Outbox) -> Result<Box<dyn Directories>, Refused>,
    ) -> Result<(Self, tokio::sync::mpsc::Receiver<Batch>), WatchError> {
        let (outbox, inbox) = inbox();
        let (batches, receiver) = tokio::sync::mpsc::channel(BATCHES);
        let source = (settings.mode == WatchMode::Notify).then(|| notifications(outbox.clone()));
        let worker = Worker::new(settings, inbox, batches, source);
        let thread = std::thread::Builder::new().name("watch".to_owned());
        let worker = thread.spawn(move || worker.run()).map_err(WatchError::Thread)?;
        Ok((Self { outbox, mode: settings.mode, worker: Some(worker) }, receiver))
    }

    /// Watches `set` from now on instead of what was watched, and returns what that is once it is so: every change after this call is noticed.
    ///
    /// Only what differs is added and removed. What changed in directories that are new in `set` since the last batch was given arrives as
    /// a batch, for the set was made from what they held then. When the system's limit is reached, files are looked at every
    /// [`WatchSettings::poll_interval`] instead, with a warning that says what to do.
    pub fn watch(&self, set: WatchSet) -> WatchReport {
        let (reply, report) = sync_channel(1);
        self.outbox.send(Message::Watch(Box::new(set), reply));
        report.recv().unwrap_or_else(|_| {
            let warning =
                Diagnostic::warning("watch/ended", "files are not watched any more").help("start again; this is a fault of devloop");
            WatchReport { mode: self.mode, directories: 0, files: 0, warnings: vec![warning] }
        })
    }

    /// Looks at all files now; what changed arrives as a batch at once.
    pub fn look(&self) {
        self.outbox.send(Message::Look);
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        self.outbox.send(Message::Stop);
        // A thread that has panicked has said so.
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}
