//! Builders that are programs of others. Maven, buildah and buildx are the real ones. Bazel and pack are not to be had from package
//! registries: a program of their name on PATH stands for each, takes the same arguments and makes a real image.

use std::os::unix::fs::PermissionsExt as _;

use crate::context::TestContext;
use crate::context::tool;

/// Puts a program on PATH that stands for another.
fn with_program(context: TestContext, name: &str, script: &str) -> TestContext {
    let context = context.with_file(&format!(".state/bin/{name}"), script);
    let directory = context.path().join(".state/bin");
    std::fs::set_permissions(directory.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    context.with_first_on_path(&directory)
}

/// Gives the docker command a plug-in that `integration/tools/install` built, in the home of the test.
fn with_docker_plugin(context: TestContext, name: &str) -> TestContext {
    let directory = context.path().join(".state/.docker/cli-plugins");
    std::fs::create_dir_all(&directory).unwrap();
    std::os::unix::fs::symlink(tool(name), directory.join(name)).unwrap();
    context
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn jib_pushes_what_maven_compiles_and_a_second_run_asks_nobody() {
    let context = TestContext::new().with_example("jib");
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-jib"), "Hello from Jib, without a Dockerfile\n");
    // Maven would fail here: what it said of the inputs is remembered.
    let context = with_program(context, "mvn", "#!/bin/sh\nexit 1\n");
    let second = context.devloop(&["run"]).success();
    assert!(second.contains("Found Remotely"), "{second}");
    let diagnosed = context.devloop(&["diagnose"]).success();
    assert!(diagnosed.contains("Jib artifact: hello-jib\n"), "{diagnosed}");
    assert!(diagnosed.contains("Inputs: 3 files"), "{diagnosed}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn jib_loads_into_the_daemon_and_faults_of_java_are_told_without_the_rest() {
    let context = TestContext::new().with_example("jib");
    let printed =
        context.devloop(&["build", "-q", "--push=false", "--tag", "v1", "--output", "{{range .Builds}}{{.Tag}}{{end}}"]).success();
    assert!(printed.contains("hello-jib:"), "{printed}");
    let main = context.path().join("src/main/java/hello/Main.java");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, text.replace("body.length", "body.lenght")).unwrap();
    let (stdout, stderr) = context.devloop(&["build", "-q"]).failure();
    let all = format!("{stdout}\n{stderr}");
    let fault = all.split("error[build/maven-failed]").nth(1).unwrap_or_else(|| panic!("{all}"));
    assert!(fault.contains("src/main/java/hello/Main.java:[") && fault.contains("cannot find symbol"), "{fault}");
    assert!(!fault.contains("[ERROR]") && !fault.contains("re-run Maven"), "{fault}");
}

const BAZEL: &str = r#"#!/bin/sh
# Stands for Bazel: one target, whose archive is made by the container daemon.
set -eu
echo "$@" >>.asked
case $1 in
info) pwd ;;
query) printf '//:BUILD\n//:index.html\n@rules_oci//oci:defs.bzl\n' ;;
build) docker build -q -t bazel/hello:image . >/dev/null && docker save -o image.tar bazel/hello:image ;;
cquery) echo image.tar ;;
esac
"#;

