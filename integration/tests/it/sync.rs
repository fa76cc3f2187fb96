//! Files synced into real containers.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use devloop_attach::Live;
use devloop_attach::SyncItem;
use devloop_attach::SyncJob;
use devloop_attach::Syncer;
use devloop_clients::kube::Cluster;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RegistrySettings;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::DockerBuild;
use devloop_model::EventKind;
use devloop_model::Identity;
use devloop_model::ImageRef;
use devloop_model::LocalBuild;
use devloop_model::Location;
use devloop_model::Stage;
use devloop_model::SyncHook;
use devloop_model::SyncMode;
use devloop_model::SyncSpec;
use devloop_model::Tagger;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::context::TestContext;
use crate::ready::applied;
use crate::ready::connected;

/// A deployment of one image with a syncer that keeps its pods up to date.
struct Session {
    context: TestContext,
    artifact: Arc<Artifact>,
    syncer: Syncer,
    cluster: Cluster,
    cx: Cx,
    events: UnboundedReceiver<EventKind>,
    work: JoinHandle<()>,
}

/// Builds an image with the daemon and returns it as it was pushed.
fn built(context: &TestContext, dockerfile: &str) -> BuiltImage {
    let name = format!("localhost:5000/{}", context.namespace());
    let folder = context.path().join("image");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    std::fs::copy(agentless_program(), folder.join("program")).unwrap();
    let environment = crate::context::cluster_environment();
    let docker = |arguments: &[&str]| {
        let output = Command::new("docker").args(arguments).envs(environment.iter().map(|(n, v)| (n, v))).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    docker(&["build", "-q", "-t", &name, &folder.display().to_string()]);
    docker(&["push", "-q", &name]);
    let digests = docker(&["inspect", "-f", "{{index .RepoDigests 0}}", &name]);
    let reference = ImageRef::parse(digests.trim()).unwrap();
    BuiltImage {
        artifact: reference.name.clone(),
        name: reference.name,
        tag: None,
        identity: Identity::Digest(reference.digest.unwrap()),
        runtime: None,
    }
}

/// Returns busybox, a static program that can sleep and serve files.
fn agentless_program() -> &'static Path {
    Path::new("/bin/busybox")
}

