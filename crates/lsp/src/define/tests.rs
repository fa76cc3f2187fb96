use super::*;
use crate::testing::Project;

const HEAD: &str = "apiVersion: skaffold/v4beta14\nkind: Config\n";

fn defined(text: &str, files: &[(&str, &str)]) -> Vec<String> {
    let text = format!("{HEAD}{text}");
    let project = Project::new(&[&[("skaffold.yaml", text.as_str())], files].concat());
    let (document, offset) = project.cursor();
    define(&project.workspace, &document, offset).iter().map(|location| project.place(location)).collect()
}

#[test]
fn a_path_is_the_file_that_it_means() {
    let files = [
        ("web/Dockerfile", ""),
        ("Dockerfile.beside", ""),
        ("k8s/a.yaml", ""),
        ("k8s/b.yaml", ""),
        ("k8s/deep/c.yaml", ""),
        ("chart/Chart.yaml", ""),
        ("chart/values.yaml", ""),
        ("over/kustomization.yaml", ""),
        ("cart/skaffold.yaml", ""),
    ];
    for (text, places) in [
        ("build: {artifacts: [{image: a, context: we¦b}]}", &["web/Dockerfile:1:1"][..]),
        ("build: {artifacts: [{image: a, context: web, docker: {dockerfile: ¦Dockerfile}}]}", &["web/Dockerfile:1:1"]),
        ("build:\n  artifacts:\n  - docker:\n      dockerfile: ./Dockerfile¦\n    context: ./web/\n", &["web/Dockerfile:1:1"]),
        ("build: {artifacts: [{image: a, context: web, docker: {dockerfile: Dockerfile.be¦side}}]}", &["Dockerfile.beside:1:1"]),
        (
            "profiles: [{name: p, build: {artifacts: [{image: a, context: web, docker: {dockerfile: Do¦ckerfile}}]}}]",
            &["web/Dockerfile:1:1"],
        ),
        ("manifests: {rawYaml: [k8s/a¦.yaml]}", &["k8s/a.yaml:1:1"]),
        ("manifests: {rawYaml: ['k8s/¦*.yaml']}", &["k8s/a.yaml:1:1", "k8s/b.yaml:1:1"]),
        ("manifests: {rawYaml: [./k8s¦/**/*.yaml]}", &["k8s/a.yaml:1:1", "k8s/b.yaml:1:1", "k8s/deep/c.yaml:1:1"]),
        ("manifests: {kustomize: {paths: [ov¦er]}}", &["over/kustomization.yaml:1:1"]),
        ("deploy: {helm: {releases: [{name: a, chartPath: ch¦art}]}}", &["chart/Chart.yaml:1:1"]),
        ("deploy: {helm: {releases: [{name: a, valuesFiles: [chart/values¦.yaml]}]}}", &["chart/values.yaml:1:1"]),
        ("test: [{image: a, context: k8s, structureTests: ['de*/c¦.yaml']}]", &["k8s/deep/c.yaml:1:1"]),
        ("requires: [{path: ca¦rt}]", &["cart/skaffold.yaml:1:1"]),
        ("requires: [{path: cart/skaffold¦.yaml}]", &["cart/skaffold.yaml:1:1"]),
        ("manifests: {rawYaml: [no¦where.yaml]}", &[]),
        ("manifests: {rawYaml: ['{{.A}}/¦*.yaml']}", &[]),
        ("manifests: {rawYaml: ['https://¦x/*.yaml']}", &[]),
        ("¦manifests: {rawYaml: [k8s/a.yaml]}", &[]),
    ] {
        assert_eq!(defined(text, &files), places, "{text}");
    }
}

#[test]
fn a_name_is_where_it_is_defined() {
    let cart = "metadata: {name: cart}\nbuild: {artifacts: [{image: cart-api}]}\nprofiles:\n- name: fast\n";
    let artifacts = "build:\n  artifacts:\n  - image: base\n  - image: web\n    requires:\n";
    for (text, places) in [
        (format!("{artifacts}    - image: ba¦se\n"), &["skaffold.yaml:5:12"][..]),
        (format!("{artifacts}    - image: cart-¦api\nrequires: [{{path: cart}}]\n"), &["cart/skaffold.yaml:2:29"]),
        (
            format!("{artifacts}profiles: [{{name: p, build: {{artifacts: [{{image: base}}]}}, test: [{{image: bas¦e}}]}}]\n"),
            &["skaffold.yaml:5:12", "skaffold.yaml:8:50"],
        ),
        ("requires: [{path: cart, configs: [c¦art]}]".to_owned(), &["cart/skaffold.yaml:1:18"]),
        ("requires: [{path: cart, activeProfiles: [{name: f¦ast, activatedBy: [x]}]}]".to_owned(), &["cart/skaffold.yaml:4:9"]),
        (
            "requires: [{path: cart, activeProfiles: [{name: fast, activatedBy: [¦x]}]}]\nprofiles: [{name: x}]".to_owned(),
            &["skaffold.yaml:4:19"],
        ),
        (format!("{artifacts}    - image: no¦ne\n"), &[]),
    ] {
        assert_eq!(defined(&text, &[("cart/skaffold.yaml", cart)]), places, "{text}");
    }
}

#[test]
fn a_module_sees_what_the_configuration_around_it_has() {
    let root = format!("{HEAD}requires: [{{path: cart}}, {{path: base}}]\n");
    let base = format!("{HEAD}build: {{artifacts: [{{image: base}}]}}\n");
    let cart = format!("{HEAD}build: {{artifacts: [{{image: cart, requires: [{{image: ba¦se}}]}}]}}\n");
    let project = Project::new(&[("cart/skaffold.yaml", &cart), ("skaffold.yaml", &root), ("base/skaffold.yaml", &base)]);
    let (document, offset) = project.cursor();
    let places: Vec<String> = define(&project.workspace, &document, offset).iter().map(|location| project.place(location)).collect();
    assert_eq!(places, ["base/skaffold.yaml:3:29"]);
}
