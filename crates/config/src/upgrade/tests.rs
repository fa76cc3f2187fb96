pub(crate) mod by_schema;

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Severity;
use proptest::prelude::*;

use super::*;
use crate::Source;
use crate::parse_documents;
use crate::schema::shape;
use crate::schema::shape::Completeness;

fn parse(name: &str, text: &str) -> Node {
    parse_documents(&Source::new(name, text)).unwrap().remove(0)
}

fn told(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

fn pairs() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/cases/upgrade");
    let mut pairs: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    pairs.sort();
    pairs
}

/// Every directory of `schemas/cases/upgrade`: a file of an older version, and the same in the latest.
#[test]
fn what_was_written_for_an_older_version_means_the_same_in_the_latest() {
    for pair in pairs() {
        let read = |name: &str| parse(name, &std::fs::read_to_string(pair.join(name)).unwrap());
        let (mut before, after) = (read("before.yaml"), read("after.yaml"));
        let from = version(&before).unwrap();
        assert_eq!(told(&shape::faults(&before, from, Completeness::BeforeProfiles)), "", "{}", pair.display());
        upgrade(&mut before, from, Version::SKAFFOLD);
        assert_eq!(before.to_json(), after.to_json(), "{}", pair.display());
        assert_eq!(told(&shape::faults(&before, Version::SKAFFOLD, Completeness::BeforeProfiles)), "", "{}", pair.display());
        assert_eq!(told(&upgrade(&mut before, Version::SKAFFOLD, Version::SKAFFOLD)), "", "{}", pair.display());
        assert_eq!(before.to_json(), after.to_json(), "{} in the latest version", pair.display());
    }
}

#[test]
fn every_step_has_a_pair() {
    let steps: Vec<Version> = STEPS.into_iter().flatten().map(|step| Version::of_short(step.to).unwrap()).collect();
    assert!(steps.is_sorted_by(|older, newer| older < newer), "{steps:?}");
    let pairs: Vec<String> = pairs().iter().map(|pair| pair.file_name().unwrap().to_string_lossy().into_owned()).collect();
    for step in steps {
        let (name, more) = (format!("to-{}", step.short()), format!("to-{}-", step.short()));
        assert!(pairs.iter().any(|pair| *pair == name || pair.starts_with(&more)), "no {name} in {pairs:?}");
    }
}

/// What a version without a step of its own says, the next one says in the same words.
#[test]
fn a_version_without_a_step_changes_nothing_but_its_name() {
    let steps: Vec<&str> = STEPS.into_iter().flatten().map(|step| step.to).collect();
    let versions: Vec<Version> = Version::all().filter(|version| *version <= Version::SKAFFOLD).collect();
    let unchanged: Vec<_> = versions.windows(2).filter(|pair| !steps.contains(&pair[1].short())).collect();
    assert_eq!(unchanged.len() + steps.len(), versions.len() - 1);
    for pair in unchanged {
        let (older, newer) = (pair[0], pair[1]);
        for seed in 0..4_u8 {
            let choices: Vec<u8> = (0..=255_u8).map(|at| at.wrapping_mul(seed * 2 + 3) ^ (at >> 3)).collect();
            let text = by_schema::document(older, &choices);
            let mut before = parse("older.yaml", &text);
            let name = |version: Version| format!("\"{version}\"");
            let mut after = parse("newer.yaml", &text.replacen(&name(older), &name(newer), 1));
            assert_eq!(told(&shape::faults(&after, newer, Completeness::Whole)), "", "{older} to {newer}");
            let (one, other) = (upgrade(&mut before, older, Version::SKAFFOLD), upgrade(&mut after, newer, Version::SKAFFOLD));
            assert_eq!(told(&one), told(&other).replace("newer.yaml", "older.yaml"));
            assert_eq!(before.to_json(), after.to_json(), "{older} to {newer}");
        }
    }
}

#[test]
fn versions_are_told_apart() {
    assert_eq!(Version::SKAFFOLD.to_string(), NEWEST_OF_SKAFFOLD);
    for (text, code) in [
        ("skaffold/v2beta16", ""),
        ("skaffold/v3alpha1", ""),
        ("skaffold/v3", ""),
        ("skaffold/v4beta14", ""),
        ("devloop/v1", ""),
        ("devloop/v2", "config/newer-api-version"),
        ("devloop/v0", "config/unknown-api-version"),
        ("skaffold/v4beta15", "config/newer-api-version"),
        ("skaffold/v4beta0", "config/unknown-api-version"),
        ("skaffold/v4beta01", "config/unknown-api-version"),
        ("skaffold/v4beta", "config/unknown-api-version"),
        ("v4beta14", "config/unknown-api-version"),
        ("skaffold/v1beta18", "config/unknown-api-version"),
        ("~", "config/no-api-version"),
        ("[]", "config/wrong-type"),
    ] {
        let document = parse("skaffold.yaml", &format!("apiVersion: {text}\n"));
        let found = version(&document).err().map_or(String::new(), |fault| fault.code.into_owned());
        assert_eq!(found, code, "{text}");
    }
}

/// Returns where everything in `node` was written.
fn places(node: &Node) -> Vec<(usize, usize)> {
    let own = [(node.span.line, node.span.column)];
    let items = node.as_list().into_iter().flatten().flat_map(places);
    let entries = node.as_map().into_iter().flatten();
    let entries = entries.flat_map(|(key, value)| places(value).into_iter().chain([(key.span.line, key.span.column)]));
    own.into_iter().chain(items).chain(entries).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_field_of_every_version_has_its_place_in_the_latest(
        version in prop::sample::select(Version::all().collect::<Vec<_>>()),
        choices in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let mut document = parse("skaffold.yaml", &by_schema::document(version, &choices));
        prop_assert_eq!(told(&shape::faults(&document, version, Completeness::Whole)), "");
        let written = places(&document);
        let mut noticed = upgrade(&mut document, version, Version::LATEST);
        noticed.extend(shape::faults(&document, Version::LATEST, Completeness::Whole));
        noticed.retain(|notice| notice.severity == Severity::Error);
        prop_assert_eq!(told(&noticed), "");
        prop_assert!(places(&document).iter().all(|place| written.contains(place)));
        let once = document.to_json();
        prop_assert!(upgrade(&mut document, Version::LATEST, Version::LATEST).is_empty());
        prop_assert_eq!(document.to_json(), once);
    }
}
