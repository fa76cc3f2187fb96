//! Requests as the API server gets them, and what its answers become.
#![expect(clippy::needless_pass_by_value, reason = "a `json!` handed over reads best")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;

use devloop_model::Change;
use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Stage;
use devloop_model::StepId;
use futures::StreamExt as _;
use http::Request;
use http::Response;
use kube::client::Body;
use serde_json::Value;
use serde_json::json;

use super::*;

/// An API server that gives the next answer of a list to each request, and remembers the requests.
#[derive(Clone, Default)]
struct Server {
    requests: Arc<Mutex<Vec<String>>>,
    left: Arc<Mutex<VecDeque<(u16, Value)>>>,
}

impl Server {
    fn with(answers: Vec<(u16, Value)>) -> (Cluster, Self) {
        let server = Self { left: Arc::new(Mutex::new(answers.into())), ..Self::default() };
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let shared = server.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                let (parts, body) = request.into_parts();
                let body = String::from_utf8(body.collect_bytes().await.unwrap().to_vec()).unwrap();
                let kind = parts.headers.get("content-type").map(|v| format!(" {}", v.to_str().unwrap())).unwrap_or_default();
                let line = format!("{} {}{kind} {body}", parts.method, parts.uri);
                shared.requests.lock().unwrap().push(line.trim_end().to_owned());
                let Some((status, body)) = shared.left.lock().unwrap().pop_front() else { panic!("no answer left for {line}") };
                answer.send_response(Response::builder().status(status).body(Body::from(body.to_string().into_bytes())).unwrap());
            }
        });
        (Cluster::new(kube::Client::new(service, "shop"), Some("dev".into()), "https://dev:6443".into(), false), server)
    }

    /// Returns the requests, once every answer was asked for.
    fn requests(&self) -> String {
        assert!(self.left.lock().unwrap().is_empty(), "answers that nobody asked for");
        self.requests.lock().unwrap().join("\n")
    }
}

fn cx() -> Cx {
    Cx::silent(StepId::of(Stage::Deploy))
}

fn failure(code: u16, reason: &str, message: &str, details: Value) -> (u16, Value) {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message, "details": details}),
    )
}

fn not_found() -> (u16, Value) {
    failure(404, "NotFound", "configmaps \"settings\" not found", json!({"name": "settings", "kind": "configmaps"}))
}

fn settings(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data})
}

fn live(version: &str, data: Value, managed: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop", "uid": "u", "resourceVersion": version, "managedFields": managed}, "data": data})
}

fn key() -> ObjectKey {
    ObjectKey::of(&settings(Value::Null))
}

#[tokio::test]
async fn an_apply_reads_and_patches() {
    let (cluster, server) = Server::with(vec![not_found(), (201, live("1", json!({"a": "b"}), json!([])))]);
    let applied = cluster.apply(&settings(json!({"a": "b"})), ApplyOptions::default(), &cx()).await.unwrap();
    assert_eq!(applied.change, Change::Created);
    insta::assert_snapshot!(server.requests(), @r#"
    GET /api/v1/namespaces/shop/configmaps/settings
    PATCH /api/v1/namespaces/shop/configmaps/settings?fieldManager=devloop&force=true&fieldValidation=Strict application/apply-patch+yaml {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"a":"b"}}
    "#);
}

