//! Directories that are made, removed and moved.

use std::fs;
use std::time::Duration;

use super::Project;
use crate::WatchSet;

#[tokio::test]
async fn a_file_made_right_after_its_directories_is_not_missed() {
    let mut project = Project::new();
    project.watch(project.trees(&[""]));
    for round in 0..50 {
        fs::create_dir_all(project.path(&format!("a{round}/b/c"))).unwrap();
        project.write(&format!("a{round}/b/c/file"), "");
        project.changed_until(&format!("a{round}/b/c/file")).await;
    }
    project.write("a7/b/c/file", "again");
    assert_eq!(project.changed().await, ["a7/b/c/file"]);
}

#[tokio::test]
async fn pruned_directories_do_not_count_unless_they_are_named() {
    let mut project = Project::new();
    for path in [".git/HEAD", "node_modules/a/b.js", "node_modules/kept/c.js", "src/main.go"] {
        project.write(path, "");
    }
    let report = project.watch(WatchSet {
        directories: project.paths(&["node_modules/kept"]),
        pruned: project.paths(&[".git", "node_modules", "dist"]),
        ..project.trees(&[""])
    });
    assert_eq!(report.directories, 3, "the project, src, node_modules/kept");
    project.write(".git/HEAD", "new");
    project.write("node_modules/a/b.js", "new");
    project.write("dist/out.js", "new");
    project.write("node_modules/kept/c.js", "new");
    assert_eq!(project.changed().await, ["node_modules/kept/c.js"]);
    let report = project.watch(project.trees(&[""]));
    assert_eq!(report.directories, 7, "dist, which was made meanwhile, among them");
    project.write("dist/out.js", "newer");
    assert_eq!(project.changed().await, ["dist/out.js"]);
}

#[tokio::test]
async fn a_directory_that_comes_back_is_watched_again() {
    let mut project = Project::new();
    project.write("context/src/main.go", "");
    // Not even the directory above them is in the set.
    let set = project.directories(&["context", "context/src"]);
    assert_eq!(project.watch(set.clone()).directories, 2);
    for round in 0..20 {
        fs::remove_dir_all(project.path("context")).unwrap();
        project.changed_until("context/src").await;
        project.write("context/src/main.go", &round.to_string());
        project.changed_until("context/src/main.go").await;
        project.write("context/src/main.go", "after");
        project.changed_until("context/src/main.go").await;
    }
    while let Ok(batch) = project.batches.try_recv() {
        assert!(!batch.rescan);
    }
    assert_eq!(project.watch(set).directories, 2, "what waited for it is not watched any more");
}

#[tokio::test]
async fn a_directory_that_does_not_exist_yet_is_waited_for() {
    let mut project = Project::new();
    let report = project.watch(project.directories(&["not/yet/there"]));
    assert_eq!(report.directories, 1);
    project.write("other", "");
    fs::create_dir(project.path("not")).unwrap();
    fs::create_dir(project.path("not/yet")).unwrap();
    project.write("not/yet/there/file", "");
    let changed = project.changed_until("not/yet/there/file").await;
    assert!(!changed.contains("other") && !changed.contains("not/yet"), "{changed:?}");
}

#[tokio::test]
async fn a_tree_moved_in_counts_with_all_that_is_in_it() {
    let mut project = Project::new();
    for path in ["elsewhere/lib/a.go", "elsewhere/lib/deep/b.go", "tree/main.go"] {
        project.write(path, "");
    }
    project.watch(project.trees(&["tree"]));
    project.rename("elsewhere/lib", "tree/lib");
    let changed = project.changed_until("tree/lib/deep/b.go").await;
    assert!(changed.contains("tree/lib/a.go"), "{changed:?}");
    project.write("tree/lib/deep/b.go", "new");
    assert_eq!(project.changed().await, ["tree/lib/deep/b.go"]);
}

#[tokio::test]
async fn a_tree_that_was_renamed_is_known_by_its_new_name_only() {
    let mut project = Project::new();
    project.write("a/deep/file", "");
    project.watch(project.trees(&[""]));
    project.rename("a", "b");
    let changed = project.changed_until("b/deep/file").await;
    assert!(changed.contains("a"), "{changed:?}");
    project.write("b/deep/file", "new");
    assert_eq!(project.changed().await, ["b/deep/file"]);
    project.write("a/deep/file", "another");
    project.changed_until("a/deep/file").await;
    project.write("b/deep/file", "newer");
    assert_eq!(project.changed().await, ["b/deep/file"]);
}

#[tokio::test]
async fn a_tree_moved_away_does_not_count_any_more() {
    let mut project = Project::new();
    project.write("tree/lib/deep/file", "");
    project.write("outside/x", "");
    project.watch(project.trees(&["tree"]));
    project.rename("tree/lib", "outside/lib");
    assert_eq!(project.changed().await, ["tree/lib"]);
    project.write("outside/lib/deep/file", "new");
    project.write("tree/last", "");
    assert_eq!(project.changed().await, ["tree/last"]);
}

#[tokio::test]
async fn ten_thousand_files_are_one_batch() {
    let mut project = Project::new();
    for directory in 0..100 {
        fs::create_dir(project.path(&format!("d{directory}"))).unwrap();
    }
    project.watch(project.trees(&[""]));
    let top = project.path("");
    let checkout = std::thread::spawn(move || {
        for index in 0..10_000 {
            fs::write(top.join(format!("d{}/f{index}", index % 100)), "x").unwrap();
        }
    });
    let batch = project.batch().await;
    checkout.join().unwrap();
    // On a machine under load the kernel's queue may overflow: that is a batch of its own kind, and one as well.
    if !batch.rescan {
        assert_eq!(batch.paths.len(), 10_000);
    }
    project.write("last", "");
    assert_eq!(project.changed().await, ["last"]);
}

#[tokio::test]
async fn what_is_new_in_a_set_is_looked_at_for_what_changed_since_the_last_batch() {
    let mut project = Project::new();
    project.write("main.go", "");
    project.write("pkg-old/file", "");
    project.watch(project.directories(&[""]));
    fs::create_dir(project.path("pkg")).unwrap();
    assert_eq!(project.changed().await, ["pkg"]);
    // The session lists the directory, finds nothing, and then:
    project.write("pkg/file", "");
    project.watch(project.directories(&["", "pkg"]));
    assert_eq!(project.changed().await, ["pkg/file"]);
}

#[tokio::test]
async fn what_leaves_the_set_is_not_watched_any_more() {
    let mut project = Project::new();
    project.write("a/file", "");
    project.write("b/file", "");
    assert_eq!(project.watch(project.directories(&["a", "b"])).directories, 2);
    let report = project.watch(project.directories(&["b"]));
    assert_eq!((report.directories, report.files), (1, 1));
    project.write("a/file", "new");
    project.write("b/file", "new");
    assert_eq!(project.changed().await, ["b/file"]);
    assert_eq!(project.watch(WatchSet::default()).directories, 0);
}

#[tokio::test]
async fn what_git_writes_under_its_lock_is_one_change() {
    let mut project = Project::new();
    project.write(".git/HEAD", "");
    project.watch(WatchSet { pruned: project.paths(&[".git"]), ..project.trees(&[""]) });
    project.write(".git/index.lock", "");
    project.write("one", "");
    let early = tokio::time::timeout(Duration::from_millis(200), project.batches.recv()).await;
    assert!(early.is_err(), "{early:?}");
    project.write("two", "");
    std::fs::remove_file(project.path(".git/index.lock")).unwrap();
    assert_eq!(project.changed().await, ["one", "two"]);
}
