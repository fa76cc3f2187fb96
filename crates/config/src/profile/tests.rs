use proptest::prelude::*;

use super::*;
use crate::Source;
use crate::parse_documents;
use crate::upgrade::Version;
use crate::upgrade::tests::by_schema;

fn options(named: &[&str]) -> ProfileOptions {
    ProfileOptions {
        named: named.iter().map(ToString::to_string).collect(),
        auto_activation: true,
        command: "run".to_owned(),
        kube_context: Some("kind-dev".to_owned()),
        kube_context_is_forced: false,
        env: Env::new([("STAGE".to_owned(), "prod-eu".to_owned()), ("EMPTY".to_owned(), String::new())].into()),
    }
}

fn apply_to(text: &str, options: &ProfileOptions) -> Result<Applied, String> {
    let document = parse_documents(&Source::new("skaffold.yaml", text)).unwrap().remove(0);
    apply(document, options).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn activation_looks_at_the_environment_the_context_and_the_command() {
    for (activation, active) in [
        ("[]", false),
        ("[{}]", true),
        ("[{env: STAGE=prod}]", true),
        ("[{env: 'STAGE=^prod$'}]", false),
        ("[{env: STAGE=!prod}]", false),
        ("[{env: STAGE=!test}]", true),
        ("[{env: 'EMPTY='}]", true),
        ("[{env: 'NOT_THERE='}]", true),
        ("[{env: 'STAGE='}]", false),
        ("[{env: 'STAGE=('}]", false),
        ("[{kubeContext: kind-dev}]", true),
        ("[{kubeContext: kind-.*}]", true),
        ("[{kubeContext: '!kind'}]", false),
        ("[{command: run}]", true),
        ("[{command: dev}]", false),
        ("[{command: '(run|dev)'}]", true),
        ("[{command: dev}, {env: STAGE=prod}]", true),
        ("[{command: dev, env: STAGE=prod}]", false),
        ("[{command: run, env: STAGE=prod, kubeContext: dev}]", true),
        ("[{command: run}, {env: STAGE=test}]\n  requiresAllActivations: true", false),
        ("[{command: run}, {env: STAGE=prod}]\n  requiresAllActivations: true", true),
        ("[]\n  requiresAllActivations: true", false),
    ] {
        let applied = apply_to(&format!("profiles:\n- name: p\n  activation: {activation}\n"), &options(&[])).unwrap();
        assert_eq!(applied.active == ["p"], active, "{activation}");
        let off = ProfileOptions { auto_activation: false, ..options(&[]) };
        assert!(apply_to(&format!("profiles:\n- name: p\n  activation: {activation}\n"), &off).unwrap().active.is_empty());
    }
}

#[test]
fn activated_ones_come_first_in_file_order_then_those_named() {
    let text = "
profiles:
- name: a
- name: b
  activation: [{command: run}]
- name: c
- name: d
  activation: [{command: run}]
";
    for (named, active) in [
        (&[][..], &["b", "d"][..]),
        (&["c", "a"], &["b", "d", "c", "a"]),
        (&["-b"], &["d"]),
        (&["b", "a"], &["b", "d", "a"]),
        (&["-b", "b"], &["d", "b"]),
        (&["elsewhere"], &["b", "d"]),
    ] {
        assert_eq!(apply_to(text, &options(named)).unwrap().active, active, "{named:?}");
    }
}

/// A document, a profile of it and a JSON pointer into the result, with what is there.
#[test]
fn a_profile_replaces_fields_by_the_rules_of_skaffold() {
    for (document, profile, pointer, expected) in [
        ("build: {artifacts: [{image: a}, {image: b}]}", "build: {artifacts: [{image: c}]}", "/build/artifacts", r#"[{"image":"c"}]"#),
        ("build: {artifacts: [{image: a}]}", "build: {artifacts: []}", "/build/artifacts", r#"[{"image":"a"}]"#),
        (
            "build: {artifacts: [{image: a}]}",
            "build: {platforms: [linux/arm64]}",
            "/build",
            r#"{"artifacts":[{"image":"a"}],"platforms":["linux/arm64"]}"#,
        ),
        ("build: {local: {push: true}}", "build: {cluster: {}}", "/build", r#"{"cluster":{}}"#),
        ("build: {local: {push: true}}", "build: {local: {concurrency: 2}}", "/build", r#"{"local":{"concurrency":2}}"#),
        ("build: {local: {push: true}}", "build: {cluster: null, artifacts: [{image: a}]}", "/build/local", r#"{"push":true}"#),
        ("build: {tagPolicy: {gitCommit: {variant: Tags}}}", "build: {tagPolicy: {sha256: {}}}", "/build/tagPolicy", r#"{"sha256":{}}"#),
        ("build: {tagPolicy: {gitCommit: {}}}", "build: {tagPolicy: {}}", "/build/tagPolicy", r#"{"gitCommit":{}}"#),
        (
            "build: {tagPolicy: {gitCommit: {prefix: x}}}",
            "build: {tagPolicy: {gitCommit: {variant: Tags}}}",
            "/build/tagPolicy/gitCommit",
            r#"{"variant":"Tags"}"#,
        ),
        (
            "build: {hooks: {before: [{command: [a]}]}}",
            "build: {hooks: {after: [{command: [b]}]}}",
            "/build/hooks",
            r#"{"before":[{"command":["a"]}],"after":[{"command":["b"]}]}"#,
        ),
        (
            "deploy: {kubectl: {flags: {global: [-v]}}}",
            "deploy: {kubectl: {defaultNamespace: n}}",
            "/deploy/kubectl",
            r#"{"defaultNamespace":"n"}"#,
        ),
        ("deploy: {kubectl: {}}", "deploy: {helm: {releases: []}}", "/deploy", r#"{"kubectl":{},"helm":{"releases":[]}}"#),
        ("deploy: {statusCheck: true}", "deploy: {statusCheck: false}", "/deploy/statusCheck", "false"),
        (
            "deploy: {tolerateFailuresUntilDeadline: true}",
            "deploy: {tolerateFailuresUntilDeadline: false}",
            "/deploy/tolerateFailuresUntilDeadline",
            "true",
        ),
        ("deploy: {statusCheckDeadlineSeconds: 10}", "deploy: {statusCheckDeadlineSeconds: 0}", "/deploy/statusCheckDeadlineSeconds", "10"),
        ("deploy: {kubeContext: a}", "deploy: {kubeContext: ''}", "/deploy/kubeContext", "\"a\""),
        (
            "deploy: {logs: {prefix: auto, jsonParse: {fields: [a]}}}",
            "deploy: {logs: {prefix: none}}",
            "/deploy/logs",
            r#"{"prefix":"none","jsonParse":{"fields":["a"]}}"#,
        ),
        (
            "manifests: {rawYaml: [a.yaml], kustomize: {paths: [x]}}",
            "manifests: {rawYaml: [b.yaml]}",
            "/manifests",
            r#"{"rawYaml":["b.yaml"],"kustomize":{"paths":["x"]}}"#,
        ),
        (
            "manifests: {kustomize: {paths: [x], buildArgs: [y]}}",
            "manifests: {kustomize: {paths: [z]}}",
            "/manifests/kustomize",
            r#"{"paths":["z"]}"#,
        ),
        ("manifests: {transform: [{name: a}]}", "manifests: {transform: []}", "/manifests/transform", "[]"),
        ("portForward: [{port: 1}]", "portForward: [{port: 2}]", "/portForward", r#"[{"port":2}]"#),
        (
            "resourceSelector: {allow: [{groupKind: A}]}",
            "resourceSelector: {deny: [{groupKind: B}]}",
            "/resourceSelector/allow/0/groupKind",
            "\"A\"",
        ),
        ("metadata: {name: x}", "test: [{image: a}]", "/test/0/image", "\"a\""),
        ("build: null", "build: {artifacts: [{image: a}]}", "/build/artifacts/0/image", "\"a\""),
        ("build: {artifacts: [{image: a}]}", "patches: [{path: /build/artifacts/0/image, value: b}]", "/build/artifacts/0/image", "\"b\""),
        (
            "deploy: {kubectl: {}}",
            "deploy: {kubectl: {flags: {}}}\n  patches: [{op: add, path: /deploy/kubectl/flags/global, value: [x]}]",
            "/deploy/kubectl/flags/global",
            r#"["x"]"#,
        ),
    ] {
        let applied = apply_to(&format!("{document}\nprofiles:\n- name: p\n  {profile}\n"), &options(&["p"])).unwrap();
        let json = applied.document.to_json();
        assert_eq!(json.pointer(pointer).map(ToString::to_string).as_deref(), Some(expected), "{document} + {profile}");
        assert_eq!(json.get("profiles"), None);
        assert_eq!(json.get("patches"), None);
    }
}

#[test]
fn what_a_profile_brings_keeps_its_place() {
    let text = "build: {artifacts: [{image: a}]}\nprofiles:\n- name: p\n  build:\n    artifacts:\n    - image: b\n";
    let applied = apply_to(text, &options(&["p"])).unwrap();
    let image = applied.document.get("build").and_then(|b| b.get("artifacts")).unwrap().as_list().unwrap()[0].get("image").unwrap();
    assert_eq!((image.span.line, image.span.column), (6, 14));
}

#[test]
fn a_later_profile_builds_on_an_earlier_one() {
    let text = "
build: {artifacts: [{image: a}]}
profiles:
- name: one
  build: {artifacts: [{image: b}, {image: c}]}
- name: two
  patches: [{path: /build/artifacts/1/image, value: d}]
";
    let images =
        |named: &[&str]| apply_to(text, &options(named)).map(|applied| applied.document.to_json()["build"]["artifacts"].to_string());
    assert_eq!(images(&["one", "two"]).as_deref(), Ok(r#"[{"image":"b"},{"image":"d"}]"#));
    assert!(images(&["two", "one"]).is_err());
}

#[test]
fn a_context_that_activates_a_profile_must_stay() {
    let text = "
deploy: {kubeContext: prod}
profiles:
- name: p
  activation: [{kubeContext: kind-dev}]
";
    insta::assert_snapshot!(apply_to(text, &options(&[])).unwrap_err(), @"
    error[config/context-conflict]: kube-context `kind-dev` activated `p`, but `deploy.kubeContext` leads to `prod`
     --> skaffold.yaml:2:23
      |
    2 | deploy: {kubeContext: prod}
      |                       ^^^^
    help: choose the context with `--kube-context`, or take `kubeContext` out of one of the two
    ");
    assert!(apply_to(text, &options(&["-p"])).is_ok());
    assert!(apply_to(text, &ProfileOptions { kube_context_is_forced: true, ..options(&[]) }).is_ok());
    assert!(apply_to(&text.replace("prod", "kind-dev"), &options(&[])).is_ok());
}

#[test]
fn faults_name_their_line() {
    let fault = |text: &str| apply_to(text, &options(&["p"])).unwrap_err();
    insta::assert_snapshot!(fault("profiles:\n- activation: []\n"), @"
    error[config/missing-field]: this profile has no `name`
     --> skaffold.yaml:2:3
      |
    2 | - activation: []
      |   ^^^^^^^^^^
    ");
    insta::assert_snapshot!(fault("profiles:\n- name: p\n- name: p\n"), @"
    error[config/duplicate-profile]: there is another profile `p` in this module
     --> skaffold.yaml:3:9
      |
    3 | - name: p
      |         ^
    ");
    insta::assert_snapshot!(fault("profiles: {name: p}\n"), @"
    error[config/wrong-type]: `profiles` takes a list, not a mapping
     --> skaffold.yaml:1:11
      |
    1 | profiles: {name: p}
      |           ^^^^
    ");
    insta::assert_snapshot!(fault("profiles:\n- name: p\n  activation:\n  - env: STAGE\n"), @"
    error[config/activation-env]: `STAGE` has no `=`
     --> skaffold.yaml:4:10
      |
    4 |   - env: STAGE
      |          ^^^^^
    help: write `env: NAME=pattern`
    ");
    insta::assert_snapshot!(fault("profiles:\n- name: p\n  activation: {env: A=b}\n"), @"
    error[config/wrong-type]: `activation` takes a list, not a mapping
     --> skaffold.yaml:3:15
      |
    3 |   activation: {env: A=b}
      |               ^^^
    ");
    insta::assert_snapshot!(fault("profiles:\n- name: p\n  patches:\n  - path: /build\n    value: {}\n"), @"
    error[config/patch-path]: nothing is at `/build`
     --> skaffold.yaml:4:11
      |
    4 |   - path: /build
      |           ^^^^^^
      there is no `build`, the mapping around it is empty
    ");
}

#[test]
fn a_name_that_nothing_defines_is_an_error() {
    let fault = |named: &[&str], known: &[&str]| {
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        let known = known.iter().map(ToString::to_string).collect();
        unknown_names(&named, &known).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(fault(&["stagin"], &["prod", "staging"]), @"
    error[config/unknown-profile]: there is no profile `stagin`
      known profiles: prod, staging
    help: did you mean `staging`?
    ");
    insta::assert_snapshot!(fault(&["-x"], &["prod", "staging"]), @"
    error[config/unknown-profile]: there is no profile `x`
      known profiles: prod, staging
    ");
    insta::assert_snapshot!(fault(&["x"], &[]), @"
    error[config/unknown-profile]: there is no profile `x`
      this configuration has no profiles
    ");
    assert_eq!(fault(&["prod", "-staging"], &["prod", "staging"]), "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_profile_that_says_nothing_changes_nothing(
        choices in prop::collection::vec(any::<u8>(), 1..400),
        nothing in prop::sample::subsequence(
            vec![
                "build: {artifacts: [], tagPolicy: {}, platforms: [], hooks: ~}",
                "test: []",
                "manifests: {rawYaml: [], kustomize: ~}",
                "deploy: {kubeContext: '', statusCheck: ~, statusCheckDeadlineSeconds: 0}",
                "portForward: ~",
                "resourceSelector: {allow: [], deny: []}",
                "verify: []",
                "customActions: ~",
                "patches: []",
            ],
            0..=9,
        ),
    ) {
        let parsed = |text: &str| parse_documents(&Source::new("", text)).unwrap().remove(0);
        let mut document = parsed(&by_schema::document(Version::LATEST, &choices));
        // Where nothing is written, an empty mapping is something: it is put there.
        for field in ["build", "manifests", "deploy", "resourceSelector"].into_iter().filter(|field| document.get(field).is_none()).collect::<Vec<_>>() {
            document.set(field, parsed("{}"));
        }
        document.remove("profiles");
        let before = document.to_json();
        let profile: Vec<&str> = ["name: empty"].into_iter().chain(nothing).collect();
        document.set("profiles", parsed(&format!("[{{{}}}]", profile.join(", "))));
        let applied = apply(document, &options(&["empty"])).unwrap();
        prop_assert_eq!(applied.active, ["empty"]);
        prop_assert_eq!(applied.document.to_json(), before);
    }
}
