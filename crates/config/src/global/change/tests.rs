use super::*;

fn set(text: &str, scope: &Scope, name: &str, value: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    if !text.is_empty() {
        std::fs::write(&file, text).unwrap();
    }
    set_setting(&file, scope, name, value).unwrap_or_else(|errors| errors[0].to_string())
}

const TEXT: &str = "\
# mine
global:
  default-repo: one # here
kubeContexts:
- kube-context: kind-.*
  insecure-registries: [a.io]
";

#[test]
fn a_setting_is_set_and_unset_in_place() {
    let kind = Scope::Context("kind-x".into());
    for (text, scope, name, value, wanted) in [
        ("", &Scope::Global, "default-repo", "two", "global:\n  default-repo: two\n"),
        ("", &kind, "local-cluster", "T", "kubeContexts:\n- kube-context: kind-x\n  local-cluster: true\n"),
        (TEXT, &Scope::Global, "default-repo", "two", &TEXT.replace("one # here", "two")),
        (TEXT, &Scope::Global, "collect-metrics", "false", &TEXT.replace("# here\n", "# here\n  collect-metrics: false\n")),
        (TEXT, &kind, "insecure-registries", "b.io", &TEXT.replace("[a.io]", "\n  - a.io\n  - b.io").replace(": \n", ":\n")),
        (TEXT, &kind, "insecure-registries", "a.io", &TEXT.replace("[a.io]", "\n  - a.io").replace(": \n", ":\n")),
        (TEXT, &kind, "insecure-registries", "", &TEXT.replace("  insecure-registries: [a.io]\n", "")),
        (TEXT, &kind, "default-repo", "", TEXT),
        (TEXT, &Scope::Context("other".into()), "default-repo", "", TEXT),
        (TEXT, &Scope::Context("other".into()), "default-repo", "x", &format!("{TEXT}- kube-context: other\n  default-repo: x\n")),
        ("global: {default-repo: one}\n", &Scope::Global, "default-repo", "", "global: {}\n"),
    ] {
        assert_eq!(set(text, scope, name, value), *wanted, "{name}={value}");
    }
}

#[test]
fn what_is_no_setting_is_told() {
    insta::assert_snapshot!(set("", &Scope::Global, "default-repos", "x"), @"
    error[config/setting]: there is no setting `default-repos`
      known settings: default-repo, multi-level-repo, local-cluster, insecure-registries, debug-helpers-registry, builder-image, kind-disable-load, k3d-disable-load, update-check, collect-metrics
    help: did you mean `default-repo`?
    ");
    insta::assert_snapshot!(set("", &Scope::Global, "local-cluster", "maybe"), @"
    error[config/setting]: `maybe` is no value of `local-cluster`
    help: set it to `true` or `false`
    ");
}

#[test]
fn files_are_listed_as_they_are_layered() {
    let dir = tempfile::tempdir().unwrap();
    let files = [dir.path().join("own"), dir.path().join("skaffold"), dir.path().join("gone")];
    std::fs::write(&files[0], TEXT).unwrap();
    let skaffold = "global: {default-repo: two, survey: {last-prompted: x}}\n\
                    kubeContexts: [{kube-context: 'kind-.*', default-repo: k, insecure-registries: [c.io]}, {kube-context: gke, local-cluster: false}]\n";
    std::fs::write(&files[1], skaffold).unwrap();
    let listed = |scope: Option<Scope>| list_settings(&files, scope.as_ref()).unwrap();
    insta::assert_snapshot!(listed(None).unwrap().1, @"
    global:
      default-repo: one
      survey:
        last-prompted: x
    kubeContexts:
    - kube-context: kind-.*
      insecure-registries:
      - a.io
      - c.io
      default-repo: k
    - kube-context: gke
      local-cluster: false
    ");
    insta::assert_snapshot!(listed(Some(Scope::Global)).unwrap().1, @"
    default-repo: one
    survey:
      last-prompted: x
    ");
    insta::assert_snapshot!(listed(Some(Scope::Context("kind-x".into()))).unwrap().1, @"
    kube-context: kind-.*
    insecure-registries:
    - a.io
    - c.io
    default-repo: k
    ");
    assert_eq!(listed(Some(Scope::Context("other".into()))), None);
    assert_eq!(listed(None).unwrap().0, files[..2]);
}
