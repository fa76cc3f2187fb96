//! The server, over real connections.

mod client;
mod messages;

use std::time::Duration;

use devloop_model::AutoStage;
use devloop_model::Command;
use devloop_model::Event;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::Namespace;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

use self::client::Server;
use super::*;
use crate::console::sample;
use crate::console::sample::event;

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

fn pod_line(seq: u64, artifact: &str, line: &str) -> Event {
    let (namespace, pod, container) = (Namespace("default".into()), format!("{artifact}-1"), "app".into());
    event(seq, EventKind::PodLog { namespace, pod, container, artifact: Some(sample::name(artifact)), line: line.into() })
}

#[tokio::test]
async fn what_a_session_knows_can_be_asked() {
    let server = Server::start(None);
    for event in sample::run_of_two() {
        server.api.report(&event);
    }
    let session = server.get("/v1/session").await.json();
    assert_eq!((&session["pid"], &session["command"], &session["context"]), (&json!(std::process::id()), &json!("run"), &json!("kind")));
    let snapshot: crate::Snapshot = serde_json::from_value(server.get("/v1/snapshot").await.json()).unwrap();
    assert_eq!(snapshot.artifacts.len(), 3);
    assert!(snapshot.resources.iter().all(|resource| resource.ready) && snapshot.ended.is_some());
    let why = server.get("/v1/why?artifact=web").await.json();
    assert_eq!(why[0]["causes"], json!([{ "cause": "file", "path": "src/main.go", "change": "changed" }]));
    assert_eq!(why[1]["artifact"], Value::Null);
    let missing = server.get("/v1/why?artifact=none").await;
    assert_eq!((missing.status, &missing.json()["message"]), (404, &json!("this session has no artifact `none`")));
    assert_eq!(server.get("/v1/state").await.json()["buildState"]["artifacts"]["web"], "Complete");
    assert_eq!(server.get("/v2/state").await.json()["buildState"]["artifacts"]["web"], "Succeeded");
    assert_eq!(server.get("/v3/state").await.json(), json!({ "code": 5, "message": "Not Found", "details": [] }));
    assert_eq!(server.send("POST", "/v1/state", "{}").await.status, 501);
}

