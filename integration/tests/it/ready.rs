//! Waiting until real pods of a real kubelet are ready, or cannot be.

use std::collections::BTreeMap;
use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeSettings;
use devloop_deploy::ReadySpec;
use devloop_deploy::wait_until_ready;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Release;
use devloop_model::ReleasedObject;
use devloop_model::Stage;
use devloop_model::StepId;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use crate::context::TestContext;
use crate::context::cluster_environment;

/// Returns the cluster, and a context for one step with its events.
pub(crate) async fn connected(stage: Stage) -> (Cluster, Cx, UnboundedReceiver<EventKind>) {
    let env = Env::new(cluster_environment().into_iter().collect::<BTreeMap<_, _>>());
    let (sender, events) = unbounded_channel();
    let cx = Cx::new(StepId::of(stage), env.clone(), EventSink::new(sender), CancellationToken::new());
    let cluster = Cluster::connect(&KubeSettings { env, ..KubeSettings::default() }, &cx).await.unwrap();
    (cluster, cx, events)
}

/// Applies objects as a user would, and returns them as a release.
pub(crate) fn applied(context: &TestContext, objects: &str) -> Release {
    let file = context.path().join("objects.yaml");
    std::fs::write(&file, objects).unwrap();
    let file = file.display().to_string();
    context.kubectl(&["apply", "-f", &file]);
    let found: Value = serde_json::from_str(&context.kubectl(&["get", "-f", &file, "-o", "json"])).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let released = |object: &Value| {
        let api_version = text(&object["apiVersion"]);
        let metadata = &object["metadata"];
        let key = ObjectKey {
            group: api_version.split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default(),
            kind: text(&object["kind"]),
            namespace: metadata["namespace"].as_str().map(|n| Namespace(n.to_owned())),
            name: text(&metadata["name"]),
        };
        ReleasedObject { key, api_version, uid: text(&metadata["uid"]), generation: metadata["generation"].as_i64() }
    };
    let items = found["items"].as_array().cloned().unwrap_or_else(|| vec![found]);
    Release { objects: items.iter().map(released).collect(), ..Release::default() }
}

/// Returns a workload of one container called `app`; its fields are given as flow YAML.
pub(crate) fn workload(kind: &str, name: &str, spec: &str, container: &str) -> String {
    let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    let labels = if kind == "Job" { String::new() } else { format!("selector: {{matchLabels: {{app: {name}}}}}, ") };
    let pod = format!(
        "{{terminationGracePeriodSeconds: 0, {}containers: [{{name: app, image: localhost:5000/busybox, {container}}}]}}",
        if kind == "Job" { "restartPolicy: Never, " } else { "" }
    );
    format!(
        "---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{labels}{spec}template: {{metadata: {{labels: {{app: {name}}}}}, spec: {pod}}}}}\n"
    )
}

const SLEEP: &str = "command: [sleep, '1000']";

async fn outcome(spec: &ReadySpec, release: &Release) -> (Result<(), Diagnostic>, Vec<EventKind>) {
    let (cluster, cx, mut events) = connected(Stage::StatusCheck).await;
    let limit = Duration::from_mins(2);
    let result = tokio::time::timeout(limit, wait_until_ready(spec, release, &cluster, &cx)).await.expect("it ends by itself");
    drop(cx);
    let mut said = Vec::new();
    while let Ok(event) = events.try_recv() {
        said.push(event);
    }
    (result.map_err(|error| error.diagnostic()), said)
}

async fn failure(objects: &str, spec: &ReadySpec) -> Diagnostic {
    let context = TestContext::new();
    let release = applied(&context, objects);
    outcome(spec, &release).await.0.expect_err("it cannot become ready")
}

