//! Rendering as a whole: files in, objects out.

use std::path::Path;

use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::Identity;
use devloop_model::Location;
use devloop_model::RawManifests;
use devloop_model::ResourceRule;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Tag;
use devloop_model::Template;
use tokio_util::sync::CancellationToken;

use super::*;

fn built(artifact: &str) -> BuiltImage {
    BuiltImage {
        artifact: ImageName::parse(artifact).unwrap(),
        name: ImageName::parse(&format!("localhost:5000/{}", artifact.trim_start_matches("ko://").to_lowercase())).unwrap(),
        tag: Some(Tag::parse("v1").unwrap()),
        identity: Identity::Digest(Digest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap()),
        runtime: None,
    }
}

fn entry(pattern: &str) -> RawManifests {
    let at =
        Location { file: "skaffold.yaml".into(), line: 9, column: 7, text: format!("    - {pattern}"), width: pattern.len(), label: None };
    RawManifests { pattern: Template::parse(pattern).unwrap(), may_match_nothing: false, at: Some(at) }
}

fn job(dir: &Path, patterns: &[&str]) -> RenderJob {
    let module = RenderSpec { dir: dir.to_owned(), raw_yaml: patterns.iter().map(|p| entry(p)).collect(), ..RenderSpec::default() };
    RenderJob { modules: vec![module], ..RenderJob::default() }
}

