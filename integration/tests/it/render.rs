//! Manifests as kubectl itself reads them.

use std::collections::BTreeMap;

use devloop_model::RawManifests;
use devloop_model::RenderSpec;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Template;
use devloop_render::RenderJob;
use devloop_render::render;
use devloop_render::to_yaml;
use serde_json::Value;

use crate::context::TestContext;

/// YAML whose meaning differs between the versions of YAML, and from parser to parser.
const ODD: &str = "# a comment
---
apiVersion: v1
kind: ConfigMap
metadata: {name: odd, annotations: {quoted: 'yes', \"number\": \"0644\"}}
data:
  on: 'x'
  y: \"1\"
  80: 'port'
  1.50: 'float'
  script: |
    #!/bin/sh
    echo \"$A\"   # not a comment

  folded: >-
    one
    two
  empty: \"\"
  tabs: \"a\\tb\"
  unicode: \"\\u00e9 é\"
  long: 'a text that is so long that a writer that folds lines at eighty characters would have to break it somewhere'
---
---
apiVersion: apps/v1
kind: Deployment
metadata: &meta
  name: odd
spec:
  replicas: 0x2
  minReadySeconds: 1_0
  paused: off
  selector: {matchLabels: &labels {app: odd}}
  template:
    metadata:
      labels:
        <<: *labels
        tier: web
    spec:
      hostNetwork: No
      volumes:
      - {name: v, configMap: {name: odd, defaultMode: 0644}}
      containers:
      - name: app
        image: localhost:5000/busybox
        stdin: yes
        resources: {limits: {memory: 64Mi, cpu: 1}, requests: {cpu: .5}}
        volumeMounts: [{name: v, mountPath: /v}]
        env: [{name: NUMBER, value: \"1e3\"}, {name: DATE, value: '2001-01-01'}]
";

async fn rendered(context: &TestContext, pattern: &str) -> (Vec<Value>, String) {
    let entry = RawManifests { pattern: Template::parse(pattern).unwrap(), may_match_nothing: false, at: None };
    let module = RenderSpec { dir: context.path().to_owned(), raw_yaml: vec![entry], ..RenderSpec::default() };
    let cx = devloop_model::Cx::silent(StepId::of(Stage::Render));
    let sets = render(&RenderJob { modules: vec![module], ..RenderJob::default() }, None, &cx).await.unwrap();
    let text = sets.iter().map(|set| to_yaml(set).unwrap()).collect();
    (sets.into_iter().flat_map(|set| set.manifests).map(|manifest| manifest.object).collect(), text)
}

/// Returns the objects as kubectl reads them, by kind; the API server is not asked.
fn read_by_kubectl(context: &TestContext, file: &str) -> BTreeMap<String, Value> {
    let file = context.path().join(file).display().to_string();
    let printed = context.kubectl(&["create", "--dry-run=client", "--validate=false", "-f", &file, "-o", "json"]);
    let objects = serde_json::Deserializer::from_str(&printed).into_iter::<Value>().map(Result::unwrap);
    let items = objects.flat_map(|object| object["items"].as_array().cloned().unwrap_or_else(|| vec![object]));
    items
        .map(|mut object| {
            // kubectl writes the namespace that it would use.
            object["metadata"].as_object_mut().unwrap().shift_remove("namespace");
            (object["kind"].as_str().unwrap().to_owned(), object)
        })
        .collect()
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn yaml_means_what_kubectl_says() {
    let context = TestContext::new().with_file("odd.yaml", ODD);
    let expected = read_by_kubectl(&context, "odd.yaml");
    let (objects, text) = rendered(&context, "odd.yaml").await;
    assert_eq!(objects.len(), expected.len());
    for object in &objects {
        assert_eq!(object, &expected[object["kind"].as_str().unwrap()]);
    }
    let context = context.with_file("again.yaml", &text);
    assert_eq!(read_by_kubectl(&context, "again.yaml"), expected, "{text}");
    context.kubectl(&["apply", "--dry-run=server", "-f", &context.path().join("again.yaml").display().to_string()]);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn an_object_of_the_cluster_can_be_a_source() {
    let context = TestContext::new().with_file("odd.yaml", ODD);
    context.kubectl(&["apply", "-f", &context.path().join("odd.yaml").display().to_string()]);
    let (cluster, cx, _events) = crate::ready::connected(Stage::Render).await;
    let entry = devloop_model::RemoteManifest {
        manifest: format!("{}:deployment/odd", context.namespace()),
        kube_context: None,
        field: "manifests.remoteManifests".into(),
        at: None,
    };
    let module = RenderSpec { dir: context.path().to_owned(), remote_manifests: vec![entry], ..RenderSpec::default() };
    let sets = render(&RenderJob { modules: vec![module], ..RenderJob::default() }, Some(&cluster), &cx).await.unwrap();
    let object = &sets[0].manifests[0].object;
    assert_eq!((object["kind"].as_str(), object["spec"]["replicas"].as_i64(), object.get("status")), (Some("Deployment"), Some(2), None));
    let context = context.with_file("again.yaml", &to_yaml(&sets[0]).unwrap());
    context.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &context.path().join("again.yaml").display().to_string()]);
}
