//! The registry client against a registry in this process.

mod server;

use std::collections::BTreeMap;

use devloop_model::Cx;
use devloop_model::Stage;
use devloop_model::StepId;
use serde_json::json;
use server::Asked;
use server::Reply;
use server::Server;
use server::reply;

use super::*;

const OCI_MANIFEST: &str = MANIFEST_TYPES[2];

fn cx() -> Cx {
    Cx::silent(StepId::of(Stage::Build))
}

fn registry() -> Registry {
    registry_with(Env::default())
}

fn registry_with(env: Env) -> Registry {
    let limits =
        Limits { connect: Duration::from_secs(5), stall: Duration::from_millis(300), first_pause: Duration::from_millis(1), attempts: 4 };
    Registry::with_limits(RegistrySettings { insecure: Vec::new(), env }, limits)
}

/// A docker configuration with a login for `address`, and the environment that leads to it.
fn login(address: &str, user: &str, password: &str) -> (tempfile::TempDir, Env) {
    use base64::Engine as _;
    let dir = tempfile::tempdir().unwrap();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    std::fs::write(dir.path().join("config.json"), json!({ "auths": { address: { "auth": auth } } }).to_string()).unwrap();
    let env = Env::new(BTreeMap::from([("DOCKER_CONFIG".to_owned(), dir.path().display().to_string())]));
    (dir, env)
}

fn reference(server: &Server, name: &str) -> ImageRef {
    format!("{}/{name}", server.address).parse().unwrap()
}

fn shown(error: &RegistryError, server: &Server) -> String {
    error.diagnostic().to_string().replace(&server.address, "HOST")
}

/// An image of two layers, the second from another repository.
fn image(server: &Server, from: &str) -> PushImage {
    PushImage {
        manifest: r#"{"schemaVersion":2}"#.into(),
        media_type: OCI_MANIFEST.to_owned(),
        config: "{}".into(),
        layers: vec![
            PushLayer { digest: digest_of(b"own"), size: 3, blob: Blob::Bytes("own".into()) },
            PushLayer {
                digest: digest_of(b"base"),
                size: 4,
                blob: Blob::InRepository(format!("{}/{from}", server.address).parse().unwrap()),
            },
        ],
    }
}

/// A registry that has no blob and takes all; mounts are answered with `mount`.
fn taking(mount: u16) -> impl Fn(&Asked, usize) -> Reply + Send + Sync {
    move |asked, _| match asked.line.split(' ').next().unwrap() {
        "HEAD" => reply(404),
        "POST" if asked.query.contains("mount=") => reply(mount).header("Location", "/upload/unused"),
        "POST" => reply(202).header("Location", "/upload/1?state=x"),
        "GET" if asked.line.contains("/blobs/") => reply(200).body("base"),
        "GET" => reply(200),
        _ => reply(201),
    }
}

