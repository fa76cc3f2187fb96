//! Real files, and the operating system's own notifications.

mod editors;
mod limits;
mod links;
mod modes;
mod random;
mod trees;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_model::WatchMode;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

use crate::Batch;
use crate::FileWatcher;
use crate::WatchReport;
use crate::WatchSet;
use crate::WatchSettings;

/// Far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory with files, and what watches it.
struct Project {
    top: TempDir,
    watcher: FileWatcher,
    batches: Receiver<Batch>,
}

impl Project {
    fn new() -> Self {
        Self::in_mode(WatchMode::Notify)
    }

    fn in_mode(mode: WatchMode) -> Self {
        let settings = WatchSettings { mode, poll_interval: Duration::from_millis(20) };
        Self::with(FileWatcher::start(settings).unwrap())
    }

    fn with((watcher, batches): (FileWatcher, Receiver<Batch>)) -> Self {
        Self { top: tempfile::tempdir().unwrap(), watcher, batches }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.top.path().canonicalize().unwrap().join(path)
    }

    fn paths(&self, paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(|path| self.path(path)).collect()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// A set with these directories, each one's entries counting.
    fn directories(&self, directories: &[&str]) -> WatchSet {
        WatchSet { directories: self.paths(directories), ..WatchSet::default() }
    }

    /// A set with these trees.
    fn trees(&self, trees: &[&str]) -> WatchSet {
        WatchSet { trees: self.paths(trees), ..WatchSet::default() }
    }

    fn watch(&self, set: WatchSet) -> WatchReport {
        self.watcher.watch(set)
    }

    async fn batch(&mut self) -> Batch {
        tokio::time::timeout(DEADLINE, self.batches.recv()).await.expect("no batch came").expect("the watcher has ended")
    }

    /// The paths of the next batch, relative to the project.
    async fn changed(&mut self) -> Vec<String> {
        let top = self.path("");
        let batch = self.batch().await;
        assert!(!batch.rescan);
        batch.paths.iter().map(|path| path.strip_prefix(&top).unwrap_or(path).display().to_string()).collect()
    }

    /// The paths of all batches until this one is among them.
    async fn changed_until(&mut self, last: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        while !all.contains(last) {
            all.extend(self.changed().await);
        }
        all
    }
}

/// How a file is written by a program that renames a temporary one over it.
fn safe_write(path: &Path, temporary: &str, text: &str) {
    let temporary = path.with_file_name(temporary);
    fs::write(&temporary, text).unwrap();
    fs::rename(&temporary, path).unwrap();
}
