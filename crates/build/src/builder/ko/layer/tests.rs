//! Layers against those that ko 0.18.0 made, and what is kept of them.

use std::os::unix::fs::symlink;

use super::super::kodata::members;
use super::*;

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
    let archive = program_archive(b"#!/bin/sh\necho hello\n", "tiny", "linux").unwrap();
    assert_eq!(digest_of(&archive).as_str(), PROGRAM);
}

/// The diff ID of the same script in ko's archive, by Go's `archive/tar`.
const PROGRAM: &str = "sha256:5891f81ca422d4067ba4eac4496f9cd46b2e8ca8f829a6dbb46e636e9b366130";

#[test]
fn a_windows_program_has_an_owner() {
    let archive = program_archive(b"MZ", "tiny", "windows").unwrap();
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

#[test]
fn a_layer_that_is_known_is_not_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::new(dir.path(), Packing::Compressed);
    let first = layers.remembered("k", || Ok(b"archive".to_vec())).unwrap();
    assert_eq!(layers.remembered("k", || panic!("it is known")).unwrap(), first);
    fs::write(&first.file, b"cut").unwrap();
    assert_eq!(layers.remembered("k", || Ok(b"archive".to_vec())).unwrap(), first);
    fs::remove_file(&first.file).unwrap();
    assert_eq!(layers.remembered("k", || Ok(b"archive".to_vec())).unwrap(), first);
}

#[test]
fn old_layers_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::new(dir.path(), Packing::Compressed);
    for number in 0..KEPT + 3 {
        layers.remembered(&format!("k{number}"), || Ok(vec![number as u8])).unwrap();
        // Each is older than the next, without waiting for it.
        let file = fs::File::open(layers.dir.join(format!("k{number}.tar.gz"))).unwrap();
        file.set_modified(SystemTime::now() - std::time::Duration::from_secs(1000 - number as u64)).unwrap();
    }
    assert_eq!(fs::read_dir(&layers.dir).unwrap().count(), 2 * KEPT);
    assert!(!layers.dir.join("k0.tar.gz").exists() && !layers.dir.join("k0.json").exists());
    assert!(layers.dir.join(format!("k{}.tar.gz", KEPT + 2)).exists());
}
