//! Logs and forwards while the API server is away: a proxy before it stands in for its end, so that others keep theirs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use devloop_attach::AttachSpec;
use devloop_attach::ForwardModes;
use devloop_attach::ForwardSpec;
use devloop_attach::Live;
use devloop_attach::LogSpec;
use devloop_attach::attach;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeSettings;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::ForwardState;
use devloop_model::Namespace;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Vars;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::TestContext;
use crate::context::cluster_environment;
use crate::forward::get;
use crate::ready::applied;
use crate::ready::workload;

/// A way to the API server that can be cut.
struct Proxy {
    port: u16,
    work: JoinHandle<()>,
}

impl Proxy {
    async fn open(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let work = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", 6443)).await.unwrap();
                    tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                });
            }
        });
        Self { port, work }
    }

    /// Ends every connection, and refuses others.
    async fn cut(self) -> u16 {
        self.work.abort();
        self.work.await.unwrap_err();
        self.port
    }
}

/// Returns a kubeconfig that leads through the proxy.
fn kubeconfig(context: &TestContext, port: u16) -> PathBuf {
    let (_, file) = cluster_environment().into_iter().find(|(name, _)| name == "KUBECONFIG").unwrap();
    let direct = std::fs::read_to_string(file).unwrap();
    let through = direct.replace("https://127.0.0.1:6443", &format!("https://127.0.0.1:{port}"));
    assert_ne!(through, direct);
    let file = context.path().join("kubeconfig");
    std::fs::write(&file, through).unwrap();
    file
}

/// What a session told, and the lines of its logs.
struct Told {
    events: UnboundedReceiver<EventKind>,
    lines: Vec<String>,
}

impl Told {
    /// Returns what `pick` finds first; lines are kept.
    async fn until<T>(&mut self, mut pick: impl FnMut(&EventKind) -> Option<T>) -> T {
        loop {
            let event = tokio::time::timeout(Duration::from_mins(1), self.events.recv()).await.expect("something happens").unwrap();
            if let EventKind::PodLog { line, .. } = &event {
                self.lines.push(line.clone());
            }
            if let Some(found) = pick(&event) {
                return found;
            }
        }
    }

    async fn ready(&mut self) -> u16 {
        self.until(|event| match event {
            EventKind::PortForwarded { state: ForwardState::Ready { .. }, local_port, .. } => Some(*local_port),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn an_api_server_that_comes_back_finds_everything_as_it_was() {
    let context = TestContext::new();
    let count = "command: [sh, -c, 'mkdir /w && echo here > /w/index.html && httpd -p 8080 -h /w; i=0; while true; do echo $i; i=$((i + 1)); usleep 20000; done'], ports: [{containerPort: 8080}]";
    let release = applied(&context, &workload("Deployment", "web", "", count));
    let proxy = Proxy::open(0).await;
    let (sender, events) = unbounded_channel();
    let cx = Cx::new(StepId::of(Stage::Attach), Env::default(), EventSink::new(sender), CancellationToken::new());
    let settings = KubeSettings { kubeconfig: Some(kubeconfig(&context, proxy.port)), ..KubeSettings::default() };
    let cluster = Cluster::connect(&settings, &cx).await.unwrap();
    let forwards = ForwardSpec {
        modes: ForwardModes { pods: true, ..ForwardModes::default() },
        debuggers: BTreeMap::new(),
        entries: Vec::new(),
        namespace: Namespace(context.namespace().to_owned()),
        vars: Vars::default(),
        asks: true,
    };
    let spec = AttachSpec { logs: Some(LogSpec::default()), forwards, debugs: false };
    let (_deploys, live) = watch::channel(Arc::new(Live { release, ..Live::default() }));
    let cancel = cx.cancel.clone();
    let specs = watch::Sender::new(spec);
    let work = tokio::spawn(async move { attach(specs.subscribe(), live, &cluster, &cx).await });
    let mut told = Told { events, lines: Vec::new() };
    let port = told.ready().await;
    assert_eq!(get(port).await, "here");

    let proxy_port = proxy.cut().await;
    let (mut warnings, mut waits) = (0, false);
    told.until(|event| {
        match event {
            EventKind::Warned { diagnostic } => {
                assert_eq!(diagnostic.code, "attach/interrupted", "{diagnostic}");
                warnings += 1;
            }
            EventKind::PortForwarded { state: ForwardState::Waiting { .. }, .. } => waits = true,
            _ => {}
        }
        (waits && warnings > 0).then_some(())
    })
    .await;
    let waiting = tokio::spawn(get(port));
    let proxy = Proxy::open(proxy_port).await;
    let again = told
        .until(|event| match event {
            EventKind::StepLog { line, .. } => Some(line.clone()),
            EventKind::Warned { diagnostic } => panic!("said twice: {diagnostic}"),
            _ => None,
        })
        .await;
    assert_eq!(again, "The cluster answers again: logs and port forwards go on");
    assert_eq!(told.ready().await, port);
    assert_eq!(waiting.await.unwrap(), "here");

    let seen = told.lines.len();
    let mut more = 0;
    told.until(|event| {
        more += usize::from(matches!(event, EventKind::PodLog { .. }));
        (more > seen.max(200)).then_some(())
    })
    .await;
    for (number, line) in told.lines.iter().enumerate() {
        assert_eq!(*line, number.to_string());
    }
    cancel.cancel();
    work.await.unwrap().unwrap();
    drop(proxy);
}
