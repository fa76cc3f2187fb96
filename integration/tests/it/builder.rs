//! Builds in the builder pod: BuildKit in a pod that asks for no privilege.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::context::TestContext;
use crate::context::free_port;
use crate::session::PATIENCE;
use crate::session::Session;

/// What `integration/test` makes.
const IMAGE: &str = "localhost:5000/devloop-builder:it";
const SKAFFOLD: &str = "apiVersion: skaffold/v4beta14
kind: Config
metadata: {name: web}
build:
  cluster: {}
  tagPolicy: {inputDigest: {}}
  artifacts:
  - image: web
    docker: {}
";

/// How many files a large context has.
const FILES: usize = 100_000;

/// Reads a whole context, and copies none of it.
const MOUNTED: &str = "FROM localhost:5000/busybox
RUN --mount=type=bind,target=/all test $(find /all/data -type f | wc -l) -ge 20000
";

fn project(dockerfile: &str) -> TestContext {
    let context = TestContext::new();
    let repository = format!("localhost:5000/{}", context.namespace());
    let context = context.with("SKAFFOLD_DEFAULT_REPO", &repository).with("DEVLOOP_BUILDER_IMAGE", IMAGE).with("USER", "ann");
    context.with_file("skaffold.yaml", SKAFFOLD).with_file("Dockerfile", dockerfile)
}

fn builders(context: &TestContext) -> Vec<String> {
    let names = context.kubectl(&["get", "jobs", "-l", "devloop.dev/builder", "-o", "name"]);
    names.lines().map(str::to_owned).collect()
}

fn pods(context: &TestContext) -> String {
    context.kubectl(&["get", "pods", "-l", "devloop.dev/builder", "-o", "name"])
}

