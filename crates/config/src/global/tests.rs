use super::*;

fn env(home: &Path) -> Env {
    Env::new([("HOME".to_owned(), home.to_str().unwrap().to_owned())].into())
}

fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn fault(text: &str) -> String {
    let nodes = parse_documents(&Source::new("config", text));
    let errors = nodes.and_then(|nodes| file(&nodes[0]).map_err(|error| vec![error])).map(|_| ()).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const SKAFFOLD: &str = "
global:
  default-repo: gcr.io/all
  insecure-registries: [a:5000]
  survey: {last-prompted: '2020-01-01'}
  collect-metrics: true
  kind-disable-load: true
kubeContexts:
- kube-context: ^kind-
  default-repo: gcr.io/first
- kube-context: ^kind-
  kind-disable-load: false
  insecure-registries: [b:5000, a:5000]
- kube-context: prod
  default-repo: gcr.io/prod
";

#[test]
fn a_context_takes_its_last_entry_and_then_what_holds_for_all() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), ".skaffold/config", SKAFFOLD);
    let config = GlobalConfig::load(&env(home.path()), None).unwrap();
    let kind = config.for_context("kind-dev");
    assert_eq!(kind.default_repo.as_deref(), Some("gcr.io/all"));
    assert_eq!(kind.kind_disable_load, Some(false));
    assert_eq!(kind.insecure_registries, ["b:5000", "a:5000"]);
    assert_eq!(config.for_context("gke_prod_1").default_repo.as_deref(), Some("gcr.io/prod"));
    assert_eq!(config.for_context("other").default_repo.as_deref(), Some("gcr.io/all"));
    assert_eq!(config.for_context("").kind_disable_load, Some(true));
    assert_eq!(config.for_context("other").local_cluster, None);
}

#[test]
fn our_file_wins_over_the_one_of_skaffold() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), ".skaffold/config", SKAFFOLD);
    write(home.path(), ".config/devloop/config", "global: {default-repo: ours, local-cluster: yes}\nkubeContexts: []\n");
    let settings = GlobalConfig::load(&env(home.path()), None).unwrap().for_context("prod");
    assert_eq!(settings.default_repo.as_deref(), Some("ours"));
    assert_eq!(settings.local_cluster, Some(true));
    assert_eq!(settings.insecure_registries, ["a:5000"]);
}

#[test]
fn xdg_config_home_moves_our_file() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "xdg/devloop/config", "global: {default-repo: moved}\n");
    let variables = [("HOME", home.path().to_owned()), ("XDG_CONFIG_HOME", home.path().join("xdg"))];
    let env = Env::new(variables.map(|(name, value)| (name.to_owned(), value.to_str().unwrap().to_owned())).into());
    assert_eq!(GlobalConfig::load(&env, None).unwrap().for_context("x").default_repo.as_deref(), Some("moved"));
}

#[test]
fn a_file_given_by_name_is_the_only_one_and_has_to_be_there() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), ".skaffold/config", SKAFFOLD);
    write(home.path(), "mine", "");
    let load = |file: &str| GlobalConfig::load(&env(home.path()), Some(&home.path().join(file)));
    assert_eq!(load("mine").unwrap().for_context("prod"), ContextSettings::default());
    assert!(load("missing").unwrap_err()[0].what.starts_with("there is no file"));
    assert_eq!(GlobalConfig::load(&Env::default(), None).unwrap().for_context("prod"), ContextSettings::default());
}

#[test]
fn faults_name_their_line() {
    insta::assert_snapshot!(fault("global:\n  default-repo: [a\n"), @"
    error[config/invalid-yaml]: a `,` or `]` is missing before this place
     --> config:2:18
      |
    2 |   default-repo: [a
      |                  ^
    help: close the `[` above, or put a value with `,` or `[` in quotes
    ");
    insta::assert_snapshot!(fault("- a\n"), @"
    error[config/wrong-type]: a settings file is a mapping, not a list
     --> config:1:1
      |
    1 | - a
      | ^
    ");
    insta::assert_snapshot!(fault("global: text\n"), @"
    error[config/wrong-type]: settings are a mapping, not text
     --> config:1:9
      |
    1 | global: text
      |         ^^^^
    ");
    insta::assert_snapshot!(fault("global:\n  local-cluster: maybe\n"), @"
    error[config/wrong-type]: `local-cluster` takes `true` or `false`, not text
     --> config:2:18
      |
    2 |   local-cluster: maybe
      |                  ^^^^^
    ");
    insta::assert_snapshot!(fault("global:\n  default-repo: {a: b}\n"), @"
    error[config/wrong-type]: `default-repo` takes text, not a mapping
     --> config:2:17
      |
    2 |   default-repo: {a: b}
      |                 ^
    ");
    insta::assert_snapshot!(fault("kubeContexts:\n  kind: {}\n"), @"
    error[config/wrong-type]: `kubeContexts` takes a list, not a mapping
     --> config:2:3
      |
    2 |   kind: {}
      |   ^^^^
    ");
    insta::assert_snapshot!(fault("kubeContexts:\n- insecure-registries: a:5000\n"), @"
    error[config/wrong-type]: `insecure-registries` takes a list, not text
     --> config:2:24
      |
    2 | - insecure-registries: a:5000
      |                        ^^^^^^
    ");
}
