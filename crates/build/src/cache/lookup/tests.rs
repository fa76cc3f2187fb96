//! Questions at the wire: a registry and a daemon in this process, which remember what they were asked.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_clients::ClientSettings;
use devloop_clients::registry::digest_of;
use devloop_model::Env;
use devloop_model::Stage;
use devloop_model::StepId;

use super::*;
use crate::testing;
use crate::testing::Reply;
use crate::testing::Server;

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

fn digest() -> Digest {
    digest_of(MANIFEST.as_bytes())
}

fn id() -> ImageId {
    ImageId::parse(&format!("sha256:{}", "b".repeat(64))).unwrap()
}

/// A registry that knows the image by these tags, and by its digest if `by_digest`.
fn registry(tags: &'static [&'static str], by_digest: bool) -> Server {
    Server::start(move |line| {
        let (method, path) = line.split_once(' ').unwrap();
        let version = path.rsplit('/').next().unwrap();
        match method {
            _ if path == "/v2/" => Reply::of(200, "{}"),
            "HEAD" | "GET" if tags.contains(&version) || (by_digest && version == digest().as_str()) => {
                let answer = Reply::of(200, MANIFEST).with("Content-Type", "application/vnd.oci.image.manifest.v1+json");
                answer.with("Docker-Content-Digest", digest().as_str())
            }
            "PUT" => Reply::of(201, "").with("Docker-Content-Digest", digest().as_str()),
            _ => Reply::of(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#),
        }
    })
}

/// A daemon that has the image under its ID and under these names.
fn daemon(has_image: bool, names: &'static [&'static str]) -> Server {
    Server::start(move |line| {
        let (method, path) = line.split_once(' ').unwrap();
        let name = path.split_once("/images/").map(|(_, name)| name.replace("%2F", "/").replace("%3A", ":")).unwrap_or_default();
        let is_known = |name: &str| name == id().as_str() || names.iter().any(|known| name.ends_with(known));
        match method {
            _ if path.ends_with("/version") => Reply::of(200, r#"{"Version":"27.0","ApiVersion":"1.47","Os":"linux","Arch":"amd64"}"#),
            "GET" if has_image && name.strip_suffix("/json").is_some_and(is_known) => Reply::of(200, &format!(r#"{{"Id":"{}"}}"#, id())),
            "POST" if path.ends_with("/tag") => Reply::of(201, ""),
            "POST" if path.ends_with("/push") => Reply::of(200, &format!("{{\"status\":\"v1: digest: {} size: 5\"}}\n", digest())),
            _ => Reply::of(404, r#"{"message":"No such image"}"#),
        }
    })
}

/// Asks about an image that was built once, as `entry`; returns the answer and what was written on the way.
async fn asked(entry: &Entry, effects: Effects, push: bool, registry: &Server, daemon: &Server) -> (Answer, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let cache = BuildCache::new(dir.path());
    let key = CacheKey([7; 32]);
    for identity in entry.digest.clone().map(Identity::Digest).into_iter().chain(entry.id.clone().map(Identity::Id)) {
        cache.record_image(key, &identity).unwrap();
    }
    let artifact = testing::docker(&format!("{}/team/web", registry.address), Path::new("/work"));
    let reference = ImageRef::tagged(artifact.image.clone(), "v1".parse().unwrap());
    let variables = BTreeMap::from([("DOCKER_HOST".to_owned(), format!("tcp://{}", daemon.address))]);
    let clients = Clients::new(ClientSettings { env: Env::new(variables), ..ClientSettings::default() });
    let mut options = BuildOptions { push: Some(push), ..BuildOptions::without_cluster(dir.path().to_owned(), "/".into(), "run") };
    if !push {
        options.target.delivery = devloop_model::Delivery::Load(devloop_model::LoadInto::Daemon);
    }
    let cx = Cx::silent(StepId::of(Stage::Prepare));
    let lookup = Lookup { artifact: &artifact, reference: &reference, key, options: &options, effects, clients: &clients, cx: &cx };
    let answer = lookup.ask(&cache).await.unwrap();
    let written = [registry.asked(), daemon.asked()].concat().into_iter().filter(|line| line.starts_with('P'));
    (
        answer,
        written.map(|line| line.replace(&registry.address, "HOST").replace(registry.address.split(':').nth(1).unwrap(), "PORT")).collect(),
    )
}

fn found(answer: &Answer) -> (CacheOutcome, Identity) {
    match answer {
        Answer::Found(outcome, image) => (*outcome, image.identity.clone()),
        Answer::NotFound { gone_from } => panic!("gone from {gone_from:?}"),
    }
}

#[tokio::test]
async fn a_registry_that_has_the_tag_is_asked_and_nothing_more() {
    let both = Entry { digest: Some(digest()), id: Some(id()) };
    let (answer, written) = asked(&both, Effects::Deliver, true, &registry(&["v1"], true), &daemon(true, &[])).await;
    assert_eq!(found(&answer), (CacheOutcome::FoundRemotely, Identity::Digest(digest())));
    assert_eq!(written, Vec::<String>::new());
}

#[tokio::test]
async fn an_image_under_another_tag_gets_this_one() {
    let pushed = Entry { digest: Some(digest()), id: None };
    let (answer, written) = asked(&pushed, Effects::Deliver, true, &registry(&["v0"], true), &daemon(false, &[])).await;
    assert_eq!(found(&answer), (CacheOutcome::FoundTagging, Identity::Digest(digest())));
    assert_eq!(written, ["PUT /v2/team/web/manifests/v1"]);
    let (answer, written) = asked(&pushed, Effects::None, true, &registry(&["v0"], true), &daemon(false, &[])).await;
    assert_eq!(found(&answer).0, CacheOutcome::FoundTagging);
    assert_eq!(written, Vec::<String>::new(), "an explanation changes nothing");
}

#[tokio::test]
async fn an_image_that_only_the_daemon_has_is_pushed() {
    for entry in [Entry { digest: Some(digest()), id: Some(id()) }, Entry { digest: None, id: Some(id()) }] {
        let (answer, written) = asked(&entry, Effects::Deliver, true, &registry(&[], false), &daemon(true, &[])).await;
        assert_eq!(found(&answer), (CacheOutcome::FoundPushing, Identity::Digest(digest())));
        assert!(written[0].ends_with("/tag") && written[1].ends_with("/push"), "{written:?}");
        let (answer, written) = asked(&entry, Effects::None, true, &registry(&[], false), &daemon(true, &[])).await;
        assert_eq!(found(&answer), (CacheOutcome::FoundPushing, Identity::Id(id())));
        assert_eq!(written, Vec::<String>::new());
    }
}

#[tokio::test]
async fn without_a_push_the_daemon_is_asked() {
    let built = Entry { digest: None, id: Some(id()) };
    let (answer, written) =
        asked(&built, Effects::Deliver, false, &registry(&[], false), &daemon(true, &["team/web:v1/json", "team/web:v1"])).await;
    assert_eq!(found(&answer), (CacheOutcome::FoundLocally, Identity::Id(id())));
    // Manifests name it by its ID, which takes a tag as well.
    assert!(written.len() == 1 && written[0].ends_with("/tag"), "{written:?}");
    let (answer, written) = asked(&built, Effects::Deliver, false, &registry(&[], false), &daemon(true, &[])).await;
    assert_eq!(found(&answer), (CacheOutcome::FoundTagging, Identity::Id(id())));
    assert!(written.len() == 2 && written.iter().all(|line| line.ends_with("/tag")), "{written:?}");
}

#[tokio::test]
async fn an_image_that_is_gone_is_built_again() {
    let known = Entry { digest: Some(digest()), id: Some(id()) };
    let (answer, _) = asked(&known, Effects::Deliver, true, &registry(&[], false), &daemon(false, &[])).await;
    let Answer::NotFound { gone_from: Some(place) } = answer else { panic!("{answer:?}") };
    assert!(place.starts_with("127.0.0.1:"), "{place}");
    let (answer, _) = asked(&known, Effects::Deliver, false, &registry(&[], false), &daemon(false, &[])).await;
    assert_eq!(answer, Answer::NotFound { gone_from: Some("the container daemon".to_owned()) });
}
