//! Kaniko pods in the real cluster.
//!
//! Most tests are about the driver, and have a fake in kaniko's place: a script that says what it was told, and does what comments of the
//! Dockerfile ask for. Those at the end build with the real executor.

use std::process::Command;
use std::sync::OnceLock;

use devloop_model::EventKind;

use crate::context::TestContext;
use crate::context::cluster_environment;
use crate::session::Session;
use crate::session::looked;

/// The image with kaniko's command line: its name and tag.
const EXECUTOR: (&str, &str) = ("devloop-builder", "it");
const BUSYBOX: &str = "localhost:5000/busybox";
/// What the fake leaves as digest.
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

/// Stands in kaniko's place.
const FAKE: &str = r#"#!/bin/sh
echo "told: $*"
while [ $# -gt 0 ]; do
  case $1 in
    --dockerfile) dockerfile=$2 ;;
    --digest-file) digest=$2 ;;
  esac
  shift
done
cd /kaniko/buildcontext || exit 1
printf 'sha256:%064d' 1 > "$digest"
sed -n 's/^# fake: //p' "$dockerfile" > /tmp/fake.sh
. /tmp/fake.sh
"#;

fn docker(context: &std::path::Path, arguments: &[&str]) {
    let mut command = Command::new("docker");
    let output = command.args(arguments).current_dir(context).env_clear().envs(cluster_environment()).env("DOCKER_BUILDKIT", "0");
    let output = output.output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes and pushes an image on busybox.
fn image(name: &str, rest: &str, files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile"), format!("FROM {BUSYBOX}\n{rest}\n")).unwrap();
    for (path, text) in files {
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    let name = format!("localhost:5000/it/{name}");
    docker(folder.path(), &["build", "-q", "-t", &name, "."]);
    docker(folder.path(), &["push", "-q", &name]);
    name
}

/// Returns the executor as the registry has it now: a node asks for a tag only once.
pub(crate) fn executor() -> String {
    let (name, tag) = EXECUTOR;
    let address = format!("http://localhost:5000/v2/{name}/manifests/{tag}");
    let accept = "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
    let output = Command::new("curl").args(["-sSfI", "-H", accept, &address]).output().unwrap();
    assert!(output.status.success(), "no executor: `builder-image/build localhost:5000/{name}:{tag}`");
    let headers = String::from_utf8(output.stdout).unwrap().to_lowercase();
    let digest = headers.lines().find_map(|line| line.strip_prefix("docker-content-digest: ")).unwrap();
    format!("localhost:5000/{name}@{}", digest.trim())
}

fn fake() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| image("kaniko-fake", "COPY executor /executor\nENTRYPOINT [\"/bin/sh\", \"/executor\"]", &[("executor", FAKE)]))
}

/// Returns a project that is built by `image` in a pod of its own namespace; `doing` are lines of the fake.
fn project(image: &str, cluster: &str, kaniko: &str, doing: &[&str]) -> TestContext {
    let context = TestContext::new();
    let namespace = context.namespace().to_owned();
    let skaffold = format!(
        "apiVersion: skaffold/v4beta14
kind: Config
build:
  tagPolicy: {{envTemplate: {{template: v1}}}}
  cluster: {{namespace: {namespace}, {cluster}}}
  artifacts:
  - image: localhost:5000/it/kaniko-{namespace}
    context: app
    kaniko: {{image: '{image}', initImage: {BUSYBOX}, {kaniko}}}
"
    );
    let doing = doing.iter().map(|line| ["# fake: ", line, "\n"].concat()).collect::<String>();
    context
        .with_file("skaffold.yaml", &skaffold)
        .with_file(
            "app/Dockerfile",
            &format!(
                "{doing}FROM {BUSYBOX}\nARG GREETING=hello\nCOPY src /src\nRUN echo $GREETING > /greeting && echo it runs $((1 + 1))\n"
            ),
        )
        .with_file("app/src/main.txt", "main\n")
        .with_file("app/unused.txt", "never sent\n")
}

