//! minikube's daemon: a program that answers as minikube does leads builds to the test's own daemon.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::context::TestContext;
use crate::context::cluster_environment;

/// A project, and a `minikube` that knows one profile; no other way leads to a daemon.
fn project(profile: &str) -> TestContext {
    let environment = cluster_environment();
    let known = |name: &str| environment.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap();
    let script = format!(
        "#!/bin/sh\nif [ \"$*\" != 'docker-env --shell none -p {profile}' ]; then echo \"no profile: $*\" >&2; exit 85; fi\n\
         echo DOCKER_HOST={}\necho MINIKUBE_ACTIVE_DOCKERD={profile}\necho '# eval $(minikube docker-env)'\n",
        known("DOCKER_HOST")
    );
    let config = "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  tagPolicy: {sha256: {}}\n  local: {push: false}\n  artifacts: [{image: it-minikube}]\n";
    let context = TestContext::new()
        .with_file("skaffold.yaml", config)
        .with_file("Dockerfile", "FROM localhost:5000/busybox\nCMD echo minikube\n")
        .with_file("bin/minikube", &script)
        .with("DOCKER_HOST", "unix:///run/no-such-docker.sock");
    let program = context.path().join("bin/minikube");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", context.path().join("bin").display(), known("PATH"));
    context.with("PATH", &path)
}

/// Calls the context of a kubeconfig `name`.
fn renamed(context: TestContext, name: &str) -> TestContext {
    let config = context.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]);
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    config["contexts"][0]["name"] = name.into();
    config["current-context"] = name.into();
    config["clusters"][0]["cluster"]["extensions"] =
        serde_json::json!([{"name": "cluster_info", "extension": {"provider": "minikube.sigs.k8s.io"}}]);
    let kubeconfig = context.path().join("kubeconfig");
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let path = Path::new(&kubeconfig).display().to_string();
    context.with("KUBECONFIG", &path)
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn builds_go_to_the_daemon_of_the_profile() {
    for arguments in [&["build", "-q"][..], &["build", "-q", "--detect-minikube=false"]] {
        renamed(project("minikube"), "minikube").devloop(arguments).success();
    }
    renamed(project("office"), "office").devloop(&["build", "-q"]).success();
    project("dev").devloop(&["build", "-q", "--minikube-profile", "dev"]).success();
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_profile_that_does_not_run_is_told() {
    let (_, errors) = project("dev").devloop(&["build", "-q", "--minikube-profile", "gone"]).failure();
    insta::assert_snapshot!(errors, @r"
    warning[docker/minikube]: the daemon of minikube profile `gone` is not known
      `minikube` ended with exit status: 85
      no profile: docker-env --shell none -p gone
    help: images are built in the daemon of this machine; start the profile with `minikube start`
    error[docker/no-daemon]: no container daemon answers at `unix:///run/no-such-docker.sock`
      there is no such socket (address from DOCKER_HOST)
    help: start the container daemon, or set DOCKER_HOST or `docker context use` to one that runs
    ");
    let (_, errors) = renamed(project("office"), "office").devloop(&["build", "-q", "--detect-minikube=false"]).failure();
    assert!(!errors.contains("minikube") && errors.contains("no container daemon answers"), "{errors}");
}
