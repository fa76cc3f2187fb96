use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::upgrade::tests::by_schema;

fn source(text: &str) -> ConfigSource {
    ConfigSource::Text { name: "skaffold.yaml".to_owned(), text: text.to_owned() }
}

fn fixed(text: &str, version: Option<&str>) -> Result<Fixed, ConfigError> {
    let options = FixOptions { version: version.map(str::to_owned), ..FixOptions::default() };
    fix(&source(text), Path::new("/"), &options)
}

/// Returns the text after `fix`.
fn after(text: &str) -> String {
    let fixed = fixed(text, None).unwrap();
    assert_eq!(fixed.warnings, []);
    fixed.text.unwrap()
}

#[test]
fn what_did_not_move_stays_as_it_is_written() {
    let text = "\
# The shop.
apiVersion: skaffold/v1beta2 # old
kind:   Config

# Images.
build:
    # Two of them.
    artifacts:
    - image: web   # the front
      context: ./web
      jibMaven:
          module: shop   # one of many
          profile: prod

    # The back.
    - image: 'api'
      docker: {dockerfile: Dockerfile.api, buildArgs: {A: \"1\"}}  # by hand

    tagPolicy:
      gitCommit: {}

# Manifests.
deploy:
  kubectl:
    # All of them.
    manifests:   # by pattern
      - k8s/*.yaml  # base
      # and one more
      - more.yaml
    flags:
      global: [\"-v=4\"]

profiles: # for all stages
  - name: prod
    deploy:
      kustomize:
        path: overlays/prod  # the only one
";
    insta::assert_snapshot!(after(text), @r##"
    # The shop.
    apiVersion: skaffold/v4beta14 # old
    kind:   Config

    # Images.
    build:
        # Two of them.
        artifacts:
        - image: web   # the front
          context: ./web
          jib:
              project: shop   # one of many
              type: maven
              args:
              - --activate-profiles
              - prod

        # The back.
        - image: 'api'
          docker: {dockerfile: Dockerfile.api, buildArgs: {A: "1"}}  # by hand

        tagPolicy:
          gitCommit: {}

    manifests:
        # All of them.
        rawYaml:   # by pattern
          - k8s/*.yaml  # base
          # and one more
          - more.yaml

    # Manifests.
    deploy:
      kubectl:
        flags:
          global: ["-v=4"]

    profiles: # for all stages
      - name: prod
        manifests:
            kustomize:
              paths:  # the only one
              - overlays/prod
        deploy:
          kubectl: {}
    "##);
}

#[test]
fn what_moves_takes_its_comments_along() {
    let text = "\
apiVersion: skaffold/v2beta29
kind: Config
deploy:
  # Above the deployers.
  kustomize: # behind it
    # Where.
    paths:
    - overlays/dev # this one
    # How.
    flags:
      apply: [--force] # always
    # Whom it is for.
    defaultNamespace: shop
  # Who waits.
  statusCheck: true
";
    insta::assert_snapshot!(after(text), @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    manifests:
      # Above the deployers.
      kustomize: # behind it
        # Where.
        paths:
        - overlays/dev # this one
    deploy:
      # Above the deployers.
      kubectl: # behind it
        # How.
        flags:
          apply: [--force] # always
        # Whom it is for.
        defaultNamespace: shop
      # Who waits.
      statusCheck: true
    ");
}

#[test]
fn what_takes_another_form_keeps_the_comment_of_its_key() {
    let text = "\
apiVersion: skaffold/v2beta20
kind: Config
build:
  artifacts:
  - image: web
    docker:
      secret: # of npm
        # How it is called.
        id: npm
        src: .npmrc # not in git
deploy:
  kubectl: # no flags
    manifests: [k8s/*.yaml]
";
    insta::assert_snapshot!(after(text), @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    build:
      artifacts:
      - image: web
        docker:
          secrets: # of npm
          # How it is called.
          - id: npm
            src: .npmrc # not in git
    manifests:
      rawYaml: [k8s/*.yaml]
    deploy:
      kubectl: {} # no flags
    ");
}

#[test]
fn anchors_stay_where_all_that_they_name_changes_alike() {
    let text = "\
apiVersion: skaffold/v1alpha3
kind: Config
.artifacts: &artifacts # used twice
- imageName: web # the front
  workspace: web
.local: &local {skipPush: true}
.common: &common
  kubectl: {manifests: [k8s/*.yaml]}
build:
  artifacts: *artifacts
  local: *local
deploy: *common
profiles:
- name: p
  build: {artifacts: *artifacts}
";
    insta::assert_snapshot!(after(text), @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    .artifacts: &artifacts # used twice
    - image: web # the front
      context: web
    .local: &local {push: false}
    .common: &common
      kubectl: {}
    build:
      artifacts: *artifacts
      local: *local
    manifests:
      rawYaml: [k8s/*.yaml]
    deploy: *common
    profiles:
    - name: p
      build: {artifacts: *artifacts}
    ");
}

#[test]
fn anchors_are_written_out_where_they_would_mean_something_else() {
    let text = "\
apiVersion: skaffold/v2beta29
kind: Config
deploy:
  kustomize: {paths: &paths [overlays/dev], buildArgs: *paths}
profiles:
- name: p
  deploy:
    kubectl: &kubectl
      # All.
      manifests: *paths
- name: q
  deploy:
    kubectl:
      <<: *kubectl # the same
      defaultNamespace: q
";
    insta::assert_snapshot!(after(text), @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    manifests:
      kustomize: {paths: &paths [overlays/dev], buildArgs: *paths}
    deploy:
      kubectl: {}
    profiles:
    - name: p
      manifests:
        # All.
        rawYaml: *paths
      deploy:
        kubectl: {}
    - name: q
      manifests:
        # All.
        rawYaml: *paths
      deploy:
        kubectl:
          defaultNamespace: q
    ");
}

#[test]
fn what_is_nowhere_in_the_newer_version_is_told() {
    let told = |text: &str, version| fixed(text, version).unwrap_err().to_string();
    let kpt = "apiVersion: skaffold/v2beta29\nkind: Config\ndeploy: {kpt: {dir: k8s}}\n";
    insta::assert_snapshot!(told(kpt, None), @r"
    error[config/no-upgrade]: `deploy.kpt` of skaffold/v2beta29 and older has nothing that took its place
     --> skaffold.yaml:3:10
      |
    3 | deploy: {kpt: {dir: k8s}}
      |          ^^^
    help: render with `manifests.kustomize` or `manifests.rawYaml`
    ");
    let newer = "apiVersion: skaffold/v4beta2\nkind: Config\n---\napiVersion: devloop/v1\nkind: Config\n";
    insta::assert_snapshot!(told(newer, Some("skaffold/v4beta14")), @r"
    error[config/older-version]: a file of devloop/v1 cannot be brought back to skaffold/v4beta14
     --> skaffold.yaml:4:13
      |
    4 | apiVersion: devloop/v1
      |             ^^^^^^^^^^
    help: name this version or a newer one with `--version`
    ");
    insta::assert_snapshot!(told(newer, Some("skaffold/v4beta15")), @r"
    error[config/unknown-api-version]: there is no version `skaffold/v4beta15` of this schema
    help: the newest are skaffold/v4beta14 and devloop/v1; `devloop schema list` prints all of them
    ");
}

#[test]
fn lines_end_as_they_did() {
    let now = after("apiVersion: skaffold/v4beta1\r\nkind: Config\r\n");
    assert_eq!(now, "apiVersion: skaffold/v4beta14\r\nkind: Config\r\n");
    let mixed = "apiVersion: skaffold/v4beta14\nkind: Config\r\n";
    assert_eq!(fixed(mixed, None).unwrap().text, None);
    assert_eq!(after("apiVersion: skaffold/v4beta1\nkind: Config"), "apiVersion: skaffold/v4beta14\nkind: Config\n");
}

#[test]
fn each_document_gets_the_newest_version_that_its_readers_read() {
    let now = after("apiVersion: devloop/v1\nkind: Config\n---\napiVersion: 'skaffold/v3' # old\nkind: Config\n");
    assert_eq!(now, "apiVersion: devloop/v1\nkind: Config\n---\napiVersion: 'skaffold/v4beta14' # old\nkind: Config\n");
    let own = fixed(&now, Some("devloop/v1")).unwrap();
    assert_eq!(own.text.unwrap(), "apiVersion: devloop/v1\nkind: Config\n---\napiVersion: 'devloop/v1' # old\nkind: Config\n");
    assert_eq!(own.version, "devloop/v1");
}

fn cases(kind: &str) -> Vec<(PathBuf, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/cases").join(kind);
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let of_pair = |path: PathBuf| if path.is_dir() { vec![path.join("before.yaml"), path.join("after.yaml")] } else { vec![path] };
    paths = paths
        .into_iter()
        .flat_map(of_pair)
        .filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let texts = paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap()));
    // What a case requires from beside it is not there in the project of this test.
    texts.filter(|(_, text)| !text.contains("path: parts")).collect()
}

/// Returns what `diagnose --yaml-only` prints.
fn effective(text: &str) -> String {
    let env = devloop_model::Env::new(std::collections::BTreeMap::from([("STAGE".to_owned(), "prod".to_owned())]));
    let options = crate::Options { propagate_profiles: false, ..crate::Options::new("diagnose", "/work", env) };
    crate::effective_yaml(&source(text), &options, &crate::NoFetch, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_file_that_was_fixed_has_the_same_effective_configuration() {
    for (path, text) in cases("valid").into_iter().chain(cases("upgrade")) {
        let fixed = match fixed(&text, None) {
            // What would be lost is refused.
            Err(error) if error.diagnostics.iter().all(|fault| fault.code == upgrade::NO_UPGRADE) => continue,
            fixed => fixed.unwrap(),
        };
        assert!(fixed.warnings.iter().all(|warning| warning.code != "config/comments-lost"), "{}", path.display());
        let Some(now) = fixed.text else { continue };
        assert_eq!(effective(&now), effective(&text), "{}\n{now}", path.display());
        assert_eq!(self::fixed(&now, None).unwrap().text, None, "{}", path.display());
    }
}

#[test]
fn fields_of_our_own_have_their_place_where_the_file_goes() {
    let text = "apiVersion: skaffold/v4beta14\nkind: Config\nbuild:\n  hooks:\n    before: [{command: [make], timeout: 90s}] # slow\n";
    assert_eq!(fixed(text, Some("devloop/v1")).unwrap().text.unwrap(), text.replace("skaffold/v4beta14", "devloop/v1"));
    assert_eq!(fixed(text, None).unwrap_err().diagnostics[0].code, "config/own-field");
}

/// Returns YAML with a comment above and behind every line.
fn commented(yaml: &str) -> String {
    let line = |line: &str| format!("{}# above\n{line} # behind\n", &line[..line.len() - line.trim_start().len()]);
    yaml.lines().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_file_can_be_brought_to_any_newer_version(
        version in prop::sample::select(Version::all().collect::<Vec<_>>()),
        further in 0..73usize,
        choices in prop::collection::vec(any::<u8>(), 1..400),
    ) {
        let to = Version::all().skip(version.index() + further).chain([Version::LATEST]).next().unwrap();
        let json = by_schema::document(version, &choices);
        let yaml = anew::document(&parse_documents(&Source::new("", json.as_str())).unwrap()[0]);
        for text in [json, commented(&yaml), yaml] {
            let there = fixed(&text, Some(&to.to_string())).unwrap();
            prop_assert!(there.warnings.iter().all(|warning| warning.code != "config/comments-lost"), "{}", text);
            let there = there.text.unwrap_or(text.clone());
            prop_assert_eq!(&fixed(&there, Some(&to.to_string())).unwrap().text, &None);
            // Two steps lead to the same place as one.
            let newest = |text: &str| fixed(text, Some("devloop/v1")).unwrap().text.unwrap_or(text.to_owned());
            let parsed = |text: &str| parse_documents(&Source::new("", newest(text))).unwrap()[0].to_json();
            prop_assert_eq!(parsed(&there), parsed(&text));
        }
    }
}
