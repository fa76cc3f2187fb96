//! Polling, and looking when asked.

use std::fs;

use devloop_model::Trigger;
use devloop_model::WatchMode;

use super::Project;
use super::safe_write;
use crate::Batch;
use crate::WatchSet;

#[tokio::test]
async fn polling_sees_files_and_directories_made_changed_and_removed() {
    let mut project = Project::in_mode(WatchMode::Polling);
    project.write("src/a.go", "old");
    project.write("src/b.go", "old");
    project.write("skaffold.yaml", "old");
    project.write("other", "old");
    let report = project.watch(WatchSet { files: project.paths(&["skaffold.yaml"]), ..project.trees(&["src"]) });
    assert_eq!((report.mode, report.directories, report.files), (WatchMode::Polling, 2, 3));
    project.write("other", "new");
    project.write("src/a.go", "longer");
    assert_eq!(project.changed().await, ["src/a.go"]);
    safe_write(&project.path("skaffold.yaml"), "tmp", "new");
    assert_eq!(project.changed().await, ["skaffold.yaml"]);
    fs::remove_file(project.path("src/b.go")).unwrap();
    assert_eq!(project.changed().await, ["src/b.go"]);
    project.write("src/deep/er/c.go", "");
    project.changed_until("src/deep/er/c.go").await;
    project.write("src/deep/er/c.go", "new");
    assert_eq!(project.changed_until("src/deep/er/c.go").await.len(), 1);
    fs::remove_dir_all(project.path("src")).unwrap();
    project.changed_until("src/a.go").await;
    project.write("src/a.go", "back");
    project.changed_until("src/a.go").await;
}

#[tokio::test]
async fn a_manual_look_gives_everything_at_once_and_only_then() {
    let mut project = Project::in_mode(WatchMode::Manual);
    project.write("a.go", "old");
    let report = project.watch(project.trees(&[""]));
    assert_eq!((report.mode, report.directories), (WatchMode::Manual, 1));
    project.write("a.go", "newer");
    project.write("deep/b.go", "");
    // It would be seen here if anybody looked by himself.
    project.watch(project.trees(&[""]));
    assert!(project.batches.try_recv().is_err());
    project.watcher.look();
    assert_eq!(project.changed().await, ["a.go", "deep", "deep/b.go"]);
    project.write("deep/b.go", "new");
    project.watcher.look();
    assert_eq!(project.changed().await, ["deep/b.go"]);
}

#[tokio::test]
async fn changes_wait_for_a_session_that_is_busy() {
    let mut project = Project::new();
    project.write("file", "");
    project.watch(project.directories(&[""]));
    for round in 0..crate::files::BATCHES {
        project.write(&format!("file{round}"), "");
        while project.batches.len() <= round {
            std::thread::yield_now();
        }
    }
    // There is no place for more, and the watcher must answer all the same.
    project.write("one more", "");
    project.watch(project.directories(&[""]));
    project.write("last", "");
    let all = project.changed_until("last").await;
    assert_eq!(all.len(), crate::files::BATCHES + 2, "{all:?}");
}

#[test]
fn a_batch_is_a_trigger() {
    let first = std::time::Instant::now();
    let batch = |paths: &[&str], rescan| Batch { paths: paths.iter().map(Into::into).collect(), first, rescan };
    assert_eq!(Trigger::from(batch(&["/a"], false)), Trigger::Files(vec!["/a".into()]));
    assert_eq!(Trigger::from(batch(&[], true)), Trigger::Rescan);
}