impl Session {
    /// Deploys an image of this Dockerfile, with these fields of the pod and the container (flow YAML).
    async fn start(dockerfile: &str, pod: &str, container: &str, hooks: Vec<SyncHook>) -> Self {
        let context = TestContext::new();
        let image = built(&context, dockerfile);
        let artifact = Arc::new(Artifact {
            image: image.artifact.clone(),
            context: context.path().join("src"),
            builder: devloop_model::Builder::Docker(DockerBuild::default()),
            tagger: Tagger::Sha256,
            requires: Vec::new(),
            platforms: Vec::new(),
            runtime: None,
            local: LocalBuild::default(),
            sync: Some(SyncSpec { mode: SyncMode::Manual(Vec::new()), before: Vec::new(), after: hooks }),
            at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None },
        });
        let release = applied(
            &context,
            &format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{terminationGracePeriodSeconds: 0, {pod}containers: [{{name: app, image: \"{}\", {container}}}]}}}}}}\n",
                image.deployed()
            ),
        );
        context.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
        let (cluster, cx, events) = connected(Stage::Attach).await;
        let syncer = Syncer::new();
        syncer.image_built(&artifact, &image, syncer.mark());
        let (sender, live) = watch::channel(Arc::new(Live { images: vec![image], release }));
        let registry = Registry::new(RegistrySettings::default());
        let work = tokio::spawn({
            let (syncer, cluster, cx) = (syncer.clone(), cluster.clone(), cx.clone());
            async move {
                syncer.run(live, &cluster, &registry, &cx).await.unwrap();
                drop(sender);
            }
        });
        let session = Self { context, artifact, syncer, cluster, cx, events, work };
        session.settled().await;
        session
    }

    /// Waits until the pod's container is known: an empty sync counts it.
    async fn settled(&self) {
        let limit = tokio::time::Instant::now() + Duration::from_mins(1);
        while self.try_sync(&[]).await.unwrap() == 0 {
            assert!(tokio::time::Instant::now() < limit, "the container is never known");
            tokio::task::yield_now().await;
        }
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.artifact.context.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// Syncs files to `/app`; a path after `-` is deleted.
    async fn try_sync(&self, paths: &[&str]) -> Result<usize, Diagnostic> {
        let item = |path: &&str| {
            let (name, deleted) = path.strip_prefix('-').map_or((*path, false), |name| (name, true));
            SyncItem { path: name.to_owned(), destination: format!("/app/{name}"), deleted }
        };
        let job = SyncJob {
            artifact: Arc::clone(&self.artifact),
            image: "web:1".into(),
            items: paths.iter().map(item).collect(),
            variables: Vec::new(),
        };
        let sync = self.syncer.sync(&job, &self.cluster, &self.cx);
        let synced = tokio::time::timeout(Duration::from_mins(3), sync).await.expect("it ends by itself");
        synced.map(|synced| synced.containers).map_err(|error| error.diagnostic())
    }

    async fn sync(&self, paths: &[&str]) {
        assert_eq!(self.try_sync(paths).await.unwrap(), 1, "{paths:?}");
    }

    /// Returns the pod that runs.
    fn pod(&self) -> String {
        self.context.kubectl(&[
            "get",
            "pods",
            "-l",
            "app=web",
            "--field-selector=status.phase=Running",
            "-o",
            "jsonpath={.items[0].metadata.name}",
        ])
    }

    /// Runs a command in the container.
    fn run(&self, command: &[&str]) -> String {
        let pod = self.pod();
        self.context.kubectl(&[&["exec", &pod, "-c", "app", "--"], command].concat())
    }

    /// Waits until a new container got what it lacked; returns how many files were copied.
    async fn replayed(&mut self) -> usize {
        loop {
            let event = tokio::time::timeout(Duration::from_mins(2), self.events.recv()).await.expect("it is replayed").unwrap();
            if let EventKind::FilesSynced { replayed: true, copied, .. } = event {
                return copied;
            }
        }
    }

    async fn end(self) {
        self.cx.cancel.cancel();
        self.work.await.unwrap();
    }
}

const SLEEP: &str = "command: [sh, -c, 'while true; do sleep 1; done']";

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn files_come_change_move_and_go() {
    let session =
        Session::start("FROM localhost:5000/busybox\nRUN mkdir /app && echo old > /app/a && echo x > /app/gone", "", SLEEP, Vec::new())
            .await;
    session.write("a", "new\n");
    session.write("deep/er/b", "b\n");
    session.write("run.sh", "#!/bin/sh\necho it runs\n");
    std::fs::set_permissions(session.artifact.context.join("run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o750)).unwrap();
    std::fs::create_dir(session.artifact.context.join("empty")).unwrap();
    std::os::unix::fs::symlink("a", session.artifact.context.join("link")).unwrap();
    session.sync(&["a", "deep/er/b", "run.sh", "empty", "link", "-gone"]).await;
    assert_eq!(
        session.run(&["sh", "-c", "cd /app && cat a deep/er/b link && ./run.sh && ls -A && stat -c %a run.sh"]),
        "new\nb\nnew\nit runs\na\ndeep\nempty\nlink\nrun.sh\n750\n"
    );
    // A rename is one file less and one more; the agent's own file is gone.
    std::fs::rename(session.artifact.context.join("a"), session.artifact.context.join("c")).unwrap();
    session.sync(&["-a", "c", "-empty", "-deep/er/b", "-deep"]).await;
    assert_eq!(session.run(&["sh", "-c", "cd /app && ls -A . /tmp && cat c"]), ".:\nc\nlink\nrun.sh\n\n/tmp:\nnew\n");
    // A path cannot leave the container, wherever a link in it points.
    session.write("up", "x");
    session.run(&["ln", "-s", "../../../../proc/1/root/../../etc", "/app/out"]);
    session.sync(&["up"]).await;
    let mut times = Vec::new();
    for number in 0..20 {
        session.write("c", &format!("{number}\n"));
        let start = std::time::Instant::now();
        session.sync(&["c"]).await;
        times.push(start.elapsed());
        assert_eq!(session.run(&["cat", "/app/c"]), format!("{number}\n"));
    }
    times.sort();
    println!("one small file: median {:?}, slowest {:?}", times[10], times[19]);
    session.end().await;
}