#[tokio::test]
async fn a_push_sends_what_is_missing_and_mounts_what_is_elsewhere() {
    let server = Server::start(taking(201)).await;
    let digest = registry().push(&reference(&server, "web:v1"), image(&server, "base"), &cx()).await.unwrap();
    assert_eq!(digest, digest_of(br#"{"schemaVersion":2}"#));
    let (own, base, config) = (digest_of(b"own"), digest_of(b"base"), digest_of(b"{}"));
    let mut expected = vec![
        format!("HEAD /v2/web/blobs/{own}"),
        format!("HEAD /v2/web/blobs/{base}"),
        format!("HEAD /v2/web/blobs/{config}"),
        "POST /v2/web/blobs/uploads/".to_owned(),
        "POST /v2/web/blobs/uploads/".to_owned(),
        "POST /v2/web/blobs/uploads/".to_owned(),
        "PUT /upload/1".to_owned(),
        "PUT /upload/1".to_owned(),
        "PUT /v2/web/manifests/v1".to_owned(),
    ];
    expected.sort();
    assert_eq!(server.lines(), expected);
    let asked = server.asked();
    let mounts: Vec<&str> = asked.iter().map(|asked| asked.query.as_str()).filter(|query| query.contains("mount")).collect();
    assert_eq!(mounts, [format!("mount={base}&from=base")]);
    let uploads: Vec<(&str, &[u8])> =
        asked.iter().filter(|asked| asked.line == "PUT /upload/1").map(|asked| (asked.query.as_str(), asked.body.as_slice())).collect();
    assert!(uploads.contains(&(format!("state=x&digest={}", own.as_str().replace(':', "%3A")).as_str(), b"own")), "{uploads:?}");
    assert_eq!(asked.last().unwrap().line, "PUT /v2/web/manifests/v1", "the manifest comes last");
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    let server = Server::start(|asked, _| if asked.line.starts_with("PUT") { reply(201) } else { reply(200) }).await;
    registry().push(&reference(&server, "web:v1"), image(&server, "base"), &cx()).await.unwrap();
    assert!(
        server.lines().iter().all(|line| line.starts_with("HEAD") || line.starts_with("PUT /v2/web/manifests/")),
        "{:?}",
        server.lines()
    );
}

#[tokio::test]
async fn a_refused_mount_is_copied_through() {
    for status in [202, 403] {
        let server = Server::start(taking(status)).await;
        registry().push(&reference(&server, "web:v1"), image(&server, "base"), &cx()).await.unwrap();
        assert!(server.lines().contains(&format!("GET /v2/base/blobs/{}", digest_of(b"base"))), "{:?}", server.lines());
        assert!(server.asked().iter().any(|asked| asked.line == "PUT /upload/1" && asked.body == b"base"));
    }
}

#[tokio::test]
async fn another_registry_is_copied_from() {
    let (source, target) = (Server::start(taking(201)).await, Server::start(taking(201)).await);
    registry().push(&reference(&target, "web:v1"), image(&source, "base"), &cx()).await.unwrap();
    assert_eq!(source.lines(), [format!("GET /v2/base/blobs/{}", digest_of(b"base"))]);
    assert!(target.asked().iter().any(|asked| asked.body == b"base"));
}

#[tokio::test]
async fn a_server_that_fails_twice_is_asked_a_third_time() {
    for fault in [reply(503), reply(429), Reply::Drop] {
        let server = Server::start(move |asked, before| match asked.line.as_str() {
            "GET /v2/" if before == 0 => reply(502),
            "GET /v2/" => reply(200),
            _ if before < 2 => fault.clone(),
            _ => reply(200).header("Docker-Content-Digest", digest_of(b"x").to_string()),
        })
        .await;
        let found = registry().digest(&reference(&server, "web:v1"), &cx()).await;
        assert_eq!(found.unwrap_or_else(|error| panic!("{}", shown(&error, &server))), Some(digest_of(b"x")));
    }
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_given_up() {
    let server =
        Server::start(|asked, _| if asked.line == "GET /v2/" { reply(200) } else { reply(500).fault("UNKNOWN", "disk full") }).await;
    let error = registry().manifest(&reference(&server, "web:v1"), &cx()).await.unwrap_err();
    assert_eq!(server.asked().len(), 4);
    insta::assert_snapshot!(shown(&error, &server), @r"
    error[registry/unexpected-answer]: registry `HOST` answered 500 to `GET /v2/web/manifests/v1`
      the registry says: UNKNOWN: disk full
    help: try again; if it stays so, look at the registry's log
    ");
}

#[tokio::test]
async fn an_upload_that_breaks_starts_anew() {
    let server = Server::start(|asked, before| match asked.line.as_str() {
        "PUT /upload/1" if before == 0 => Reply::Drop,
        _ => taking(201)(asked, before),
    })
    .await;
    let image = PushImage { layers: Vec::new(), ..image(&server, "base") };
    registry().push(&reference(&server, "web:v1"), image, &cx()).await.unwrap();
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("POST")).count(), 2);
}

#[tokio::test]
async fn an_upload_that_is_not_taken_says_why() {
    let server = Server::start(|asked, before| match asked.line.as_str() {
        "PUT /upload/1" => reply(400).fault("BLOB_UPLOAD_INVALID", "blob upload invalid"),
        _ => taking(201)(asked, before),
    })
    .await;
    let image = PushImage { layers: Vec::new(), ..image(&server, "base") };
    let error = registry().push(&reference(&server, "web:v1"), image, &cx()).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server), @r"
    error[registry/unexpected-answer]: registry `HOST` answered 400 to `PUT /v2/web/blobs/uploads/`
      the registry says: BLOB_UPLOAD_INVALID: blob upload invalid
    ");
}

/// A registry with a token server of its own, which gives `good` to `bob:pw` for what he asks.
fn with_tokens(asked: &Asked, address: &str) -> Reply {
    let challenge = format!("Bearer realm=\"http://{address}/token\",service=\"reg\"");
    match asked.line.as_str() {
        "GET /v2/" => reply(401).header("WWW-Authenticate", challenge),
        "GET /token" if asked.authorization == "Basic Ym9iOnB3" => reply(200).body(r#"{"token":"good","expires_in":300}"#),
        "GET /token" if asked.authorization.is_empty() => reply(200).body(r#"{"access_token":"anonymous"}"#),
        "GET /token" => reply(401).fault("UNAUTHORIZED", "incorrect username or password"),
        _ if asked.authorization == "Bearer good" => reply(200).header("Docker-Content-Digest", digest_of(b"x").to_string()),
        _ => reply(401).header("WWW-Authenticate", challenge).fault("UNAUTHORIZED", "authentication required"),
    }
}

async fn token_server() -> Server {
    let address: Arc<std::sync::OnceLock<String>> = Arc::default();
    let known = Arc::clone(&address);
    let server = Server::start(move |asked, _| with_tokens(asked, known.get().unwrap())).await;
    address.set(server.address.clone()).unwrap();
    server
}

#[tokio::test]
async fn a_token_is_fetched_once_for_a_scope() {
    let server = token_server().await;
    let (_dir, env) = login(&server.address, "bob", "pw");
    let registry = registry_with(env);
    for _ in 0..2 {
        assert_eq!(registry.digest(&reference(&server, "team/web:v1"), &cx()).await.unwrap(), Some(digest_of(b"x")));
    }
    let tokens: Vec<String> = server.asked().into_iter().filter(|asked| asked.line == "GET /token").map(|asked| asked.query).collect();
    assert_eq!(tokens, ["service=reg&scope=repository%3Ateam%2Fweb%3Apull"]);
}

#[tokio::test]
async fn a_wrong_password_is_a_refusal_that_names_the_user() {
    let server = token_server().await;
    let (dir, env) = login(&server.address, "bob", "wrong");
    let error = registry_with(env).digest(&reference(&server, "web:v1"), &cx()).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server).replace(&dir.path().display().to_string(), "DIR"), @r"
    error[registry/refused]: registry `HOST` refuses to pull from `web` (401)
      used the credentials of user `bob` from `DIR/config.json`
      the registry says: UNAUTHORIZED: incorrect username or password
    help: run `docker login HOST`
    ");
}

#[tokio::test]
async fn a_push_without_credentials_is_a_refusal_with_help() {
    let server = token_server().await;
    let error = registry().push(&reference(&server, "web:v1"), image(&server, "base"), &cx()).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server), @r"
    error[registry/refused]: registry `HOST` refuses to push to `web` (401)
      used no credentials: neither DOCKER_CONFIG nor HOME is set
    help: run `docker login HOST`
    ");
}

#[tokio::test]
async fn a_right_that_is_missing_is_told_apart() {
    let server = Server::start(|asked, _| {
        if asked.line == "GET /v2/" {
            reply(401).header("WWW-Authenticate", "Basic realm=\"x\"")
        } else {
            reply(403).fault("DENIED", "not yours")
        }
    })
    .await;
    let (dir, env) = login(&server.address, "bob", "pw");
    let error = registry_with(env).manifest(&reference(&server, "web:v1"), &cx()).await.unwrap_err();
    assert_eq!(server.asked()[0].authorization, "Basic Ym9iOnB3");
    insta::assert_snapshot!(shown(&error, &server).replace(&dir.path().display().to_string(), "DIR"), @r"
    error[registry/refused]: registry `HOST` refuses to pull from `web` (403)
      used the credentials of user `bob` from `DIR/config.json`
      the registry says: DENIED: not yours
    help: ask for the right to do this, or name another repository with `--default-repo`
    ");
}

#[tokio::test]
async fn a_registry_that_hangs_is_given_up() {
    let server = Server::start(|asked, _| if asked.line == "GET /v2/" { reply(200) } else { Reply::Hang }).await;
    let error = registry().digest(&reference(&server, "web:v1"), &cx()).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server), @r"
    error[registry/timed-out]: registry `HOST` did not answer for 0.3 s
      waiting for `HEAD /v2/web/manifests/v1`
    help: check the registry and the connection to it, proxies included
    ");
}

#[tokio::test]
async fn a_wait_is_cancelled() {
    let server = Server::start(|_, _| Reply::Hang).await;
    let cx = cx();
    cx.cancel.cancel();
    assert!(matches!(registry().digest(&reference(&server, "web:v1"), &cx).await, Err(RegistryError::Cancelled(_))));
}

#[tokio::test]
async fn nothing_listening_is_told() {
    let mut closed = Server::start(|_, _| Reply::Drop).await;
    closed.address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let error = registry().digest(&reference(&closed, "web:v1"), &cx()).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &closed), @r"
    error[registry/connection-refused]: registry `HOST` refuses connections
    help: start the registry, or check host and port in the image name or `--default-repo`
    ");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told() {
    let error = registry().digest(&"registry.invalid/web:v1".parse().unwrap(), &cx()).await.unwrap_err();
    insta::assert_snapshot!(error.diagnostic(), @r"
    error[registry/unknown-host]: registry `registry.invalid` is not known: its name does not resolve
    help: check the image name, `--default-repo`, and the connection to the network
    ");
}

#[tokio::test]
async fn a_missing_image_is_none_or_told() {
    let server =
        Server::start(
            |asked, _| if asked.line == "GET /v2/" { reply(200) } else { reply(404).fault("MANIFEST_UNKNOWN", "manifest unknown") },
        )
        .await;
    assert_eq!(registry().digest(&reference(&server, "web:v1"), &cx()).await.unwrap(), None);
    let error = registry().image(&reference(&server, "web:v1"), None, &cx()).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server), @r"
    error[registry/manifest-unknown]: there is no image `HOST/web:v1`
      registry `HOST` does not have it
    help: check its name and tag, or push it first
    ");
}

