//! Links: what they lead to counts under the name in the set.

use std::fs;
use std::os::unix::fs::symlink;

use super::Project;
use super::safe_write;

#[tokio::test]
async fn a_file_outside_counts_as_the_link_that_leads_to_it() {
    let mut project = Project::new();
    project.write("outside/real.conf", "old");
    project.write("outside/other", "");
    project.write("src/main.go", "");
    symlink("../outside/real.conf", project.path("src/app.conf")).unwrap();
    let report = project.watch(project.directories(&["src"]));
    assert_eq!((report.directories, report.files), (2, 2));
    project.write("outside/other", "new");
    project.write("outside/real.conf", "new");
    assert_eq!(project.changed().await, ["src/app.conf"]);
    safe_write(&project.path("outside/real.conf"), "real.tmp", "newer");
    assert_eq!(project.changed().await, ["src/app.conf"]);
}

#[tokio::test]
async fn every_link_of_a_chain_counts() {
    let mut project = Project::new();
    project.write("v1/app.conf", "1");
    project.write("v2/app.conf", "2");
    project.write("hop/x", "");
    symlink(project.path("v1/app.conf"), project.path("hop/current")).unwrap();
    symlink("hop/current", project.path("link.conf")).unwrap();
    project.watch(project.directories(&[""]));
    symlink(project.path("v2/app.conf"), project.path("hop/next")).unwrap();
    project.rename("hop/next", "hop/current");
    assert_eq!(project.changed().await, ["link.conf"]);
    project.write("v1/app.conf", "unused");
    project.write("v2/app.conf", "used");
    assert_eq!(project.changed().await, ["link.conf"]);
}

#[tokio::test]
async fn a_link_made_later_counts_with_what_it_leads_to() {
    let mut project = Project::new();
    project.write("outside/real", "");
    project.write("src/main.go", "");
    project.watch(project.directories(&["src"]));
    symlink("../outside/real", project.path("src/link")).unwrap();
    assert_eq!(project.changed().await, ["src/link"]);
    project.write("outside/real", "new");
    assert_eq!(project.changed().await, ["src/link"]);
    fs::remove_file(project.path("src/link")).unwrap();
    assert_eq!(project.changed().await, ["src/link"]);
    project.write("outside/real", "newer");
    project.write("src/last", "");
    assert_eq!(project.changed().await, ["src/last"]);
}

#[tokio::test]
async fn a_directory_with_two_names_is_watched_once_and_counts_under_both() {
    let mut project = Project::new();
    project.write("real/file", "");
    symlink("real", project.path("link")).unwrap();
    assert_eq!(project.watch(project.directories(&["link", "real"])).directories, 1);
    project.write("real/file", "new");
    assert_eq!(project.changed().await, ["link/file", "real/file"]);
    project.watch(project.directories(&["link"]));
    project.write("real/file", "newer");
    assert_eq!(project.changed().await, ["link/file"]);
}

#[tokio::test]
async fn a_link_to_a_directory_that_is_turned_counts_as_the_directory() {
    let mut project = Project::new();
    project.write("v1/file", "1");
    project.write("v2/file", "2");
    symlink("v1", project.path("current")).unwrap();
    project.watch(project.directories(&["", "current"]));
    symlink("v2", project.path("next")).unwrap();
    project.rename("next", "current");
    let changed = project.changed().await;
    assert!(changed.contains(&"current/file".to_owned()), "{changed:?}");
    project.write("v1/file", "unused");
    project.write("v2/file", "used");
    assert_eq!(project.changed().await, ["current/file"]);
}

#[tokio::test]
async fn links_that_lead_in_circles_or_nowhere_do_no_harm() {
    let mut project = Project::new();
    symlink("b", project.path("a")).unwrap();
    symlink("a", project.path("b")).unwrap();
    symlink("missing/deep", project.path("nowhere")).unwrap();
    symlink(".", project.path("self")).unwrap();
    project.watch(project.trees(&[""]));
    project.write("last", "");
    assert_eq!(project.changed().await, ["last"]);
    project.write("missing/deep", "");
    let changed = project.changed_until("missing/deep").await;
    assert!(changed.contains("nowhere"), "{changed:?}");
}
