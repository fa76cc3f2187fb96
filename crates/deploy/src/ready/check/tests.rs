//! What follows from what watches say, step by step, on a clock of the test's.

use devloop_model::Namespace;
use serde_json::json;

use super::*;

struct Scene {
    check: Check,
    start: Instant,
}

fn key(kind: &str) -> ObjectKey {
    let group = match kind {
        "Job" => "batch",
        "Pod" => "",
        _ => "apps",
    };
    ObjectKey { group: group.into(), kind: kind.into(), namespace: Some(Namespace("shop".into())), name: "web".into() }
}

impl Scene {
    fn new(kinds: &[&str], spec: &ReadySpec) -> Self {
        let start = Instant::now();
        let mut check = Check::new(spec);
        for kind in kinds {
            check.add(key(kind), true, Some(1), spec.deadline, start);
        }
        Self { check, start }
    }

    fn says(&mut self, about: About, object: Value) {
        self.check.apply(0, about, WatchEvent::Applied(object), self.start);
    }

    fn after(&mut self, seconds: u64) -> Judgement {
        self.check.judge(self.start + Duration::from_secs(seconds))
    }
}

fn deployment(available: u64, more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 1, "annotations": {REVISION: "2"}},
        "spec": {"replicas": 1, "progressDeadlineSeconds": 600},
        "status": {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": available}
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        object["spec"][name] = value.clone();
    }
    object
}

fn set(uid: &str, revision: &str) -> Value {
    json!({"metadata": {"name": uid, "namespace": "shop", "uid": uid, "annotations": {REVISION: revision}, "ownerReferences": [{"controller": true, "uid": "d"}]}})
}

fn pod(uid: &str, owner: &str, reason: &str) -> Value {
    json!({
        "metadata": {"name": uid, "namespace": "shop", "uid": uid, "ownerReferences": [{"controller": true, "uid": owner}]},
        "status": {"containerStatuses": [{"name": "c", "restartCount": 1, "state": {"waiting": {"reason": reason, "message": "said"}}, "lastState": {"terminated": {"exitCode": 1}}}]}
    })
}

fn homeless(uid: &str, owner: &str) -> Value {
    json!({
        "metadata": {"name": uid, "namespace": "shop", "uid": uid, "ownerReferences": [{"controller": true, "uid": owner}]},
        "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}
    })
}

#[test]
fn what_is_ready_at_the_first_list_is_done_at_once() {
    let mut scene = Scene::new(&["Deployment"], &ReadySpec::default());
    assert!(!scene.after(0).done);
    scene.says(About::Objects, deployment(1, &json!({})));
    let judgement = scene.after(0);
    assert!(judgement.done && judgement.failures.is_empty());
    assert_eq!(judgement.changes, [Change { object: key("Deployment"), ready: true, message: "ready".into(), pending: 0, total: 1 }]);
    assert_eq!(scene.after(0).changes, []);
}

#[test]
fn only_pods_of_the_newest_revision_count() {
    let mut scene = Scene::new(&["Deployment"], &ReadySpec::default());
    scene.says(About::Objects, deployment(0, &json!({})));
    scene.says(About::ReplicaSets, set("old", "1"));
    scene.says(About::ReplicaSets, set("new", "2"));
    scene.says(About::Pods, pod("old-1", "old", "CrashLoopBackOff"));
    scene.says(About::Pods, pod("other-1", "somebody", "ErrImagePull"));
    assert_eq!(scene.after(1).failures, []);
    scene.says(About::Pods, pod("new-1", "new", "CrashLoopBackOff"));
    let failures = scene.after(1).failures;
    assert_eq!(failures[0].pod.as_ref().map(|p| (p.name.as_str(), p.fault.code())), Some(("new-1", "deploy/crash")));
}

