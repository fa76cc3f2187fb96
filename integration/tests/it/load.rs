//! Images that reach a local cluster without a registry. A node is here a container with the labels of kind's, and
//! its containerd is the cluster's own.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use devloop_build::BuildJob;
use devloop_build::BuildOptions;
use devloop_clients::ClientSettings;
use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::BuildPlace;
use devloop_model::BuildSettings;
use devloop_model::Builder;
use devloop_model::Cx;
use devloop_model::Delivery;
use devloop_model::DockerBuild;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::LoadInto;
use devloop_model::LocalBuild;
use devloop_model::Location;
use devloop_model::Namespace;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Tagger;
use devloop_model::Target;
use tokio_util::sync::CancellationToken;

use crate::context::cluster_environment;

/// A container that looks like a node; it ends with this value.
struct Node {
    id: String,
    environment: Vec<(String, String)>,
}

impl Node {
    /// Starts a node whose `ctr` speaks to the cluster's containerd.
    fn start(labels: &[&str]) -> Self {
        let environment = cluster_environment();
        let ctr = "printf '#!/bin/sh\\nexec chroot /host ctr --address /run/devcluster/containerd.sock \"$@\"\\n' > /bin/ctr; chmod +x /bin/ctr; exec sleep 1000";
        let mut arguments = vec!["run", "-d", "--rm", "-v", "/:/host"];
        arguments.extend(labels.iter().flat_map(|label| ["--label", label]));
        arguments.extend(["localhost:5000/busybox", "sh", "-c", ctr]);
        let mut node = Self { id: String::new(), environment };
        node.docker(&arguments).trim().clone_into(&mut node.id);
        node
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).envs(self.environment.iter().map(|(n, v)| (n, v))).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn ctr(&self, arguments: &[&str]) -> String {
        self.docker(&[&["exec", &self.id, "ctr", "--namespace", "k8s.io"], arguments].concat())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(Command::new("docker").args(["rm", "-f", &self.id]).envs(self.environment.iter().map(|(n, v)| (n, v))).output());
    }
}

fn options(into: LoadInto, folder: &std::path::Path) -> BuildOptions {
    let target = Target {
        context: None,
        namespace: Namespace("default".to_owned()),
        namespace_is_forced: false,
        delivery: Delivery::Load(into),
        default_repo: None,
        multi_level_repo: false,
        node_platforms: Vec::new(),
    };
    BuildOptions {
        target,
        settings: BuildSettings::default(),
        platforms: Vec::new(),
        push: None,
        tag: None,
        cache_artifacts: false,
        skips_tests: false,
        fresh: std::collections::BTreeSet::new(),
        builder: devloop_build::BuilderOptions::default(),
        cache_dir: folder.join(".cache"),
        hooks: devloop_model::HookSettings::default(),
        working_dir: folder.to_owned(),
        mode: "run".to_owned(),
        now: jiff::Timestamp::now(),
    }
}