/// A registry with an index of two images.
async fn index_server() -> (Server, Digest) {
    let config = json!({ "architecture": "arm64", "config": { "OnBuild": ["RUN x"] } }).to_string();
    let descriptor =
        |media_type: &str, bytes: &str| json!({ "mediaType": media_type, "digest": digest_of(bytes.as_bytes()), "size": bytes.len() });
    let manifest =
        json!({ "schemaVersion": 2, "config": descriptor("application/vnd.oci.image.config.v1+json", &config), "layers": [] }).to_string();
    let entry = |os: &str, architecture: &str| {
        let mut entry = descriptor(OCI_MANIFEST, &manifest);
        entry["platform"] = json!({ "os": os, "architecture": architecture });
        entry
    };
    let index = json!({ "schemaVersion": 2, "manifests": [entry("linux", "arm64"), entry("linux", "s390x"), entry("unknown", "unknown")] })
        .to_string();
    let digest = digest_of(index.as_bytes());
    let server = Server::start(move |asked, _| match asked.line.as_str() {
        "GET /v2/" => reply(200),
        "GET /v2/web/manifests/v1" => reply(200).header("Content-Type", MANIFEST_TYPES[0]).body(index.clone()),
        line if line == format!("GET /v2/web/manifests/{}", digest_of(manifest.as_bytes())) => {
            reply(200).header("Content-Type", OCI_MANIFEST).body(manifest.clone())
        }
        line if line == format!("GET /v2/web/blobs/{}", digest_of(config.as_bytes())) => reply(200).body(config.clone()),
        _ => reply(404),
    })
    .await;
    (server, digest)
}

