//! libgit2's answers against the git program's own.

use std::fs;
use std::process::Command;

use super::*;

struct Work(tempfile::TempDir);

impl Work {
    fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        work.git(&["init", "-q", "-b", "main"]);
        work
    }

    fn with_commit() -> Self {
        let work = Self::new();
        work.write("web/main.go", "package main");
        work.write("api/main.go", "package main");
        work.write(".gitignore", "*.log\n");
        work.commit("first");
        work
    }

    fn git_in(&self, directory: &str, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.0.path().join(directory))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.git_in(".", arguments)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    fn open(&self, directory: &str) -> GitDir {
        GitDir::open(&self.0.path().join(directory)).unwrap()
    }

    /// Compares everything with the program.
    fn agrees(&self, directory: &str) {
        let ours = self.open(directory);
        let inside = self.git_in(directory, &["rev-parse", "--show-prefix"]);
        let tree = format!("HEAD:{}", if inside.is_empty() { "./" } else { &inside });
        assert_eq!(ours.describe().unwrap(), self.git_in(directory, &["describe", "--tags", "--always"]));
        assert_eq!(ours.commit().unwrap(), self.git_in(directory, &["rev-list", "-1", "HEAD"]));
        assert_eq!(ours.short_commit().unwrap(), self.git_in(directory, &["rev-list", "-1", "HEAD", "--abbrev-commit"]));
        assert_eq!(ours.tree().unwrap(), self.git_in(directory, &["rev-parse", &tree]));
        assert_eq!(ours.short_tree().unwrap(), self.git_in(directory, &["rev-parse", "--short", &tree]));
        assert_eq!(ours.branch().unwrap().unwrap_or_default(), self.git_in(directory, &["branch", "--show-current"]));
        assert_eq!(ours.is_dirty().unwrap(), !self.git_in(directory, &["status", ".", "--porcelain"]).is_empty(), "dirty in {directory}");
        let whole = ours.changes(Path::new("")).unwrap();
        assert_eq!(ours.is_dirty_in(&whole).unwrap(), ours.is_dirty().unwrap(), "{directory} in the whole");
    }
}

#[test]
fn without_tags_a_commit_is_described_by_its_short_hash() {
    let work = Work::with_commit();
    work.agrees(".");
    work.agrees("web");
    assert!(!work.open(".").is_dirty().unwrap());
}

#[test]
fn tags_are_described_as_git_does() {
    let work = Work::with_commit();
    work.git(&["tag", "light"]);
    work.agrees("web");
    work.git(&["tag", "-a", "-m", "x", "v1.0/rc"]);
    work.agrees("web");
    work.commit("second");
    work.agrees("web");
    assert!(work.open("web").describe().unwrap().starts_with("v1.0/rc-1-g"));
    work.git(&["tag", "v2"]);
    work.agrees(".");
}

#[test]
fn changes_count_below_the_directory_alone() {
    type Edit = fn(&Work);
    let cases: [(&str, Edit, bool); 9] = [
        ("a changed file", |w| w.write("web/main.go", "package other"), true),
        ("an untracked file", |w| w.write("web/new.go", ""), true),
        ("an untracked directory", |w| w.write("web/deep/er/new.go", ""), true),
        ("a file elsewhere", |w| w.write("api/main.go", "package other"), false),
        ("an untracked file elsewhere", |w| w.write("webby/main.go", ""), false),
        ("an ignored file", |w| w.write("web/build.log", ""), false),
        ("a deleted file", |w| fs::remove_file(w.0.path().join("web/main.go")).unwrap(), true),
        (
            "a staged file",
            |w| {
                w.write("web/new.go", "");
                w.git(&["add", "."]);
            },
            true,
        ),
        ("the same text written again", |w| w.write("web/main.go", "package main"), false),
    ];
    for (what, edit, dirty) in cases {
        let work = Work::with_commit();
        edit(&work);
        assert_eq!(work.open("web").is_dirty().unwrap(), dirty, "{what}");
        work.agrees("web");
        work.agrees(".");
    }
}

