use super::*;
use crate::testing::Project;

/// Returns the labels that are offered at `¦`, and what each would write if it is something else.
fn offered(files: &[(&str, &str)]) -> Vec<String> {
    let project = Project::new(files);
    let (document, offset) = project.cursor();
    let mut items = complete(&project.workspace, &document, offset);
    items.sort_by_key(|item| (item.sort_text.clone(), item.label.clone()));
    let told = items.into_iter().map(|item| {
        let Some(lsp::CompletionItemTextEdit::TextEdit(edit)) = item.text_edit else { panic!("{} writes nothing", item.label) };
        let written = edit.new_text.trim_end_matches([' ', ':']);
        if written == item.label { item.label } else { format!("{} → {:?}", item.label, edit.new_text) }
    });
    told.collect()
}

fn one(text: &str) -> Vec<String> {
    offered(&[("skaffold.yaml", &format!("apiVersion: skaffold/v4beta14\nkind: Config\n{text}"))])
}

#[test]
fn keys_are_those_of_the_schema_that_are_not_there_yet() {
    assert_eq!(
        one("metadata: {name: a}\n¦"),
        ["build", "customActions", "deploy", "manifests", "portForward", "profiles", "requires", "resourceSelector", "test", "verify"]
    );
    let artifact = [
        "bazel",
        "buildpacks",
        "context",
        "custom",
        "docker",
        "hooks",
        "jib",
        "kaniko",
        "ko",
        "platforms",
        "requires",
        "runtimeType",
        "sync",
    ];
    assert_eq!(one("build:\n  artifacts:\n  - image: a\n    ¦\n  - image: b\n"), artifact);
    assert_eq!(one("build:\n  artifacts:\n  - image: a\n    d¦"), artifact, "the editor picks those that fit");
    assert_eq!(one("build: {artifacts: [{image: a, ¦}]}"), artifact);
    // One builder is enough.
    assert_eq!(
        one("build:\n  artifacts:\n  - image: a\n    docker: {}\n    ¦"),
        ["context", "hooks", "platforms", "requires", "runtimeType", "sync"]
    );
    assert_eq!(one("deploy:\n  logs:\n    ¦\n"), ["jsonParse", "prefix"]);
    assert_eq!(one("profiles:\n- name: p\n  deploy:\n    logs: {¦"), ["jsonParse", "prefix"]);
    assert!(one("nothing:\n  ¦").is_empty() && one("build:\n  # ¦").is_empty() && one("build: x¦").is_empty());
}

#[test]
fn a_list_takes_items_with_a_dash() {
    assert_eq!(one("test:\n  ¦"), ["- image", "- context", "- custom", "- structureTests", "- structureTestsArgs"]);
    assert_eq!(one("test:\n-¦")[..2], ["image → \" image: \"", "context → \" context: \""]);
    assert_eq!(one("test:\n- ¦")[0], "image");
    assert_eq!(
        one("requires:\n- path: x\n  activeProfiles:\n  - name: y\n  ¦"),
        ["- name", "- activatedBy", "configs", "git", "googleCloudBuildRepoV2", "googleCloudStorage"]
            .iter()
            .filter(|key| !key.starts_with('g'))
            .map(|key| (*key).to_owned())
            .collect::<Vec<_>>()
    );
}

#[test]
fn half_a_document_is_completed_as_a_whole_one_is() {
    let unclosed = "build:\n  artifacts:\n  - image: \"a\n    sync: {manual: [{src: x\n    ¦\ndeploy:\n";
    assert!(one(unclosed).contains(&"context".to_owned()));
    assert_eq!(
        one("build:\n  local:\n    pu¦\n  artifacts: [\n"),
        ["concurrency", "push", "tryImportMissing", "useBuildkit", "useDockerCLI"]
    );
}

#[test]
fn a_key_that_is_changed_keeps_its_colon() {
    let project = Project::new(&[("skaffold.yaml", "apiVersion: skaffold/v4beta14\nbui¦: {}\n")]);
    let (document, offset) = project.cursor();
    let items = complete(&project.workspace, &document, offset);
    let build = items.into_iter().find(|item| item.label == "build").unwrap();
    let Some(lsp::CompletionItemTextEdit::TextEdit(edit)) = build.text_edit else { panic!() };
    assert_eq!((edit.new_text.as_str(), edit.range.start.character, edit.range.end.character), ("build", 0, 3));
}

#[test]
fn an_older_document_is_offered_what_its_version_had() {
    let older = |text: &str| offered(&[("skaffold.yaml", &format!("apiVersion: skaffold/v2beta29\nkind: Config\n{text}"))]);
    assert!(!older("¦").contains(&"manifests".to_owned()));
    assert!(older("deploy:\n  ¦").contains(&"kustomize".to_owned()) && !one("deploy:\n  ¦").contains(&"kustomize".to_owned()));
    let two = "apiVersion: skaffold/v4beta14\nkind: Config\n---\napiVersion: skaffold/v1beta1\nkind: Config\n¦";
    assert!(!offered(&[("skaffold.yaml", two)]).contains(&"portForward".to_owned()));
}