#[tokio::test]
async fn an_index_leads_to_the_image_for_the_platform() {
    let (server, digest) = index_server().await;
    let image = registry().image(&reference(&server, "web:v1"), Some(&"linux/arm64".parse().unwrap()), &cx()).await.unwrap();
    assert_eq!(image.digest, digest);
    assert_eq!(image.manifest_digest, digest_of(&image.manifest_bytes));
    assert_eq!(image.config["config"]["OnBuild"][0], "RUN x");
    let error = registry().image(&reference(&server, "web:v1"), Some(&"linux/ppc64le".parse().unwrap()), &cx()).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &server), @r"
    error[registry/platform-unknown]: image `HOST/web:v1` is not made for `linux/ppc64le`
      it is made for linux/arm64, linux/s390x
    help: choose one of these with `--platform`, or another base image
    ");
}

#[tokio::test]
async fn another_content_than_its_digest_is_refused() {
    let server = Server::start(|_, _| reply(200).header("Content-Type", OCI_MANIFEST).body("other")).await;
    let pinned = reference(&server, "web").with_digest(digest_of(b"wanted"));
    let error = registry().manifest(&pinned, &cx()).await.unwrap_err();
    assert!(
        shown(&error, &server).starts_with("error[registry/malformed]: registry `HOST` sent a manifest of digest"),
        "{}",
        shown(&error, &server)
    );
}

