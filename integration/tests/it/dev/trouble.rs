//! Trouble from outside: pods that go away, a registry that fails.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use devloop_model::EventKind;
use serde_json::json;

use super::app::App;
use crate::context::TestContext;
use crate::session::Session;

impl Session {
    /// Waits for the log of another pod than `before`.
    fn follows_another_than(&mut self, before: &str) {
        self.until("log line of the new pod", |fact| {
            matches!(fact, EventKind::PodLog { pod, line, .. } if pod != before && line == "started").then_some(())
        });
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_goes_on_when_its_pod_is_deleted_or_evicted() {
    let app = App::new();
    app.write("web/start", "echo started; exec httpd -f -p 8080 -h /app/www\n");
    let mut session = app.dev(&[]);
    let (first, _) = app.pod("web");
    app.context.kubectl(&["delete", "pod", &first, "--wait=false"]);
    session.follows_another_than(&first);
    app.serves("v1");

    let (second, _) = app.pod("web");
    let about = json!({"name": second, "namespace": app.context.namespace()});
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": about});
    app.write("eviction.json", &eviction.to_string());
    let path = format!("/api/v1/namespaces/{}/pods/{second}/eviction", app.context.namespace());
    let file = app.context.path().join("eviction.json").display().to_string();
    app.context.kubectl(&["create", "--raw", &path, "-f", &file]);
    session.follows_another_than(&second);
    session.sleeps();
    app.save("v2");
    session.succeeds();
    app.serves("v2");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_tells_what_breaks_and_recovers_without_a_save() {
    let app = App::new();
    let mut session = app.dev(&[]);
    let (pod, _) = app.pod("web");
    let mut becomes = |command: &str, wanted: bool| {
        app.context.kubectl(&["exec", &pod, "--", "sh", "-c", command]);
        session.until("the readiness of web", |fact| match fact {
            EventKind::Readiness { object, ready, message, .. } if object.name == "web" && *ready == wanted => Some(message.clone()),
            _ => None,
        })
    };
    // Without a page, its probe fails.
    let why = becomes("mv /app/www/index.html /app/gone", false);
    assert!(why.contains("available"), "{why}");
    assert_eq!(becomes("mv /app/gone /app/www/index.html", true), "ready");
    app.save("v2");
    session.succeeds();
    app.serves("v2");
    session.leaves("INT");
}

/// A registry in front of the real one, whose uploads fail as often as it is told.
struct FlakyRegistry {
    port: u16,
    failures: Arc<AtomicUsize>,
}

impl FlakyRegistry {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { port: listener.local_addr().unwrap().port(), failures: Arc::default() };
        let failures = Arc::clone(&registry.failures);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let failures = Arc::clone(&failures);
                // A client that went away is none of our business.
                std::thread::spawn(move || serve(client, &failures).ok());
            }
        });
        registry
    }
}

/// Passes one request on, or refuses it.
fn serve(mut client: TcpStream, failures: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let uploads = ["POST ", "PUT ", "PATCH "].iter().any(|method| head.starts_with(method));
    let spend = |left: usize| left.checked_sub(1);
    if uploads && failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_ok() {
        client.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        return client.shutdown(Shutdown::Write);
    }
    let mut registry = TcpStream::connect("127.0.0.1:5000")?;
    // One request for each connection, so that each is looked at.
    registry.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    let (mut answers, mut to) = (registry.try_clone()?, client);
    let back = std::thread::spawn(move || {
        std::io::copy(&mut answers, &mut to)?;
        to.shutdown(Shutdown::Both)
    });
    std::io::copy(&mut reader, &mut registry)?;
    back.join().unwrap()
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_pushes_again_when_the_registry_fails() {
    let registry = FlakyRegistry::start();
    let context = TestContext::new().with_example("ko");
    let repository = format!("localhost:{}/{}", registry.port, context.namespace());
    let context = context.with("SKAFFOLD_DEFAULT_REPO", &repository);
    let app = App { context };
    let mut session = app.dev(&[]);
    app.service_answers("hello-ko", "Hello from ko, without a Dockerfile\n");

    // Twice is overcome in the same pass.
    registry.failures.store(2, Ordering::SeqCst);
    app.edit("main.go", "Hello from ko, without a Dockerfile", "second");
    session.succeeds();
    assert_eq!(registry.failures.load(Ordering::SeqCst), 0);
    app.service_answers("hello-ko", "second\n");

    // A registry that is down fails the pass, and the next save tries again.
    registry.failures.store(usize::MAX, Ordering::SeqCst);
    app.edit("main.go", "\"second\"", "\"third\"");
    let said = session.fails();
    assert!(said.contains("503"), "{said}");
    app.service_answers("hello-ko", "second\n");
    registry.failures.store(0, Ordering::SeqCst);
    app.edit("main.go", "\"third\"", "\"fourth\"");
    session.succeeds();
    app.service_answers("hello-ko", "fourth\n");
    session.leaves("INT");
}
