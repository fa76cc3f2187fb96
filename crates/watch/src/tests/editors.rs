//! How editors save.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use super::Project;
use super::safe_write;
use crate::WatchSet;

/// Saves `main.go` in a way of its own, and expects exactly these paths.
async fn saves(save: impl FnOnce(&Path), expected: &[&str]) {
    let mut project = Project::new();
    project.write("main.go", "old");
    project.watch(project.directories(&[""]));
    save(&project.path("main.go"));
    project.write("last", "");
    let mut changed = project.changed_until("last").await;
    changed.remove("last");
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn writing_in_place() {
    saves(|file| fs::write(file, "new").unwrap(), &["main.go"]).await;
}

#[tokio::test]
async fn vim_moves_the_old_file_away_and_writes_a_new_one() {
    let vim = |file: &Path| {
        fs::write(file.with_file_name(".main.go.swp"), "swap").unwrap();
        fs::write(file.with_file_name("4913"), "").unwrap();
        fs::remove_file(file.with_file_name("4913")).unwrap();
        fs::rename(file, file.with_file_name("main.go~")).unwrap();
        fs::write(file, "new").unwrap();
        fs::remove_file(file.with_file_name("main.go~")).unwrap();
        fs::remove_file(file.with_file_name(".main.go.swp")).unwrap();
    };
    saves(vim, &["main.go"]).await;
}

#[tokio::test]
async fn intellij_writes_a_temporary_file_and_swaps() {
    let intellij = |file: &Path| {
        fs::write(file.with_file_name("main.go___jb_tmp___"), "new").unwrap();
        fs::rename(file, file.with_file_name("main.go___jb_old___")).unwrap();
        fs::rename(file.with_file_name("main.go___jb_tmp___"), file).unwrap();
        fs::remove_file(file.with_file_name("main.go___jb_old___")).unwrap();
    };
    saves(intellij, &["main.go"]).await;
}

#[tokio::test]
async fn gedit_renames_over() {
    saves(|file| safe_write(file, ".goutputstream-X1Y2Z3", "new"), &["main.go"]).await;
}

#[tokio::test]
async fn emacs_locks_while_it_edits() {
    let emacs = |file: &Path| {
        std::os::unix::fs::symlink("user@host.1:2", file.with_file_name(".#main.go")).unwrap();
        fs::write(file.with_file_name("#main.go#"), "auto").unwrap();
        fs::write(file, "new").unwrap();
        fs::remove_file(file.with_file_name("#main.go#")).unwrap();
        fs::remove_file(file.with_file_name(".#main.go")).unwrap();
    };
    saves(emacs, &["main.go"]).await;
}

#[tokio::test]
async fn deleting_and_creating() {
    let replace = |file: &Path| {
        fs::remove_file(file).unwrap();
        fs::write(file, "new").unwrap();
    };
    saves(replace, &["main.go"]).await;
}

#[tokio::test]
async fn touching_and_changing_the_mode() {
    saves(|file| File::open(file).unwrap().set_modified(SystemTime::now()).unwrap(), &["main.go"]).await;
    saves(|file| fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap(), &["main.go"]).await;
}

#[tokio::test]
async fn reading_listing_and_a_directorys_own_times_do_not_count() {
    let read = |file: &Path| {
        fs::read(file).unwrap();
        fs::read_dir(file.parent().unwrap()).unwrap().for_each(drop);
        File::open(file.parent().unwrap()).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    };
    saves(read, &[]).await;
}

#[tokio::test]
async fn opening_an_old_file_for_writing_without_writing_does_not_count() {
    let mut project = Project::new();
    project.write("old.lock", "");
    File::options().write(true).open(project.path("old.lock")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    project.watch(project.directories(&[""]));
    drop(File::options().write(true).open(project.path("old.lock")).unwrap());
    project.write("last", "");
    assert_eq!(project.changed().await, ["last"]);
}

#[tokio::test]
async fn one_save_is_one_batch_and_says_when_it_began() {
    let mut project = Project::new();
    project.write("main.go", "old");
    project.watch(project.directories(&[""]));
    for round in 0..20 {
        let before = std::time::Instant::now();
        let mut file = File::create(project.path("main.go")).unwrap();
        write!(file, "{round}").unwrap();
        drop(file);
        let batch = project.batch().await;
        assert_eq!(batch.paths, [project.path("main.go")]);
        assert!(batch.first >= before && batch.first <= std::time::Instant::now());
    }
}

#[tokio::test]
async fn single_files_count_alone_in_their_directory() {
    let mut project = Project::new();
    project.write("skaffold.yaml", "old");
    let report = project.watch(WatchSet { files: project.paths(&["skaffold.yaml", "skaffold.env"]), ..WatchSet::default() });
    assert_eq!((report.directories, report.files), (1, 2));
    project.write("other", "");
    safe_write(&project.path("skaffold.yaml"), "skaffold.yaml.tmp", "new");
    assert_eq!(project.changed().await, ["skaffold.yaml"]);
    project.write("other", "");
    project.write("skaffold.env", "A=1");
    assert_eq!(project.changed().await, ["skaffold.env"]);
}