#[tokio::test]
async fn a_tag_that_is_right_is_not_written() {
    let present = digest_of(b"m");
    for (found, writes) in [(present.clone(), 0), (digest_of(b"old"), 1)] {
        let server = Server::start(move |asked, _| match asked.line.split(' ').next().unwrap() {
            "HEAD" => reply(200).header("Docker-Content-Digest", found.to_string()),
            "GET" => reply(200).header("Content-Type", OCI_MANIFEST).body("m"),
            _ => reply(201),
        })
        .await;
        registry().tag(&reference(&server, "web").with_digest(present.clone()), &"v2".parse().unwrap(), &cx()).await.unwrap();
        assert_eq!(server.lines().iter().filter(|line| *line == "PUT /v2/web/manifests/v2").count(), writes);
    }
}

#[test]
fn names_without_a_registry_are_docker_hubs() {
    for (name, host, repository) in [
        ("web", "docker.io", "library/web"),
        ("me/web", "docker.io", "me/web"),
        ("docker.io/web", "docker.io", "library/web"),
        ("index.docker.io/me/web", "docker.io", "me/web"),
        ("localhost:5000/web", "localhost:5000", "web"),
        ("gcr.io/p/web", "gcr.io", "p/web"),
    ] {
        assert_eq!(Place::of(&name.parse().unwrap()), Place { host: host.to_owned(), repository: repository.to_owned() });
    }
}

#[test]
fn loopback_is_this_machine() {
    for (address, expected) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("127.0.0.1:5000", true),
        ("127.8.0.1", true),
        ("[::1]:5000", true),
        ("10.0.0.1:5000", false),
        ("localhost.example.com", false),
    ] {
        assert_eq!(host::is_loopback(address), expected, "{address}");
    }
}
