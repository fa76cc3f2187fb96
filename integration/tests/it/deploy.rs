//! Applying, pruning and deleting against a real API server.

use std::collections::BTreeMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeSettings;
use devloop_deploy::DeployError;
use devloop_deploy::DeployJob;
use devloop_deploy::INVENTORY_LABEL;
use devloop_deploy::WaitForDeletions;
use devloop_model::Cx;
use devloop_model::Delivery;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::KubectlDeploy;
use devloop_model::Manifest;
use devloop_model::ManifestSet;
use devloop_model::Namespace;
use devloop_model::Release;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Target;
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::context::TestContext;
use crate::context::cluster_environment;

/// A namespace of its own, the library that deploys into it, and what it said.
struct Deployer {
    context: TestContext,
    cluster: Cluster,
    job: DeployJob,
    cx: Cx,
    events: UnboundedReceiver<EventKind>,
}

impl Deployer {
    async fn new() -> Self {
        Self::in_context(TestContext::new(), cluster_environment()).await
    }

    async fn in_context(context: TestContext, variables: Vec<(String, String)>) -> Self {
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let env = Env::new(variables.into_iter().collect::<BTreeMap<_, _>>());
        let cx = Cx::new(StepId::of(Stage::Deploy), env.clone(), EventSink::new(sender), CancellationToken::new());
        let cluster = Cluster::connect(&KubeSettings { env, ..KubeSettings::default() }, &cx).await.unwrap();
        let target = Target {
            context: cluster.context().map(str::to_owned),
            namespace: Namespace(context.namespace().to_owned()),
            namespace_is_forced: false,
            delivery: Delivery::Push,
            default_repo: None,
            multi_level_repo: false,
            node_platforms: Vec::new(),
        };
        let job = DeployJob {
            kubectl: KubectlDeploy::default(),
            target,
            kubeconfig: None,
            inventory: "shop".to_owned(),
            force: false,
            prune: true,
            may_be_empty: false,
            passing: false,
            wait_for_deletions: WaitForDeletions::default(),
        };
        Self { context, cluster, job, cx, events }
    }

    async fn try_deploy(&self, objects: &[Value]) -> Result<Release, DeployError> {
        devloop_deploy::deploy(&self.job, &manifests(objects), &self.cluster, &self.cx).await
    }

    /// Deploys and returns what changed, in alphabetical order.
    async fn deploy(&mut self, objects: &[Value]) -> String {
        let release = self.try_deploy(objects).await.unwrap_or_else(|error| panic!("{}", error.diagnostic()));
        assert_eq!(release.objects.len(), objects.len());
        assert!(release.objects.iter().all(|object| !object.uid.is_empty()));
        self.changes()
    }

    /// Returns the diagnostic of a deploy that has to fail.
    async fn refused(&self, objects: &[Value]) -> String {
        let error = self.try_deploy(objects).await.expect_err("a deploy that fails");
        error.diagnostic().to_string().replace(self.context.namespace(), "[NAMESPACE]")
    }

    fn changes(&mut self) -> String {
        let mut lines = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            match event {
                EventKind::ObjectChanged { object, change, .. } => {
                    lines.push(format!("{object} {}", serde_json::to_value(change).unwrap().as_str().unwrap()));
                }
                EventKind::Warned { diagnostic } => lines.push(diagnostic.to_string()),
                _ => {}
            }
        }
        lines.sort();
        let text = lines.join("\n").replace(self.context.namespace(), "[NAMESPACE]");
        match text.split_once("\"devloop-inventory-shop-") {
            Some((before, after)) => {
                format!("{before}\"devloop-inventory-shop-[DIGEST]{}", after.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
            }
            None => text,
        }
    }

    /// Returns the resource version of everything in the namespace that deploys write.
    fn versions(&self) -> String {
        let columns = "custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion";
        self.context.kubectl(&["get", "configmaps,secrets,services,serviceaccounts,roles,rolebindings", "-o", columns])
    }

    fn field(&self, object: &str, path: &str) -> String {
        self.context.kubectl(&["get", object, "--show-managed-fields", "-o", &format!("jsonpath={path}")])
    }
}

