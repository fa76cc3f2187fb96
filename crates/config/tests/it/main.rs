//! Every file of `schemas/cases`: what is valid makes a plan, what is invalid says exactly what stands beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_config::Options;
use devloop_config::load;
use devloop_model::Env;

fn cases(kind: &str) -> (PathBuf, Vec<String>) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../schemas/cases")
        .join(kind)
        .canonicalize()
        .expect("the cases are in the repository");
    let paths = fs::read_dir(&dir).expect("the directory can be read").map(|entry| entry.expect("its entries can be read").path());
    let cases = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> = cases.map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() > 10, "cases of {} are missing", dir.display());
    (dir, names)
}

/// A first line `# command: build` says which command the case is for.
fn options(dir: &Path, text: &str) -> Options {
    let command = text.lines().next().and_then(|line| line.strip_prefix("# command: ")).unwrap_or("run");
    let env = Env::new(BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned()), ("STAGE".to_owned(), "prod".to_owned())]));
    Options::new(command, dir, env)
}

#[test]
fn what_is_valid_makes_a_plan() {
    let (dir, names) = cases("valid");
    let mut faults = String::new();
    for name in names {
        let text = fs::read_to_string(dir.join(&name)).unwrap();
        match load(&ConfigSource::File(name.clone().into()), &options(&dir, &text), &NoFetch) {
            Ok(plan) if plan.warnings.is_empty() != text.contains("# warns") => {}
            Ok(plan) => writeln!(faults, "{name}: {:#?}", plan.warnings).unwrap(),
            Err(error) => writeln!(faults, "{name}:\n{error}\n").unwrap(),
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// `DEVLOOP_UPDATE_CASES=1` writes the `.err` files instead of comparing them.
#[test]
fn what_is_invalid_is_told_exactly() {
    let (dir, names) = cases("invalid");
    let mut faults = String::new();
    for name in names {
        let text = fs::read_to_string(dir.join(&name)).unwrap();
        let result = load(&ConfigSource::File(name.clone().into()), &options(&dir, &text), &NoFetch);
        let Err(error) = result else {
            writeln!(faults, "{name} was taken as valid").unwrap();
            continue;
        };
        let told = format!("{error}\n");
        let expected = dir.join(name.replace(".yaml", ".err"));
        if std::env::var_os("DEVLOOP_UPDATE_CASES").is_some() {
            fs::write(&expected, &told).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if told != expected {
            writeln!(faults, "{name}: expected\n{expected}\nbut was told\n{told}").unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}
