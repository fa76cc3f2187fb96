//! Files synced into real containers.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use devloop_attach::Live;
use devloop_attach::SyncItem;
use devloop_attach::SyncJob;
use devloop_attach::Syncer;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeSettings;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RegistrySettings;
use devloop_model::Artifact;
use devloop_model::BuildPlace;
use devloop_model::BuiltImage;
use devloop_model::ContainerHook;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::DockerBuild;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::Hook;
use devloop_model::HookSettings;
use devloop_model::Hooks;
use devloop_model::Identity;
use devloop_model::ImageRef;
use devloop_model::Location;
use devloop_model::Stage;
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
    live: Arc<Live>,
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
    std::fs::copy("/bin/busybox", folder.join("busybox")).unwrap();
    let environment = crate::context::cluster_environment();
    let docker = |arguments: &[&str]| {
        let output = Command::new("docker").args(arguments).envs(environment.iter().map(|(n, v)| (n, v))).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    docker(&["build", "-q", "-t", &name, &folder.display().to_string()]);
    docker(&["push", "-q", &name]);
    let digests = docker(&["inspect", "-f", "{{index .RepoDigests 0}}", &name]);
    // Its layers may be those of another image that is being built.
    docker(&["rmi", "-f", "--no-prune", &name]);
    let reference = ImageRef::parse(digests.trim()).unwrap();
    BuiltImage {
        artifact: reference.name.clone(),
        name: reference.name,
        tag: None,
        identity: Identity::Digest(reference.digest.unwrap()),
        runtime: None,
    }
}

/// What is deployed; fields are flow YAML.
#[derive(Default)]
struct Deployed<'a> {
    dockerfile: &'a str,
    pod: &'a str,
    container: &'a str,
    after: Vec<Hook>,
    /// Whether the namespace admits only what needs no rights.
    restricted: bool,
    /// Whether the session's user may do no more than look at pods and run commands in them.
    may_only_exec: bool,
}

