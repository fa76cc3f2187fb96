//! Whole conversations, on real directories.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::protocol::Failure;
use crate::protocol::decode_failures;

fn put(path: &str, mode: u32, content: &str) -> Vec<u8> {
    let mut bytes = Request::Put { path: path.into(), mode, size: content.len() as u64 }.encode();
    bytes.extend(content.as_bytes());
    bytes
}

fn delete(path: &str) -> Vec<u8> {
    Request::Delete { path: path.into() }.encode()
}

/// Returns what failed of one batch.
fn run(root: &Path, requests: &[Vec<u8>]) -> Vec<Failure> {
    let mut input = requests.concat();
    input.extend(Request::End.encode());
    let mut output = Vec::new();
    serve(&Root::new(root), &mut input.as_slice(), &mut output).unwrap();
    assert_eq!(&output[..16], HELLO);
    decode_failures(&output[20..]).unwrap()
}

fn text(root: &Path, path: &str) -> Option<String> {
    fs::read_to_string(root.join(path)).ok()
}

fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_directories_and_links_come_with_their_modes() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::write(root.join("old"), "before").unwrap();
    let inode = fs::metadata(root.join("old")).unwrap().ino();
    let failures = run(
        root,
        &[
            put("/a/b/run.sh", 0o755, "#!/bin/sh"),
            put("/old", 0o640, "after"),
            put("/empty", 0o644, ""),
            Request::Directory { path: "/d/e".into(), mode: 0o700 }.encode(),
            Request::Link { path: "/l".into(), target: "old".into() }.encode(),
        ],
    );
    assert_eq!(failures, []);
    assert_eq!(names(root), ["a", "d", "empty", "l", "old"]);
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("a/b/run.sh"), mode("old"), mode("d/e")), (0o755, 0o640, 0o700));
    assert_eq!(
        (text(root, "old").as_deref(), text(root, "l").as_deref(), text(root, "empty").as_deref()),
        (Some("after"), Some("after"), Some(""))
    );
    assert_ne!(fs::metadata(root.join("old")).unwrap().ino(), inode, "it was replaced, not written over");
}

#[test]
fn what_is_deleted_may_be_a_directory_or_gone_already() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("d/e")).unwrap();
    fs::create_dir_all(root.join("kept")).unwrap();
    fs::write(root.join("d/e/f"), "").unwrap();
    fs::write(root.join("file"), "").unwrap();
    fs::write(root.join("kept/x"), "").unwrap();
    symlink("kept", root.join("link")).unwrap();
    fs::create_dir_all(root.join("emptied/below")).unwrap();
    let emptied = ["/kept/", "/file/", "/link/", "/none/", "/emptied/", "/emptied/below/", "/emptied/"].map(delete);
    assert_eq!(run(root, &emptied), []);
    assert_eq!(names(root), ["d", "file", "kept", "link"]);
    let failures = run(root, &["/d", "/file", "/gone", "/file/below", "/link"].map(delete));
    assert_eq!(failures, []);
    assert_eq!(names(root), ["kept"]);
    assert_eq!(text(root, "kept/x").as_deref(), Some(""), "a link goes, not what it points to");
}

#[test]
fn files_and_directories_change_into_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::write(root.join("a"), "").unwrap();
    fs::create_dir(root.join("b")).unwrap();
    assert_eq!(run(root, &[delete("/a"), put("/a/x", 0o644, "x"), put("/b", 0o644, "b")]), []);
    assert_eq!((text(root, "a/x").as_deref(), text(root, "b").as_deref()), (Some("x"), Some("b")));
    let failures = run(root, &[put("/a", 0o644, "no"), put("/b/below", 0o644, "no"), put("/c", 0o644, "yes")]);
    assert_eq!(failures.iter().map(|failure| failure.path.as_str()).collect::<Vec<_>>(), ["/b/below", "/a"]);
    assert_eq!(names(root), ["a", "b", "c"], "what failed leaves nothing behind");
}

#[test]
fn hostile_paths_stay_inside() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "kept").unwrap();
    symlink(&outside, root.join("out")).unwrap();
    symlink("../outside", root.join("up")).unwrap();
    symlink("../outside/secret", root.join("file")).unwrap();
    let failures = run(
        &root,
        &[
            put("/../outside/secret", 0o644, "x"),
            put("relative", 0o644, "x"),
            put("/", 0o644, "x"),
            delete("/../outside"),
            delete("/out/secret"),
            delete("/up/secret"),
            put("/up/secret", 0o644, "x"),
            put("/file", 0o644, "x"),
        ],
    );
    assert_eq!(
        failures.iter().map(|failure| failure.path.as_str()).collect::<Vec<_>>(),
        ["/../outside/secret", "relative", "/", "/../outside"]
    );
    assert_eq!(text(&outside, "secret").as_deref(), Some("kept"));
    assert_eq!(names(&outside), ["secret"]);
    assert_eq!((text(&root, "outside/secret").as_deref(), text(&root, "file").as_deref()), (Some("x"), Some("x")));
}

#[test]
fn what_breaks_off_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::write(root.join("a"), "whole").unwrap();
    let mut input = put("/a", 0o644, "new");
    input.extend(put("/b", 0o644, "half of it"));
    input.truncate(input.len() - 3);
    assert!(serve(&Root::new(root), &mut input.as_slice(), &mut Vec::new()).is_err());
    assert_eq!((names(root), text(root, "a").as_deref()), (vec!["a".to_owned()], Some("whole")));
}

#[test]
fn a_file_that_cannot_be_replaced_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let sub = root.join("d");
    fs::create_dir(&sub).unwrap();
    fs::write(sub.join("f"), "long before").unwrap();
    // Root may do everything; `/proc/self/root` has files that nobody can replace.
    fs::set_permissions(&sub, fs::Permissions::from_mode(0o555)).unwrap();
    let failures = run(root, &[put("/d/f", 0o644, "after")]);
    assert_eq!((failures, text(root, "d/f").as_deref()), (vec![], Some("after")));
    let new = run(root, &[put("/d/new", 0o644, "x")]);
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    assert_eq!(new.first().map(|failure| failure.denied), (!is_root).then_some(true));
    fs::set_permissions(&sub, fs::Permissions::from_mode(0o755)).unwrap();
}