fn artifact(folder: &std::path::Path, image: &str, local: LocalBuild) -> Arc<Artifact> {
    Arc::new(Artifact {
        image: image.parse().unwrap(),
        context: folder.to_owned(),
        builder: Builder::Docker(DockerBuild { dockerfile: "Dockerfile".into(), ..DockerBuild::default() }),
        tagger: Tagger::Sha256,
        requires: Vec::new(),
        platforms: Vec::new(),
        runtime: None,
        sync: None,
        hooks: devloop_model::Hooks::default(),
        place: BuildPlace::Local(local),
        at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None },
    })
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn an_image_is_loaded_into_the_nodes_that_lack_it() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = format!("it{}", folder.path().file_name().unwrap().to_string_lossy().to_lowercase().replace('.', ""));
    let node = Node::start(&[&format!("io.x-k8s.kind.cluster={cluster}"), "io.x-k8s.kind.role=control-plane"]);
    std::fs::write(folder.path().join("Dockerfile"), "FROM localhost:5000/busybox\nCOPY a /a\nENTRYPOINT [\"cat\", \"/a\"]\n").unwrap();
    let env = Env::new(node.environment.iter().cloned().collect::<BTreeMap<_, _>>());
    let clients = Clients::new(ClientSettings { env: env.clone(), ..ClientSettings::default() });
    let image = format!("{cluster}-image");
    let options = options(LoadInto::Kind { cluster: cluster.clone() }, folder.path());
    let mut loaded = Vec::new();
    for content in ["first", "second"] {
        std::fs::write(folder.path().join("a"), format!("{content} {cluster}")).unwrap();
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let cx = Cx::new(StepId::of(Stage::Build), env.clone(), EventSink::new(sender), CancellationToken::new());
        let prepared = devloop_build::prepare(&[artifact(folder.path(), &image, LocalBuild::default())], &options, &clients, &cx)
            .await
            .unwrap()
            .remove(0);
        let built = devloop_build::build(BuildJob { prepared, required: Vec::new() }, &options, &clients, &cx).await;
        let built = built.unwrap_or_else(|error| panic!("{}", error.diagnostic()));
        drop(cx);
        let mut into = None;
        while let Ok(event) = events.try_recv() {
            if let EventKind::ImageLoaded { into: cluster, .. } = event {
                into = Some(cluster);
            }
        }
        assert_eq!(into.as_ref(), Some(&cluster));
        let name = format!("docker.io/library/{}", built.deployed());
        assert!(node.ctr(&["images", "ls", "-q"]).lines().any(|line| line == name), "{name}");
        loaded.push(name);
    }
    // What the node has is whole: containerd checks every blob of an image, also those that were not sent again.
    let checked = node.ctr(&["images", "check"]);
    for name in &loaded {
        let line = checked.lines().find(|line| line.starts_with(name.as_str())).unwrap_or_else(|| panic!("{name} is not in\n{checked}"));
        assert!(line.contains("complete") && !line.contains("incomplete"), "{line}");
    }
    node.ctr(&[&["images", "rm"][..], &loaded.iter().map(String::as_str).collect::<Vec<_>>()].concat());
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn an_image_goes_from_its_daemon_unless_a_container_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let image = format!("old{}", folder.path().file_name().unwrap().to_string_lossy().to_lowercase().replace('.', ""));
    let node = Node::start(&[]);
    std::fs::write(folder.path().join("Dockerfile"), "FROM localhost:5000/busybox\nCOPY a /a\nCMD [\"sleep\", \"1000\"]\n").unwrap();
    let env = Env::new(node.environment.iter().cloned().collect::<BTreeMap<_, _>>());
    let clients = Clients::new(ClientSettings { env: env.clone(), ..ClientSettings::default() });
    let options = options(LoadInto::Daemon, folder.path());
    let cx = Cx::new(StepId::of(Stage::Build), env, EventSink::none(), CancellationToken::new());
    let mut built = Vec::new();
    for content in ["first", "second"] {
        std::fs::write(folder.path().join("a"), format!("{content} {image}")).unwrap();
        let artifacts = [artifact(folder.path(), &image, LocalBuild::default())];
        let prepared = devloop_build::prepare(&artifacts, &options, &clients, &cx).await.unwrap().remove(0);
        built.push(devloop_build::build(BuildJob { prepared, required: Vec::new() }, &options, &clients, &cx).await.unwrap());
    }
    let [first, second] = &built[..] else { unreachable!("two were built") };
    let docker = clients.docker(&cx).await.unwrap();
    let container = node.docker(&["run", "-d", "--rm", &first.deployed()]);
    assert!(!devloop_build::remove(first, true, &clients, &cx).await.unwrap(), "a container uses it");
    assert!(docker.image_id(&first.deployed(), &cx).await.unwrap().is_some());
    node.docker(&["rm", "-f", container.trim()]);
    assert!(devloop_build::remove(first, true, &clients, &cx).await.unwrap());
    assert!(docker.image_id(&first.deployed(), &cx).await.unwrap().is_none());
    for name in [second.deployed(), second.tagged()] {
        assert!(docker.image_id(&name, &cx).await.unwrap().is_some(), "{name} is of the later build");
    }
    assert!(devloop_build::remove(second, true, &clients, &cx).await.unwrap());
    assert!(docker.image_id(&second.tagged(), &cx).await.unwrap().is_none());
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn the_docker_command_builds_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let image = format!("cli{}", folder.path().file_name().unwrap().to_string_lossy().to_lowercase().replace('.', ""));
    let env = Env::new(cluster_environment().into_iter().collect::<BTreeMap<_, _>>());
    let clients = Clients::new(ClientSettings { env: env.clone(), ..ClientSettings::default() });
    let options = options(LoadInto::Daemon, folder.path());
    let local = LocalBuild { use_docker_cli: true, use_buildkit: Some(false), ..LocalBuild::default() };
    let build = async |dockerfile: &str| {
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        let cx = Cx::new(StepId::of(Stage::Build), env.clone(), EventSink::none(), CancellationToken::new());
        let prepared =
            devloop_build::prepare(&[artifact(folder.path(), &image, local.clone())], &options, &clients, &cx).await.unwrap().remove(0);
        devloop_build::build(BuildJob { prepared, required: Vec::new() }, &options, &clients, &cx).await
    };
    let built = build("FROM localhost:5000/busybox\nRUN echo built\n").await.unwrap_or_else(|error| panic!("{}", error.diagnostic()));
    let cx = Cx::new(StepId::of(Stage::Build), env.clone(), EventSink::none(), CancellationToken::new());
    let docker = clients.docker(&cx).await.unwrap();
    assert!(docker.image_id(&built.deployed(), &cx).await.unwrap().is_some(), "manifests name it `{}`", built.deployed());
    docker.remove_image(&built.deployed(), &cx).await.unwrap();

    let error = build("FROM localhost:5000/busybox\nRUN echo oops && exit 3\n").await.unwrap_err().diagnostic().to_string();
    assert!(error.starts_with("error[docker/build-failed]: build of `") && error.contains("returned a non-zero code: 3"), "{error}");
}
