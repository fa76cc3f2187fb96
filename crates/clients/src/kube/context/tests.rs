//! Kubeconfig files of every state, and clusters that are not there.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_model::Stage;
use devloop_model::StepId;

use super::*;

fn settings(folder: &Path, files: &[&str]) -> KubeSettings {
    let list = std::env::join_paths(files.iter().map(|file| folder.join(file))).unwrap().into_string().unwrap();
    let variables = BTreeMap::from([("HOME".to_owned(), folder.display().to_string()), ("KUBECONFIG".to_owned(), list)]);
    KubeSettings { env: Env::new(variables), ..KubeSettings::default() }
}

fn write(folder: &Path, file: &str, server: &str, context: &str) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {context}\nclusters:\n- name: c\n  cluster: {{server: '{server}'}}\ncontexts:\n- name: {context}\n  context: {{cluster: c, user: u, namespace: shop}}\nusers:\n- name: u\n  user: {{token: t}}\n"
    );
    std::fs::write(folder.join(file), text).unwrap();
}

fn cx() -> Cx {
    Cx::silent(StepId::of(Stage::Deploy))
}

async fn refused(settings: &KubeSettings, folder: &Path) -> String {
    let error = Cluster::connect(settings, &cx()).await.unwrap_err();
    error.diagnostic().to_string().replace(&folder.display().to_string(), "[FOLDER]")
}

#[tokio::test]
async fn the_context_comes_from_the_first_file_that_names_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", "http://127.0.0.1:1", "first");
    write(folder.path(), "two", "http://127.0.0.1:2", "second");
    let mut settings = settings(folder.path(), &["missing", "one", "two"]);
    assert_eq!(current_context(&settings).unwrap().as_deref(), Some("first"));
    let cluster = Cluster::connect(&settings, &cx()).await.unwrap();
    assert_eq!((cluster.context(), cluster.server(), cluster.default_namespace()), (Some("first"), "http://127.0.0.1:1", "shop"));
    settings.context = Some("second".into());
    assert_eq!(current_context(&settings).unwrap().as_deref(), Some("second"));
    settings.context = Some("third".into());
    insta::assert_snapshot!(refused(&settings, folder.path()).await, @r"
    error[kube/unknown-context]: the kubeconfig has no context `third`
    help: choose one of its contexts with `--kube-context`: `first`, `second`
    ");
}

#[tokio::test]
async fn a_login_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one");
    for (hint, help) in [
        ("", "install `no-such-login`, put it on PATH, or choose another context with `--kube-context`"),
        ("get it at the desk", "get it at the desk"),
    ] {
        let plugin = format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: no-such-login, installHint: '{hint}', interactiveMode: Never}}}}"
        );
        write(folder.path(), "one", "https://127.0.0.1:1", "far");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("{token: t}", &plugin)).unwrap();
        assert_eq!(
            refused(&settings(folder.path(), &["one"]), folder.path()).await,
            format!(
                "error[kube/login]: `no-such-login`, which context `far` logs in with, cannot be run\n  \
                 auth error: unable to run auth exec: No such file or directory (os error 2)\nhelp: {help}"
            )
        );
    }
}

#[tokio::test]
async fn no_kubeconfig_is_told_with_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(current_context(&settings(folder.path(), &["missing"])).unwrap(), None);
    insta::assert_snapshot!(refused(&settings(folder.path(), &["missing", "other"]), folder.path()).await, @r"
    error[kube/no-kubeconfig]: there is no kubeconfig
      [FOLDER]/missing does not exist
      [FOLDER]/other does not exist
    help: set `KUBECONFIG` or `--kubeconfig`, or start a local cluster with minikube, kind or k3d
    ");
    std::fs::write(folder.path().join("empty"), "apiVersion: v1\nkind: Config\n").unwrap();
    insta::assert_snapshot!(refused(&settings(folder.path(), &["empty"]), folder.path()).await, @r"
    error[kube/no-current-context]: the kubeconfig has no current context
    help: it has no contexts at all: set `KUBECONFIG` or `--kubeconfig` to the right file
    ");
    std::fs::write(folder.path().join("bad"), "clusters: 3\n").unwrap();
    assert!(
        refused(&settings(folder.path(), &["bad"]), folder.path())
            .await
            .starts_with("error[kube/bad-kubeconfig]: the kubeconfig cannot be used\n  ")
    );
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    write(folder.path(), "config", &format!("http://{address}"), "office");
    let cluster = Cluster::connect(&settings(folder.path(), &["config"]), &cx()).await.unwrap();
    let error = cluster.reachable(&cx()).await.unwrap_err();
    insta::assert_snapshot!(error.diagnostic().to_string().replace(&address.to_string(), "[ADDRESS]"), @r"
    error[kube/unreachable]: the cluster at http://[ADDRESS] cannot be reached
      Connection refused (os error 111)
    help: start the cluster of context `office`, or choose another with `--kube-context`
    ");
}

#[tokio::test]
async fn a_step_that_ends_ends_its_requests() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    write(folder.path(), "config", &format!("http://{}", listener.local_addr().unwrap()), "silent");
    let cluster = Cluster::connect(&settings(folder.path(), &["config"]), &cx()).await.unwrap();
    let cx = cx();
    let (answer, accepted) = tokio::join!(cluster.reachable(&cx), async {
        let connection = listener.accept().await;
        cx.cancel.cancel();
        connection
    });
    assert!(accepted.is_ok());
    assert!(matches!(answer, Err(KubeError::Cancelled)));
}
