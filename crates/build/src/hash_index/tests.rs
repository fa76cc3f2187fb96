//! The index on real files.

use std::fs::FileTimes;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

struct Files {
    cache: tempfile::TempDir,
    context: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { cache: tempfile::tempdir().unwrap(), context: tempfile::tempdir().unwrap() }
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.context.path().join(path), text).unwrap();
    }

    fn stat(&self, path: &str) -> Stat {
        Stat::of(&self.context.path().join(path).symlink_metadata().unwrap()).unwrap()
    }

    fn open(&self) -> HashIndex {
        HashIndex::open(self.cache.path())
    }

    fn hash(&self, index: &HashIndex, path: &str) -> Hashes {
        index.hash(self.context.path(), path, &self.stat(path)).unwrap().unwrap()
    }

    /// Waits until the file is older than a tick, so that it may be remembered.
    fn settle(&self, path: &str) {
        while is_racy(&self.stat(path), now()) {
            std::thread::yield_now();
        }
    }
}

fn of(path: &str, text: &str) -> Hashes {
    Hashes { content: *blake3::hash(text.as_bytes()).as_bytes(), md5: Md5::digest(format!("{path}{text}")).into() }
}

#[test]
fn a_file_that_did_not_change_is_not_read() {
    let files = Files::new();
    files.write("a", "one");
    files.settle("a");
    let index = files.open();
    assert_eq!(files.hash(&index, "a"), of("a", "one"));
    index.save().unwrap();
    let stat = files.stat("a");
    fs::remove_file(files.context.path().join("a")).unwrap();
    let again = files.open();
    assert_eq!(again.hash(files.context.path(), "a", &stat).unwrap(), Some(of("a", "one")), "answered without the file");
    again.save().unwrap();
    assert_eq!(again.hash(files.context.path(), "b", &stat).unwrap(), None, "another path is another file");
}

#[test]
fn a_change_with_the_same_size_and_mtime_is_seen() {
    let files = Files::new();
    files.write("a", "one");
    files.settle("a");
    let index = files.open();
    files.hash(&index, "a");
    index.save().unwrap();
    let old = fs::metadata(files.context.path().join("a")).unwrap().modified().unwrap();
    files.write("a", "two");
    File::options().write(true).open(files.context.path().join("a")).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
    assert_eq!(files.hash(&files.open(), "a"), of("a", "two"));
}

#[test]
fn a_file_that_just_changed_is_not_remembered() {
    let files = Files::new();
    files.write("a", "one");
    let stat = files.stat("a");
    assert!(is_racy(&stat, stat.ctime + FINE_TICK - 1) || stat.ctime % 1_000_000_000 == 0);
    assert!(!is_racy(&stat, stat.ctime + COARSE_TICK));
    let whole_second = Stat { ctime: 5_000_000_000, ..stat };
    assert!(is_racy(&whole_second, 6_999_999_999));
}

#[test]
fn what_is_damaged_is_empty() {
    let files = Files::new();
    files.write("a", "one");
    files.settle("a");
    let index = files.open();
    files.hash(&index, "a");
    index.save().unwrap();
    let path = files.cache.path().join("hashes");
    let good = fs::read(&path).unwrap();
    assert_eq!(load(&path).len(), RECORD);
    let mut flipped = good.clone();
    flipped[HEADER + 60] ^= 1;
    for bad in [&good[..good.len() - 1], b"", b"devloop-hashes-0", &flipped] {
        fs::write(&path, bad).unwrap();
        assert!(load(&path).is_empty());
        let index = files.open();
        assert_eq!(files.hash(&index, "a"), of("a", "one"));
        index.save().unwrap();
        assert_eq!(load(&path).len(), RECORD, "it is whole again");
    }
}

#[test]
fn two_processes_keep_what_both_learned() {
    let files = Files::new();
    for name in ["a", "b"] {
        files.write(name, name);
        files.settle(name);
    }
    let (one, two) = (files.open(), files.open());
    files.hash(&one, "a");
    files.hash(&two, "b");
    one.save().unwrap();
    two.save().unwrap();
    assert_eq!(files.open().records.len(), 2 * RECORD);
}

#[test]
fn records_that_nobody_uses_are_dropped_and_used_ones_renewed() {
    let files = Files::new();
    for name in ["a", "b", "c"] {
        files.write(name, name);
        files.settle(name);
    }
    let mut index = files.open();
    let today = index.today;
    index.today = today - KEPT_DAYS - 1;
    files.hash(&index, "a");
    files.hash(&index, "b");
    index.save().unwrap();
    let index = files.open();
    files.hash(&index, "a");
    index.save().unwrap();
    let index = files.open();
    assert_eq!(index.records.len(), RECORD, "`b` is dropped");
    assert_eq!(u32_at(&index.records, RECORD - 4), today, "`a` is renewed");
}

#[test]
fn links_and_directories_have_hashes_and_errors_have_causes() {
    let files = Files::new();
    std::os::unix::fs::symlink("target", files.context.path().join("link")).unwrap();
    fs::create_dir(files.context.path().join("dir")).unwrap();
    let index = files.open();
    assert_eq!(files.hash(&index, "link").content, *blake3::hash(b"target").as_bytes());
    assert_eq!(files.hash(&index, "link").md5, <[u8; 16]>::from(Md5::digest("link")));
    assert_eq!(files.hash(&index, "dir").md5, <[u8; 16]>::from(Md5::digest("dir")));
    index.save().unwrap();
    assert!(!files.cache.path().join("hashes").exists(), "nothing to write");
    files.write("a", "x");
    let stat = files.stat("a");
    fs::remove_file(files.context.path().join("a")).unwrap();
    assert_eq!(index.hash(files.context.path(), "a", &stat).unwrap(), None);
}

#[test]
fn a_file_system_that_lies_in_the_future_is_never_trusted() {
    let files = Files::new();
    files.write("a", "x");
    fs::set_permissions(files.context.path().join("a"), fs::Permissions::from_mode(0o600)).unwrap();
    let stat = files.stat("a");
    let future = Stat { ctime: stat.ctime + Duration::from_hours(1).as_nanos() as i64, ..stat };
    assert!(is_racy(&future, now()));
}