fn has(diagnostic: &Diagnostic, code: &str, words: &[&str]) {
    let text = diagnostic.to_string();
    assert_eq!(diagnostic.code, code, "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn what_runs_becomes_ready_and_stays_so() {
    let context = TestContext::new();
    let objects = [
        workload("Deployment", "web", "replicas: 2, ", SLEEP),
        workload("StatefulSet", "db", "serviceName: db, ", SLEEP),
        workload("DaemonSet", "agent", "", SLEEP),
        workload("Job", "migrate", "", "command: ['true']"),
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: bare}}\nspec: {{terminationGracePeriodSeconds: 0, containers: [{{name: app, image: localhost:5000/busybox, {SLEEP}}}]}}\n"
        ),
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n".to_owned(),
    ];
    let release = applied(&context, &objects.concat());
    let (result, events) = outcome(&ReadySpec::default(), &release).await;
    result.unwrap();
    let mut ready: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            EventKind::Readiness { object, ready: true, pending: 0, total: 1, .. } => Some(object.to_string()),
            _ => None,
        })
        .collect();
    ready.sort();
    assert_eq!(ready, ["daemonset/agent", "deployment/web", "job/migrate", "pod/bare", "statefulset/db"]);
    let (again, events) = outcome(&ReadySpec { deadline: Duration::from_secs(5), ..ReadySpec::default() }, &release).await;
    again.unwrap();
    assert!(events.iter().all(|event| matches!(event, EventKind::Readiness { ready: true, .. })), "{events:?}");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn an_image_that_is_not_there_is_said_at_once() {
    let objects = workload("Deployment", "web", "", SLEEP).replace("localhost:5000/busybox", "localhost:5000/nobody:v1");
    let error = failure(&objects, &ReadySpec::default()).await;
    has(&error, "deploy/image-pull", &["deployment/web", "container `app`", "localhost:5000/nobody:v1", "check the name and tag"]);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_crash_loop_shows_the_log() {
    let crash = workload("Deployment", "web", "", "command: [sh, -c, 'echo no database; exit 3']");
    let error = failure(&crash, &ReadySpec::default()).await;
    has(&error, "deploy/crash", &["exit code 3", "no database", "last lines of its log"]);
    let stateful = workload("StatefulSet", "db", "", "command: [sh, -c, 'echo no disk; exit 4']");
    has(&failure(&stateful, &ReadySpec::default()).await, "deploy/crash", &["statefulset/db", "no disk"]);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_probe_that_fails_is_waited_for_until_the_deadline() {
    let probe = format!("{SLEEP}, readinessProbe: {{periodSeconds: 1, exec: {{command: [sh, -c, 'echo not yet; exit 1']}}}}");
    let spec = ReadySpec { deadline: Duration::from_secs(8), ..ReadySpec::default() };
    let error = failure(&workload("Deployment", "web", "", &probe), &spec).await;
    has(
        &error,
        "deploy/not-ready-in-time",
        &["deployment/web is not ready after 8 s", "0 of 1 new replicas are available", "Readiness probe failed", "not yet"],
    );
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_pod_that_fits_nowhere_has_the_schedulers_words() {
    let spec = ReadySpec { unschedulable_grace: Duration::from_secs(1), ..ReadySpec::default() };
    let error = failure(&workload("Deployment", "web", "", &format!("{SLEEP}, resources: {{requests: {{cpu: '1000'}}}}")), &spec).await;
    has(&error, "deploy/unschedulable", &["Insufficient cpu", "lower `resources.requests`"]);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_missing_config_map_is_named() {
    let variable = format!("{SLEEP}, envFrom: [{{configMapRef: {{name: nowhere}}}}]");
    has(&failure(&workload("Deployment", "web", "", &variable), &ReadySpec::default()).await, "deploy/container-config", &["nowhere"]);
    let mounted = workload("Deployment", "web", "", &format!("{SLEEP}, volumeMounts: [{{name: v, mountPath: /v}}]"));
    let mounted = mounted
        .replace("terminationGracePeriodSeconds: 0", "terminationGracePeriodSeconds: 0, volumes: [{name: v, configMap: {name: nowhere}}]");
    has(&failure(&mounted, &ReadySpec::default()).await, "deploy/volume", &["nowhere", "not found"]);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_job_that_gives_up_fails() {
    let error =
        failure(&workload("Job", "migrate", "backoffLimit: 0, ", "command: [sh, -c, 'echo no table; exit 5']"), &ReadySpec::default())
            .await;
    has(&error, "deploy/crash", &["job/migrate", "BackoffLimitExceeded", "exit code 5", "no table"]);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_failing_pod_of_the_last_release_counts_for_nothing() {
    let context = TestContext::new();
    let broken = applied(&context, &workload("Deployment", "web", "", "command: [sh, -c, 'exit 3']"));
    let spec = ReadySpec { tolerate_failures_until_deadline: true, deadline: Duration::from_secs(6), ..ReadySpec::default() };
    let (result, events) = outcome(&spec, &broken).await;
    has(&result.unwrap_err(), "deploy/not-ready-in-time", &["exit code 3"]);
    let warned = events.iter().filter(|event| matches!(event, EventKind::Warned { .. })).count();
    assert_eq!(warned, 1, "{events:?}");
    let fixed = applied(&context, &workload("Deployment", "web", "", SLEEP));
    outcome(&ReadySpec::default(), &fixed).await.0.unwrap();
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn waiting_ends_with_the_step() {
    let context = TestContext::new();
    let release =
        applied(&context, &workload("Deployment", "web", "", &format!("{SLEEP}, readinessProbe: {{exec: {{command: ['false']}}}}")));
    let (cluster, cx, mut events) = connected(Stage::StatusCheck).await;
    let cancel = cx.cancel.clone();
    let work = tokio::spawn(async move { wait_until_ready(&ReadySpec::default(), &release, &cluster, &cx).await });
    assert!(events.recv().await.is_some());
    cancel.cancel();
    assert_eq!(work.await.unwrap().unwrap_err().diagnostic().code, "deploy/interrupted");
}
