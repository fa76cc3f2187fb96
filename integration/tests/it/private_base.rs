//! A base image of a registry that asks who one is.

use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::context::TestContext;
use crate::context::cluster_environment;
use crate::context::free_port;

/// `it` with the password `p4ss`, as `htpasswd -B` writes it.
const ACCOUNT: &str = "it:$2b$04$pJMLj29N.qF3J51ekJrWZO72.8tYRjwmisW6oZtWogquSbvcZSN/O\n";
/// `it:p4ss`, as docker's `config.json` has it.
const CREDENTIALS: &str = "aXQ6cDRzcw==";
/// This machine, as pods see it.
const BRIDGE: &str = "10.244.0.1";

/// All images of the cluster's registry, for those who have the password. It ends with this.
struct PrivateRegistry {
    port: u16,
    process: Child,
}

impl PrivateRegistry {
    fn start(folder: &Path) -> Self {
        let variables = cluster_environment();
        let kubeconfig = variables.iter().find(|(name, _)| name == "KUBECONFIG").map(|(_, value)| Path::new(value)).unwrap();
        let (port, images) = (free_port(), kubeconfig.parent().unwrap().join("registry"));
        std::fs::write(folder.join("accounts"), ACCOUNT).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '0.0.0.0:{port}', secret: it}}\nauth: {{htpasswd: {{realm: it, path: {}}}}}\n",
            images.display(),
            folder.join("accounts").display()
        );
        std::fs::write(folder.join("registry.yml"), config).unwrap();
        let process = Command::new("docker-registry").arg("serve").arg(folder.join("registry.yml")).stdout(Stdio::null()).spawn().unwrap();
        let registry = Self { port, process };
        let url = format!("http://it:p4ss@localhost:{port}/v2/");
        let waited = Command::new("curl").args(["-sf", "--retry", "50", "--retry-connrefused", "--retry-delay", "1", &url]).output();
        assert!(waited.unwrap().status.success(), "the registry does not start");
        registry
    }
}

impl Drop for PrivateRegistry {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Builds on a private base at `host` without, and with, credentials.
fn build(host: &str, build: &str, arguments: &[&str]) {
    let config = "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  tagPolicy: {sha256: {}}\n  artifacts: [{image: on-private, context: app, docker: {buildArgs: {BASE: BASE_IMAGE}}}]\n";
    let folder = tempfile::tempdir().unwrap();
    let registry = PrivateRegistry::start(folder.path());
    let host = format!("{host}:{}", registry.port);
    // A label of its own, so that no cache has the answer.
    let dockerfile = format!("ARG BASE\nFROM $BASE\nLABEL of={host}\nRUN echo x >/x\n");
    let context = TestContext::new()
        .with_file("app/Dockerfile", &dockerfile)
        .with_file("skaffold.yaml", &format!("{}{build}", config.replace("BASE_IMAGE", &format!("{host}/busybox"))));
    let arguments = [&["build", "--default-repo", "localhost:5000/it", "--insecure-registry", &host], arguments].concat();
    let (_, said) = context.devloop(&arguments).failure();
    assert!(said.contains(&format!("{host}/busybox")), "{said}");
    let credentials = format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"{CREDENTIALS}\"}}}}}}");
    context.with_file(".state/.docker/config.json", &credentials).devloop(&arguments).success();
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn the_daemon_pulls_a_private_base_with_the_users_credentials() {
    build("localhost", "  local: {push: true}\n", &[]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
fn the_builder_pod_pulls_a_private_base_with_the_users_credentials() {
    build(BRIDGE, "  cluster: {}\n", &["--builder-image", "localhost:5000/devloop-builder:it"]);
}
