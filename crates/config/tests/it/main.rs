//! Every file of `schemas/cases`: what is valid means exactly what stands beside it, what is invalid says exactly what stands beside it.
//!
//! `valid/NAME.effective` is the configuration as it is understood, and `valid/NAME.warn` the warnings, if there are any;
//! `invalid/NAME.err` the errors. `DEVLOOP_UPDATE_CASES=1` writes them instead of comparing.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod bombs;
mod cases;
mod fields;
mod mutations;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_config::effective_yaml;
use devloop_config::load;

use crate::cases::Case;
use crate::cases::cases;

/// Compares what was told with the file beside a case, which is not there where nothing was told.
fn compare(case: &Case, kind: &str, told: &str, faults: &mut String) {
    let beside = case.dir.join(&case.name).with_extension(kind);
    if std::env::var_os("DEVLOOP_UPDATE_CASES").is_some() {
        if told.is_empty() {
            drop(fs::remove_file(&beside));
        } else {
            fs::write(&beside, told).unwrap();
        }
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    if told != expected {
        writeln!(faults, "{}: expected\n{expected}\nbut was told\n{told}", case.name).unwrap();
    }
}

#[test]
fn what_is_valid_means_exactly_this() {
    let mut faults = String::new();
    for case in cases("valid") {
        let (root, options) = (ConfigSource::File(case.name.clone().into()), case.options());
        let effective = match effective_yaml(&root, &options, &NoFetch, None) {
            Ok(text) => {
                let outside = case.dir.parent().unwrap_or(&case.dir).to_string_lossy().into_owned();
                text.replace(&*case.dir.to_string_lossy(), "/project").replace(&outside, "/outside")
            }
            Err(error) => {
                writeln!(faults, "{}:\n{error}\n", case.name).unwrap();
                continue;
            }
        };
        compare(&case, "effective", &effective, &mut faults);
        if case.says("understood").is_some() {
            continue;
        }
        match load(&root, &options, &NoFetch) {
            Ok(plan) => {
                let warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
                let end = if warnings.is_empty() { "" } else { "\n" };
                compare(&case, "warn", &(warnings.join("\n") + end), &mut faults);
            }
            Err(error) => writeln!(faults, "{}:\n{error}\n", case.name).unwrap(),
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn what_is_invalid_is_told_exactly() {
    let mut faults = String::new();
    for case in cases("invalid") {
        match load(&ConfigSource::File(case.name.clone().into()), &case.options(), &NoFetch) {
            Ok(_) => writeln!(faults, "{} was taken as valid", case.name).unwrap(),
            Err(error) => compare(&case, "err", &format!("{error}\n"), &mut faults),
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// What a case was renamed from would be compared with nothing.
#[test]
fn every_file_belongs_to_a_case() {
    for (kind, extensions) in [("valid", &["effective", "warn"][..]), ("invalid", &["err"])] {
        let cases = cases(kind);
        let names: BTreeSet<String> = cases.iter().map(|case| case.name.clone()).collect();
        assert!(names.len() >= 150, "there are {} {kind} cases", names.len());
        for entry in fs::read_dir(&cases[0].dir).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let name = path.with_extension("yaml").file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_known = extension == "yaml" || extensions.contains(&&*extension) || path.is_dir();
            assert!(is_known && (path.is_dir() || names.contains(&name)), "{}", path.display());
        }
    }
}

#[test]
fn every_version_has_cases() {
    for kind in ["valid", "invalid"] {
        let texts: Vec<String> = cases(kind).iter().map(|case| case.text.clone()).collect();
        for version in devloop_config::schema_versions() {
            let line = format!("apiVersion: {version}");
            let has_one = texts.iter().any(|text| text.lines().any(|written| written.trim_end() == line));
            assert!(has_one, "there is no {kind} case of {version}");
        }
    }
}