/// Ends with the test, whatever becomes of that.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn a_builder_stays_warm_until_it_is_deleted() {
    let context = project("FROM localhost:5000/busybox\nRUN --mount=type=cache,target=/c echo x >> /c/log && cp /c/log /log\nCOPY a /a\n")
        .with_file("a", "1");
    let first = context.devloop(&["build"]).success();
    assert!(first.contains("Builder: a new pod of namespace [NAMESPACE]"), "{first}");
    let pod = pods(&context);
    let context = context.with_file("a", "2");
    let second = context.devloop(&["build"]).success();
    assert!(second.contains("Builder: BuildKit in a warm pod of namespace [NAMESPACE]"), "{second}");
    assert!(second.contains("CACHED"), "{second}");
    assert_eq!(pods(&context), pod);
    let shown = context.devloop(&["diagnose"]).success();
    assert!(shown.contains("which needs no privilege: runs in namespace [NAMESPACE]"), "{shown}");
    let deleted = context.devloop(&["delete", "--builders"]).success();
    assert!(deleted.starts_with("builder devloop-builder-ann-"), "{deleted}");
    assert_eq!(builders(&context), [""; 0]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn a_builder_that_nobody_uses_ends() {
    let context = project("FROM localhost:5000/busybox\nCOPY a /a\n").with_file("a", "1").with("DEVLOOP_BUILDER_IDLE", "20s");
    context.devloop(&["build"]).success();
    let builder = builders(&context).remove(0);
    context.kubectl(&["wait", "--for=condition=complete", "--timeout=180s", &builder]);
    // What has ended makes room for the next.
    let context = context.with_file("a", "2");
    let again = context.devloop(&["build"]).success();
    assert!(again.contains("Builder: a new pod"), "{again}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn a_builder_that_is_killed_in_a_build_is_made_anew() {
    let context = project("FROM localhost:5000/busybox\nRUN echo it-runs && sleep 5 && echo done > /done\n");
    let mut build = context.command(&["build"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(build.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut seen: Vec<String> = lines.by_ref().take_while(|line| !line.ends_with(" it-runs")).collect();
    let pod = pods(&context);
    context.kubectl(&["delete", pod.trim(), "--grace-period=0", "--force"]);
    seen.extend(lines);
    let mut errors = String::new();
    std::io::Read::read_to_string(&mut build.stderr.take().unwrap(), &mut errors).unwrap();
    assert!(build.wait().unwrap().success(), "{}\n{errors}", seen.join("\n"));
    assert!(seen.iter().any(|line| line.contains("the builder is gone in the middle of the build: once more")), "{}", seen.join("\n"));
    assert_ne!(pods(&context), pod);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn two_people_have_a_builder_each_where_the_baseline_is_enforced() {
    let context = project("FROM localhost:5000/busybox\nRUN id > /id\n");
    context.kubectl(&["label", "namespace", context.namespace(), "pod-security.kubernetes.io/enforce=baseline"]);
    let build = |user: &str| {
        let mut command = context.command(&["build", "--tag", user, "--cache-artifacts=false"]);
        command.env("USER", user).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [build("ann"), build("bob")];
    for build in both {
        let output = build.wait_with_output().unwrap();
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    let mut names = builders(&context);
    names.sort_unstable();
    assert_eq!(names.iter().map(|name| name.split('-').nth(2).unwrap()).collect::<Vec<_>>(), ["ann", "bob"]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn of_a_large_context_only_what_changed_is_sent() {
    let context = project(MOUNTED).with_file(".dockerignore", ".*");
    std::fs::create_dir(context.path().join("data")).unwrap();
    devloop_integration::large_context::write_large_context(&context.path().join("data"), FILES).unwrap();
    context.devloop(&["build"]).success();
    let context = context.with_file("data/one-more", "a line\n");
    let run = context.devloop(&["build", "-v", "debug"]);
    let sent =
        run.stderr.lines().find_map(|line| line.split(" bytes were sent to the builder").next()?.rsplit(' ').next()?.parse::<u64>().ok());
    let errors = run.stderr.clone();
    run.success();
    let sent = sent.unwrap_or_else(|| panic!("{errors}"));
    assert!(sent < 1_000_000, "{sent} bytes");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn steps_that_are_kept_elsewhere_outlive_the_builder() {
    for kept in ["type=registry,ref=localhost:5000/it/steps,mode=max", "type=local,dest=.steps,mode=max"] {
        let from = kept.replace("dest=", "src=").replace(",mode=max", "");
        let caches = SKAFFOLD.replace("skaffold/v4beta14", "devloop/v1");
        let caches = caches.replace("docker: {}", &format!("docker: {{cacheFrom: ['{from}'], cacheTo: ['{kept}']}}"));
        let context = project("FROM localhost:5000/busybox\nARG WHO\nRUN echo $WHO it runs $((1 + 1)) > /log && cat /log\n")
            .with_file(".dockerignore", ".*");
        // Steps of another run of this test are no steps of this one.
        let caches = caches.replace("cacheTo", &format!("buildArgs: {{WHO: {}}}, cacheTo", context.namespace()));
        let context = context.with_file("skaffold.yaml", &caches);
        let has_run = |output: &str| output.lines().any(|line| line.ends_with(" it runs 2"));
        let first = context.devloop(&["build"]).success();
        assert!(has_run(&first), "{kept}: {first}");
        context.devloop(&["delete", "--builders"]).success();
        let second = context.devloop(&["build", "--cache-artifacts=false"]).success();
        assert!(!has_run(&second), "{kept}: {second}");
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn what_cannot_be_is_told_and_a_cache_that_is_away_is_no_matter() {
    let away = SKAFFOLD.replace("docker: {}", "docker: {cacheFrom: ['localhost:5999/no/cache']}");
    let context = project("FROM localhost:5000/busybox\nRUN true\n").with_file("skaffold.yaml", &away);
    context.devloop(&["build"]).success();
    let failing = context.devloop(&["build", "--builder-image", "localhost:5000/no/such:1", "--cache-artifacts=false"]).failure();
    assert!(failing.1.contains("the image of the builder cannot be pulled: `localhost:5000/no/such:1`"), "{failing:?}");
    let context = context.with_file("Dockerfile", "FROM localhost:5000/busybox\nRUN echo last words && exit 3\n");
    let failing = context.devloop(&["build"]).failure();
    assert!(failing.1.contains("failed at `[2/2] RUN echo last words && exit 3`") && failing.1.contains("last words"), "{failing:?}");
    let hasty = SKAFFOLD.replace("cluster: {}", "cluster: {timeout: 3s}");
    let context = context.with_file("skaffold.yaml", &hasty).with_file("Dockerfile", "FROM localhost:5000/busybox\nRUN sleep 60\n");
    let failing = context.devloop(&["build"]).failure();
    assert!(failing.1.contains("was not done after 3 s"), "{failing:?}");
    let user = SKAFFOLD.replace("cluster: {}", "cluster: {runAsUser: 1000}");
    let context = context.with_file("skaffold.yaml", &user);
    let failing = context.devloop(&["build"]).failure();
    assert!(failing.1.contains("`runAsUser: 1000` of `build.cluster` is not root"), "{failing:?}");
    context.kubectl(&["label", "namespace", context.namespace(), "pod-security.kubernetes.io/enforce=restricted"]);
    let context = context.with_file("skaffold.yaml", SKAFFOLD).with("USER", "cleo");
    let failing = context.devloop(&["build"]);
    assert_eq!(failing.code, 1, "{}", failing.stdout);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn a_buildkit_of_the_users_own_builds_over_a_socket_and_over_mutual_tls() {
    let context =
        project("FROM localhost:5000/busybox\nRUN --mount=type=secret,id=token test s3cret = $(cat /run/secrets/token)\nCOPY a /a\n")
            .with_file("a", "1")
            .with_file("skaffold.yaml", &SKAFFOLD.replace("docker: {}", "docker: {secrets: [{id: token, env: TOKEN}]}"))
            .with("TOKEN", "s3cret");
    let (state, port) = (context.path().join(".buildkit"), free_port());
    let certificates = state.join("certs");
    std::fs::create_dir_all(&certificates).unwrap();
    let script = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -days 2 -keyout ca-key.pem -out ca.pem -addext basicConstraints=critical,CA:TRUE
for name in server client; do
  openssl req -newkey rsa:2048 -nodes -subj /CN=$name -keyout $name-key.pem -out $name.csr
  printf 'subjectAltName=DNS:localhost\\n' > ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile ext -out $name.pem
done
cp client.pem cert.pem; cp client-key.pem key.pem";
    assert!(Command::new("sh").args(["-ec", script]).current_dir(&certificates).stderr(Stdio::null()).status().unwrap().success());
    let at = |file: &str| certificates.join(file).display().to_string();
    let socket = state.join("buildkitd.sock");
    let daemon = Command::new(buildkitd())
        .args(["--root", &state.join("root").display().to_string(), "--addr", &format!("unix://{}", socket.display())])
        .args(["--addr", &format!("tcp://localhost:{port}"), "--tlscacert", &at("ca.pem"), "--tlscert", &at("server.pem")])
        .args(["--tlskey", &at("server-key.pem"), "--containerd-worker=false", "--oci-worker-net=host"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _daemon = Server(daemon.unwrap());
    let waited = Instant::now();
    while !socket.exists() {
        assert!(waited.elapsed() < PATIENCE, "BuildKit does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    let context = context.with("BUILDKIT_HOST", &format!("unix://{}", socket.display())).with_file(".dockerignore", ".*");
    let shown = context.devloop(&["build"]).success();
    assert!(shown.contains("Builder: BuildKit at unix://"), "{shown}");
    let context = context.with("BUILDKIT_HOST", &format!("tcp://localhost:{port}")).with_file("a", "2");
    let (_, plain) = context.devloop(&["build"]).failure();
    assert!(plain.contains("BuildKit could not tell what it builds for"), "{plain}");
    let context = context.with("BUILDKIT_TLS_DIR", &certificates.display().to_string());
    let shown = context.devloop(&["build"]).success();
    assert!(shown.contains("Builder: BuildKit at tcp://localhost:"), "{shown}");
    assert_eq!(builders(&context), [""; 0]);
}

/// Returns the daemon that `builder-image/build` made.
fn buildkitd() -> PathBuf {
    let cache =
        std::env::var_os("XDG_CACHE_HOME").map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from);
    let entries =
        std::fs::read_dir(cache.join("devloop-builder-image")).expect("run `integration/test`, which makes the image of builder pods");
    let named =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("buildkitd-"));
    named.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).expect("run `integration/test`")
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn the_example_runs_both_ways_under_dev() {
    for profile in ["builder", "kaniko"] {
        let context = TestContext::new().with_example("in-cluster").with("DEVLOOP_BUILDER_IMAGE", IMAGE).with("USER", "ann");
        let repository = format!("localhost:5000/{}", context.namespace());
        let skaffold = std::fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
        // The images that the test cluster has, and a directory of the node that is this test's own.
        let skaffold = skaffold
            .replace(
                "image: gcr.io/kaniko-project/executor:latest",
                &format!("image: {}\n            initImage: localhost:5000/busybox", crate::kaniko::executor()),
            )
            .replace("/var/cache/devloop-example", &format!("/var/cache/devloop-it/{}", context.namespace()));
        // The state of devloop is in the folder, and no part of what is built.
        let ignore = std::fs::read_to_string(context.path().join(".dockerignore")).unwrap() + ".state\n";
        let context = context.with_file("skaffold.yaml", &skaffold).with_file(".dockerignore", &ignore);
        let context = context.with("SKAFFOLD_DEFAULT_REPO", &repository);
        let mut session = Session::start(&context, &["-p", profile]);
        session.succeeds();
        assert_eq!(context.answer("feed-agg"), "built in the cluster\ngreeting: hello\n", "{profile}");
        std::fs::write(context.path().join("conf.yaml"), "greeting: again\n").unwrap();
        session.succeeds();
        assert_eq!(context.answer("feed-agg"), "built in the cluster\ngreeting: again\n", "{profile}");
        session.leaves("INT");
        assert_eq!(context.kubectl(&["get", "deployments,services", "-o", "name"]), "", "{profile}");
        std::fs::remove_dir_all(format!("/var/cache/devloop-it/{}", context.namespace())).ok();
    }
}
