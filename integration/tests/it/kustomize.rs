//! Kustomizations: deployed, edited under `dev`, and wrong in every way.

use devloop_model::Stage;

use crate::context::TestContext;
use crate::session::Session;
use crate::session::looked;

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn overlays_are_chosen_and_what_an_overlay_leaves_out_goes() {
    let context = TestContext::new().with_example("kustomize");
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("greeter"), "Hello from dev\n");
    let again = context.devloop(&["run"]).success();
    assert_eq!(again.matches(" unchanged").count(), 3, "{again}");
    let other = context.devloop(&["run", "-p", "prod"]).success();
    assert!(other.contains(" pruned"), "the settings of the other overlay go: {other}");
    assert_eq!(context.answer("greeter"), "Hello from prod\n");
    context.devloop(&["delete", "-p", "prod"]).success();
    assert_eq!(context.kubectl(&["get", "deployment,service", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_deploys_what_any_file_of_a_kustomization_changes_and_builds_nothing_for_it() {
    let context = TestContext::new().with_example("kustomize");
    let mut session = Session::start(&context, &[]);
    session.succeeds();
    let edit = |file: &str, from: &str, to: &str| {
        let path = context.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    edit("overlays/dev/greeting.env", "Hello", "Welcome");
    let pass = session.succeeds();
    assert_eq!((pass.ran(Stage::Build).len(), pass.changes().len()), (0, 3), "{pass:?}");
    looked("new answer", || (context.answer("greeter") == "Welcome from dev\n").then_some(()));
    edit("base/service.yaml", "port: 80", "port: 80\n      name: http");
    assert_eq!(session.succeeds().changes(), ["service/greeter Configured"]);
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn kubectl_builds_where_kustomize_is_not_installed() {
    let context = TestContext::new().with_example("kustomize");
    let bin = context.path().join(".state/bin");
    std::fs::create_dir_all(&bin).unwrap();
    let kubectl = std::process::Command::new("sh").args(["-c", "command -v kubectl"]).output().unwrap();
    std::os::unix::fs::symlink(String::from_utf8(kubectl.stdout).unwrap().trim(), bin.join("kubectl")).unwrap();
    let context = context.with("PATH", &bin.display().to_string());
    let text = context.devloop(&["render", "--offline", "--digest-source=none"]).success();
    assert!(text.contains("GREETING: Hello from dev"), "{text}");
}

/// Returns what `render` says of a project whose skaffold.yaml names the kustomization `overlay`.
fn error(files: &[(&str, &str)]) -> String {
    let config = "apiVersion: skaffold/v4beta13\nkind: Config\nmanifests:\n  kustomize:\n    paths:\n    - overlay\n";
    let context =
        files.iter().fold(TestContext::new().with_file("skaffold.yaml", config), |context, (file, text)| context.with_file(file, text));
    context.devloop(&["render", "--offline"]).failure().1
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn kustomizations_that_are_wrong_are_told_with_their_place() {
    insta::assert_snapshot!(error(&[("overlay/kustomization.yaml", "resources: [../base]\n"), ("base/kustomization.yaml", "resources: [../overlay]\n")]), @r"
    error[render/kustomize-circle]: kustomizations include one another in a circle: `overlay` -> `base` -> `overlay`
     --> skaffold.yaml:6:7
      |
    6 |     - overlay
      |       ^^^^^^^
    help: take one of them out of the `resources` of another
    ");
    insta::assert_snapshot!(error(&[("overlay/kustomization.yaml", "resources: [gone.yaml]\n")]), @r"
    error[render/kustomize]: Kustomize could not build `overlay`
     --> skaffold.yaml:6:7
      |
    6 |     - overlay
      |       ^^^^^^^
      it names `overlay/gone.yaml`, which does not exist
      `kustomize` ended with exit status: 1
      Error: accumulating resources: accumulation err='accumulating resources from 'gone.yaml': evalsymlink failure on '[FOLDER]/overlay/gone.yaml' : lstat [FOLDER]/overlay/gone.yaml: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '[FOLDER]/overlay/gone.yaml' : lstat [FOLDER]/overlay/gone.yaml: no such file or directory
    ");
    insta::assert_snapshot!(error(&[]), @r"
    error[render/no-kustomization]: there is no kustomization in `overlay`
     --> skaffold.yaml:6:7
      |
    6 |     - overlay
      |       ^^^^^^^
      there is no such directory
    help: paths in `manifests.kustomize.paths` are directories, and start where those of `rawYaml` do
    ");
}