#[test]
fn values_are_words_versions_and_truths() {
    assert_eq!(one("build:\n  artifacts:\n  - image: a\n    runtimeType: ¦"), ["go", "jvm", "netcore", "nodejs", "python"]);
    assert_eq!(one("build:\n  artifacts:\n  - image: a\n    runtimeType:¦")[0], "go → \" go\"");
    assert_eq!(one("build: {local: {push: ¦}}"), ["false", "true"]);
    assert_eq!(one("deploy: {logs: {prefix: \"¦\"}}"), ["auto", "container", "none", "podAndContainer"]);
    assert_eq!(offered(&[("skaffold.yaml", "apiVersion: ¦\n")])[..2], ["skaffold/v4beta14", "skaffold/v4beta13"]);
    assert_eq!(offered(&[("skaffold.yaml", "apiVersion: skaffold/v4beta¦1\n")]).len(), 73);
    assert_eq!(one("profiles: [{name: a, activation: [{command: ¦}]}]")[0], "apply");
    assert!(one("metadata: {name: ¦}").is_empty());
}

#[test]
fn names_are_those_that_are_defined() {
    let root = "apiVersion: skaffold/v4beta14\nkind: Config\nrequires:\n- path: cart\n";
    let cart = "apiVersion: skaffold/v4beta14\nkind: Config\nmetadata: {name: cart}\nbuild: {artifacts: [{image: cart-api}]}\nprofiles: [{name: fast}]\n---\napiVersion: skaffold/v4beta14\nkind: Config\nmetadata: {name: db}\nprofiles: [{name: empty}]\n";
    let with_cart = |text: &str| offered(&[("skaffold.yaml", &format!("{root}{text}")), ("cart/skaffold.yaml", cart)]);
    let own = "build:\n  artifacts:\n  - image: web\n    requires:\n    - image: ¦\nprofiles:\n- name: p\n  build: {artifacts: [{image: web-p}]}\n";
    assert_eq!(with_cart(own), ["cart-api", "web-p"], "an artifact does not require itself");
    assert_eq!(with_cart("test:\n- image: c¦\n"), ["cart-api"]);
    assert_eq!(with_cart("deploy: {docker: {images: [¦]}}\n"), ["cart-api"]);
    assert_eq!(with_cart("verify: [{name: a, container: {name: a, image: ¦}}]\n"), ["cart-api"]);
    assert_eq!(with_cart("  configs: [¦]\n"), ["cart", "db"]);
    assert_eq!(with_cart("  configs:\n  - ¦\n"), ["cart", "db"]);
    assert_eq!(
        with_cart("  configs:\n  ¦\n"),
        ["- cart", "- db", "activeProfiles", "git", "googleCloudBuildRepoV2", "googleCloudStorage"]
            .iter()
            .filter(|key| !key.starts_with('g'))
            .map(|key| (*key).to_owned())
            .collect::<Vec<_>>()
    );
    assert_eq!(with_cart("  activeProfiles: [{name: ¦}]\n"), ["empty", "fast"]);
    assert_eq!(with_cart("  configs: [db]\n  activeProfiles: [{name: ¦}]\n"), ["empty"]);
    assert_eq!(with_cart("  activeProfiles:\n  - name: fast\n    activatedBy: [¦]\nprofiles: [{name: dev}]\n"), ["dev"]);
    let releases = "deploy:\n  helm:\n    releases:\n    - {name: one}\n    - name: two\n      dependsOn: [¦]\n";
    assert_eq!(with_cart(releases), ["one", "two"]);
    // What the editor has counts, not what the disk has.
    let mut project = Project::new(&[("skaffold.yaml", &format!("{root}test: [{{image: ¦}}]")), ("cart/skaffold.yaml", cart)]);
    project.open("cart/skaffold.yaml", "build: {artifacts: [{image: new}, {image: '*']}");
    let (document, offset) = project.cursor();
    let labels: Vec<String> = complete(&project.workspace, &document, offset).into_iter().map(|item| item.label).collect();
    assert_eq!(labels, ["*", "new"]);
}

#[test]
fn paths_are_those_of_the_disk() {
    let files = [("k8s/a b.yaml", ""), ("k8s/sub/c.yaml", ""), ("web/Dockerfile", ""), ("web/#odd", ""), (".git/x", "")];
    let at = |text: &str| {
        let text = format!("apiVersion: skaffold/v4beta14\nkind: Config\n{text}");
        offered(&[&[("skaffold.yaml", text.as_str())], &files[..]].concat())
    };
    assert_eq!(at("manifests: {rawYaml: [¦]}"), ["k8s/", "skaffold.yaml", "web/"]);
    assert_eq!(at("manifests:\n  rawYaml:\n  - ¦"), ["k8s/", "skaffold.yaml", "web/"]);
    assert_eq!(at("manifests:\n  rawYaml:\n  - k8s/¦"), ["a b.yaml", "sub/"]);
    assert_eq!(at("manifests:\n  rawYaml:\n    ¦"), ["- k8s/", "- skaffold.yaml", "- web/"]);
    assert_eq!(at("build:\n  artifacts:\n  - image: a\n    context: ¦"), ["k8s/", "web/"]);
    assert_eq!(
        at("build:\n  artifacts:\n  - image: a\n    context: web\n    docker:\n      dockerfile: ¦"),
        ["#odd → \"\\\"#odd\\\"\"", "Dockerfile"]
    );
    assert_eq!(at("build: {artifacts: [{image: a, context: web, docker: {dockerfile: '¦'}}]}"), ["#odd", "Dockerfile"]);
    assert_eq!(at("requires: [{path: .¦}]"), [".git/", "k8s/", "skaffold.yaml", "web/"]);
    assert!(at("requires: [{path: nowhere/¦}]").is_empty());
}
