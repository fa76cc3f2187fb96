use devloop_model::Env;
use serde_json::json;

use super::*;
use crate::NoFetch;

struct Project(tempfile::TempDir);

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn options(&self) -> Options {
        let mut options = Options::new("inspect", self.0.path(), Env::default());
        options.profile_auto_activation = false;
        options
    }

    fn ask(&self, change: impl FnOnce(&mut Options), ask: impl FnOnce(&Inspection) -> Result<Json, Vec<Diagnostic>>) -> String {
        let mut options = self.options();
        change(&mut options);
        let opened = Inspection::open(&ConfigSource::Search, &options, &NoFetch).map_err(|error| error.diagnostics);
        let answer = opened.and_then(|inspection| ask(&inspection)).unwrap_or_else(|faults| refusal(&faults));
        answer.to_string().replace(&self.0.path().display().to_string(), "/work")
    }

    fn say(&self, ask: impl FnOnce(&Inspection) -> Json) -> String {
        self.ask(|_| {}, |inspection| Ok(ask(inspection)))
    }

    fn change(&self, named: &[&str], change: &Change) -> String {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let inspection = Inspection::open(&ConfigSource::Search, &self.options(), &NoFetch).unwrap();
        match inspection.change(change, &named) {
            Ok(files) => {
                let shown = |(file, text): &(PathBuf, String)| format!("# {}\n{text}", file.strip_prefix(self.0.path()).unwrap().display());
                files.iter().map(shown).collect()
            }
            Err(faults) => refusal(&faults).to_string(),
        }
    }
}