#[test]
fn revisions_of_other_kinds_are_told_by_labels() {
    for (kind, revision, label) in
        [("StatefulSet", json!({"updateRevision": "b"}), "controller-revision-hash"), ("DaemonSet", json!({}), "pod-template-generation")]
    {
        let mut scene = Scene::new(&[kind], &ReadySpec::default());
        let mut status = json!({"observedGeneration": 1, "desiredNumberScheduled": 1});
        status["updateRevision"] = revision["updateRevision"].clone();
        scene.says(About::Objects, json!({
            "apiVersion": "apps/v1", "kind": kind, "status": status,
            "metadata": {"name": "web", "namespace": "shop", "uid": "w", "annotations": {"deprecated.daemonset.template.generation": "b"}}
        }));
        let mut old = pod("old", "w", "CrashLoopBackOff");
        old["metadata"]["labels"][label] = json!("a");
        scene.says(About::Pods, old);
        assert_eq!(scene.after(1).failures, [], "{kind}");
        let mut new = pod("new", "w", "CrashLoopBackOff");
        new["metadata"]["labels"][label] = json!("b");
        scene.says(About::Pods, new);
        assert_eq!(scene.after(1).failures.len(), 1, "{kind}");
    }
}

#[test]
fn a_pod_without_a_node_has_its_grace() {
    let mut scene = Scene::new(&["Deployment"], &ReadySpec::default());
    scene.says(About::Objects, deployment(0, &json!({})));
    scene.says(About::ReplicaSets, set("new", "2"));
    scene.says(About::Pods, homeless("new-1", "new"));
    let judgement = scene.after(1);
    assert_eq!(judgement.failures, []);
    assert_eq!(judgement.wake, Some(scene.start + Duration::from_secs(31)));
    assert!(judgement.changes[0].message.contains("no node takes pod/new-1"), "{judgement:?}");
    assert_eq!(scene.after(31).failures[0].pod.as_ref().unwrap().fault.cause, Cause::Unschedulable);
}

#[test]
fn a_node_that_is_coming_is_waited_for() {
    let mut scene = Scene::new(&["Deployment"], &ReadySpec::default());
    scene.says(About::Objects, deployment(0, &json!({})));
    scene.says(About::ReplicaSets, set("new", "2"));
    scene.says(About::Pods, homeless("new-1", "new"));
    scene.says(About::Events, json!({"metadata": {"uid": "e"}, "involvedObject": {"kind": "Pod", "uid": "new-1"}, "reason": "TriggeredScaleUp", "message": "1->2"}));
    assert_eq!((scene.after(1).failures, scene.after(100).failures), (vec![], vec![]));
    assert_eq!(scene.after(600).failures[0].after, Some(Duration::from_mins(10)));
}

#[test]
fn tolerated_failures_are_said_once_and_waited_out() {
    let spec = ReadySpec { tolerate_failures_until_deadline: true, ..ReadySpec::default() };
    let mut scene = Scene::new(&["Deployment"], &spec);
    scene.says(About::Objects, deployment(0, &json!({})));
    scene.says(About::ReplicaSets, set("new", "2"));
    scene.says(About::Pods, pod("new-1", "new", "ImagePullBackOff"));
    let judgement = scene.after(1);
    assert_eq!((judgement.failures.len(), judgement.tolerated.len(), judgement.done), (0, 1, false));
    assert_eq!(scene.after(2).tolerated, []);
    scene.says(About::Objects, deployment(1, &json!({})));
    assert!(scene.after(3).done);
}

#[test]
fn a_deployment_has_a_deadline_of_its_own() {
    let mut scene = Scene::new(&["Deployment"], &ReadySpec::default());
    scene.says(About::Objects, deployment(0, &json!({"progressDeadlineSeconds": 20})));
    assert_eq!(scene.after(24).failures, []);
    assert_eq!(scene.after(25).failures[0].after, Some(Duration::from_secs(25)));
    let mut longer = Scene::new(&["Deployment"], &ReadySpec { deadline: Duration::from_secs(5), ..ReadySpec::default() });
    longer.says(About::Objects, deployment(0, &json!({"progressDeadlineSeconds": 600})));
    assert_eq!(longer.after(5).failures.len(), 1);
}

