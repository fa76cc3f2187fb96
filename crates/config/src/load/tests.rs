use std::fs;

use tempfile::TempDir;

use super::*;
use crate::NoFetch;

fn options(dir: &Path) -> Options {
    Options::new("run", dir, Env::default())
}

fn project(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// What is told, with the temporary directory called `DIR`.
fn fault(root: &ConfigSource, dir: &Path) -> String {
    let error = load(root, &options(dir), &NoFetch).unwrap_err().to_string();
    error.replace(&dir.display().to_string(), "DIR")
}

const HEAD: &str = "apiVersion: skaffold/v4beta14\nkind: Config\n";

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let dir = project(&[("some/skaffold.yml", HEAD), ("empty/readme", "")]);
    fs::write(dir.path().join("latin.yaml"), b"a: 1\nb: \xe4\n").unwrap();
    let file = |name: &str| fault(&ConfigSource::File(name.into()), dir.path());
    insta::assert_snapshot!(fault(&ConfigSource::Search, dir.path()), @r"
    error[config/no-file]: there is no skaffold.yaml in DIR
    help: go to the project's directory, or name the file with `--filename`
    ");
    insta::assert_snapshot!(file("nowhere/skaffold.yaml"), @r"
    error[config/no-file]: there is no file nowhere/skaffold.yaml
    help: check the path given with `--filename`
    ");
    insta::assert_snapshot!(file("some"), @r"
    error[config/is-directory]: some is a directory, not a configuration file
    help: use `--filename some/skaffold.yml`
    ");
    insta::assert_snapshot!(file("empty"), @r"
    error[config/is-directory]: empty is a directory, not a configuration file
    help: use `--filename empty/skaffold.yaml`
    ");
    insta::assert_snapshot!(file("latin.yaml"), @r"
    error[config/not-utf8]: this is not UTF-8 text: latin.yaml
      line 2 has a byte that UTF-8 does not allow
    ");
}

#[test]
fn the_default_names_are_tried_in_order() {
    let names = ["skaffold.yaml", "skaffold.yml", "devloop.yaml"];
    for from in 0..names.len() {
        let files: Vec<(&str, &str)> = names[from..].iter().map(|name| (*name, HEAD)).collect();
        let dir = project(&files);
        let plan = load(&ConfigSource::Search, &options(dir.path()), &NoFetch).unwrap();
        assert_eq!(plan.files, [dir.path().join(names[from])]);
    }
}

#[test]
fn standard_input_is_no_file_and_starts_at_the_working_directory() {
    let dir = project(&[]);
    let text = format!("\u{feff}{HEAD}build: {{artifacts: [{{image: web, context: app}}]}}\n");
    let root = ConfigSource::Text { name: "<stdin>".into(), text };
    let plan = load(&root, &options(dir.path()), &NoFetch).unwrap();
    assert!(plan.files.is_empty());
    assert_eq!(plan.artifacts[0].context, dir.path().join("app"));
    let root = ConfigSource::Text { name: "<stdin>".into(), text: "a: [".into() };
    insta::assert_snapshot!(fault(&root, dir.path()), @r"
    error[config/invalid-yaml]: this is not YAML
     --> <stdin>:1:4
      |
    1 | a: [
      |    ^ while parsing a node, did not find expected node content
    ");
}

#[test]
fn modules_and_their_faults_are_all_told_with_their_files() {
    let dir = project(&[
        ("skaffold.yaml", &format!("{HEAD}requires: [{{path: cart}}]\nbuild: {{artifacts: [{{image: web}}]}}\n")),
        ("cart/skaffold.yaml", &format!("{HEAD}build: {{artifacts: [{{image: cart}}, {{image: web}}]}}\n")),
    ]);
    insta::assert_snapshot!(fault(&ConfigSource::Search, dir.path()), @r"
    error[config/duplicate-artifact]: there are two artifacts with the image `web`
     --> skaffold.yaml:4:29
      |
    4 | build: {artifacts: [{image: web}]}
      |                             ^^^ first at cart/skaffold.yaml:3
    help: give each artifact an image of its own
    ");
    let cart = dir.path().join("cart/skaffold.yaml");
    fs::write(&cart, format!("{HEAD}build: {{artifacts: [{{image: cart, context: src}}]}}\n")).unwrap();
    let plan = load(&ConfigSource::Search, &options(dir.path()), &NoFetch).unwrap();
    assert_eq!(plan.files, [dir.path().join("skaffold.yaml"), cart]);
    let contexts: Vec<&Path> = plan.artifacts.iter().map(|artifact| artifact.context.as_path()).collect();
    assert_eq!(contexts, [dir.path().join("cart/src"), dir.path().to_owned()]);
    assert!(plan.modules.iter().all(|module| module.render.raw_yaml.is_empty()), "the default pattern is for a lone module");
}

#[test]
fn what_another_stage_acts_on_is_no_matter() {
    let text = format!("{HEAD}build: {{artifacts: [{{image: web}}]}}\ntest: [{{image: other}}]\ndeploy: {{kpt: {{}}}}\n");
    let dir = project(&[("skaffold.yaml", &text)]);
    let told = |command: &str, skip_tests| {
        let options = Options { command: command.to_owned(), skip_tests, ..options(dir.path()) };
        let faults = load(&ConfigSource::Search, &options, &NoFetch).map_or_else(|error| error.diagnostics, |plan| plan.warnings);
        faults.into_iter().map(|fault| fault.what).collect::<Vec<_>>()
    };
    assert_eq!(told("build", false), Vec::<String>::new());
    assert_eq!(told("render", false), Vec::<String>::new());
    assert_eq!(told("deploy", false), ["this version of devloop does not deploy with kpt"]);
    assert_eq!(told("run", true), ["this version of devloop does not deploy with kpt"]);
    assert_eq!(told("run", false).len(), 2);
}

#[test]
fn a_base_that_would_be_synced_is_told() {
    let text =
        format!("{HEAD}build: {{artifacts: [{{image: base, sync: {{}}}}, {{image: web, sync: {{}}, requires: [{{image: base}}]}}]}}\n");
    let dir = project(&[("skaffold.yaml", &text)]);
    let told = |command: &str| {
        let options = Options { command: command.to_owned(), ..options(dir.path()) };
        let plan = load(&ConfigSource::Search, &options, &NoFetch).unwrap();
        plan.warnings.into_iter().map(|warning| warning.what).collect::<Vec<_>>()
    };
    assert_eq!(told("dev"), ["`sync` of `base` has no effect: `web` is built from it, so that every change is built"]);
    assert_eq!(told("run"), ["`sync` has no effect under `run`"]);
}

#[test]
fn what_an_editor_has_stands_for_what_the_disk_has() {
    let dir = project(&[("skaffold.yaml", &format!("{HEAD}requires: [{{path: cart}}]\n")), ("cart/skaffold.yaml", "broken: [")]);
    let cart = format!("{HEAD}build: {{artifacts: [{{image: cart}}]}}\n");
    let unsaved = Unsaved::from([(dir.path().join("cart/skaffold.yaml"), Arc::from(cart))]);
    let options = Options { unsaved: Arc::new(unsaved), ..options(dir.path()) };
    let plan = load(&ConfigSource::File("./skaffold.yaml".into()), &options, &NoFetch).unwrap();
    assert_eq!(plan.artifacts[0].image.as_str(), "cart");
}

#[test]
fn faults_of_all_modules_are_told_at_once() {
    let dir = project(&[
        ("skaffold.yaml", &format!("{HEAD}biuld: {{}}\nrequires: [{{path: a}}, {{path: b}}, {{git: {{repo: nowhere}}}}]\n")),
        ("a/skaffold.yaml", &format!("{HEAD}requires: [{{path: ../c}}]\ntset: []\n")),
        ("b/skaffold.yaml", HEAD),
        ("c/skaffold.yaml", &format!("{HEAD}dploy: {{}}\n")),
    ]);
    let whats = |text: &str| text.lines().filter(|line| line.starts_with("error")).map(str::to_owned).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(whats(&fault(&ConfigSource::Search, dir.path())), @"
    error[config/unknown-field]: the configuration has no field `biuld`
    error[config/unknown-field]: the configuration has no field `tset`
    error[config/unknown-field]: the configuration has no field `dploy`
    ");
    fs::write(dir.path().join("skaffold.yaml"), format!("{HEAD}requires: [{{path: a}}, {{path: b}}]\n")).unwrap();
    insta::assert_snapshot!(whats(&fault(&ConfigSource::Search, dir.path())), @"
    error[config/unknown-field]: the configuration has no field `tset`
    error[config/unknown-field]: the configuration has no field `dploy`
    ");
}

#[test]
fn many_modules_keep_their_order() {
    let required: Vec<String> = (0..40).map(|index| format!("- path: m{index}\n")).collect();
    let mut files = vec![("skaffold.yaml".to_owned(), format!("{HEAD}requires:\n{}", required.concat()))];
    for index in 0..40 {
        let text = format!("{HEAD}metadata: {{name: m{index}}}\nrequires: [{{path: ../base}}]\n");
        files.push((format!("m{index}/skaffold.yaml"), text));
    }
    files.push(("base/skaffold.yaml".to_owned(), format!("{HEAD}metadata: {{name: base}}\n")));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let dir = project(&files);
    let plan = load(&ConfigSource::Search, &options(dir.path()), &NoFetch).unwrap();
    let names: Vec<String> = plan.modules.iter().filter_map(|module| module.name.clone()).collect();
    let expected: Vec<String> = std::iter::once("base".to_owned()).chain((0..40).map(|index| format!("m{index}"))).collect();
    assert_eq!(names, expected);
    let read: Vec<_> = plan.files.iter().map(|file| file.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
    assert_eq!(read[..4], ["skaffold.yaml", "m0/skaffold.yaml", "base/skaffold.yaml", "m1/skaffold.yaml"]);
    assert_eq!(read.len(), 42, "each file is read once: {read:?}");
}