/// Renders `files` with `change` made to the job; returns the YAML and the warnings.
async fn rendered(files: &[(&str, &str)], patterns: &[&str], change: impl FnOnce(&mut RenderJob)) -> Result<(String, Vec<String>), String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut job = job(dir.path(), patterns);
    change(&mut job);
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let cx = Cx::new(StepId::of(Stage::Render), Env::default(), EventSink::new(sender), CancellationToken::new());
    let result = render(&job, None, &cx).await.map(ManifestSet::joined);
    drop(cx);
    let mut warnings = Vec::new();
    while let Some(event) = events.recv().await {
        let EventKind::Warned { diagnostic } = event else { panic!("{event:?}") };
        warnings.push(diagnostic.to_string());
    }
    match result {
        Ok(set) => Ok((to_yaml(&set).unwrap(), warnings)),
        Err(error) => Err(error.diagnostic().to_string().replace(&dir.path().display().to_string(), "DIR")),
    }
}

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    metadata:
      labels: {app: web, team: mine}
    spec:
      initContainers:
      - {name: init, image: \"base:old\"}
      containers:
      - name: web
        image: web
      - {name: other, image: \"gcr.io/web:v2\"}
      - {name: pinned, image: \"web@sha256:1111111111111111111111111111111111111111111111111111111111111111\"}
";

#[tokio::test]
async fn images_and_labels_go_where_they_belong() {
    let (text, warnings) = rendered(&[("k8s/web.yaml", WEB)], &["k8s/*.yaml"], |job| {
        job.images = vec![built("web"), built("base")];
        job.labels = [("team".to_owned(), "theirs".to_owned()), ("env".to_owned(), "dev".to_owned())].into();
        job.namespace = Some(Namespace("shop".into()));
    })
    .await
    .unwrap();
    insta::assert_snapshot!(text, @r"
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      labels:
        env: dev
        team: theirs
      namespace: shop
    spec:
      template:
        metadata:
          labels:
            app: web
            team: mine
            env: dev
        spec:
          initContainers:
          - name: init
            image: localhost:5000/base:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000
          containers:
          - name: web
            image: localhost:5000/web:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000
          - name: other
            image: gcr.io/web:v2
          - name: pinned
            image: web@sha256:1111111111111111111111111111111111111111111111111111111111111111
    ");
    assert_eq!(warnings, [""; 0]);
}

#[tokio::test]
async fn every_kind_is_treated_as_the_table_says() {
    let image =
        |kind: &str, version: &str, body: &str| format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n{body}\n");
    let files = [
        image("CronJob", "batch/v1", "spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: web}]}}}}}"),
        image("ConfigMap", "v1", "data: {image: web}"),
        image(
            "Kafka",
            "platform.confluent.io/v1beta1",
            "spec: {image: {application: web, init: web, other: web}, podTemplate: {image: web}}",
        ),
        image(
            "Kafka",
            "kafka.strimzi.io/v1beta2",
            "spec: {kafka: {image: web}, entityOperator: {topicOperator: {image: web}}, image: web}",
        ),
        image("SQLInstance", "sql.cnrm.cloud.google.com/v1beta1", "spec: {image: web}"),
        image("Widget", "example.com/v1", "spec: {image: web, parts: [{imageName: web}]}"),
        image(
            "Service",
            "serving.knative.dev/v1",
            "spec: {template: {metadata: {}, spec: {containers: [{image: 'ko://example.com/Shop/cmd'}]}}}",
        ),
        image("StatefulSet", "apps/v1", "spec: {volumeClaimTemplates: [{metadata: {name: v}}], template: {metadata: {}}}"),
        image("Job", "batch/v1", "spec: {template: {metadata: {labels: {a: b}}}}"),
        image("ReplicaSet", "apps/v1", "spec: {image: web}"),
    ]
    .concat();
    let (text, _) = rendered(&[("all.yaml", &files)], &["all.yaml"], |job| {
        job.images = vec![built("web"), built("ko://example.com/Shop/cmd")];
        for image in &mut job.images {
            image.name = ImageName::parse("r.io/x").unwrap();
            image.identity = Identity::AsNamed;
        }
        job.labels = [("l".to_owned(), "1".to_owned())].into();
        job.resource_selector.allow = vec![ResourceRule {
            group_kind: "Widget.example.com".into(),
            image: vec!["$.spec.parts[*].imageName".into()],
            labels: vec![".metadata.labels".into()],
            ..ResourceRule::default()
        }];
        job.resource_selector.deny = vec![ResourceRule {
            group_kind: "ReplicaSet.apps".into(),
            image: vec![".*".into()],
            labels: vec![".*".into()],
            ..ResourceRule::default()
        }];
    })
    .await
    .unwrap();
    insta::assert_snapshot!(text, @r#"
    apiVersion: batch/v1
    kind: CronJob
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      jobTemplate:
        spec:
          template:
            spec:
              containers:
              - image: r.io/x:v1
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: a
    data:
      image: web
    ---
    apiVersion: platform.confluent.io/v1beta1
    kind: Kafka
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      image:
        application: r.io/x:v1
        init: r.io/x:v1
        other: web
      podTemplate:
        image: web
    ---
    apiVersion: kafka.strimzi.io/v1beta2
    kind: Kafka
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      kafka:
        image: r.io/x:v1
      entityOperator:
        topicOperator:
          image: r.io/x:v1
      image: web
    ---
    apiVersion: sql.cnrm.cloud.google.com/v1beta1
    kind: SQLInstance
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      image: r.io/x:v1
    ---
    apiVersion: example.com/v1
    kind: Widget
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      image: web
      parts:
      - imageName: r.io/x:v1
    ---
    apiVersion: serving.knative.dev/v1
    kind: Service
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      template:
        metadata:
          labels:
            l: "1"
        spec:
          containers:
          - image: r.io/x:v1
    ---
    apiVersion: apps/v1
    kind: StatefulSet
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      volumeClaimTemplates:
      - metadata:
          name: v
      template:
        metadata:
          labels:
            l: "1"
    ---
    apiVersion: batch/v1
    kind: Job
    metadata:
      name: a
      labels:
        l: "1"
    spec:
      template:
        metadata:
          labels:
            a: b
    ---
    apiVersion: apps/v1
    kind: ReplicaSet
    metadata:
      name: a
    spec:
      image: web
    "#);
}

#[tokio::test]
async fn a_forced_namespace_goes_into_namespaced_objects() {
    let object = |kind: &str, version: &str, rest: &str| format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: a{rest}}}\n");
    let crd = "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: ws.example.com}\nspec: {group: example.com, scope: Namespaced, names: {kind: Widget}}\n";
    let files = [
        object("ConfigMap", "v1", ""),
        object("Secret", "v1", ", namespace: other"),
        object("Role", "rbac.authorization.k8s.io/v1", ", namespace: shop"),
        object("ClusterRole", "rbac.authorization.k8s.io/v1", ""),
        object("Widget", "example.com/v1", ""),
        object("Unknown", "example.com/v1", ""),
        crd.to_owned(),
    ]
    .concat();
    let shop = |job: &mut RenderJob| job.namespace = Some(Namespace("shop".into()));
    let (text, warnings) = rendered(&[("all.yaml", &files)], &["all.yaml"], shop).await.unwrap();
    insta::assert_snapshot!(text, @r"
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: a
      namespace: shop
    ---
    apiVersion: v1
    kind: Secret
    metadata:
      name: a
      namespace: other
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: a
      namespace: shop
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata:
      name: a
    ---
    apiVersion: example.com/v1
    kind: Widget
    metadata:
      name: a
      namespace: shop
    ---
    apiVersion: example.com/v1
    kind: Unknown
    metadata:
      name: a
    ---
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata:
      name: ws.example.com
    spec:
      group: example.com
      scope: Namespaced
      names:
        kind: Widget
    ");
    insta::assert_snapshot!(warnings.join("\n"), @r"
    warning[render/namespace]: secret/a stays in namespace `other`, which its manifest says
      `shop` was asked for on the command line
      it was read from all.yaml, document 2
    ");
    let (text, _) = rendered(&[("all.yaml", &files)], &["all.yaml"], |job| {
        shop(job);
        job.offline = true;
    })
    .await
    .unwrap();
    assert_eq!(text.matches("namespace: shop").count(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let nothing = rendered(&[], &["k8s/web.yaml"], |_| {}).await.unwrap_err();
    let bucket = rendered(&[], &["gs://bucket/x.yaml"], |_| {}).await.unwrap_err();
    let pattern = rendered(&[], &["k8s/[.yaml"], |_| {}).await.unwrap_err();
    insta::assert_snapshot!([nothing, bucket, pattern].join("\n\n"), @r"
    error[render/no-such-manifest]: there is no manifest `k8s/web.yaml`
     --> skaffold.yaml:9:7
      |
    9 |     - k8s/web.yaml
      |       ^^^^^^^^^^^^
      looked in DIR
    help: paths in `manifests.rawYaml` start from the working directory; those of a required configuration from its own

    error[render/address]: manifests cannot be read from `gs://bucket/x.yaml`
     --> skaffold.yaml:9:7
      |
    9 |     - gs://bucket/x.yaml
      |       ^^^^^^^^^^^^^^^^^^
    help: use a path, a pattern, or an `http://` or `https://` URL

    error[render/pattern]: `k8s/[.yaml` is not a valid pattern
     --> skaffold.yaml:9:7
      |
    9 |     - k8s/[.yaml
      |       ^^^^^^^^^^
      unclosed character class; missing ']'
    ");
    insta::assert_snapshot!(rendered(&[("a.txt", "")], &["*.yaml"], |_| {}).await.unwrap_err(), @r"
    error[render/no-match]: `*.yaml` matches no manifest
     --> skaffold.yaml:9:7
      |
    9 |     - *.yaml
      |       ^^^^^^
      looked in DIR
    help: paths in `manifests.rawYaml` start from the working directory; those of a required configuration from its own
    ");
    let (text, warnings) = rendered(&[], &[], |job| job.images = vec![built("web"), built("api"), built("base")]).await.unwrap();
    assert_eq!(text, "");
    insta::assert_snapshot!(warnings.join("\n"), @r"
    warning[render/unused-image]: images `api`, `base`, `web` are used by no manifest
    help: an `image:` field names an artifact exactly as skaffold.yaml does
    ");
    let by_default = |job: &mut RenderJob| job.modules[0].raw_yaml[0].may_match_nothing = true;
    assert_eq!(rendered(&[], &["k8s/*.yaml"], by_default).await.unwrap(), (String::new(), Vec::new()));
    let bases = |job: &mut RenderJob| {
        job.images = vec![built("base")];
        job.bases = [ImageName::parse("base").unwrap()].into();
    };
    assert_eq!(rendered(&[], &[], bases).await.unwrap(), (String::new(), Vec::new()));
}

#[tokio::test]
async fn paths_are_templates_and_a_file_counts_once() {
    let pod = "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}}";
    let (text, _) = rendered(&[("k8s/dev/a.json", pod)], &["k8s/{{.STAGE}}/*", "k8s"], |job| {
        job.vars = Vars::default().with("STAGE", "dev");
    })
    .await
    .unwrap();
    assert_eq!(text.matches("kind: Pod").count(), 1);
}

#[tokio::test]
async fn remote_manifests_need_a_cluster() {
    let error = rendered(&[], &[], |job| {
        job.modules[0].remote_manifests = vec![devloop_model::RemoteManifest {
            manifest: "deployment/web".into(),
            kube_context: None,
            field: "manifests.remoteManifests".into(),
            at: None,
        }];
    })
    .await
    .unwrap_err();
    insta::assert_snapshot!(error, @r"
    error[render/no-cluster]: `deployment/web` in `manifests.remoteManifests` needs a cluster
    help: leave out `--offline`, or remove the entry
    ");
}
