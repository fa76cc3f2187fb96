//! Directories made, moved and removed in any order: afterwards every file that is left is still watched.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::WatchMode;

use super::Project;

/// A sequence that looks random and is the same every time.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Makes, moves and removes something; that it cannot be done is no matter.
fn step(top: &Path, sequence: &mut Sequence) {
    let mut path = || (0..=sequence.below(3)).map(|_| ["a", "b", "c"][sequence.below(3)]).collect::<PathBuf>();
    let (one, other) = (top.join(path()), top.join(path()));
    match sequence.below(5) {
        0 => drop(fs::create_dir_all(&one)),
        1 => drop(fs::rename(&one, &other)),
        2 => drop(fs::remove_dir_all(&one)),
        _ => drop(fs::create_dir_all(&one).and_then(|()| fs::write(one.join("file"), "x"))),
    }
}

fn files(directory: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), found);
        } else {
            found.insert(entry.path());
        }
    }
}

async fn every_file_is_still_watched(mode: WatchMode, seed: u64) {
    let mut project = Project::in_mode(mode);
    project.watch(project.trees(&[""]));
    let mut sequence = Sequence(seed);
    for _ in 0..200 {
        step(&project.path(""), &mut sequence);
    }
    project.write("last", "");
    project.changed_until("last").await;
    let mut left = BTreeSet::new();
    files(&project.path(""), &mut left);
    for file in &left {
        fs::write(file, "longer").unwrap();
    }
    while !left.is_empty() {
        for path in project.batch().await.paths {
            left.remove(&path);
        }
    }
}

#[tokio::test]
async fn told() {
    for seed in 0..40 {
        every_file_is_still_watched(WatchMode::Notify, seed).await;
    }
}

#[tokio::test]
async fn looked_at() {
    for seed in 0..10 {
        every_file_is_still_watched(WatchMode::Polling, seed).await;
    }
}