/// What a build leaves in its namespace.
fn left(context: &TestContext) -> String {
    let pods = context.kubectl(&["get", "pods,secrets,leases", "-o", "name"]);
    pods.lines().filter(|line| !line.contains("kube-root-ca")).collect::<Vec<_>>().join(" ")
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn the_context_arrives_and_the_log_and_digest_come_back() {
    let context = project(
        fake(),
        "labels: {team: t}",
        "buildArgs: {GREETING: '{{.IMAGE_TAG}}'}, env: [{name: MINE, value: '{{.IMAGE_NAME}}'}]",
        &[
            "find . | sort; stat -c 'owner %u:%g %a' src/main.txt; readlink src/link; echo \"mine $MINE $IMAGE_TAG\"",
            "i=0; while [ $i -lt 2000 ]; do echo \"line $i\"; i=$((i+1)); done",
            "head -c 200000 /dev/zero | tr '\\0' x; echo",
        ],
    );
    std::os::unix::fs::symlink("/etc/hosts", context.path().join("app/src/link")).unwrap();
    let output = context.devloop(&["build", "--file-output", "built.json"]).success();
    let lines: Vec<&str> = output.lines().collect();
    let has = |wanted: &str| lines.iter().any(|line| line.ends_with(wanted));
    assert!(has("kaniko pod: `image` is for kaniko alone"), "{output}");
    let told = lines.iter().find(|line| line.contains("told: ")).unwrap();
    for word in [
        "--destination 10.244.0.1:5000/it/kaniko-[NAMESPACE]:v1",
        "--dockerfile .devloop-dockerfile/Dockerfile",
        "--context dir:///kaniko/buildcontext",
        "--build-arg GREETING=v1",
        "--insecure-registry 10.244.0.1:5000",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }
    for line in ["./src", "./src/link", "./src/main.txt", "owner 0:0 644", "/etc/hosts", "mine kaniko-[NAMESPACE] v1"] {
        assert!(has(line), "{line}: {output}");
    }
    assert!(!output.contains("unused.txt"), "{output}");
    assert_eq!((0..2000).filter(|number| !lines.contains(&&*format!("line {number}"))).count(), 0, "every line is there");
    assert!(output.matches('x').count() >= 200_000, "a long line is whole");
    assert!(std::fs::read_to_string(context.path().join("built.json")).unwrap().contains(&format!(":v1@{DIGEST}")));
    assert_eq!(left(&context), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_large_context_is_whole_in_every_part() {
    let context = project(fake(), "", "buildContextCompressionLevel: 0", &["sha256sum src/large"]);
    let mut seed = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(40 << 20)
    .collect();
    std::fs::write(context.path().join("app/src/large"), noise).unwrap();
    let sum = Command::new("sha256sum").arg(context.path().join("app/src/large")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let output = context.devloop(&["build"]).success();
    assert!(output.contains(sum.split(' ').next().unwrap()), "{output}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_build_that_fails_is_told_with_its_last_lines() {
    let context = project(fake(), "", "", &["echo compiling", "echo 'no such function' >&2", "exit 42"]);
    let (_, errors) = context.devloop(&["build"]).failure();
    assert!(
        errors.starts_with("error[build/kaniko]: kaniko cannot build `localhost:5000/it/kaniko-[NAMESPACE]`\n --> skaffold.yaml:7:"),
        "{errors}"
    );
    assert!(errors.contains("exit code 42\n") && errors.contains("compiling\n") && errors.contains("no such function\n"), "{errors}");
    assert_eq!(left(&context), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_upload_that_fails_builds_nothing() {
    let full = image("kaniko-no-room", "RUN rm -rf /tmp && touch /tmp", &[]);
    let context = project(fake(), "", &format!("initImage: '{full}', copyMaxRetries: 2"), &["echo built"]);
    let skaffold = std::fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    let context = context.with_file("skaffold.yaml", &skaffold.replace(&format!("initImage: {BUSYBOX}, "), ""));
    let (output, errors) = context.devloop(&["build"]).failure();
    assert!(errors.starts_with("error[build/kaniko-context]: the build context cannot be sent to the kaniko pod\n"), "{errors}");
    assert!(errors.contains("part 1 of it does not arrive") && errors.contains("can't create /tmp/context.0.2"), "{errors}");
    assert!(!output.contains("told: "), "{output}");
    assert_eq!(left(&context), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn hopeless_pods_are_told_at_once() {
    let context = project("localhost:5000/none:1", "", "", &[]);
    let (_, errors) = context.devloop(&["build"]).failure();
    assert!(errors.starts_with("error[build/kaniko-pod]: the kaniko pod of `localhost:5000/it/kaniko-[NAMESPACE]` failed\n"), "{errors}");
    assert!(errors.contains("ErrImagePull: "), "{errors}");
    let memory = "resources: {limits: {memory: 24Mi}}";
    let context = project(fake(), memory, "", &["x=x; while true; do x=$x$x; done"]);
    let (_, errors) = context.devloop(&["build"]).failure();
    assert!(errors.contains("OOMKilled: kaniko took more memory than `build.cluster.resources` or its node allows"), "{errors}");
    let context = project(fake(), "nodeSelector: {no: such-node}, timeout: 5s", "", &[]);
    let (_, errors) = context.devloop(&["build"]).failure();
    assert!(
        errors.contains("warning[build/kaniko-waiting]: the kaniko pod of `localhost:5000/it/kaniko-[NAMESPACE]` waits for a node\n"),
        "{errors}"
    );
    assert!(errors.contains("error[build/kaniko-timeout]: "), "{errors}");
    assert_eq!(left(&context), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn secrets_are_made_for_one_build_or_used_as_they_are() {
    let reads = ["echo \"key: $(cat $GOOGLE_APPLICATION_CREDENTIALS)\"", "echo \"config: $(cat /kaniko/.docker/config.json)\""];
    let cluster = "pullSecretPath: key.json, dockerConfig: {path: docker.json}";
    let context = project(fake(), cluster, "", &reads).with_file("key.json", "from-the-file").with_file("docker.json", "{\"auths\": {}}");
    let output = context.devloop(&["build"]).success();
    assert!(output.contains("key: from-the-file\n") && output.contains("config: {\"auths\": {}}\n"), "{output}");
    assert_eq!(left(&context), "");
    // What exists is used, whatever its keys are called and wherever the path points, and stays.
    let cluster = "pullSecretPath: /no/such/key.json, pullSecretMountPath: /keys/, dockerConfig: {secretName: registry}";
    let context = project(fake(), cluster, "", &reads);
    context.kubectl(&["create", "secret", "generic", "kaniko-secret", "--from-literal=key.json=existing"]);
    context.kubectl(&[
        "create",
        "secret",
        "docker-registry",
        "registry",
        "--docker-server=r.io",
        "--docker-username=u",
        "--docker-password=p",
    ]);
    let output = context.devloop(&["build"]).success();
    assert!(output.contains("key: existing\n") && output.contains("config: {\"auths\":{\"r.io\":"), "{output}");
    assert_eq!(left(&context), "secret/kaniko-secret secret/registry");
    // What neither exists nor can be made is the configuration's fault.
    let context = project(fake(), "pullSecretPath: key.json", "", &[]);
    let (_, errors) = context.devloop(&["build"]).failure();
    assert!(
        errors.contains("there is no secret `kaniko-secret`, and the file to make it from cannot be read: `[FOLDER]/key.json`"),
        "{errors}"
    );
    assert!(errors.contains("help: set `build.cluster.pullSecretPath` to a file"), "{errors}");
    assert_eq!(left(&context), "");
}

/// Starts a build whose pod runs until it is stopped.
fn endless(cluster: &str) -> (TestContext, Session) {
    let context = project(fake(), cluster, "", &["echo waiting", "sleep 600"]).with_file("key.json", "k");
    let mut session = Session::of(context.command(&["build", "--output", "json"]));
    session.until("line", |fact| matches!(fact, EventKind::StepLog { line, .. } if line == "waiting").then_some(()));
    (context, session)
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_build_that_is_stopped_leaves_nothing() {
    let (context, session) = endless("pullSecretPath: key.json");
    assert_eq!(left(&context).split(' ').count(), 3, "{}", left(&context));
    session.leaves("INT");
    assert_eq!(left(&context), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_a_crash_leaves_the_next_build_removes() {
    let (context, session) = endless("pullSecretPath: key.json");
    session.leaves("KILL");
    let lease = context.kubectl(&["get", "leases", "-o", "name"]).trim().to_owned();
    let pod = context.kubectl(&["get", "pods", "-o", "name"]).trim().to_owned();
    assert!(lease.contains("devloop-build-") && pod.contains("kaniko-"), "{lease} {pod}");
    // Its minute need not pass here.
    context.kubectl(&["patch", &lease, "--type=merge", "-p", "{\"spec\": {\"leaseDurationSeconds\": 1}}"]);
    let context = context.with_file("app/Dockerfile", &format!("FROM {BUSYBOX}\nCOPY src /src\n"));
    looked("sweep", || {
        context.devloop(&["build", "--cache-artifacts=false"]).success();
        (!left(&context).contains(&lease)).then_some(())
    });
    looked("removal of what it owned", || left(&context).is_empty().then_some(()));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_dockerfile_that_is_hidden_or_elsewhere_is_built() {
    let listing = &["find . -type f | sort | tr '\\n' ' '; echo"];
    let context = project(fake(), "", "", listing).with_file("app/.dockerignore", "Dockerfile\n");
    let output = context.devloop(&["build"]).success();
    assert!(output.contains("./.devloop-dockerfile/Dockerfile ./.devloop-dockerfile/Dockerfile.dockerignore ./src/main.txt"), "{output}");
    let context = project(fake(), "", "dockerfile: other/Dockerfile", listing);
    std::fs::create_dir(context.path().join("other")).unwrap();
    std::fs::rename(context.path().join("app/Dockerfile"), context.path().join("other/Dockerfile")).unwrap();
    let output = context.devloop(&["build"]).success();
    assert!(output.contains("--dockerfile .devloop-dockerfile/Dockerfile") && output.contains("./src/main.txt"), "{output}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn the_real_executor_builds_what_the_article_configures() {
    let cluster = "volumes: [{name: buildcache, hostPath: {path: /tmp/devloop-it-buildcache, type: DirectoryOrCreate}}]";
    let kaniko = "reproducible: true, singleSnapshot: true, skipUnusedStages: true, useNewRun: true, whitelistVarRun: true, \
                  registryMirror: mirror.gcr.io, buildArgs: {GREETING: 'from {{.IMAGE_TAG}}'}, \
                  volumeMounts: [{name: buildcache, mountPath: /var/run/gobuildcache}]";
    let context = project(&executor(), cluster, kaniko, &[]);
    let context = context.with_file(
        "app/Dockerfile",
        &format!(
            "FROM {BUSYBOX} AS unused\nRUN false\nFROM {BUSYBOX} AS build\nARG GREETING\nCOPY src /src\n\
             RUN echo $GREETING >> /var/run/gobuildcache/runs && echo $GREETING > /greeting\n\
             FROM {BUSYBOX}\nCOPY --from=build /greeting /greeting\nCMD [\"cat\", \"/greeting\"]\n"
        ),
    );
    context.devloop(&["build", "--file-output", "built.json"]).success();
    let built = std::fs::read_to_string(context.path().join("built.json")).unwrap();
    let tag = built.split('"').find(|text| text.contains("@sha256:")).unwrap().to_owned();
    assert_eq!(context.docker(&["run", "--rm", &tag]).trim(), "from v1");
    assert_eq!(left(&context), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn the_real_executor_uses_its_layer_cache_and_tells_a_failing_command() {
    let context = project(&executor(), "", "", &[]);
    let config = std::fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    let repository = format!("localhost:5000/it/kaniko-cache-{}", context.namespace());
    let context =
        context.with_file("skaffold.yaml", &config.replace("initImage: ", &format!("cache: {{repo: '{repository}'}}, initImage: ")));
    let output = context.devloop(&["build"]).success();
    assert!(output.contains("exporting cache to registry"), "{output}");
    assert!(has_run(&output), "{output}");
    let output = context.devloop(&["build", "--cache-artifacts=false"]).success();
    assert!(!has_run(&output), "{output}");
    let context = context.with_file("app/Dockerfile", &format!("FROM {BUSYBOX}\nRUN echo before; exit 7\n"));
    let (_, errors) = context.devloop(&["build"]).failure();
    assert!(errors.contains("error[build/kaniko]: ") && errors.contains("exit code 7\n"), "{errors}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn the_real_executor_keeps_its_layer_cache_in_a_volume() {
    let folder = format!("/tmp/devloop-it-layers-{}", std::process::id());
    let cluster = format!("volumes: [{{name: layers, hostPath: {{path: {folder}, type: DirectoryOrCreate}}}}]");
    let kaniko = "cache: {repo: 'oci:/layers'}, volumeMounts: [{name: layers, mountPath: /layers}]";
    let context = project(&executor(), &cluster, kaniko, &[]);
    let output = context.devloop(&["build"]).success();
    assert!(has_run(&output), "{output}");
    let output = context.devloop(&["build", "--cache-artifacts=false"]).success();
    assert!(!has_run(&output), "{output}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Whether the command of [`project`]'s Dockerfile was run.
fn has_run(output: &str) -> bool {
    output.lines().any(|line| line.ends_with(" it runs 2"))
}
