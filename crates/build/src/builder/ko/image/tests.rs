//! Images against the one that ko 0.18.0 made of the same base.

use std::path::PathBuf;

use serde_json::Value;

use super::*;

const BASE_CONFIG: &str = include_str!("../../../../testdata/ko/base-config.json");
const BASE_MANIFEST: &str = include_str!("../../../../testdata/ko/base-manifest.json");
const CONFIG: &str = include_str!("../../../../testdata/ko/config.json");
const MANIFEST: &str = include_str!("../../../../testdata/ko/manifest.json");

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn base() -> RemoteImage {
    let digest = parsed(MANIFEST)["annotations"]["org.opencontainers.image.base.digest"].as_str().unwrap().parse().unwrap();
    let manifest = parsed(BASE_MANIFEST);
    RemoteImage {
        manifest_digest: Clone::clone(&digest),
        digest,
        media_type: manifest["mediaType"].as_str().unwrap().to_owned(),
        manifest: serde_json::from_str(BASE_MANIFEST).unwrap(),
        manifest_bytes: Bytes::from_static(BASE_MANIFEST.as_bytes()),
        config: parsed(BASE_CONFIG),
        config_bytes: Bytes::from_static(BASE_CONFIG.as_bytes()),
    }
}

/// The layer that ko made, at `index` from the end.
fn layer(index: usize) -> Layer {
    let of = |list: &Value| {
        let list = list.as_array().unwrap().clone();
        list[list.len() - index].clone()
    };
    let descriptor = of(&parsed(MANIFEST)["layers"]);
    Layer {
        diff_id: of(&parsed(CONFIG)["rootfs"]["diff_ids"]).as_str().unwrap().parse().unwrap(),
        digest: descriptor["digest"].as_str().unwrap().parse().unwrap(),
        size: descriptor["size"].as_u64().unwrap(),
        file: PathBuf::new(),
    }
}

fn image(base: &RemoteImage, platform: &str, labels: &[(String, String)], times: Times) -> (Value, Value) {
    let (kodata, program) = (layer(2), layer(1));
    let parts = Parts {
        base,
        base_name: &ImageRef::parse("localhost:5000/busybox").unwrap(),
        platform: &Platform::parse(platform).unwrap(),
        import_path: "example.com/tiny",
        kodata: &kodata,
        program: &program,
        labels,
        times,
    };
    let image = parts.image().unwrap();
    (serde_json::from_slice(&image.config).unwrap(), serde_json::from_slice(&image.manifest).unwrap())
}

#[test]
fn configuration_and_manifest_are_those_of_ko() {
    let (config, mut manifest) = image(&base(), "linux/amd64", &[("a".into(), "b".into())], Times::default());
    let mut written = config.clone();
    // ko leaves out what is empty; it means the same.
    let is_empty = |value: &Value| matches!(value, Value::Null | Value::Bool(false)) || value == "" || value == &json!([]);
    written["config"].as_object_mut().unwrap().retain(|_, value| !is_empty(value));
    assert_eq!(written, parsed(CONFIG));
    // The order of keys is no part of an image's meaning, but of its digest.
    let mut expected = parsed(MANIFEST);
    assert_eq!(manifest["config"]["digest"], serde_json::json!(digest_of(&serde_json::to_vec(&config).unwrap())));
    for key in ["digest", "size"] {
        manifest["config"][key].take();
        expected["config"][key].take();
    }
    assert_eq!(manifest, expected);
}

#[test]
fn a_bare_base_gets_what_is_missing() {
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let base = RemoteImage {
        config: serde_json::json!({ "config": null, "rootfs": { "type": "layers", "diff_ids": null } }),
        media_type: oci.into(),
        ..base()
    };
    let times = Times { program: jiff::Timestamp::from_second(60).ok(), kodata: jiff::Timestamp::from_second(120).ok() };
    let (config, manifest) = image(&base, "linux/arm64", &[], times);
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!("arm64")));
    assert_eq!(config["config"], json!({ "Entrypoint": ["/ko-app/tiny"], "Env": ["PATH=/ko-app", "KO_DATA_PATH=/var/run/ko"] }));
    assert_eq!(config["created"], json!("1970-01-01T00:01:00Z"));
    assert_eq!(config["history"][0]["created"], json!("1970-01-01T00:02:00Z"));
    assert_eq!(manifest["layers"].as_array().unwrap().last().unwrap()["mediaType"], json!("application/vnd.oci.image.layer.v1.tar+gzip"));
}

#[test]
fn windows_has_its_own_paths() {
    let (config, _) = image(&base(), "windows/amd64", &[], Times::default());
    assert_eq!(config["config"]["Entrypoint"], json!([r"C:\ko-app\tiny"]));
}

#[test]
fn a_base_is_named_in_full() {
    let digest = format!("sha256:{}", "a".repeat(64));
    for (text, expected) in [
        ("busybox", "index.docker.io/library/busybox:latest".to_owned()),
        ("a/b:v1", "index.docker.io/a/b:v1".to_owned()),
        ("cgr.dev/chainguard/static:latest", "cgr.dev/chainguard/static:latest".to_owned()),
        (&format!("gcr.io/a:v1@{digest}"), format!("gcr.io/a@{digest}")),
    ] {
        assert_eq!(full_name(&ImageRef::parse(text).unwrap()), expected);
    }
}

#[test]
fn a_program_is_named_by_its_import_path() {
    for (path, name) in [("example.com/shop/cmd/web", "web"), ("web", "web"), ("", "ko-app"), (".", "ko-app")] {
        assert_eq!(app_name(path), name);
    }
}

#[test]
fn times_are_seconds() {
    let env = |text: &str| Env::new([("SOURCE_DATE_EPOCH".to_owned(), text.to_owned())].into());
    assert_eq!(Times::of(&env("0")).unwrap().program, Some(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(Times::of(&env("")).unwrap(), Times::default());
    insta::assert_snapshot!(Times::of(&env("now")).unwrap_err().diagnostic(), @"error[build/ko-time]: `SOURCE_DATE_EPOCH` is not a number of seconds since 1970: `now`");
}