fn manifests(objects: &[Value]) -> ManifestSet {
    let manifests = objects.iter().map(|object| Manifest { object: object.clone(), source: "k8s/web.yaml".to_owned() });
    ManifestSet { manifests: manifests.collect() }
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn deployment(name: &str, replicas: u32) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": "localhost:5000/busybox", "command": ["sleep", "1000"]}], "terminationGracePeriodSeconds": 0},
        }},
    })
}

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}})
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn objects_are_created_left_alone_and_configured() {
    let mut deployer = Deployer::new().await;
    let objects = [deployment("web", 0), service("web"), config_map("settings", json!({"colour": "red"}))];
    insta::assert_snapshot!(deployer.deploy(&objects).await, @r"
    configmap/settings created
    deployment/web created
    service/web created
    ");
    insta::assert_snapshot!(deployer.deploy(&objects).await, @r"
    configmap/settings unchanged
    deployment/web unchanged
    service/web unchanged
    ");
    let changed = [deployment("web", 0), service("web"), config_map("settings", json!({"colour": "blue"}))];
    insta::assert_snapshot!(deployer.deploy(&changed).await, @r"
    configmap/settings configured
    deployment/web unchanged
    service/web unchanged
    ");
    assert_eq!(deployer.field("deployment/web", "{.spec.template.metadata.labels}"), r#"{"app":"web"}"#);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_second_deploy_writes_nothing() {
    let mut deployer = Deployer::new().await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "b"}});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}});
    let objects = [service("web"), secret, account, config_map("settings", json!({"colour": "red"}))];
    deployer.deploy(&objects).await;
    let before = deployer.versions();
    assert!(before.contains("devloop-inventory-shop-"), "{before}");
    let changes = deployer.deploy(&objects).await;
    assert_eq!(changes.lines().filter(|line| line.ends_with(" unchanged")).count(), 4, "{changes}");
    assert_eq!(deployer.versions(), before);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn what_somebody_changed_is_put_right() {
    let mut deployer = Deployer::new().await;
    let objects = [config_map("settings", json!({"colour": "red"}))];
    deployer.deploy(&objects).await;
    deployer.context.kubectl(&["patch", "configmap", "settings", "-p", r#"{"data":{"colour":"green","size":"big"}}"#]);
    assert_eq!(deployer.deploy(&objects).await, "configmap/settings configured");
    assert_eq!(deployer.field("configmap/settings", "{.data}"), r#"{"colour":"red","size":"big"}"#);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn fields_of_an_earlier_kubectl_apply_are_taken_over() {
    let mut deployer = Deployer::new().await;
    let old = config_map("settings", json!({"colour": "red", "old": "yes"}));
    let context = deployer.context;
    std::fs::write(context.path().join("old.json"), old.to_string()).unwrap();
    let file = context.path().join("old.json").display().to_string();
    context.kubectl(&["apply", "-f", &file]);
    deployer = Deployer::in_context(context, cluster_environment()).await;

    assert_eq!(deployer.deploy(&[config_map("settings", json!({"colour": "red"}))]).await, "configmap/settings configured");
    assert_eq!(deployer.field("configmap/settings", "{.data}"), r#"{"colour":"red"}"#);
    assert_eq!(deployer.field("configmap/settings", "{.metadata.annotations}"), "");
    assert_eq!(deployer.field("configmap/settings", "{.metadata.managedFields[*].manager}"), "devloop");
    assert_eq!(deployer.deploy(&[config_map("settings", json!({"colour": "red"}))]).await, "configmap/settings unchanged");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn what_left_the_manifests_is_pruned_unless_it_was_there_before() {
    let mut deployer = Deployer::new().await;
    deployer.context.kubectl(&["create", "configmap", "theirs"]);
    let keep =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "annotations": {"helm.sh/resource-policy": "keep"}}});
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1Mi"}}}});
    let all = [config_map("a", json!({})), config_map("b", json!({})), config_map("theirs", json!({"x": "y"})), keep, volume];
    deployer.deploy(&all).await;
    insta::assert_snapshot!(deployer.deploy(&all[..1]).await, @r"
    configmap/a unchanged
    configmap/b pruned
    warning[deploy/kept]: persistentvolumeclaim/data is no longer in the manifests; it is kept, because deleting it would delete what is in it
    help: delete it with `kubectl delete persistentvolumeclaim/data -n [NAMESPACE]`
    ");
    assert_eq!(deployer.context.kubectl(&["get", "configmaps", "kept", "theirs", "-o", "name"]).lines().count(), 2);
    deployer.job.prune = false;
    assert_eq!(deployer.deploy(&[config_map("c", json!({}))]).await, "configmap/c created");
    deployer.job.prune = true;
    assert!(deployer.deploy(&[config_map("c", json!({}))]).await.contains("configmap/a pruned"));
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn another_configuration_keeps_what_it_made() {
    let mut deployer = Deployer::new().await;
    let shared = config_map("shared", json!({"a": "1"}));
    deployer.deploy(std::slice::from_ref(&shared)).await;
    let owner = deployer.field("configmap/shared", "{.metadata.labels}");
    assert!(owner.contains(INVENTORY_LABEL));
    deployer.job.inventory = "other".to_owned();
    assert_eq!(deployer.deploy(&[shared.clone(), config_map("own", json!({}))]).await, "configmap/own created\nconfigmap/shared unchanged");
    assert_eq!(deployer.field("configmap/shared", "{.metadata.labels}"), owner);
    assert_eq!(deployer.deploy(&[config_map("own", json!({}))]).await, "configmap/own unchanged");
    assert_eq!(deployer.context.kubectl(&["get", "configmap", "shared", "-o", "name"]), "configmap/shared\n");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn delete_takes_back_what_was_created_and_nothing_else() {
    let mut deployer = Deployer::new().await;
    deployer.context.kubectl(&["create", "configmap", "theirs"]);
    let objects = [deployment("web", 1), config_map("settings", json!({})), config_map("theirs", json!({"x": "y"}))];
    deployer.deploy(&objects).await;
    deployer.context.kubectl(&["create", "configmap", "bystander"]);

    let set = manifests(&objects);
    let planned = devloop_deploy::delete(&deployer.job, &set, true, &deployer.cluster, &deployer.cx).await.unwrap();
    let names: Vec<String> = planned.deleted.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["deployment/web", "configmap/settings"]);
    assert!(deployer.changes().contains("configmap/theirs is kept"));

    let deletion = devloop_deploy::delete(&deployer.job, &set, false, &deployer.cluster, &deployer.cx).await.unwrap();
    assert_eq!(deletion, planned);
    insta::assert_snapshot!(deployer.changes(), @r"
    configmap/settings deleted
    deployment/web deleted
    warning[deploy/kept]: configmap/theirs is kept: this configuration did not create it
    help: delete it with `kubectl delete configmap/theirs -n [NAMESPACE]`
    ");
    let left = deployer.context.kubectl(&["get", "configmaps,deployments", "-o", "name"]);
    assert_eq!(left, "configmap/bystander\nconfigmap/kube-root-ca.crt\nconfigmap/theirs\n");
    let again = devloop_deploy::delete(&deployer.job, &set, false, &deployer.cluster, &deployer.cx).await.unwrap();
    assert!(again.deleted.is_empty());
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_session_takes_back_only_what_it_created() {
    let mut deployer = Deployer::new().await;
    let (before, during) = (config_map("before", json!({})), config_map("during", json!({})));
    deployer.deploy(std::slice::from_ref(&before)).await;

    deployer.job.passing = true;
    let objects = [before, during];
    deployer.deploy(&objects).await;
    let set = manifests(&objects);
    let deletion = devloop_deploy::delete(&deployer.job, &set, false, &deployer.cluster, &deployer.cx).await.unwrap();
    let names = |keys: &[devloop_model::ObjectKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (names(&deletion.deleted), names(&deletion.deployed)),
        (vec!["configmap/during".to_owned()], vec!["configmap/before".to_owned()])
    );

    // A session that was killed leaves its objects to the next one; a deploy that is no session makes them stay.
    deployer.deploy(&objects).await;
    deployer.job.passing = false;
    deployer.deploy(&objects).await;
    deployer.job.passing = true;
    let deletion = devloop_deploy::delete(&deployer.job, &set, false, &deployer.cluster, &deployer.cx).await.unwrap();
    assert_eq!((deletion.deleted.len(), deletion.deployed.len()), (0, 2));

    deployer.job.passing = false;
    let deletion = devloop_deploy::delete(&deployer.job, &set, false, &deployer.cluster, &deployer.cx).await.unwrap();
    assert_eq!(deletion.deleted.len(), 2);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_definition_and_its_objects_come_in_one_set() {
    let mut deployer = Deployer::new().await;
    let group = format!("{}.example.com", deployer.context.namespace());
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("widgets.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    });
    let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "first"}, "spec": {"size": 3}});
    let objects = [widget.clone(), crd];
    let changes = deployer.deploy(&objects).await;
    assert_eq!(changes.lines().filter(|line| line.ends_with(" created")).count(), 2, "{changes}");
    let changes = deployer.deploy(&objects).await;
    assert_eq!(changes.lines().filter(|line| line.ends_with(" unchanged")).count(), 2, "{changes}");
    let deletion = devloop_deploy::delete(&deployer.job, &manifests(&objects), false, &deployer.cluster, &deployer.cx).await.unwrap();
    assert_eq!(deletion.deleted.iter().map(|key| key.kind.as_str()).collect::<Vec<_>>(), ["Widget", "CustomResourceDefinition"]);
    let unknown = deployer.refused(&[widget]).await;
    insta::assert_snapshot!(unknown, @r"
    error[kube/unknown-kind]: the cluster knows no kind `Widget` of `[NAMESPACE].example.com/v1`
      from k8s/web.yaml
    help: add the CustomResourceDefinition of `[NAMESPACE].example.com/v1` to the manifests, or install its operator first
    ");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_namespace_of_the_manifests_is_made_first() {
    let mut deployer = Deployer::new().await;
    let name = format!("{}-inner", deployer.context.namespace());
    let mut inside = config_map("inside", json!({}));
    inside["metadata"]["namespace"] = name.as_str().into();
    let objects = [inside, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})];
    insta::assert_snapshot!(deployer.deploy(&objects).await, @r"
    configmap/inside created
    namespace/[NAMESPACE]-inner created
    ");
    deployer.job.wait_for_deletions.enabled = false;
    let deletion = devloop_deploy::delete(&deployer.job, &manifests(&objects), false, &deployer.cluster, &deployer.cx).await.unwrap();
    assert_eq!(deletion.deleted.len(), 2);
    // The namespace is going: a deploy waits for it, and makes it anew.
    deployer.changes();
    deployer.job.wait_for_deletions.enabled = true;
    insta::assert_snapshot!(deployer.deploy(&objects).await, @r"
    configmap/inside created
    namespace/[NAMESPACE]-inner created
    ");
    devloop_deploy::delete(&deployer.job, &manifests(&objects), false, &deployer.cluster, &deployer.cx).await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_namespace_that_was_deleted_comes_back_with_all_that_was_in_it() {
    let mut deployer = Deployer::new().await;
    let name = format!("{}-inner", deployer.context.namespace());
    deployer.job.target.namespace = Namespace(name.clone());
    let mut objects: Vec<Value> = (0..6).map(|number| config_map(&format!("map-{number}"), json!({}))).collect();
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    deployer.deploy(&objects).await;
    deployer.context.kubectl(&["delete", "namespace", &name, "--wait=false"]);
    let changes = deployer.deploy(&objects).await;
    assert_eq!(changes.lines().filter(|line| line.ends_with(" created")).count(), 7, "{changes}");
    let changes = deployer.deploy(&objects).await;
    assert_eq!(changes.lines().filter(|line| line.ends_with(" unchanged")).count(), 7, "{changes}");
    let deletion = devloop_deploy::delete(&deployer.job, &manifests(&objects), false, &deployer.cluster, &deployer.cx).await.unwrap();
    assert_eq!(deletion.deleted.len(), 7);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn credentials_and_certificates_that_do_not_fit_are_told() {
    let context = TestContext::new();
    let admin: Value = serde_json::from_str(&context.kubectl(&["config", "view", "--raw", "-o", "json"])).unwrap();
    let mut trusting_nobody = admin.clone();
    trusting_nobody["clusters"][0]["cluster"].as_object_mut().unwrap().remove("certificate-authority-data");
    let mut nobody = admin;
    nobody["users"][0]["user"] = json!({"token": "wrong"});
    let mut told = Vec::new();
    for config in [trusting_nobody, nobody] {
        let file = context.path().join("config");
        std::fs::write(&file, config.to_string()).unwrap();
        let env = Env::new(BTreeMap::from([("KUBECONFIG".to_owned(), file.display().to_string())]));
        let cx = Cx::silent(StepId::of(Stage::Deploy));
        let cluster = Cluster::connect(&KubeSettings { env, ..KubeSettings::default() }, &cx).await.unwrap();
        told.push(cluster.reachable(&cx).await.unwrap_err().diagnostic().to_string());
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    error[kube/unreachable]: the cluster at https://127.0.0.1:6443 cannot be reached
      invalid peer certificate: UnknownIssuer
    help: the cluster may have been created anew: fetch its kubeconfig again, so that `certificate-authority-data` of context `devcluster` fits
    error[kube/unauthorized]: the cluster at https://127.0.0.1:6443 does not accept the credentials of context `devcluster`
    help: the login may have expired: log in again, or choose another context with `--kube-context`
    ");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn what_the_api_server_refuses_is_explained() {
    let deployer = Deployer::new().await;
    let mut wrong = deployment("web", 0);
    wrong["spec"]["template"]["spec"]["containers"][0]["image"] = Value::Null;
    wrong["spec"]["selector"]["matchLabels"]["app"] = "other".into();
    insta::assert_snapshot!(deployer.refused(&[wrong]).await, @r#"
    error[kube/rejected]: deployment/web in namespace [NAMESPACE] was rejected by the API server
      spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`
      spec.template.spec.containers[0].image: Required value
      from k8s/web.yaml
    "#);
    let mut unknown = deployment("web", 0);
    unknown["spec"]["replcias"] = 3.into();
    insta::assert_snapshot!(deployer.refused(&[unknown]).await, @r#"
    error[kube/rejected]: deployment/web in namespace [NAMESPACE] was rejected by the API server
      spec.replcias: there is no such field
      from k8s/web.yaml
    help: check the spelling of the field and its indentation
    "#);
    insta::assert_snapshot!(deployer.refused(&[json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "Web_1"}}), config_map("x_y", json!({}))]).await, @r#"
    error[kube/rejected]: configmap/x_y in namespace [NAMESPACE] was rejected by the API server
      metadata.name: Invalid value: "x_y": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
      from k8s/web.yaml
    "#);
    let mut elsewhere = config_map("settings", json!({}));
    elsewhere["metadata"]["namespace"] = "no-such-namespace".into();
    insta::assert_snapshot!(deployer.refused(&[elsewhere]).await, @r#"
    error[kube/namespace-missing]: there is no namespace `no-such-namespace`
      from k8s/web.yaml
    help: create it with `kubectl create namespace no-such-namespace`, or add a Namespace object to the manifests
    "#);
    insta::assert_snapshot!(deployer.refused(&[json!({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "web"}})]).await, @r#"
    error[kube/unknown-kind]: the cluster knows no kind `Ingress` of `extensions/v1beta1`
      from k8s/web.yaml
    help: Kubernetes has `Ingress` in `networking.k8s.io`: change `apiVersion` to a version of it that this cluster serves (`kubectl api-versions`)
    "#);
    insta::assert_snapshot!(deployer.refused(&[json!({"apiVersion": "apps/v1beta9", "kind": "Deployment", "metadata": {"name": "web"}})]).await, @r#"
    error[kube/unknown-kind]: the cluster knows no kind `Deployment` of `apps/v1beta9`
      from k8s/web.yaml
    help: Kubernetes has `Deployment` in `apps`: change `apiVersion` to a version of it that this cluster serves (`kubectl api-versions`)
    "#);
    insta::assert_snapshot!(deployer.refused(&[json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "web-"}})]).await, @r#"
    error[deploy/no-name]: ConfigMap in k8s/web.yaml has no `metadata.name`
    help: give it a name; `metadata.generateName` cannot be applied twice
    "#);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn unknown_fields_pass_where_validation_is_off() {
    let mut deployer = Deployer::new().await;
    deployer.job.kubectl.disable_validation = true;
    let mut unknown = deployment("web", 0);
    unknown["spec"]["replcias"] = 3.into();
    assert_eq!(deployer.deploy(&[unknown]).await, "deployment/web created");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_field_that_cannot_change_needs_force() {
    let mut deployer = Deployer::new().await;
    deployer.deploy(&[deployment("web", 0)]).await;
    let mut changed = deployment("web", 0);
    for path in ["/spec/selector/matchLabels/app", "/spec/template/metadata/labels/app"] {
        *changed.pointer_mut(path).unwrap() = "other".into();
    }
    insta::assert_snapshot!(deployer.refused(&[changed.clone()]).await, @r#"
    error[kube/rejected]: deployment/web in namespace [NAMESPACE] was rejected by the API server
      spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable
      from k8s/web.yaml
    help: this field can never be changed: run with `--force`, which deletes deployment/web and creates it anew
    "#);
    deployer.job.force = true;
    insta::assert_snapshot!(deployer.deploy(&[changed]).await, @r"
    deployment/web created
    deployment/web deleted
    ");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn what_rbac_forbids_is_named() {
    let context = TestContext::new();
    context.kubectl(&["create", "serviceaccount", "weak"]);
    context.kubectl(&["create", "role", "reader", "--verb=get,list,watch", "--resource=configmaps,deployments"]);
    let account = format!("{}:weak", context.namespace());
    context.kubectl(&["create", "rolebinding", "reader", "--role=reader", &format!("--serviceaccount={account}")]);
    let token = context.kubectl(&["create", "token", "weak"]);
    let admin: Value = serde_json::from_str(&context.kubectl(&["config", "view", "--raw", "-o", "json"])).unwrap();
    let weak = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "weak", "clusters": admin["clusters"],
        "contexts": [{"name": "weak", "context": {"cluster": admin["clusters"][0]["name"], "user": "weak"}}],
        "users": [{"name": "weak", "user": {"token": token.trim()}}],
    });
    let file = context.path().join("weak.conf");
    std::fs::write(&file, weak.to_string()).unwrap();
    let mut deployer = Deployer::in_context(context, vec![("KUBECONFIG".to_owned(), file.display().to_string())]).await;
    insta::assert_snapshot!(deployer.refused(&[deployment("web", 0)]).await, @r#"
    error[kube/forbidden]: not allowed to patch deployment/web in namespace [NAMESPACE]
      deployments.apps "web" is forbidden: User "system:serviceaccount:[NAMESPACE]:weak" cannot patch resource "deployments" in API group "apps" in the namespace "[NAMESPACE]"
      from k8s/web.yaml
    help: ask an administrator of the cluster for a role that allows it, or deploy to another namespace with `--namespace`
    "#);
    insta::assert_snapshot!(deployer.changes(), @r#"
    warning[deploy/no-inventory]: what is deployed cannot be remembered in namespace `[NAMESPACE]`
      configmaps "devloop-inventory-shop-[DIGEST]" is forbidden: User "system:serviceaccount:[NAMESPACE]:weak" cannot patch resource "configmaps" in API group "" in the namespace "[NAMESPACE]"
    help: objects that leave the manifests will not be pruned; allow get, create and patch on configmaps to change that
    "#);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn flags_without_an_equivalent_run_kubectl() {
    let mut deployer = Deployer::new().await;
    deployer.job.kubectl.apply_flags = vec!["--record=false".to_owned(), "--grace-period=3".to_owned()];
    let objects = [deployment("web", 0), config_map("settings", json!({"a": "b"}))];
    assert_eq!(deployer.deploy(&objects).await, "configmap/settings created\ndeployment/web created");
    assert!(deployer.field("configmap/settings", "{.metadata.annotations}").contains("last-applied"));
    assert_eq!(deployer.deploy(&objects).await, "configmap/settings unchanged\ndeployment/web unchanged");
    assert_eq!(deployer.deploy(&objects[..1]).await, "configmap/settings pruned\ndeployment/web unchanged");
    deployer.job.kubectl.apply_flags = vec!["--no-such-flag".to_owned()];
    let refused = deployer.refused(&objects).await;
    assert!(
        refused.starts_with("error[deploy/kubectl]: kubectl apply failed\n") && refused.contains("unknown flag: --no-such-flag"),
        "{refused}"
    );
}
