//! The real registry: what is pushed can be read back, and nothing is sent twice.

use std::collections::BTreeMap;

use devloop_clients::registry::Blob;
use devloop_clients::registry::PushImage;
use devloop_clients::registry::PushLayer;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RegistrySettings;
use devloop_clients::registry::digest_of;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Stage;
use devloop_model::StepId;
use serde_json::json;

use crate::context::cluster_environment;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn registry() -> (Registry, Cx) {
    let env = Env::new(cluster_environment().into_iter().collect::<BTreeMap<_, _>>());
    (Registry::new(RegistrySettings { insecure: Vec::new(), env }), Cx::silent(StepId::of(Stage::Build)))
}

/// A name that no other test, and no earlier run, uses.
fn fresh(name: &str) -> ImageName {
    let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("localhost:5000/it/{name}-{unique}").parse().unwrap()
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn an_image_on_a_base_of_another_repository_is_pushed_and_read_back() {
    let (registry, cx) = registry();
    let base_name: ImageName = "localhost:5000/busybox".parse().unwrap();
    let base = registry.image(&ImageRef::tagged(base_name.clone(), "latest".parse().unwrap()), None, &cx).await.unwrap();
    assert_eq!(base.config["os"], "linux");

    let name = fresh("mounted");
    let own = format!("layer of {name}").into_bytes();
    let mut layers = vec![PushLayer { digest: digest_of(&own), size: own.len() as u64, blob: Blob::Bytes(own.clone().into()) }];
    let mut descriptors =
        vec![json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(&own), "size": own.len() })];
    for layer in base.manifest.layers() {
        let digest: Digest = layer.digest().to_string().parse().unwrap();
        layers.push(PushLayer { digest, size: layer.size(), blob: Blob::InRepository(base_name.clone()) });
        descriptors
            .push(json!({ "mediaType": layer.media_type().to_string(), "digest": layer.digest().to_string(), "size": layer.size() }));
    }
    let config = base.config_bytes.clone();
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": descriptors,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(&config), "size": config.len() } });
    let image = PushImage { manifest: manifest.to_string().into(), media_type: MANIFEST.to_owned(), config, layers };

    let tagged = ImageRef::tagged(name.clone(), "v1".parse().unwrap());
    assert_eq!(registry.digest(&tagged, &cx).await.unwrap(), None);
    let digest = registry.push(&tagged, image.clone(), &cx).await.unwrap();
    assert_eq!(registry.digest(&tagged, &cx).await.unwrap(), Some(digest.clone()));
    assert_eq!(registry.push(&tagged, image, &cx).await.unwrap(), digest);
    let read = registry.image(&tagged, None, &cx).await.unwrap();
    assert_eq!((read.digest, read.config_bytes), (digest.clone(), base.config_bytes));

    let pinned = ImageRef { name: name.clone(), tag: None, digest: Some(digest.clone()) };
    registry.tag(&pinned, &"v2".parse().unwrap(), &cx).await.unwrap();
    assert_eq!(registry.digest(&ImageRef::tagged(name.clone(), "v2".parse().unwrap()), &cx).await.unwrap(), Some(digest));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("layer");
    registry.download(&name, &digest_of(&own), &file, &cx).await.unwrap();
    assert_eq!(std::fs::read(file).unwrap(), own);
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn a_manifest_without_its_blobs_is_refused_in_the_registrys_words() {
    let (registry, cx) = registry();
    let target = ImageRef::tagged(fresh("incomplete"), "v1".parse().unwrap());
    let lost = digest_of(b"never pushed");
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": lost, "size": 12 } });
    let error = registry.push_manifest(&target, manifest.to_string().into(), MANIFEST, &cx).await.unwrap_err().diagnostic().to_string();
    assert!(
        error.starts_with("error[registry/unexpected-answer]: registry `localhost:5000` answered 400 to `PUT /v2/it/incomplete-"),
        "{error}"
    );
    assert!(error.contains("the registry says: MANIFEST_BLOB_UNKNOWN: "), "{error}");
}