const SHOP: &str = "\
apiVersion: skaffold/v4beta13
kind: Config
metadata: {name: shop}
requires: [{path: lib}]
build: {artifacts: [{image: web}]}
test:
- image: web
  custom: [{command: ./t.sh, timeoutSeconds: 5, dependencies: {paths: [a]}}, {command: ./u.sh}]
  structureTests: [st/*]
  structureTestsArgs: [--x]
verify:
- name: v
  container: {name: v, image: busybox}
  executionMode: {kubernetesCluster: {jobManifestPath: job.yaml}}
- name: a
  container: {name: a, image: busybox}
customActions:
- name: act
  containers: [{name: v, image: busybox}]
profiles:
- name: gcb
  build: {googleCloudBuild: {}}
- name: bare
---
apiVersion: skaffold/v4beta13
kind: Config
";

const LIB: &str = "\
apiVersion: skaffold/v4beta13
kind: Config
build: {cluster: {}, artifacts: [{image: lib}]}
test: [{image: lib, structureTests: [st/x.yaml]}]
";

fn shop() -> Project {
    Project::new(&[("skaffold.yaml", SHOP), ("lib/skaffold.yaml", LIB)])
}

#[test]
fn lists_have_the_shape_that_editors_read() {
    let shop = shop();
    insta::assert_snapshot!(shop.say(|all| all.modules(false)), @r#"{"modules":[{"name":"shop","path":"/work/skaffold.yaml","isRoot":true}]}"#);
    insta::assert_snapshot!(shop.say(|all| all.modules(true)), @r#"{"modules":[{"name":"__config_0","path":"/work/lib/skaffold.yaml"},{"name":"shop","path":"/work/skaffold.yaml","isRoot":true},{"name":"__config_1","path":"/work/skaffold.yaml","isRoot":true}]}"#);
    insta::assert_snapshot!(shop.say(|all| all.profiles(None)), @r#"{"profiles":[{"name":"gcb","path":"/work/skaffold.yaml","module":"shop"},{"name":"bare","path":"/work/skaffold.yaml","module":"shop"}]}"#);
    insta::assert_snapshot!(shop.say(|all| all.profiles(Some(BuildEnv::Local))), @r#"{"profiles":[{"name":"bare","path":"/work/skaffold.yaml","module":"shop"}]}"#);
    insta::assert_snapshot!(shop.say(Inspection::build_envs), @r#"{"build_envs":[{"type":"cluster","path":"/work/lib/skaffold.yaml"},{"type":"local","path":"/work/skaffold.yaml","module":"shop"},{"type":"local","path":"/work/skaffold.yaml"}]}"#);
    insta::assert_snapshot!(shop.ask(|options| options.profiles = vec!["gcb".into()], |all| Ok(all.build_envs())), @r#"{"build_envs":[{"type":"cluster","path":"/work/lib/skaffold.yaml"},{"type":"googleCloudBuild","path":"/work/skaffold.yaml","module":"shop"},{"type":"local","path":"/work/skaffold.yaml"}]}"#);
    insta::assert_snapshot!(shop.say(Inspection::tests), @r#"{"tests":[{"testType":"structure-test","structureTest":"/work/lib/st/x.yaml","structureTestArgs":null},{"testType":"custom-test","Command":"./t.sh","TimeoutSeconds":5,"Dependencies":{"Command":"","Paths":["a"],"Ignore":null}},{"testType":"custom-test","Command":"./u.sh","TimeoutSeconds":0,"Dependencies":null},{"testType":"structure-test","structureTest":"st/*","structureTestArgs":["--x"]}]}"#);
    insta::assert_snapshot!(shop.say(Inspection::execution_modes), @r#"{"verifyExecutionModes":{"a":"local","v":"kubernetesCluster"},"customActionsExecutionModes":{"act":"local"}}"#);
    insta::assert_snapshot!(shop.say(Inspection::job_manifest_paths), @r#"{"verifyJobManifestPaths":{"v":"job.yaml"},"customActionJobManifestPaths":{}}"#);
    let empty = Project::new(&[("skaffold.yaml", "apiVersion: skaffold/v4beta13\nkind: Config\n")]);
    insta::assert_snapshot!(empty.say(|all| all.modules(false)), @r#"{"modules":[]}"#);
    insta::assert_snapshot!(empty.say(Inspection::tests), @r#"{"tests":[]}"#);
}

#[test]
fn namespaces_are_those_that_apply_deploys_into() {
    let manifests = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: own, namespace: here}\n---\n\
                     apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\n";
    let asked = |deploy: &str| {
        let text = format!("apiVersion: skaffold/v4beta13\nkind: Config\n{deploy}");
        let project = Project::new(&[("skaffold.yaml", &text), ("m.yaml", manifests)]);
        project.ask(|_| {}, |all| all.namespaces(Path::new("m.yaml")))
    };
    insta::assert_snapshot!(asked(""), @r#"{"resourceToInfoMap":{"apps/v1, Kind=Deployment":[{"name":"own","namespace":"here"},{"name":"other","namespace":"default"}]}}"#);
    insta::assert_snapshot!(asked("deploy: {kubectl: {defaultNamespace: d}}"), @r#"{"resourceToInfoMap":{"apps/v1, Kind=Deployment":[{"name":"own","namespace":"here"},{"name":"other","namespace":"d"}]}}"#);
    insta::assert_snapshot!(asked("deploy: {kubectl: {defaultNamespace: d, flags: {global: [--namespace=g], apply: [-n, a]}}}"), @r#"{"resourceToInfoMap":{"apps/v1, Kind=Deployment":[{"name":"own","namespace":"here"},{"name":"other","namespace":"a"}]}}"#);
    insta::assert_snapshot!(shop().ask(|_| {}, |all| all.namespaces(Path::new("gone.yaml"))), @r#"{"errorCode":"CONFIG_FILE_NOT_FOUND_ERR","errorMessage":"there is no file gone.yaml; check the path given with `--filename`"}"#);
}

#[test]
fn what_is_wrong_has_skaffolds_code() {
    let said = |project: &Project, modules: &[&str], profiles: &[&str]| {
        let change = |options: &mut Options| {
            options.modules = modules.iter().map(|name| (*name).to_owned()).collect();
            options.profiles = profiles.iter().map(|name| (*name).to_owned()).collect();
        };
        project.ask(change, |all| Ok(all.modules(false)))
    };
    let text = |rest: &str| Project::new(&[("skaffold.yaml", &format!("apiVersion: skaffold/v4beta13\nkind: Config\n{rest}"))]);
    insta::assert_snapshot!(said(&Project::new(&[]), &[], &[]).split_once(" in /").unwrap().0, @r#"{"errorCode":"CONFIG_FILE_NOT_FOUND_ERR","errorMessage":"there is no skaffold.yaml"#);
    insta::assert_snapshot!(said(&shop(), &["nope"], &[]), @r#"{"errorCode":"CONFIG_BAD_FILTER_ERR","errorMessage":"there is no module `nope`; known modules: shop"}"#);
    insta::assert_snapshot!(said(&shop(), &[], &["nope"]), @r#"{"errorCode":"CONFIG_PROFILES_NOT_FOUND_ERR","errorMessage":"there is no profile `nope`; known profiles: bare, gcb"}"#);
    insta::assert_snapshot!(said(&text("requires: [{path: gone}]"), &[], &[]), @r#"{"errorCode":"CONFIG_DEPENDENCY_NOT_FOUND_ERR","errorMessage":"skaffold.yaml:3:19: there is no file gone, which this module requires; `path` starts at the directory of the file it stands in, and names a file or a directory with a skaffold.yaml"}"#);
    insta::assert_snapshot!(said(&text("biuld: {}\ndeploy: 1\n"), &[], &[]), @r#"{"errorCode":"CONFIG_FILE_PARSING_ERR","errorMessage":"skaffold.yaml:3:1: the configuration has no field `biuld`; expected one of: apiVersion, kind, metadata, requires, build, test, manifests, deploy, portForward, resourceSelector, verify, customActions, profiles; did you mean `build`?\nskaffold.yaml:4:9: `deploy` takes a mapping, not a number"}"#);
    insta::assert_snapshot!(said(&text("metadata: {name: a}\n---\napiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: a}"), &[], &[]), @r#"{"errorCode":"CONFIG_DUPLICATE_NAMES_SAME_FILE_ERR","errorMessage":"skaffold.yaml:7:18: there are two modules called `a`; first used in skaffold.yaml, line 3"}"#);
    insta::assert_snapshot!(said(&Project::new(&[("skaffold.yaml", "apiVersion: skaffold/v9\nkind: Config\n")]), &[], &[]), @r#"{"errorCode":"CONFIG_UNKNOWN_API_VERSION_ERR","errorMessage":"skaffold.yaml:1:13: `skaffold/v9` is newer than this version of devloop; this version of devloop reads skaffold/v1alpha1 to v4beta14, and devloop/v1; write `apiVersion: skaffold/v4beta14` if the file uses nothing newer"}"#);
}

fn fields(json: Json) -> Fields {
    json.as_object().unwrap().clone()
}

const APP: &str = "\
# the app
apiVersion: skaffold/v4beta13
kind: Config
metadata:
  name: app
requires:
- path: lib # here
- git: {repo: https://example.com/x}
build:
  local: # on this machine
    push: true
  artifacts: # images
  - image: web
profiles:
- name: gcb
  build: {googleCloudBuild: {projectId: p}} # there
";

#[test]
fn a_build_environment_is_added_in_the_file() {
    // The repository is not fetched here.
    let text = APP.replace("- git: {repo: https://example.com/x}\n", "");
    let app = || Project::new(&[("skaffold.yaml", &text), ("lib/skaffold.yaml", LIB)]);
    let add =
        |env, json: Json, profile: Option<&str>| Change::AddBuildEnv { env, fields: fields(json), profile: profile.map(str::to_owned) };
    insta::assert_snapshot!(app().change(&[], &add(BuildEnv::GoogleCloudBuild, json!({"projectId": "p", "concurrency": 2}), None)), @"
    # skaffold.yaml
    # the app
    apiVersion: skaffold/v4beta13
    kind: Config
    metadata:
      name: app
    requires:
    - path: lib # here
    build:
      artifacts: # images
      - image: web
      googleCloudBuild:
        projectId: p
        concurrency: 2
    profiles:
    - name: gcb
      build: {googleCloudBuild: {projectId: p}} # there
    ");
    insta::assert_snapshot!(app().change(&[], &add(BuildEnv::Cluster, json!({}), Some("new"))), @"
    # lib/skaffold.yaml
    apiVersion: skaffold/v4beta13
    kind: Config
    build: {cluster: {}, artifacts: [{image: lib}]}
    test: [{image: lib, structureTests: [st/x.yaml]}]
    profiles:
    - name: new
      build:
        cluster: {}
    # skaffold.yaml
    # the app
    apiVersion: skaffold/v4beta13
    kind: Config
    metadata:
      name: app
    requires:
    - path: lib # here
      activeProfiles:
      - name: new
        activatedBy:
        - new
    build:
      local: # on this machine
        push: true
      artifacts: # images
      - image: web
    profiles:
    - name: gcb
      build: {googleCloudBuild: {projectId: p}} # there
    - name: new
      build:
        cluster: {}
    ");
    insta::assert_snapshot!(app().change(&[], &add(BuildEnv::Cluster, json!({"namespace": "n"}), Some("gcb"))), @r#"
    # lib/skaffold.yaml
    apiVersion: skaffold/v4beta13
    kind: Config
    build: {cluster: {}, artifacts: [{image: lib}]}
    test: [{image: lib, structureTests: [st/x.yaml]}]
    profiles:
    - name: gcb
      build:
        cluster:
          namespace: "n"
    # skaffold.yaml
    # the app
    apiVersion: skaffold/v4beta13
    kind: Config
    metadata:
      name: app
    requires:
    - path: lib # here
      activeProfiles:
      - name: gcb
        activatedBy:
        - gcb
    build:
      local: # on this machine
        push: true
      artifacts: # images
      - image: web
    profiles:
    - name: gcb
      build:
        cluster:
          namespace: "n"
    "#);
    insta::assert_snapshot!(app().change(&[], &add(BuildEnv::Local, json!({}), None)), @r#"{"errorCode":"INSPECT_BUILD_ENV_ALREADY_EXISTS_ERR","errorMessage":"skaffold.yaml:2:1: there is a build environment `local` already; change it with `inspect build-env modify`, or add the new one to another `--profile`"}"#);
    insta::assert_snapshot!(app().change(&[], &add(BuildEnv::Cluster, json!({"nmespace": "n"}), None)), @r#"{"errorCode":"CONFIG_FILE_PARSING_ERR","errorMessage":"skaffold.yaml:12:5: `build.cluster` has no field `nmespace`; expected one of: HTTP_PROXY, HTTPS_PROXY, pullSecretPath, pullSecretName, pullSecretMountPath, namespace, timeout, dockerConfig, serviceAccount, tolerations, nodeSelector, annotations, labels, runAsUser, resources, concurrency, volumes, randomPullSecret, randomDockerConfigSecret; did you mean `namespace`?"}"#);
    insta::assert_snapshot!(app().change(&["other"], &add(BuildEnv::Cluster, json!({}), None)), @"");
}

#[test]
fn a_build_environment_is_modified_where_it_is() {
    let text = APP.replace("requires:\n- path: lib # here\n- git: {repo: https://example.com/x}\n", "");
    let app = || Project::new(&[("skaffold.yaml", &text)]);
    let modify = |profile: Option<&str>, strict| Change::ModifyBuildEnv {
        env: BuildEnv::GoogleCloudBuild,
        fields: fields(json!({"timeout": "9s"})),
        profile: profile.map(str::to_owned),
        strict,
    };
    insta::assert_snapshot!(app().change(&[], &modify(Some("gcb"), true)), @"
    # skaffold.yaml
    # the app
    apiVersion: skaffold/v4beta13
    kind: Config
    metadata:
      name: app
    build:
      local: # on this machine
        push: true
      artifacts: # images
      - image: web
    profiles:
    - name: gcb
      build:
        googleCloudBuild:
          projectId: p
          timeout: 9s
    ");
    insta::assert_snapshot!(app().change(&[], &modify(None, true)), @r#"{"errorCode":"INSPECT_BUILD_ENV_INCORRECT_TYPE_ERR","errorMessage":"skaffold.yaml:2:1: there is no build environment `googleCloudBuild` to modify; make it with `inspect build-env add`"}"#);
    assert_eq!(app().change(&[], &modify(None, false)), format!("# skaffold.yaml\n{text}"));
    insta::assert_snapshot!(app().change(&[], &modify(Some("none"), true)), @r#"{"errorCode":"INSPECT_PROFILE_NOT_FOUND_ERR","errorMessage":"there is no profile `none`; check `--profile`, or make it with `inspect build-env add`"}"#);
}

#[test]
fn requirements_are_added_behind_the_others() {
    let text = APP.replace("- git: {repo: https://example.com/x}\n", "");
    let app = Project::new(&[("skaffold.yaml", &text), ("lib/skaffold.yaml", LIB)]);
    let entries = vec![json!({"configs": ["c"], "path": "more"}), json!({"git": {"repo": "https://example.com/y", "sync": false}})];
    let changed = app.change(&[], &Change::AddRequirements(entries));
    insta::assert_snapshot!(changed.lines().skip(6).take(9).collect::<Vec<_>>().join("\n"), @"
    requires:
    - path: lib # here
    - configs:
      - c
      path: more
    - git:
        repo: https://example.com/y
        sync: false
    build:
    ");
    assert!(changed.ends_with(text.split_once("# here\n").unwrap().1), "{changed}");
}
