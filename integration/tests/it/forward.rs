//! Ports of real pods on this machine, over everything that pods go through.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use devloop_attach::AttachError;
use devloop_attach::AttachSpec;
use devloop_attach::ForwardModes;
use devloop_attach::ForwardSpec;
use devloop_attach::Live;
use devloop_attach::attach;
use devloop_attach::forward_ports;
use devloop_model::EventKind;
use devloop_model::ForwardPort;
use devloop_model::ForwardState;
use devloop_model::Location;
use devloop_model::Namespace;
use devloop_model::PortForward;
use devloop_model::Stage;
use devloop_model::Template;
use devloop_model::Vars;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::context::TestContext;
use crate::context::free_port;
use crate::ready::applied;
use crate::ready::connected;
use crate::ready::workload;

/// A pod that serves its own name.
const SERVE: &str = "command: [sh, -c, 'mkdir /w && hostname > /w/index.html && exec httpd -f -p 8080 -h /w'], ports: [{name: web, containerPort: 8080}], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}";
const SERVICE: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{name: front, port: 8090, targetPort: web}]}\n";

/// Forwards that run until the test ends.
struct Session {
    deploys: watch::Sender<Arc<Live>>,
    events: UnboundedReceiver<EventKind>,
    work: JoinHandle<Result<(), AttachError>>,
    cancel: CancellationToken,
}

impl Session {
    async fn start(context: &TestContext, modes: ForwardModes, entries: Vec<PortForward>, live: Live) -> Self {
        let (cluster, cx, events) = connected(Stage::Attach).await;
        let cancel = cx.cancel.clone();
        let (deploys, live) = watch::channel(Arc::new(live));
        let namespace = Namespace(context.namespace().to_owned());
        let spec = ForwardSpec { modes, debuggers: BTreeMap::new(), entries, namespace, vars: Vars::default(), asks: true };
        let work = tokio::spawn(async move { forward_ports(&spec, live, &cluster, &cx).await });
        Self { deploys, events, work, cancel }
    }

