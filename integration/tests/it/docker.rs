//! The container daemon: builds by BuildKit and by the classic builder, pushes, and what a failure says.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use devloop_clients::docker::BuildRequest;
use devloop_clients::docker::Docker;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RegistrySettings;
use devloop_model::BuildSecret;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::SecretSource;
use devloop_model::Stage;
use devloop_model::StepId;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::context::cluster_environment;

/// A folder with a context, and a name that no other test uses.
struct Project {
    folder: tempfile::TempDir,
    name: ImageName,
    env: Env,
}

impl Project {
    fn new(name: &str, dockerfile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        let suffix = folder.path().file_name().unwrap().to_string_lossy().to_lowercase().replace('.', "");
        let variables: BTreeMap<String, String> =
            cluster_environment().into_iter().chain([("TOKEN".to_owned(), "t0p-s3cret".to_owned())]).collect();
        Self { folder, name: ImageName::parse(&format!("localhost:5000/it/{name}-{suffix}")).unwrap(), env: Env::new(variables) }
    }

    /// Writes a file; its second line is this project's alone, so that nothing of an earlier run is taken from the cache.
    fn with(self, file: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(file), format!("{text}{}\n", self.name)).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn cx(&self) -> (Cx, UnboundedReceiver<EventKind>) {
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        (Cx::new(StepId::of(Stage::Build), self.env.clone(), EventSink::new(sender), CancellationToken::new()), events)
    }

    fn request(&self, files: &[&str]) -> BuildRequest {
        BuildRequest {
            context: self.path().to_owned(),
            files: files.iter().map(PathBuf::from).collect(),
            dockerfile: self.path().join("Dockerfile"),
            tag: ImageRef::tagged(self.name.clone(), "v1".parse().unwrap()),
            platforms: Vec::new(),
            remote_context: None,
            export: BTreeMap::new(),
            labels: BTreeMap::new(),
            cache_to: Vec::new(),
            reproducible: false,
            build_args: BTreeMap::new(),
            target: None,
            network: None,
            add_hosts: Vec::new(),
            cache_from: Vec::new(),
            no_cache: false,
            pull: false,
            squash: false,
            secrets: Vec::new(),
            ssh: None,
            use_buildkit: None,
        }
    }

    async fn docker(&self) -> Docker {
        Docker::connect(&self.env, &self.cx().0).await.unwrap()
    }
}