#[test]
fn a_directory_with_pattern_letters_is_a_directory() {
    let work = Work::with_commit();
    work.write("we*/main.go", "");
    work.commit("odd");
    work.write("web/main.go", "changed");
    assert!(!work.open("we*").is_dirty().unwrap());
}

#[test]
fn a_context_inside_an_untracked_directory_is_dirty() {
    let work = Work::with_commit();
    work.write("fresh/app/main.go", "");
    fs::create_dir_all(work.0.path().join("fresh/empty")).unwrap();
    for (directory, dirty) in [("fresh/app", true), ("fresh/empty", false), ("fresh", true), ("web", false)] {
        let directory = work.open(directory);
        assert_eq!(directory.is_dirty().unwrap(), dirty, "{:?}", directory.inside());
        for part in ["", "fresh"] {
            if directory.inside().starts_with(part) {
                assert_eq!(directory.is_dirty_in(&directory.changes(Path::new(part)).unwrap()).unwrap(), dirty, "{:?}", directory.inside());
            }
        }
    }
    insta::assert_snapshot!(
        work.open("fresh/app").tree().unwrap_err().to_string().replace(work.0.path().to_str().unwrap(), "[dir]"),
        @"`[dir]/fresh/app` is not in the last commit"
    );
}

#[test]
fn worktrees_detached_heads_and_symbolic_links_work() {
    let work = Work::with_commit();
    work.git(&["worktree", "add", "-q", "-b", "side", "tree/side"]);
    work.agrees("tree/side/web");
    work.git(&["checkout", "-q", "--detach"]);
    work.agrees("web");
    assert_eq!(work.open("web").branch().unwrap(), None);
    std::os::unix::fs::symlink(work.0.path().join("web"), work.0.path().join("tree/link")).unwrap();
    assert_eq!(work.open("tree/link").tree().unwrap(), work.open("web").tree().unwrap());
}

#[test]
fn abbreviations_follow_the_settings_and_the_number_of_objects() {
    let work = Work::with_commit();
    for length in ["4", "12", "auto", "no"] {
        work.git(&["config", "core.abbrev", length]);
        work.agrees("web");
    }
    for (objects, length) in [(0, 7), (1 << 13, 7), ((1 << 14) - 1, 7), (1 << 14, 8), (1 << 16, 9), (9_000_000, 12)] {
        assert_eq!(automatic_abbreviation(objects), length, "{objects} objects");
    }
}

#[test]
fn packed_objects_are_counted_as_git_counts_them() {
    let work = Work::with_commit();
    assert_eq!(packed_objects(&work.0.path().join(".git/objects")), 0);
    work.git(&["gc", "-q"]);
    let counted = work.git(&["count-objects", "-v"]);
    let expected = counted.lines().find_map(|line| line.strip_prefix("in-pack: ")).unwrap();
    assert_eq!(packed_objects(&work.0.path().join(".git/objects")).to_string(), expected);
    let shared = tempfile::tempdir().unwrap();
    work.git(&["clone", "-q", "--shared", ".", shared.path().join("c").to_str().unwrap()]);
    assert_eq!(packed_objects(&shared.path().join("c/.git/objects")).to_string(), expected);
}

#[test]
fn no_repository_and_no_commit_are_told_apart() {
    let nowhere = tempfile::tempdir().unwrap();
    let mask = |error: GitError, path: &Path| error.to_string().replace(path.to_str().unwrap(), "[dir]");
    insta::assert_snapshot!(mask(GitDir::open(nowhere.path()).err().unwrap(), nowhere.path()), @"`[dir]` is not in a git repository");
    let work = Work::new();
    insta::assert_snapshot!(mask(work.open(".").describe().unwrap_err(), work.0.path()), @"the git repository of `[dir]/.` has no commit yet");
}
