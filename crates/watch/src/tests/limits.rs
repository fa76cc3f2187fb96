//! What the operating system refuses.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use devloop_model::WatchMode;

use super::Project;
use crate::FileWatcher;
use crate::WatchSettings;
use crate::inbox::Outbox;
use crate::source::Directories;
use crate::source::Refused;

/// Watches so many directories and no more, and never tells anything.
#[derive(Clone)]
struct Limited {
    most: usize,
    watched: Arc<Mutex<BTreeSet<PathBuf>>>,
    dropped: Arc<Mutex<bool>>,
}

impl Limited {
    fn to(most: usize) -> Self {
        Self { most, watched: Arc::default(), dropped: Arc::default() }
    }
}

struct Given(Limited);

impl Directories for Given {
    fn watch(&mut self, directory: &Path) -> Result<(), Refused> {
        if directory.ends_with("secret") {
            return Err(Refused::Other("permission denied".to_owned()));
        }
        let mut watched = self.0.watched.lock().unwrap();
        if watched.len() >= self.0.most {
            return Err(Refused::Watches);
        }
        assert!(watched.insert(directory.to_owned()), "watched twice: {directory:?}");
        Ok(())
    }

    fn unwatch(&mut self, directory: &Path) {
        assert!(self.0.watched.lock().unwrap().remove(directory), "never watched: {directory:?}");
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        *self.0.dropped.lock().unwrap() = true;
    }
}

fn start(notifications: impl FnOnce(Outbox) -> Result<Box<dyn Directories>, Refused>) -> Project {
    let settings = WatchSettings { mode: WatchMode::Notify, poll_interval: Duration::from_millis(20) };
    Project::with(FileWatcher::start_with(settings, notifications).unwrap())
}

#[tokio::test]
async fn where_no_more_directories_can_be_watched_files_are_looked_at() {
    let limited = Limited::to(2);
    let given = Given(limited.clone());
    let mut project = start(|_| Ok(Box::new(given)));
    for directory in ["a", "b", "c"] {
        project.write(&format!("{directory}/file"), "");
    }
    let report = project.watch(project.directories(&["a", "b", "c"]));
    assert_eq!((report.mode, report.directories), (WatchMode::Polling, 3));
    assert!(*limited.dropped.lock().unwrap(), "what was watched is given back");
    let [warning] = report.warnings.as_slice() else { panic!("{:?}", report.warnings) };
    assert_eq!(warning.code, "watch/polling");
    assert!(warning.help.as_ref().unwrap().contains("sysctl fs.inotify.max_user_watches="), "{warning}");
    assert!(warning.why[0].contains("devloop needs 3"), "{warning}");
    for directory in ["a", "b", "c"] {
        project.write(&format!("{directory}/file"), "new");
        assert_eq!(project.changed().await, [format!("{directory}/file")]);
    }
    assert!(project.watch(project.directories(&["a"])).warnings.is_empty(), "it is said once");
}

#[tokio::test]
async fn where_there_are_no_notifications_at_all_files_are_looked_at() {
    let mut project = start(|_| Err(Refused::Instances));
    project.write("file", "");
    let report = project.watch(project.directories(&[""]));
    assert_eq!(report.mode, WatchMode::Polling);
    assert!(report.warnings[0].help.as_ref().unwrap().contains("sysctl fs.inotify.max_user_instances="));
    project.write("file", "new");
    assert_eq!(project.changed().await, ["file"]);
}

#[tokio::test]
async fn one_directory_that_cannot_be_watched_is_said_once() {
    let given = Given(Limited::to(10));
    let project = start(|_| Ok(Box::new(given)));
    project.write("secret/file", "");
    project.write("src/file", "");
    let report = project.watch(project.directories(&["secret", "src"]));
    assert_eq!(report.mode, WatchMode::Notify);
    let [warning] = report.warnings.as_slice() else { panic!("{:?}", report.warnings) };
    assert!(warning.what.contains("secret") && warning.why == ["permission denied"], "{warning}");
}

#[tokio::test]
async fn lost_notifications_are_a_rescan_after_which_everything_is_watched_anew() {
    let limited = Limited::to(10);
    let given = Given(limited.clone());
    let mut outbox = None;
    let mut project = start(|given_outbox| {
        outbox = Some(given_outbox);
        Ok(Box::new(given))
    });
    project.write("a/file", "");
    project.watch(project.trees(&[""]));
    // Made while nobody was told.
    project.write("b/file", "");
    let at = Instant::now();
    outbox.unwrap().lost(at);
    let batch = project.batch().await;
    assert!(batch.rescan && batch.paths.is_empty());
    assert_eq!(batch.first, at);
    let watched = limited.watched.lock().unwrap().clone();
    assert_eq!(watched, project.paths(&["", "a", "b"]));
}