#[tokio::test]
async fn a_client_side_apply_is_taken_over_even_when_somebody_writes_meanwhile() {
    let theirs = json!([{"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}}]);
    let (cluster, server) = Server::with(vec![
        (200, live("1", json!({"a": "b"}), theirs.clone())),
        failure(409, "Conflict", "the object has been modified", json!({"name": "settings", "kind": "configmaps"})),
        (200, live("2", json!({"a": "b"}), theirs)),
        (200, live("3", json!({"a": "b"}), json!([]))),
        (200, live("4", json!({"c": "d"}), json!([]))),
    ]);
    let applied = cluster.apply(&settings(json!({"c": "d"})), ApplyOptions::default(), &cx()).await.unwrap();
    assert_eq!(applied.change, Change::Configured);
    insta::assert_snapshot!(server.requests(), @r#"
    GET /api/v1/namespaces/shop/configmaps/settings
    PATCH /api/v1/namespaces/shop/configmaps/settings?fieldManager=devloop application/json-patch+json [{"op":"replace","path":"/metadata/managedFields","value":[{"manager":"devloop","operation":"Apply","fieldsV1":{"f:data":{"f:a":{}}}}]},{"op":"replace","path":"/metadata/resourceVersion","value":"1"}]
    GET /api/v1/namespaces/shop/configmaps/settings
    PATCH /api/v1/namespaces/shop/configmaps/settings?fieldManager=devloop application/json-patch+json [{"op":"replace","path":"/metadata/managedFields","value":[{"manager":"devloop","operation":"Apply","fieldsV1":{"f:data":{"f:a":{}}}}]},{"op":"replace","path":"/metadata/resourceVersion","value":"2"}]
    PATCH /api/v1/namespaces/shop/configmaps/settings?fieldManager=devloop&force=true&fieldValidation=Strict application/apply-patch+yaml {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"c":"d"}}
    "#);
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_what_lasts_is_told() {
    let busy = || failure(429, "TooManyRequests", "slow down", json!({"retryAfterSeconds": 1}));
    let (cluster, server) =
        Server::with(vec![busy(), failure(503, "ServiceUnavailable", "starting", json!({})), (200, live("1", json!({}), json!([])))]);
    assert!(cluster.get("v1", &key(), &cx()).await.unwrap().is_some());
    assert_eq!(server.requests().lines().count(), 3);

    let (cluster, server) = Server::with(vec![busy(), busy(), busy(), busy(), busy()]);
    let error = cluster.get("v1", &key(), &cx()).await.unwrap_err();
    assert_eq!(server.requests().lines().count(), 5);
    insta::assert_snapshot!(error.diagnostic(), @r"
    error[kube/server]: the API server failed to get configmap/settings in namespace shop
      slow down (HTTP status 429)
    ");
}

#[tokio::test]
async fn a_kind_is_asked_for_once_and_again_after_it_was_forgotten() {
    let widgets = || (200, json!({"kind": "APIResourceList", "resources": [{"name": "widgets", "kind": "Widget", "namespaced": true}]}));
    let (cluster, server) = Server::with(vec![widgets(), widgets()]);
    for _ in 0..2 {
        assert_eq!(cluster.resource("example.com/v1", "Widget", &cx()).await.unwrap().plural, "widgets");
    }
    cluster.forget_kinds();
    let error = cluster.resource("example.com/v1", "Gadget", &cx()).await.unwrap_err();
    insta::assert_snapshot!(error.diagnostic(), @r"
    error[kube/unknown-kind]: the cluster knows no kind `Gadget` of `example.com/v1`
    help: add the CustomResourceDefinition of `example.com/v1` to the manifests, or install its operator first
    ");
    assert_eq!(server.requests(), "GET /apis/example.com/v1\nGET /apis/example.com/v1");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let (cluster, server) = Server::with(vec![
        (200, json!({"metadata": {"continue": "more/="}, "items": [{"metadata": {"name": "a"}}]})),
        (200, json!({"metadata": {}, "items": [{"metadata": {"name": "b"}}]})),
    ]);
    let selection = Selection::of(built_in_kind("apps/v1", "Deployment").unwrap(), Some(Namespace("shop".into()))).labels("a=b,c in (d)");
    assert_eq!(cluster.list(&selection, Detail::Metadata, &cx()).await.unwrap().len(), 2);
    insta::assert_snapshot!(server.requests(), @r"
    GET /apis/apps/v1/namespaces/shop/deployments?limit=500&labelSelector=a%3Db%2Cc%20in%20%28d%29
    GET /apis/apps/v1/namespaces/shop/deployments?limit=500&labelSelector=a%3Db%2Cc%20in%20%28d%29&continue=more%2F%3D
    ");
}

#[tokio::test]
async fn a_delete_is_for_one_object_and_says_how() {
    let (cluster, server) = Server::with(vec![(200, json!({"kind": "Status"})), not_found()]);
    let options = DeleteOptions {
        propagation: Propagation::Foreground,
        grace: Some(std::time::Duration::ZERO),
        uid: Some("u".into()),
        dry_run: false,
    };
    assert!(cluster.delete("v1", &key(), &options, &cx()).await.unwrap());
    assert!(!cluster.delete("v1", &key(), &DeleteOptions::default(), &cx()).await.unwrap());
    insta::assert_snapshot!(server.requests(), @r#"
    DELETE /api/v1/namespaces/shop/configmaps/settings application/json {"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground","gracePeriodSeconds":0,"preconditions":{"uid":"u"}}
    DELETE /api/v1/namespaces/shop/configmaps/settings application/json {"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}
    "#);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let about = json!({"name": "settings", "kind": "configmaps"});
    for (answer, code) in [
        (failure(403, "Forbidden", "User \"me\" cannot get resource \"configmaps\"", about.clone()), "kube/forbidden"),
        (failure(403, "Forbidden", "exceeded quota: small", about.clone()), "kube/rejected"),
        (failure(401, "Unauthorized", "Unauthorized", json!({})), "kube/unauthorized"),
        (failure(422, "Invalid", "is invalid", about.clone()), "kube/rejected"),
        (
            failure(404, "NotFound", "namespaces \"shop\" not found", json!({"name": "shop", "kind": "namespaces"})),
            "kube/namespace-missing",
        ),
        (failure(404, "NotFound", "the server could not find the requested resource", json!({})), "kube/unknown-kind"),
        (failure(409, "Conflict", "modified", about), "kube/conflict"),
    ] {
        let (cluster, _server) = Server::with(vec![answer.clone()]);
        let error = cluster.get("v1", &key(), &cx()).await.unwrap_err();
        assert_eq!(error.diagnostic().code, code, "{answer:?}");
    }
}

#[tokio::test]
async fn a_watch_lists_and_ends_when_it_is_forbidden() {
    let (cluster, _server) =
        Server::with(vec![failure(403, "Forbidden", "User \"me\" cannot list resource \"pods\"", json!({"kind": "pods"}))]);
    let selection = Selection::of(built_in_kind("v1", "Pod").unwrap(), Some(Namespace("shop".into())));
    let events: Vec<_> = cluster.watch(&selection, &cx()).collect().await;
    let error = events.into_iter().find_map(Result::err).unwrap();
    insta::assert_snapshot!(error.diagnostic(), @r#"
    error[kube/forbidden]: not allowed to watch pods in namespace shop
      User "me" cannot list resource "pods"
    help: ask an administrator of the cluster for a role that allows it, or deploy to another namespace with `--namespace`
    "#);
}

#[tokio::test]
async fn a_watch_ends_with_its_step() {
    let (cluster, _server) = Server::with(vec![(200, json!({"metadata": {"resourceVersion": "1"}, "items": []}))]);
    let cx = cx();
    let selection = Selection::of(built_in_kind("v1", "Pod").unwrap(), None);
    let mut events = cluster.watch(&selection, &cx);
    assert_eq!(events.next().await.unwrap().unwrap(), WatchEvent::Listing);
    cx.cancel.cancel();
    assert!(events.next().await.is_none());
}