impl Session {
    async fn start(deployed: Deployed<'_>) -> Self {
        let context = TestContext::new();
        if deployed.restricted {
            context.kubectl(&["label", "namespace", context.namespace(), "pod-security.kubernetes.io/enforce=restricted"]);
        }
        let image = built(&context, deployed.dockerfile);
        let artifact = Arc::new(Artifact {
            image: image.artifact.clone(),
            context: context.path().join("src"),
            builder: devloop_model::Builder::Docker(DockerBuild::default()),
            tagger: Tagger::Sha256,
            requires: Vec::new(),
            platforms: Vec::new(),
            runtime: None,
            place: BuildPlace::default(),
            hooks: Hooks::default(),
            sync: Some(SyncSpec { mode: SyncMode::Manual(Vec::new()), hooks: Hooks { before: Vec::new(), after: deployed.after } }),
            at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None },
        });
        let (pod, container, name) = (deployed.pod, deployed.container, image.deployed());
        let pod = format!("terminationGracePeriodSeconds: 0, {pod}containers: [{{name: app, image: \"{name}\", {container}}}]");
        let template = format!("{{metadata: {{labels: {{app: web}}}}, spec: {{{pod}}}}}");
        let spec = format!("{{selector: {{matchLabels: {{app: web}}}}, template: {template}}}");
        let release = applied(&context, &format!("---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {spec}\n"));
        context.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
        let (mut cluster, cx, events) = connected(Stage::Attach).await;
        if deployed.may_only_exec {
            cluster = as_one_who_may_only_exec(&context, &cx).await;
        }
        Self::attached(context, artifact, Arc::new(Live { images: vec![image], release, ..Live::default() }), cluster, cx, events).await
    }

    async fn attached(
        context: TestContext,
        artifact: Arc<Artifact>,
        live: Arc<Live>,
        cluster: Cluster,
        cx: Cx,
        events: UnboundedReceiver<EventKind>,
    ) -> Self {
        let syncer = Syncer::new();
        syncer.image_built(&artifact, &live.images[0], syncer.mark());
        let registry = Registry::new(RegistrySettings::default());
        let work = tokio::spawn({
            let (syncer, cluster, cx, (_sender, live)) = (syncer.clone(), cluster.clone(), cx.clone(), watch::channel(Arc::clone(&live)));
            async move { syncer.run(live, &cluster, &registry, &cx).await.unwrap() }
        });
        let mut session = Self { context, artifact, live, syncer, cluster, cx, events, work };
        session.settled().await;
        session
    }

    /// Ends this session and starts one that knows nothing of it.
    async fn again(self) -> Self {
        self.cx.cancel.cancel();
        self.work.await.unwrap();
        let (cluster, cx, events) = connected(Stage::Attach).await;
        Self::attached(self.context, self.artifact, self.live, cluster, cx, events).await
    }

    /// Waits until the pod's container is known: what was synced before that, it gets as a new one.
    async fn settled(&mut self) {
        if self.try_sync(&["-none"]).await == Ok(0) {
            let is_said = |event: &EventKind| matches!(event, EventKind::FilesSynced { replayed: true, .. } | EventKind::Warned { .. });
            while !is_said(&tokio::time::timeout(Duration::from_mins(2), self.events.recv()).await.expect("it is known").unwrap()) {}
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
            hooks: HookSettings::default(),
        };
        let sync = self.syncer.sync(&job, self.cluster.context(), &self.cx);
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

/// Returns the cluster as a user with few rights sees it.
async fn as_one_who_may_only_exec(context: &TestContext, cx: &Cx) -> Cluster {
    context.kubectl(&["create", "serviceaccount", "dev"]);
    context.kubectl(&["create", "role", "looks", "--verb=get,list,watch", "--resource=pods"]);
    context.kubectl(&["create", "role", "runs", "--verb=get,create", "--resource=pods/exec"]);
    let account = format!("--serviceaccount={}:dev", context.namespace());
    for role in ["looks", "runs"] {
        context.kubectl(&["create", "rolebinding", role, &format!("--role={role}"), &account]);
    }
    let token = context.kubectl(&["create", "token", "dev"]);
    let file = context.path().join("kubeconfig").display().to_string();
    std::fs::write(&file, context.kubectl(&["config", "view", "--raw", "--minify"])).unwrap();
    let user = context.kubectl(&["config", "view", "--minify", "-o", "jsonpath={.users[0].name}"]);
    context.kubectl(&["config", "--kubeconfig", &file, "unset", &format!("users.{user}")]);
    context.kubectl(&["config", "--kubeconfig", &file, "set-credentials", &user, "--token", token.trim()]);
    let mut variables: BTreeMap<String, String> = crate::context::cluster_environment().into_iter().collect();
    variables.insert("KUBECONFIG".into(), file);
    Cluster::connect(&KubeSettings { env: Env::new(variables), ..KubeSettings::default() }, cx).await.unwrap()
}

/// It ends when it is asked to, unlike most that run as a container's first process.
const SLEEP: &str = "command: [sh, -c, \"trap 'exit 0' TERM; while true; do sleep 1 & wait; done\"]";
const BUSYBOX: &str = "FROM localhost:5000/busybox\nRUN mkdir /app && chown 1234 /app && echo old > /app/a\n";
/// An image of one program that has neither a shell nor a place for another, and its container.
const SCRATCH: &str = "FROM scratch\nCOPY busybox /busybox\n";
const SCRATCH_SLEEP: &str = "command: [/busybox, sleep, '100000']";
/// What a namespace for restricted pods asks of a container.
const NO_RIGHTS: &str = "securityContext: {runAsNonRoot: true, runAsUser: 1234, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}, readOnlyRootFilesystem: true}";
const VOLUME: &str = "volumes: [{name: app, emptyDir: {}}], ";
const MOUNT: &str = "volumeMounts: [{name: app, mountPath: /app}]";

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn files_come_change_move_and_go() {
    let dockerfile = "FROM localhost:5000/busybox\nRUN mkdir /app && echo old > /app/a && echo x > /app/gone";
    let session = Session::start(Deployed { dockerfile, container: SLEEP, ..Deployed::default() }).await;
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
    session.sync(&["-a", "c", "-empty", "-deep/", "-deep/er/", "-deep/er/b"]).await;
    assert_eq!(session.run(&["sh", "-c", "cd /app && ls -A . /tmp && cat c"]), ".:\nc\nlink\nrun.sh\n\n/tmp:\nnew\n");
    // Links on the way lead where they would lead a program of the container.
    session.run(&["ln", "-s", "../../../../proc/1/root/../../etc", "/app/out"]);
    session.write("out/up", "in its etc");
    session.sync(&["out/up"]).await;
    assert_eq!(session.run(&["cat", "/etc/up"]), "in its etc");
    for number in 0..20 {
        if number == 10 {
            // An agent that is gone is replaced.
            session.run(&["sh", "-c", "for p in /proc/[0-9]*; do grep -q devloop $p/comm && kill -9 ${p#/proc/}; done; true"]);
        }
        session.write("c", &format!("{number}\n"));
        session.sync(&["c"]).await;
        assert_eq!(session.run(&["cat", "/app/c"]), format!("{number}\n"));
    }
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn many_and_large_files_come_whole_to_every_container() {
    let session = Session::start(Deployed { dockerfile: BUSYBOX, container: SLEEP, ..Deployed::default() }).await;
    let paths: Vec<String> = (0..3000).map(|number| format!("d{}/f{number}", number % 50)).collect();
    for path in &paths {
        session.write(path, path);
    }
    session.write("large", &"0123456789abcdef".repeat(1 << 20));
    let paths: Vec<&str> = paths.iter().map(String::as_str).chain(["large"]).collect();
    session.sync(&paths).await;
    assert_eq!(session.run(&["sh", "-c", "cd /app && find . -type f | wc -l && wc -c < large && cat d7/f7"]), "3002\n16777216\nd7/f7");
    session.context.kubectl(&["scale", "deployment/web", "--replicas=3"]);
    session.context.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]);
    session.write("late", "late");
    while session.try_sync(&["late"]).await.unwrap() < 3 {}
    let pods = session.context.kubectl(&["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}"]);
    for pod in pods.split(' ') {
        let count = session.context.kubectl(&["exec", pod, "--", "sh", "-c", "find /app -type f | wc -l"]);
        assert_eq!(count, "3003\n", "{pod}");
    }
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_new_pod_and_a_new_run_of_a_container_get_everything_again() {
    let hook = Hook::Container(ContainerHook {
        command: ["sh", "-c", "cat /app/a >> /tmp/seen"].map(str::to_owned).to_vec(),
        ..ContainerHook::default()
    });
    let mut session = Session::start(Deployed { dockerfile: BUSYBOX, container: SLEEP, after: vec![hook], ..Deployed::default() }).await;
    session.write("a", "one\n");
    session.sync(&["a"]).await;
    session.write("b", "b\n");
    session.sync(&["b", "-c"]).await;
    assert_eq!(session.run(&["cat", "/tmp/seen"]), "old\none\none\n");
    // The command is over before the container is.
    session.run(&["sh", "-c", "(sleep 1; kill 1) > /dev/null 2>&1 &"]);
    assert_eq!(session.replayed().await, 2);
    assert_eq!(session.run(&["cat", "/app/a", "/app/b", "/tmp/seen"]), "one\nb\none\n");
    let pod = session.pod();
    session.context.kubectl(&["delete", "pod", &pod, "--wait=true"]);
    assert_eq!(session.replayed().await, 2);
    assert_eq!(session.run(&["cat", "/app/a", "/app/b"]), "one\nb\n");
    session.write("a", "two\n");
    session.sync(&["a"]).await;
    assert_eq!(session.run(&["cat", "/app/a"]), "two\n");
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn an_image_of_one_program_is_synced_from_beside() {
    let session = Session::start(Deployed { dockerfile: SCRATCH, container: SCRATCH_SLEEP, ..Deployed::default() }).await;
    for text in ["one\n", "two\n"] {
        session.write("deep/a", text);
        session.sync(&["deep/a"]).await;
        assert_eq!(session.run(&["/busybox", "cat", "/app/deep/a"]), text);
    }
    session.sync(&["-deep/a"]).await;
    assert_eq!(session.run(&["/busybox", "ls", "-A", "/app/deep"]), "");
    // The next session uses the container that the one before has left, as none can be taken away.
    let beside = |session: &Session| {
        session.context.kubectl(&["get", "pod", &session.pod(), "-o", "jsonpath={.spec.ephemeralContainers[*].targetContainerName}"])
    };
    assert_eq!(beside(&session), "app");
    let mut session = session.again().await;
    session.write("deep/a", "three\n");
    session.sync(&["deep/a"]).await;
    assert_eq!(session.run(&["/busybox", "cat", "/app/deep/a"]), "three\n");
    assert_eq!(beside(&session), "app");
    session.write("deep/a", "two\n");
    session.sync(&["deep/a"]).await;
    let pod = session.pod();
    session.context.kubectl(&["delete", "pod", &pod, "--wait=true"]);
    assert_eq!(session.replayed().await, 1);
    assert_eq!(session.run(&["/busybox", "cat", "/app/deep/a"]), "two\n");
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_container_is_found_among_the_processes_of_its_pod() {
    let container = format!("{SCRATCH_SLEEP}}}, {{name: other, image: localhost:5000/busybox, {SLEEP}");
    let pod = "shareProcessNamespace: true, ";
    let session = Session::start(Deployed { dockerfile: SCRATCH, pod, container: &container, ..Deployed::default() }).await;
    session.write("a", "one\n");
    session.sync(&["a"]).await;
    assert_eq!(session.run(&["/busybox", "cat", "/app/a"]), "one\n");
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn a_container_without_any_rights_is_synced_where_it_may_write() {
    let container = format!("{SCRATCH_SLEEP}, {NO_RIGHTS}, {MOUNT}");
    let session =
        Session::start(Deployed { dockerfile: SCRATCH, pod: VOLUME, container: &container, restricted: true, ..Deployed::default() }).await;
    session.write("a", "one\n");
    session.sync(&["a"]).await;
    assert_eq!(session.run(&["/busybox", "stat", "-c", "%u", "/app/a"]), "1234\n");
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn what_a_user_may_not_write_is_written_as_root_or_told() {
    let container = format!("{SLEEP}, securityContext: {{runAsUser: 1234}}");
    let session = Session::start(Deployed { dockerfile: BUSYBOX, container: &container, ..Deployed::default() }).await;
    session.write("new", "new\n");
    session.sync(&["new"]).await;
    assert_eq!(session.run(&["stat", "-c", "%u", "/app/new"]), "1234\n");
    assert_eq!(session.context.kubectl(&["get", "pod", &session.pod(), "-o", "jsonpath={.spec.ephemeralContainers}"]), "");
    session.run(&["rm", "-f", "/app/new"]);
    session.end().await;

    let dockerfile = "FROM localhost:5000/busybox\nRUN mkdir /app && echo old > /app/a\n";
    let session = Session::start(Deployed { dockerfile, container: &container, ..Deployed::default() }).await;
    session.write("a", "root's\n");
    session.sync(&["a"]).await;
    assert_eq!(session.run(&["cat", "/app/a"]), "root's\n");
    session.end().await;

    let container = format!("{SLEEP}, {}", NO_RIGHTS.replace(", readOnlyRootFilesystem: true", ""));
    let session = Session::start(Deployed { dockerfile, container: &container, restricted: true, ..Deployed::default() }).await;
    session.write("a", "not\n");
    let error = session.try_sync(&["a"]).await.unwrap_err().to_string();
    assert!(error.contains("/app/a: Permission denied") && error.contains("COPY --chown"), "{error}");
    assert_eq!(session.run(&["cat", "/app/a"]), "old\n");
    session.end().await;
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn tar_serves_where_no_agent_can_run() {
    let container = format!("{SLEEP}, {NO_RIGHTS}, {MOUNT}");
    let deployed = Deployed { dockerfile: BUSYBOX, pod: VOLUME, container: &container, may_only_exec: true, ..Deployed::default() };
    let session = Session::start(deployed).await;
    session.write("d/a", "one\n");
    session.write("b", "b\n");
    session.sync(&["d/a", "b"]).await;
    session.run(&["mkdir", "-p", "/app/left/empty"]);
    session.sync(&["-b", "-d/", "-left/", "-left/empty/", "-none/"]).await;
    assert_eq!(session.run(&["sh", "-c", "cd /app && ls && cat d/a"]), "d\none\n");
    session.end().await;

    let container = format!("{SCRATCH_SLEEP}, {MOUNT}");
    let session =
        Session::start(Deployed { dockerfile: SCRATCH, container: &container, pod: VOLUME, may_only_exec: true, ..Deployed::default() })
            .await;
    session.write("a", "one\n");
    let error = session.try_sync(&["a"]).await.unwrap_err().to_string();
    assert!(error.contains("not allowed to add a container") && error.contains("tar"), "{error}");
    session.end().await;
}