    /// Returns the next state of a forward, with the name of its source and its local port.
    async fn state(&mut self) -> (String, u16, ForwardState) {
        loop {
            match self.event().await {
                EventKind::PortForwarded { source, local_port, state, .. } => return (source.to_string(), local_port, state),
                EventKind::UrlAnswered { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Returns the local port and pod of a source once it is ready.
    async fn ready(&mut self, wanted: &str) -> (u16, String) {
        loop {
            if let (source, port, ForwardState::Ready { pod }) = self.state().await
                && source == wanted
            {
                return (port, pod);
            }
        }
    }

    /// Returns the next source that is ready.
    async fn next_ready(&mut self) -> String {
        loop {
            if let (source, _, ForwardState::Ready { .. }) = self.state().await {
                return source;
            }
        }
    }

    /// Returns why a source waits, once it does.
    async fn waiting(&mut self, wanted: &str) -> String {
        loop {
            if let (source, _, ForwardState::Waiting { why }) = self.state().await
                && source == wanted
            {
                return why;
            }
        }
    }

    async fn event(&mut self) -> EventKind {
        tokio::time::timeout(Duration::from_mins(1), self.events.recv()).await.expect("something happens").expect("it is told")
    }

    /// Ends the session; returns which sources were closed.
    async fn end(mut self) -> Vec<String> {
        self.cancel.cancel();
        self.work.await.unwrap().unwrap();
        let mut closed = Vec::new();
        while let Some(event) = self.events.recv().await {
            if let EventKind::PortForwarded { source, state: ForwardState::Closed, .. } = event {
                closed.push(source.to_string());
            }
        }
        closed
    }
}

fn user() -> ForwardModes {
    ForwardModes { user: true, ..ForwardModes::default() }
}

fn entry(kind: &str, name: &str, port: ForwardPort, local_port: Option<u16>) -> PortForward {
    let at = Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None };
    let name = Template::parse(name).unwrap();
    PortForward { context: None, kind: kind.into(), name, namespace: None, port, address: "127.0.0.1".into(), local_port, at }
}

/// Returns what a GET of the first page gives: one connection, no second try.
pub(crate) async fn get(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_mins(1), stream.read_to_string(&mut answer)).await.expect("it ends").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.trim().to_owned()
}

fn live(release: devloop_model::Release) -> Live {
    Live { release, ..Live::default() }
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn the_local_port_stays_whatever_pods_do() {
    let context = TestContext::new();
    let wanted = free_port();
    let entries = vec![entry("Service", "web", ForwardPort::Name("front".into()), Some(wanted))];
    let mut session = Session::start(&context, user(), entries, Live::default()).await;
    let why = session.waiting("service/web:front").await;
    assert_eq!(why, format!("there is no service/web in namespace {}", context.namespace()));
    let objects = workload("Deployment", "web", "replicas: 1, ", SERVE) + SERVICE;
    let release = applied(&context, &objects);
    let (port, first) = session.ready("service/web:front").await;
    assert_eq!(port, wanted);
    session.deploys.send_replace(Arc::new(live(release)));
    let url = loop {
        if let EventKind::UrlAnswered { url, .. } = session.event().await {
            break url;
        }
    };
    assert_eq!(url, format!("http://127.0.0.1:{port}"));
    assert_eq!(get(port).await, first);

    // A connection that comes while there is no pod waits for the next.
    context.kubectl(&["delete", "pod", &first, "--wait=false"]);
    context.kubectl(&["wait", "--for=delete", &format!("pod/{first}")]);
    let second = get(port).await;
    assert_ne!(second, first);
    assert_eq!(session.ready("service/web:front").await, (port, second.clone()));

    context.kubectl(&["scale", "deployment/web", "--replicas=0"]);
    while session.waiting("service/web:front").await != "no pod of service/web is there" {}
    let waiting = tokio::spawn(get(port));
    context.kubectl(&["scale", "deployment/web", "--replicas=1"]);
    let third = waiting.await.unwrap();
    assert_eq!(session.ready("service/web:front").await, (port, third));
    assert_eq!(session.end().await, ["service/web:front"]);
    TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn ports_are_found_by_number_and_name_and_taken_ones_give_the_next() {
    let context = TestContext::new();
    let release = applied(&context, &(workload("Deployment", "web", "", SERVE) + SERVICE));
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let entries = vec![
        entry("deployment", "web", ForwardPort::Number(8080), Some(taken_port)),
        entry("deployment", "web", ForwardPort::Name("web".into()), None),
        entry("service", "web", ForwardPort::Number(81), None),
        entry("service", "web", ForwardPort::Number(8090), None),
        entry("container", "web", ForwardPort::Number(80), None),
    ];
    let mut session = Session::start(&context, user(), entries, live(release)).await;
    let (mut ready, mut failed) = (Vec::new(), Vec::new());
    while ready.len() + failed.len() < 5 {
        match session.state().await {
            (source, port, ForwardState::Ready { pod }) => {
                assert_eq!(get(port).await, pod);
                ready.push((source, port));
            }
            (source, _, ForwardState::Failed { why }) => failed.push((source, why)),
            (_, _, ForwardState::Waiting { .. } | ForwardState::Closed) => {}
        }
    }
    ready.sort();
    let sources: Vec<&str> = ready.iter().map(|(source, _)| source.as_str()).collect();
    assert_eq!(sources, ["deployment/web:8080", "deployment/web:web", "service/web:8090"]);
    assert!(ready[0].1 > taken_port && ready[0].1 <= taken_port + 10, "{ready:?} {taken_port}");
    failed.sort();
    assert_eq!(
        failed,
        [
            ("container/web:80".to_owned(), "a container is nothing that Kubernetes has: it is for the docker deployer".to_owned()),
            ("service/web:81".to_owned(), "service/web has no port 81; its ports: 8090 (`front`)".to_owned()),
        ]
    );
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn modes_find_services_and_pods_and_let_go_of_what_left_the_release() {
    let context = TestContext::new();
    let release = applied(&context, &(workload("Deployment", "web", "", SERVE) + SERVICE));
    let modes = ForwardModes { services: true, pods: true, ..ForwardModes::default() };
    let mut session = Session::start(&context, modes, vec![], live(release.clone())).await;
    let mut ready = Vec::new();
    while ready.len() < 2 {
        if let (source, port, ForwardState::Ready { .. }) = session.state().await {
            get(port).await;
            ready.push(source);
        }
    }
    ready.sort();
    assert_eq!(ready, ["deployment/web:8080", "service/web:8090"]);
    let mut smaller = release;
    smaller.objects.retain(|object| object.key.kind != "Service");
    session.deploys.send_replace(Arc::new(live(smaller)));
    loop {
        if let (source, _, ForwardState::Closed) = session.state().await {
            assert_eq!(source, "service/web:8090");
            break;
        }
    }
    assert_eq!(session.end().await, ["deployment/web:8080"]);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_request_waits_for_a_server_that_starts_late() {
    let context = TestContext::new();
    // Nobody listens at first, and nothing says that the pod is not ready.
    let late =
        "command: [sh, -c, 'mkdir /w && hostname > /w/index.html; while [ ! -e /go ]; do sleep 0.1; done; exec httpd -f -p 8080 -h /w']";
    let release = applied(&context, &workload("Deployment", "web", "", late));
    let mut session =
        Session::start(&context, user(), vec![entry("deployment", "web", ForwardPort::Number(8080), None)], live(release)).await;
    let local_port = loop {
        if let (_, port, ForwardState::Waiting { why }) = session.state().await
            && why.contains("refused")
        {
            break port;
        }
    };
    let waiting = tokio::spawn(get(local_port));
    context.kubectl(&["exec", "deployment/web", "--", "touch", "/go"]);
    let answer = waiting.await.unwrap();
    assert_eq!(session.ready("deployment/web:8080").await, (local_port, answer));
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn another_configuration_changes_only_the_ports_that_it_changes() {
    let context = TestContext::new();
    let release = applied(&context, &(workload("Deployment", "web", "", SERVE) + SERVICE));
    let (kept, moved) = (free_port(), free_port());
    let of = |entries| AttachSpec {
        debugs: false,
        logs: None,
        forwards: ForwardSpec {
            modes: user(),
            debuggers: BTreeMap::new(),
            entries,
            namespace: Namespace(context.namespace().to_owned()),
            vars: Vars::default(),
            asks: true,
        },
    };
    let stays = || entry("service", "web", ForwardPort::Number(8090), Some(kept));
    let specs = watch::Sender::new(of(vec![stays(), entry("deployment", "web", ForwardPort::Number(8080), Some(moved))]));
    let (cluster, cx, events) = connected(Stage::Attach).await;
    let cancel = cx.cancel.clone();
    let (deploys, now) = watch::channel(Arc::new(live(release)));
    let wanted = specs.subscribe();
    let work = tokio::spawn(async move { attach(wanted, now, &cluster, &cx).await });
    let mut session = Session { deploys, events, work, cancel };
    let mut ready = vec![session.next_ready().await, session.next_ready().await];
    ready.sort();
    assert_eq!(ready, ["deployment/web:8080", "service/web:8090"]);
    let mut open = TcpStream::connect(("127.0.0.1", kept)).await.unwrap();

    // The same local port for another port of the cluster, and one that is as it was.
    specs.send_replace(of(vec![entry("deployment", "web", ForwardPort::Name("web".into()), Some(moved)), stays()]));
    let (source, port, state) = session.state().await;
    assert_eq!((source.as_str(), port, state), ("deployment/web:8080", moved, ForwardState::Closed));
    assert_eq!(session.ready("deployment/web:web").await.0, moved);
    get(moved).await;
    open.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "a connection of a forward that stays goes on: {answer:?}");
    let mut closed = session.end().await;
    closed.sort();
    assert_eq!(closed, ["deployment/web:web", "service/web:8090"]);
}
