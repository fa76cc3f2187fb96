//! Layers against those that ko 0.18.0 made, and what is kept of them.

use std::os::unix::fs::symlink;

use devloop_clients::registry::digest_of;

use super::super::kodata::members;
use super::*;
use crate::builder::packer::PIECE;

/// The diff ID that ko gave to [`kodata_tree`].
const KODATA: &str = "sha256:fd2479c3a9b4ce958da9222ea434b6336c2e1f0d1da7a9ac4628f78cd486a9dc";

fn linux() -> Platform {
    Platform::parse("linux/amd64").unwrap()
}

/// Files with every kind of name that an archive writes in its own way.
fn kodata_tree(dir: &Path) -> PathBuf {
    let root = dir.join("kodata");
    let long = root.join("a".repeat(90));
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::create_dir_all(&long).unwrap();
    for (path, content) in [
        (root.join("hello.txt"), "hello\n"),
        (root.join("sub/data.json"), "{\"a\":1}\n"),
        (root.join("grüße.txt"), "x\n"),
        (long.join(format!("{}.txt", "b".repeat(30))), "y\n"),
        (long.join(format!("{}.txt", "c".repeat(120))), "z\n"),
        (root.join("block.bin"), &"0".repeat(512)),
        (root.join("empty"), ""),
    ] {
        fs::write(path, content).unwrap();
    }
    symlink("../hello.txt", root.join("sub/link.txt")).unwrap();
    symlink("sub", root.join("linked")).unwrap();
    root
}

#[test]
fn kodata_has_the_diff_id_of_ko() {
    let dir = tempfile::tempdir().unwrap();
    let members = members(&kodata_tree(dir.path()), None).unwrap();
    let layer = Layers::new(dir.path(), Packing::Compressed).kodata(&members, &linux(), 0).unwrap();
    assert_eq!(layer.diff_id.as_str(), KODATA);
}

/// A shell script takes the place of what `go build` makes, which differs by Go's version.
#[test]
fn a_program_has_the_diff_id_of_ko() {
    assert_eq!(digest_of(&program(b"#!/bin/sh\necho hello\n", "linux")).as_str(), PROGRAM);
}

/// Returns the archive of a program called `tiny`.
fn program(content: &[u8], os: &str) -> Vec<u8> {
    let mut binary = NamedTempFile::new().unwrap();
    binary.write_all(content).unwrap();
    let mut archive = Vec::new();
    program_archive(&mut archive, binary.path(), "tiny", os).unwrap();
    archive
}

/// The diff ID of the same script in ko's archive, by Go's `archive/tar`.
const PROGRAM: &str = "sha256:5891f81ca422d4067ba4eac4496f9cd46b2e8ca8f829a6dbb46e636e9b366130";

#[test]
fn a_windows_program_has_an_owner() {
    let archive = program(b"MZ", "windows");
    let mut reader = ::tar::Archive::new(&archive[..]);
    let mut entries = reader.entries().unwrap();
    let mut program = entries.find_map(|entry| Some(entry.unwrap()).filter(|e| e.path_bytes().ends_with(b"tiny"))).unwrap();
    let records: Vec<_> = program.pax_extensions().unwrap().unwrap().map(|record| record.unwrap().key().unwrap().to_owned()).collect();
    assert_eq!(records, ["MSWINDOWS.rawsd"]);
}

#[test]
fn a_packed_layer_reads_back() {
    use std::io::Read as _;
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("out");
    let content: Vec<u8> = (0..3 * PIECE + 5).map(|i| (i % 251) as u8).collect();
    fs::write(&binary, &content).unwrap();
    for (packing, is_smaller) in [(Packing::Compressed, true), (Packing::Stored, false)] {
        let layer = Layers::new(dir.path(), packing).program(&binary, "a", &linux()).unwrap();
        let packed = fs::read(&layer.file).unwrap();
        assert_eq!((digest_of(&packed), packed.len() as u64), (layer.digest, layer.size));
        assert_eq!(packed.len() < content.len(), is_smaller, "{packing:?}");
        let mut archive = Vec::new();
        flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut archive).unwrap();
        assert_eq!(digest_of(&archive), layer.diff_id);
    }
}

/// Makes a layer of these bytes, and counts how often they were asked for.
fn layer_of(layers: &Layers, archive: &[u8]) -> (Layer, usize) {
    let asked = std::cell::Cell::new(0);
    let layer = layers.layer(|out| {
        asked.set(asked.get() + 1);
        out.write_all(archive)
    });
    (layer.unwrap(), asked.get())
}

#[test]
fn a_layer_that_is_known_is_not_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::new(dir.path(), Packing::Compressed);
    let (first, made) = layer_of(&layers, b"archive");
    assert_eq!(made, 2, "read once to know it, and once to pack it");
    assert_eq!(layer_of(&layers, b"archive"), (first.clone(), 1));
    fs::write(&first.file, b"cut").unwrap();
    assert_eq!(layer_of(&layers, b"archive"), (first.clone(), 2));
    fs::remove_file(&first.file).unwrap();
    assert_eq!(layer_of(&layers, b"archive"), (first, 2));
}

#[test]
fn a_file_that_changes_meanwhile_is_not_remembered_as_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::new(dir.path(), Packing::Compressed);
    let asked = std::cell::Cell::new(0);
    let changed = layers.layer(|out| {
        asked.set(asked.get() + 1);
        out.write_all(if asked.get() == 1 { b"before" } else { b"after" })
    });
    let (before, made) = layer_of(&layers, b"before");
    assert_eq!((before.diff_id, made), (digest_of(b"before"), 2));
    assert_eq!(layer_of(&layers, b"after"), (changed.unwrap(), 1));
}

#[test]
fn old_layers_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::new(dir.path(), Packing::Compressed);
    let made = (0..KEPT + 3).map(|number| {
        let (layer, _) = layer_of(&layers, &[number as u8]);
        // Each is older than the next, without waiting for it.
        let modified = SystemTime::now() - std::time::Duration::from_secs(1000 - number as u64);
        fs::File::open(&layer.file).unwrap().set_modified(modified).unwrap();
        layer.file
    });
    let made: Vec<_> = made.collect();
    assert_eq!(fs::read_dir(&layers.dir).unwrap().count(), 2 * KEPT);
    assert!(!made[0].exists() && !PathBuf::from(made[0].to_string_lossy().replace(".tar.gz", ".json")).exists());
    assert!(made[KEPT + 2].exists());
}