fn lines(mut events: UnboundedReceiver<EventKind>) -> String {
    let mut lines = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let EventKind::StepLog { line, .. } = event {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn buildkit_builds_with_everything_that_a_dockerfile_asks_for() {
    let dockerfile = "FROM localhost:5000/busybox AS base\nARG GREETING\nCOPY src/ /src/\n\
        RUN --mount=type=secret,id=npm --mount=type=cache,target=/cache echo $GREETING > /out && wc -c < /run/secrets/npm >> /out && touch /cache/x\n\
        FROM base AS dev\nRUN cat /out /src/a && readlink /src/link && getent hosts special || grep special /etc/hosts\nFROM base AS never\nRUN exit 1\n";
    let project = Project::new("everything", dockerfile);
    std::fs::create_dir(project.path().join("src")).unwrap();
    let project = project.with("src/a", "content of a\n").with("unsent", "x");
    std::os::unix::fs::symlink("a", project.path().join("src/link")).unwrap();
    let docker = project.docker().await;
    let mut request = project.request(&["src/a", "src/link"]);
    request.build_args.insert("GREETING".to_owned(), "hello".to_owned());
    request.target = Some("dev".to_owned());
    request.add_hosts = vec!["special:10.1.2.3".to_owned()];
    request.platforms = vec!["linux/amd64".parse().unwrap()];
    request.secrets = vec![BuildSecret { id: "npm".to_owned(), source: SecretSource::Env("TOKEN".to_owned()) }];
    let (cx, events) = project.cx();
    let id = docker.build(request.clone(), &cx).await.unwrap_or_else(|error| panic!("{}", error.diagnostic()));
    drop(cx);
    let said = lines(events);
    for expected in ["FROM localhost:5000/busybox", "] COPY src/ /src/", "hello\n", "10\n", "content of a\n", " a\n", "10.1.2.3"] {
        assert!(said.contains(expected), "`{expected}` is not in\n{said}");
    }
    assert!(!said.contains("t0p-s3cret"), "{said}");

    let (cx, events) = project.cx();
    assert_eq!(docker.build(request, &cx).await.unwrap(), id, "a second build is the same image");
    drop(cx);
    assert!(lines(events).contains(" CACHED"));
    let cx = project.cx().0;
    let config = docker.image_config(id.as_str(), &cx).await.unwrap().unwrap();
    assert_eq!(config["os"], "linux");
    docker.remove_image(&format!("{}:v1", project.name), &cx).await.unwrap();
    assert_eq!(docker.image_id(&format!("{}:v1", project.name), &cx).await.unwrap(), None);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn a_changed_file_alone_is_sent_again() {
    let project = Project::new("incremental", "FROM localhost:5000/busybox\nCOPY . /c\nRUN cat /c/small\n").with("small", "one\n");
    std::fs::write(project.path().join("big"), vec![7; 3 << 20]).unwrap();
    let docker = project.docker().await;
    let sent = async |text: &str| {
        let text = format!("{text} {}\n", project.name);
        std::fs::write(project.path().join("small"), &text).unwrap();
        let (cx, mut events) = project.cx();
        docker.build(project.request(&["small", "big"]), &cx).await.unwrap();
        drop(cx);
        let (mut most, mut said) = (0, String::new());
        while let Ok(event) = events.try_recv() {
            match event {
                EventKind::StepProgress { label, done, .. } if label == "send context" => most = most.max(done),
                EventKind::StepLog { line, .. } => said.push_str(&line),
                _ => {}
            }
        }
        assert!(said.contains(text.trim()), "{said}");
        (most, text.len() as u64)
    };
    assert!(sent("first").await.0 > 3 << 20);
    let (bytes, changed) = sent("second").await;
    assert_eq!(bytes, changed);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn the_classic_builder_serves_a_daemon_without_buildkit() {
    let project = Project::new("classic", "").with("a", "content of a\n");
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(
        elsewhere.path().join("Other.dockerfile"),
        "FROM localhost:5000/busybox\nARG GREETING\nCOPY a /a\nRUN cat /a && echo $GREETING\n",
    )
    .unwrap();
    let docker = project.docker().await;
    let mut request = project.request(&["a"]);
    request.dockerfile = elsewhere.path().join("Other.dockerfile");
    request.use_buildkit = Some(false);
    request.build_args.insert("GREETING".to_owned(), "hello".to_owned());
    let (cx, events) = project.cx();
    docker.build(request.clone(), &cx).await.unwrap_or_else(|error| panic!("{}", error.diagnostic()));
    drop(cx);
    let said = lines(events);
    for expected in ["Step 1/4 : FROM localhost:5000/busybox", "content of a\n", "hello\n"] {
        assert!(said.contains(expected), "`{expected}` is not in\n{said}");
    }
    request.secrets = vec![BuildSecret { id: "npm".to_owned(), source: SecretSource::Env("TOKEN".to_owned()) }];
    insta::assert_snapshot!(docker.build(request, &project.cx().0).await.unwrap_err().diagnostic(), @r"
    error[docker/unsupported-setting]: `secrets` needs BuildKit
    help: set `build.local.useBuildkit: true`
    ");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn a_failing_step_shows_its_last_lines() {
    for use_buildkit in [true, false] {
        let project = Project::new("failing", "FROM localhost:5000/busybox\nRUN echo compiling && echo 'x.c:1: oops' >&2 && exit 3\n");
        let docker = project.docker().await;
        let mut request = project.request(&[]);
        request.use_buildkit = Some(use_buildkit);
        let error =
            docker.build(request, &project.cx().0).await.unwrap_err().diagnostic().to_string().replace(project.name.as_str(), "NAME");
        assert!(error.starts_with("error[docker/build-failed]: build of `NAME:v1` failed at `"), "{error}");
        for expected in ["RUN echo compiling", "\n  compiling\n", "\n  x.c:1: oops\n"] {
            assert!(error.contains(expected), "`{expected}` is not in\n{error}");
        }
        assert!(error.contains("exit code: 3") || error.contains("non-zero code: 3"), "{error}");
    }
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn a_dockerfile_that_does_not_parse_shows_its_line() {
    for use_buildkit in [true, false] {
        let project = Project::new("broken", "FROM localhost:5000/busybox\nFOO bar\n");
        let docker = project.docker().await;
        let mut request = project.request(&[]);
        request.use_buildkit = Some(use_buildkit);
        let error = docker
            .build(request, &project.cx().0)
            .await
            .unwrap_err()
            .diagnostic()
            .to_string()
            .replace(&project.path().display().to_string(), "DIR");
        insta::allow_duplicates! { insta::assert_snapshot!(error, @r"
        error[docker/dockerfile]: `DIR/Dockerfile` is not a valid Dockerfile
         --> DIR/Dockerfile:2:1
          |
        2 | FOO bar
          | ^^^^^^^
          unknown instruction: FOO
        "); }
    }
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn a_missing_file_of_the_context_is_named() {
    let project = Project::new("missing", "FROM localhost:5000/busybox\nCOPY nothing /\n");
    let error = project.docker().await.build(project.request(&[]), &project.cx().0).await.unwrap_err().diagnostic().to_string();
    assert!(error.contains("nothing"), "{error}");
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn an_image_is_pushed_saved_loaded_and_pulled() {
    let project = Project::new("pushed", "FROM localhost:5000/busybox\nLABEL unique=pushed\nCOPY a /a\n")
        .with("a", &format!("{:?}", std::time::SystemTime::now()));
    let (docker, cx) = (project.docker().await, project.cx().0);
    let id = docker.build(project.request(&["a"]), &cx).await.unwrap();
    let reference = ImageRef::tagged(project.name.clone(), "v1".parse().unwrap());
    let digest = docker.push(&reference, &cx).await.unwrap();
    let registry = Registry::new(RegistrySettings { insecure: Vec::new(), env: project.env.clone() });
    assert_eq!(registry.digest(&reference, &cx).await.unwrap(), Some(digest.clone()));

    let name = reference.to_string();
    let archive = docker.save(std::slice::from_ref(&name));
    let file = project.path().join("image.tar");
    let mut out = tokio::fs::File::create(&file).await.unwrap();
    let mut archive = std::pin::pin!(archive);
    while let Some(part) = futures::StreamExt::next(&mut archive).await {
        tokio::io::AsyncWriteExt::write_all(&mut out, &part.unwrap()).await.unwrap();
    }
    tokio::io::AsyncWriteExt::flush(&mut out).await.unwrap();
    docker.remove_image(&name, &cx).await.unwrap();
    docker.remove_image(&format!("{}@{digest}", project.name), &cx).await.unwrap();
    assert_eq!(docker.image_id(&name, &cx).await.unwrap(), None);
    docker.load(tokio_util::io::ReaderStream::new(tokio::fs::File::open(&file).await.unwrap()), &cx).await.unwrap();
    assert_eq!(docker.image_id(&name, &cx).await.unwrap(), Some(id.clone()));

    docker.remove_image(&name, &cx).await.unwrap();
    docker.pull(&reference, None, &cx).await.unwrap();
    assert_eq!(docker.image_id(&name, &cx).await.unwrap(), Some(id));
    docker.remove_image(&name, &cx).await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn a_cancelled_build_ends_at_once() {
    let project = Project::new("cancelled", "FROM localhost:5000/busybox\nRUN echo started && sleep 1000\n");
    let docker = project.docker().await;
    for use_buildkit in [true, false] {
        let (cx, mut events) = project.cx();
        let mut request = project.request(&[]);
        request.use_buildkit = Some(use_buildkit);
        let (cancel, build) = (cx.cancel.clone(), docker.build(request, &cx));
        let watch = async {
            while let Some(event) = events.recv().await {
                if matches!(event, EventKind::StepLog { line, .. } if line.ends_with("started")) {
                    cancel.cancel();
                }
            }
        };
        tokio::select! {
            result = build => assert_eq!(result.unwrap_err().to_string(), "interrupted"),
            () = watch => panic!("the build goes on"),
        }
    }
}
