//! The table that was made with real builds, and the laws of the matcher.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;

use super::super::walk;
use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    ignore: String,
    files: Vec<String>,
    /// What `docker build` copied with `COPY . /ctx/`.
    seen: Vec<String>,
}

#[test]
fn files_are_ignored_as_docker_build_does() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../testdata/dockerignore.json")).unwrap();
    assert!(cases.len() >= 60);
    for case in cases {
        let dir = tempfile::tempdir().unwrap();
        for file in case.files.iter().map(String::as_str).chain(["Dockerfile", ".dockerignore"]) {
            let full = dir.path().join(file);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            if file.ends_with('/') { fs::create_dir_all(full).unwrap() } else { fs::write(full, "x").unwrap() }
        }
        let patterns = IgnorePatterns::parse(&case.ignore).unwrap();
        let listed = walk::walk(dir.path(), &[PathBuf::from(".")], &patterns).unwrap();
        let slash = |listed: &walk::Listed| if listed.stat.kind == super::super::InputKind::EmptyDirectory { "/" } else { "" };
        let seen: Vec<String> = listed.iter().map(|listed| format!("{}{}", listed.path, slash(listed))).collect();
        let mut expected = case.seen;
        expected.sort_by(|a, b| a.trim_end_matches('/').cmp(b.trim_end_matches('/')));
        assert_eq!(seen, expected, "{}: {:?}", case.name, case.ignore);
    }
}

#[test]
fn wildcards_may_see_again_what_is_deep_in_an_ignored_directory() {
    let patterns = IgnorePatterns::parse("*\n!**/keep.txt\n!src/*/x").unwrap();
    for (path, ignored) in
        [("a/b/keep.txt", false), ("keep.txt", false), ("a/b", true), ("src/a/x", false), ("src/a/y", true), ("src/x", true)]
    {
        assert_eq!(patterns.ignores(path), ignored, "{path}");
    }
    let patterns = IgnorePatterns::parse("*\n!src/*/x").unwrap();
    for (dir, may) in [("src", true), ("src/a", true), ("src/a/b", false), ("lib", false)] {
        assert_eq!(patterns.may_see_below(dir), may, "{dir}");
    }
}

#[test]
fn malformed_patterns_name_their_line() {
    for (text, line, why) in [
        ("a\n[", 2, "this pattern is malformed"),
        ("!\n", 1, "a `!` needs a pattern behind it"),
        ("# x\n\n! \n", 3, "a `!` needs a pattern behind it"),
        ("a\\", 1, "this pattern is malformed"),
    ] {
        let error = IgnorePatterns::parse(text).unwrap_err();
        assert_eq!((error.line, error.why), (line, why), "{text}");
    }
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]{1,2}", 1..4).prop_map(|parts| parts.join("/"))
}

fn pattern() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof!["[ab]{1,2}", Just("*".to_owned()), Just("**".to_owned()), Just("a*".to_owned()), Just("?".to_owned())],
        1..4,
    )
    .prop_map(|parts| parts.join("/"))
}

proptest! {
    #[test]
    fn without_exceptions_what_is_in_an_ignored_directory_is_ignored(patterns in proptest::collection::vec(pattern(), 1..4), dir in path(), file in path()) {
        let patterns = IgnorePatterns::parse(&patterns.join("\n")).unwrap();
        let inside = format!("{dir}/{file}");
        prop_assert!(!patterns.ignores(&dir) || patterns.ignores(&inside));
    }

    #[test]
    fn what_is_seen_in_an_ignored_directory_was_looked_for(patterns in proptest::collection::vec((any::<bool>(), pattern()), 1..5), dir in path(), file in path()) {
        let text: Vec<String> = patterns.iter().map(|(negated, pattern)| format!("{}{pattern}", if *negated { "!" } else { "" })).collect();
        let patterns = IgnorePatterns::parse(&text.join("\n")).unwrap();
        if patterns.ignores(&dir) && !patterns.ignores(&format!("{dir}/{file}")) {
            prop_assert!(patterns.may_see_below(&dir));
        }
    }

    #[test]
    fn a_last_exception_for_a_path_shows_it(patterns in proptest::collection::vec(pattern(), 0..4), file in path()) {
        let text = format!("{}\n!{file}", patterns.join("\n"));
        prop_assert!(!IgnorePatterns::parse(&text).unwrap().ignores(&file));
    }
}
