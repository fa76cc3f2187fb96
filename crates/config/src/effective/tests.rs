use devloop_model::Env;

use super::*;
use crate::NoFetch;

fn written(text: &str, vars: Option<&Vars>) -> String {
    let root = ConfigSource::Text { name: "skaffold.yaml".into(), text: text.to_owned() };
    let mut options = Options::new("diagnose", "/project", Env::default());
    options.profiles.extend(text.contains("profiles").then(|| "prod".into()));
    effective_yaml(&root, &options, &NoFetch, vars).unwrap()
}

const SHOP: &str = r#"
apiVersion: skaffold/v4beta2
kind: Config
metadata: {name: shop}
build:
  artifacts:
  - docker: {buildArgs: {VERSION: "{{.VERSION}}", N: 1.10, FROM_ENV: null}}
    context: app
    image: web
deploy:
  kubectl: {defaultNamespace: "{{.NS}}"}
portForward:
- {resourceType: service, resourceName: web, port: 80}
- {resourceType: service, resourceName: web, port: http}
profiles:
- name: prod
  build: {tagPolicy: {sha256: {}}}
---
apiVersion: skaffold/v4beta14
kind: Config
requires: [{configs: [shop]}]
manifests:
  rawYaml: [https://example.com/a.yaml, "*.yaml"]
  helm: {releases: [{name: a, chartPath: charts/a, setValues: {a: {b: true}, n: 3}}]}
build: {local: {push: yes}}
"#;

#[test]
fn what_is_written_is_what_is_meant() {
    insta::assert_snapshot!(written(SHOP, None), @r#"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: web
        context: /project/app
        docker:
          dockerfile: Dockerfile
          buildArgs:
            VERSION: "{{.VERSION}}"
            "N": "1.10"
            FROM_ENV: null
      tagPolicy:
        sha256: {}
      local: {}
    deploy:
      kubectl:
        defaultNamespace: "{{.NS}}"
      logs:
        prefix: container
    portForward:
    - resourceType: service
      resourceName: web
      port: 80
      address: "127.0.0.1"
      localPort: 80
    - resourceType: service
      resourceName: web
      port: http
      address: "127.0.0.1"
    ---
    apiVersion: skaffold/v4beta14
    kind: Config
    build:
      tagPolicy:
        gitCommit: {}
      local:
        push: true
    manifests:
      rawYaml:
      - https://example.com/a.yaml
      - /project/*.yaml
      helm:
        releases:
        - name: a
          chartPath: /project/charts/a
          setValues:
            a:
              b: true
            "n": 3
    deploy:
      logs:
        prefix: container
    "#);
}

#[test]
fn what_is_written_means_the_same() {
    let once = written(SHOP, None);
    assert_eq!(written(&once, None), once);
}

#[test]
fn templates_are_expanded_on_demand() {
    let vars = Vars::default().with("VERSION", "v1").with("NS", "shop");
    let text = written(SHOP, Some(&vars));
    assert!(text.contains("VERSION: v1") && text.contains("defaultNamespace: shop"), "{text}");
}