#[test]
fn a_job_whose_pods_go_on_running_is_believed() {
    let mut scene = Scene::new(&["Job"], &ReadySpec::default());
    let job = |status: Value| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "web", "namespace": "shop", "uid": "j"}, "status": status});
    scene.says(About::Objects, job(json!({"active": 1, "ready": 1})));
    let judgement = scene.after(1);
    assert_eq!((judgement.done, judgement.wake), (false, Some(scene.start + JOB_SETTLES)));
    assert!(scene.after(10).done);
    scene.says(About::Objects, job(json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]})));
    assert_eq!(scene.after(11).failures[0].status, "BackoffLimitExceeded");
}

#[test]
fn what_disappears_is_missed() {
    let mut scene = Scene::new(&["Deployment", "Pod"], &ReadySpec::default());
    scene.says(About::Objects, deployment(1, &json!({})));
    scene.check.absent(|key| key.kind == "Pod");
    let judgement = scene.after(1);
    assert!(!judgement.done);
    let failures = scene.after(11).failures;
    assert_eq!((failures[0].object.kind.as_str(), failures[0].status.as_str()), ("Pod", "it is not in the cluster"));
}

#[test]
fn a_second_list_forgets_what_it_does_not_have() {
    let mut scene = Scene::new(&["Deployment"], &ReadySpec::default());
    scene.says(About::Objects, deployment(0, &json!({})));
    scene.says(About::ReplicaSets, set("new", "2"));
    scene.check.apply(7, About::Pods, WatchEvent::Applied(pod("new-1", "new", "CrashLoopBackOff")), scene.start);
    scene.check.apply(7, About::Pods, WatchEvent::Listing, scene.start);
    scene.check.apply(7, About::Pods, WatchEvent::Listed, scene.start);
    assert_eq!(scene.after(1).failures, []);
}

#[test]
fn all_are_judged_when_asked_to() {
    let mut scene = Scene::new(&["Deployment", "Pod"], &ReadySpec { fast_fail: false, ..ReadySpec::default() });
    scene.says(About::Objects, deployment(0, &json!({})));
    scene.says(About::ReplicaSets, set("new", "2"));
    scene.says(About::Pods, pod("new-1", "new", "ErrImagePull"));
    let judgement = scene.after(1);
    assert_eq!((judgement.failures.len(), judgement.done), (1, false));
    scene.says(About::Objects, json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "uid": "p"}, "status": {"phase": "Succeeded"}}));
    assert!(scene.after(2).done);
}

#[test]
fn a_start_without_a_probe_is_believed_after_a_moment() {
    let mut scene = Scene::new(&["Deployment"], &ReadySpec::default());
    let running = |restarts: i64, last: Value| {
        let mut pod = pod("new-1", "new", "");
        pod["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "c", "restartCount": restarts, "state": {"running": {}}, "lastState": last}]});
        pod["spec"] = json!({"containers": [{"name": "c"}]});
        pod
    };
    scene.says(About::Objects, deployment(0, &json!({})));
    scene.says(About::ReplicaSets, set("new", "2"));
    scene.says(About::Pods, running(0, json!({})));
    scene.says(About::Objects, deployment(1, &json!({})));
    let judgement = scene.after(1);
    assert_eq!((judgement.done, judgement.wake), (false, Some(scene.start + START_SETTLES)));
    assert!(scene.after(2).done);
    // The pod's status is ahead of the Deployment's.
    scene.says(About::Pods, pod("new-1", "new", "CrashLoopBackOff"));
    assert_eq!(scene.check.judge(scene.start).failures.len(), 1);
    scene.check.watched[0].failed = false;
    scene.says(About::Pods, running(1, json!({"terminated": {"exitCode": 1}})));
    assert!(!scene.after(2).done);
    assert!(scene.after(10).done);
}