/// The Dockerfile that BAZEL builds.
fn pages(from: &str) -> String {
    format!("FROM localhost:5000/busybox\nCOPY {from} /www/\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n")
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn the_example_of_bazel_answers() {
    let asked = BAZEL.replace("//:BUILD\\n//:index.html", "//:BUILD.bazel\\n//:MODULE.bazel\\n//:www/index.html");
    let context = with_program(TestContext::new().with_example("bazel"), "bazel", &asked);
    let context = context.with_file("Dockerfile", &pages("www/index.html"));
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-bazel"), "Hello from Bazel\n");
    let asked = std::fs::read_to_string(context.path().join(".asked")).unwrap();
    assert!(asked.contains("build //:image.tar --color=no\n"), "{asked}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_archive_of_bazel_is_pushed_or_loaded() {
    let context = with_program(TestContext::new(), "bazel", BAZEL)
        .with_file("Dockerfile", &pages("index.html"))
        .with_file("BUILD", "")
        .with_file("index.html", "Hello from Bazel\n");
    let image = format!("localhost:5000/it/bazel-{}", context.namespace());
    let manifest = std::fs::read_to_string(crate::context::root().join("examples/custom/k8s.yaml")).unwrap();
    let context = context.with_file("k8s.yaml", &manifest.replace("image: hello-custom", &format!("image: {image}"))).with_file(
        "skaffold.yaml",
        &format!(
            "apiVersion: skaffold/v4beta14\nkind: Config\nbuild:\n  tagPolicy: {{envTemplate: {{template: v1}}}}\n  artifacts:\n  - image: {image}\n    bazel: {{target: '//:image.tar', args: [--config=x], platforms: [{{platform: linux/amd64, target: '//:linux'}}]}}\nmanifests: {{rawYaml: [k8s.yaml]}}\n"
        ),
    );
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-custom"), "Hello from Bazel\n");
    let asked = std::fs::read_to_string(context.path().join(".asked")).unwrap();
    assert!(asked.contains("build --config=x //:image.tar --platforms=//:linux --color=no\n"), "{asked}");
    std::fs::write(context.path().join("index.html"), "changed\n").unwrap();
    let loaded = context.devloop(&["build", "-q", "--push=false", "--platform", "linux/amd64"]).success();
    assert!(loaded.contains(&image.replace(context.namespace(), "[NAMESPACE]")), "{loaded}");
    assert_eq!(context.docker(&["run", "--rm", &format!("{image}:v1"), "cat", "/www/index.html"]), "changed\n");
}

const PACK: &str = r#"#!/bin/sh
# Stands for pack: an image whose file says the environment of the build.
set -eu
echo "$@" >>.asked
printf 'FROM localhost:5000/busybox\nRUN echo "%s" >/greeting\n' "$GREETING" | docker build -q -t "$2" - >/dev/null
"#;

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn pack_builds_latest_and_the_image_gets_its_own_tag() {
    let context = with_program(TestContext::new(), "pack", PACK).with_file("main.go", "package main\n");
    let image = format!("localhost:5000/it/pack-{}", context.namespace());
    let context = context.with("WHO", "pack").with_file(
        "skaffold.yaml",
        &format!(
            "apiVersion: skaffold/v4beta14\nkind: Config\nbuild:\n  tagPolicy: {{envTemplate: {{template: v1}}}}\n  artifacts:\n  - image: {image}\n    buildpacks: {{builder: some/builder, env: ['GREETING=Hello from {{{{.WHO}}}}'], dependencies: {{paths: [main.go]}}}}\n"
        ),
    );
    let printed = context.devloop(&["build", "-q"]).success();
    assert!(printed.contains(&format!("{image}:v1@sha256:").replace(context.namespace(), "[NAMESPACE]")), "{printed}");
    assert_eq!(context.docker(&["run", "--rm", &format!("{image}:v1"), "cat", "/greeting"]), "Hello from pack\n");
    let asked = std::fs::read_to_string(context.path().join(".asked")).unwrap();
    assert!(asked.starts_with(&format!("build {image}:latest --path ")) && asked.contains(" --env GREETING"), "{asked}");
    assert!(!asked.contains("Hello"), "values are in no argument: {asked}");
    std::fs::write(context.path().join("main.go"), "package main // changed\n").unwrap();
    context.devloop(&["build", "-q", "--push=false"]).success();
}

const PACK_OF_GO: &str = r#"#!/bin/sh
# Stands for pack and its Go buildpacks: the program of this directory, on busybox.
set -eu
echo "$@" >>.asked
CGO_ENABLED=0 go build -ldflags "$BP_GO_BUILD_LDFLAGS" -o .program .
printf 'FROM localhost:5000/busybox\nCOPY .program /program\nCMD ["/program"]\n' >.Dockerfile
docker build -q -f .Dockerfile -t "$2" . >/dev/null
"#;

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn the_example_of_buildpacks_answers() {
    let context = with_program(TestContext::new().with_example("buildpacks"), "pack", PACK_OF_GO);
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-buildpacks"), "Hello from buildpacks, without a Dockerfile\n");
    let asked = std::fs::read_to_string(context.path().join(".asked")).unwrap();
    assert!(asked.contains(" --builder paketobuildpacks/builder-jammy-tiny ") && asked.contains(" --trust-builder "), "{asked}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn buildah_builds_and_pushes_by_itself() {
    let context = TestContext::new().with_example("custom-buildah");
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-buildah"), "Hello from buildah\n");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn buildx_builds_and_pushes_or_loads() {
    let context = with_docker_plugin(TestContext::new().with_example("custom-buildx"), "docker-buildx");
    context.devloop(&["run"]).success();
    assert_eq!(context.answer("hello-buildx"), "Hello from buildx\n");
    std::fs::write(context.path().join("www/index.html"), "changed\n").unwrap();
    let loaded = context.devloop(&["build", "-q", "--push=false", "--output", "{{range .Builds}}{{.Tag}}{{end}}"]).success();
    assert_eq!(context.docker(&["run", "--rm", &loaded, "cat", "/www/index.html"]), "changed\n");
}