#[tokio::test]
async fn web_pages_and_strangers_are_refused() {
    let mut server = Server::start(Some("s3cret"));
    let own = format!("127.0.0.1:{}", server.port);
    let token = "Authorization: Bearer s3cret";
    for (head, status) in [
        (format!("Host: {own}\r\n{token}"), 200),
        (format!("Host: evil.example\r\n{token}"), 403),
        (format!("Host: {own}\r\nOrigin: http://evil.example\r\n{token}"), 403),
        (format!("Host: {own}"), 401),
        (format!("Host: {own}\r\nAuthorization: Bearer guess"), 401),
    ] {
        assert_eq!(server.raw(&format!("GET /v1/session HTTP/1.1\r\n{head}\r\n\r\n")).await.status, status, "{head}");
    }
    let form = format!(
        "POST /v1/execute HTTP/1.1\r\nHost: {own}\r\n{token}\r\nOrigin: http://{own}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    );
    let refused = server.raw(&format!("{form}Content-Length: 10\r\n\r\nbuild=true")).await;
    assert_eq!((refused.status, &refused.json()["message"]), (415, &json!("send JSON, with `Content-Type: application/json`")));
    assert!(server.commands.try_recv().is_err(), "nothing was asked of the loop");
    assert!(refused.header("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn what_curl_sends_without_a_content_type_is_json() {
    let mut server = Server::start(None);
    let (own, body) = (format!("localhost:{}", server.port), r#"{"build":true}"#);
    let head = format!("POST /v1/execute HTTP/1.1\r\nHost: {own}\r\nContent-Type: application/x-www-form-urlencoded");
    let answer = server.raw(&format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(server.commands.try_recv().unwrap(), Command::Execute { build: true, sync: false, deploy: false });
    let form = "build=true";
    assert_eq!(server.raw(&format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len())).await.status, 400);
}

#[tokio::test]
async fn the_api_is_not_for_a_network() {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let (commands, _kept) = tokio::sync::mpsc::channel(1);
    let started = Api::start(listener, ApiSettings::default(), commands, CancellationToken::new());
    assert!(matches!(started.map(|_| ()), Err(ApiError::NotLoopback(_))));
}

#[tokio::test]
async fn a_body_too_large_is_refused() {
    let server = Server::start(None);
    let body = format!("{{\"build\":true,\"x\":\"{}\"}}", "x".repeat(100_000));
    assert_eq!(server.send("POST", "/v1/execute", &body).await.status, 413);
}

#[tokio::test]
async fn commands_reach_the_loop() {
    let mut server = Server::start(None);
    for (method, path, body, status, command) in [
        ("POST", "/v1/execute", r#"{"build":true,"unknown":1}"#, 200, Some(Command::Execute { build: true, sync: false, deploy: false })),
        ("POST", "/v2/execute", r#"{"devloop":true}"#, 200, Some(Command::Execute { build: true, sync: true, deploy: true })),
        ("POST", "/v2/execute", "{}", 200, None),
        ("POST", "/v2/execute", "[]", 400, None),
        ("PUT", "/v1/build/auto_execute", r#"{"enabled":false}"#, 200, Some(Command::Auto { stage: AutoStage::Build, enabled: false })),
        ("PUT", "/v1/build/auto_execute", "{}", 400, None),
        ("PUT", "/v2/deploy/auto_execute", "{}", 200, Some(Command::Auto { stage: AutoStage::Deploy, enabled: false })),
        ("PUT", "/v2/sync/auto_execute", r#"{"enabled":true}"#, 409, None),
        ("PUT", "/v2/test/auto_execute", r#"{"enabled":true}"#, 404, None),
        (
            "POST",
            "/v1/command",
            r#"{"command":"rebuild","artifact":"web"}"#,
            200,
            Some(Command::Rebuild { artifact: Some(sample::name("web")) }),
        ),
        ("POST", "/v1/command", r#"{"command":"fly"}"#, 400, None),
    ] {
        let answer = server.send(method, path, body).await;
        assert_eq!((answer.status, server.commands.try_recv().ok()), (status, command), "{method} {path} {body}");
    }
    server.commands.close();
    assert_eq!(server.send("POST", "/v1/command", r#"{"command":"redeploy"}"#).await.status, 503);
}

#[tokio::test]
async fn events_are_followed_and_taken_up_again() {
    let server = Server::start(None);
    (1..=3).for_each(|seq| server.api.report(&event(seq, EventKind::TaggingStarted)));
    let mut stream = server.stream("/v1/events", "Accept: text/event-stream").await;
    for seq in 1..=3 {
        let text = stream.until("\n\n").await;
        assert_eq!(text, format!("id: {seq}\ndata: {}", serde_json::to_string(&event(seq, EventKind::TaggingStarted)).unwrap()));
    }
    server.api.report(&event(4, EventKind::CacheCheckStarted));
    assert!(stream.until("\n\n").await.starts_with("id: 4\n"));
    let mut again = server.stream("/v1/events", "Accept: text/event-stream\r\nLast-Event-ID: 3").await;
    assert!(again.until("\n\n").await.starts_with("id: 4\n"));
    let mut again = server.stream("/v1/events?after=2", "Accept: text/event-stream").await;
    assert!(again.until("\n\n").await.starts_with("id: 3\n"));
    server.cancel.cancel();
    assert_eq!(stream.rest().await, "", "the stream ends with the session");
}

#[tokio::test]
async fn secrets_do_not_leave() {
    let server = Server::start(None);
    server.api.report(&pod_line(1, "web", "it is hunter2"));
    let mut stream = server.stream("/v1/events", "Accept: text/event-stream").await;
    let text = stream.until("\n\n").await;
    assert!(text.contains("it is ***") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_client_that_does_not_read_stalls_nobody() {
    let server = Server::start(None);
    server.api.report(&event(1, EventKind::TaggingStarted));
    let mut slow = server.stream("/v1/events", "Accept: text/event-stream").await;
    assert!(slow.until("\n\n").await.starts_with("id: 1\n"));
    // Far more than the sockets and the replay buffer hold: a server that waited would never come back here.
    let line = "x".repeat(1000);
    let last = 25_000;
    for seq in 2..last {
        server.api.report(&pod_line(seq, "web", &line));
        if seq % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    server.api.report(&event(last, EventKind::CacheCheckStarted));
    assert_eq!(server.get("/v1/snapshot").await.json()["seq"], last, "others are answered meanwhile");
    let (mut dropped, mut seen) = (0, 1);
    loop {
        let text = slow.until("\n\n").await;
        if let Some(data) = text.strip_prefix("event: dropped\ndata: ") {
            dropped += serde_json::from_str::<Value>(data).unwrap()["dropped"].as_u64().unwrap();
        } else {
            seen += 1;
        }
        if text.starts_with(&format!("id: {last}\n")) {
            break;
        }
    }
    assert!(dropped > 0);
    assert_eq!(dropped + seen, last, "every event was seen or counted");
}

#[tokio::test]
async fn logs_are_kept_and_followed() {
    let server = Server::start(None);
    for (seq, artifact, line) in [(1, "web", "one"), (2, "api", "two"), (3, "web", "three"), (4, "web", "four")] {
        server.api.report(&pod_line(seq, artifact, line));
    }
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fact"]["line"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(lines(&server.get("/v1/logs").await.body), ["one", "two", "three", "four"]);
    assert_eq!(lines(&server.get("/v1/logs?artifact=web&tail=2").await.body), ["three", "four"]);
    assert_eq!(lines(&server.get("/v1/logs?artifact=web,api&tail=9").await.body).len(), 4);
    assert_eq!(server.get("/v1/logs?since=2030-01-01T00:00:00Z").await.body, "");
    assert_eq!(server.get("/v1/logs?since=yesterday").await.status, 400);
    let mut follow = server.stream("/v1/logs?artifact=api&follow=true&tail=0", "Accept: */*").await;
    server.api.report(&pod_line(5, "web", "five"));
    server.api.report(&pod_line(6, "api", "six"));
    assert_eq!(lines(&follow.until("\n").await), ["six"]);
}

#[tokio::test]
async fn events_that_clients_hand_in_reach_the_others() {
    let server = Server::start(None);
    server.api.report(&sample::log_line(1, "building"));
    assert_eq!(server.send("POST", "/v1/events/handle", r#"{"metaEvent":{"entry":"mine"}}"#).await.json(), json!({}));
    assert_eq!(server.send("POST", "/v2/events/handle", r#"{"metaEvent":{"entry":"mine too"}}"#).await.json(), json!({}));
    assert_eq!(server.send("POST", "/v2/events/handle", "{}").await.status, 400);
    let mut first = server.stream("/v1/events", "Accept: application/json").await;
    let entry: Value = serde_json::from_str(&first.until("\n").await).unwrap();
    assert_eq!(entry["result"]["event"], json!({ "metaEvent": { "entry": "mine" } }));
    let mut second = server.stream("/v2/events", "Accept: application/json").await;
    assert_eq!(serde_json::from_str::<Value>(&second.until("\n").await).unwrap()["result"]["skaffoldLogEvent"]["message"], "building\n");
    assert_eq!(serde_json::from_str::<Value>(&second.until("\n").await).unwrap()["result"]["metaEvent"]["entry"], "mine too");
}

#[tokio::test]
async fn a_server_ends_though_a_client_stays() {
    let server = Server::start(None);
    let mut idle = server.connect().await;
    // A request that is never finished.
    idle.write_all(format!("GET /v1/session HTTP/1.1\r\nHost: localhost:{}\r\n\r\nGET /", server.port).as_bytes()).await.unwrap();
    assert!(idle.read(&mut [0; 4096]).await.unwrap() > 0);
    server.cancel.cancel();
    tokio::time::timeout(LIMIT, server.serving).await.unwrap().unwrap();
    let closed = idle.read(&mut [0; 4096]).await;
    assert!(matches!(closed, Ok(0)) || closed.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
}

#[test]
fn artifacts_are_named_as_in_events() {
    let name: ImageName = "gcr.io/p/web".parse().unwrap();
    let query = super::body::Query::of(&"/v1/why?artifact=gcr.io%2Fp%2Fweb".parse().unwrap());
    assert_eq!(query.parsed::<ImageName>("artifact").unwrap(), Some(name));
}
