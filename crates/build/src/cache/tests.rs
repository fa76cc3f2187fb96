//! The cache on disk, and the reasons that it gives.

use std::path::Path;
use std::sync::Arc;

use devloop_model::Cx;
use devloop_model::ImageRef;
use devloop_model::Stage;
use devloop_model::StepId;

use super::*;
use crate::BuildOptions;
use crate::InputFile;
use crate::InputKind;
use crate::testing;

fn inputs(files: &[(&str, &str)]) -> Inputs {
    let file = |(path, text): &(&str, &str)| InputFile {
        path: (*path).into(),
        kind: InputKind::File,
        mode: 0o644,
        hash: *blake3::hash(text.as_bytes()).as_bytes(),
        md5: [0; 16],
    };
    Inputs { files: files.iter().map(file).collect::<Arc<[InputFile]>>(), ..Inputs::default() }
}

fn ingredients(artifact: &Artifact, dockerfile: &str, mode: &str) -> Ingredients {
    let options = BuildOptions::without_cluster("/nowhere".into(), "/".into(), mode);
    let reference = ImageRef::parse("web:v1").unwrap();
    Ingredients::of(artifact, &reference, Some(dockerfile), &options, None, &Cx::silent(StepId::of(Stage::Prepare))).unwrap()
}

fn docker() -> Artifact {
    testing::docker("web", Path::new("/work"))
}

#[test]
fn an_image_is_found_by_what_went_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let cache = BuildCache::new(dir.path());
    let key = ingredients(&docker(), "", "run").key(&inputs(&[("a", "1")]));
    assert_eq!(cache.find(key), None);
    let digest = Digest::parse(&format!("sha256:{}", "a".repeat(64))).unwrap();
    let id = ImageId::parse(&format!("sha256:{}", "b".repeat(64))).unwrap();
    cache.record_image(key, &Identity::Digest(digest.clone())).unwrap();
    cache.record_image(key, &Identity::Id(id.clone())).unwrap();
    assert_eq!(BuildCache::new(dir.path()).find(key), Some(Entry { digest: Some(digest), id: Some(id) }));
    fs::write(cache.image(key), "broken").unwrap();
    assert_eq!(cache.find(key), None);
}

#[test]
fn keys_change_with_what_goes_in_and_with_nothing_else() {
    let files = inputs(&[("a", "1"), ("b", "2")]);
    let key = ingredients(&docker(), "", "run").key(&files);
    assert_eq!(ingredients(&testing::docker("other", Path::new("/elsewhere")), "", "run").key(&files), key, "neither name nor place");
    assert_eq!(ingredients(&docker(), "ARG X\n", "build").key(&files), key, "no mode unless it is asked for");
    assert_ne!(ingredients(&docker(), "ARG SKAFFOLD_RUN_MODE\n", "run").key(&files), key);
    assert_ne!(ingredients(&docker(), "", "run").key(&inputs(&[("a", "1")])), key);
    assert_ne!(ingredients(&docker(), "", "run").key(&inputs(&[("a", "1"), ("c", "2")])), key, "the path counts");
    let mut required = ingredients(&docker(), "", "run");
    required.require("base", key);
    assert_ne!(required.key(&files), key);
    let alias = |alias: &str| Artifact {
        requires: vec![devloop_model::Requirement { image: "base".parse().unwrap(), alias: alias.to_owned() }],
        ..docker()
    };
    assert_ne!(ingredients(&alias("BASE"), "", "run").key(&files), ingredients(&alias("PARENT"), "", "run").key(&files));
    let both = |platforms: [&str; 2]| Artifact { platforms: platforms.map(|text| text.parse().unwrap()).into(), ..docker() };
    let (one, other) = (both(["linux/arm64", "linux/amd64"]), both(["linux/amd64", "linux/arm64"]));
    assert_eq!(ingredients(&one, "", "run").key(&files), ingredients(&other, "", "run").key(&files), "their order does not matter");
}

#[test]
fn a_rebuild_has_its_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let cache = BuildCache::new(dir.path());
    let artifact = docker();
    let files = inputs(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let before = ingredients(&artifact, "ARG SKAFFOLD_RUN_MODE\n", "run");
    assert_eq!(cache.causes(&artifact, &before, &files), [RebuildCause::NeverBuilt]);
    cache.record_ingredients(&artifact, &before, &files).unwrap();
    assert_eq!(cache.causes(&artifact, &before, &files), []);
    let mut changed = artifact.clone();
    if let devloop_model::Builder::Docker(spec) = &mut changed.builder {
        spec.target = Some("test".to_owned());
    }
    changed.platforms = vec!["linux/arm64".parse().unwrap()];
    let mut now = ingredients(&changed, "ARG SKAFFOLD_RUN_MODE\n", "build");
    now.require("base", CacheKey([1; 32]));
    now.base("go:1", "sha256:2");
    let causes = cache.causes(&changed, &now, &inputs(&[("a", "1"), ("b", "changed"), ("d", "4")]));
    let shown: Vec<String> = causes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    b changed
    c removed
    d added
    argument SKAFFOLD_RUN_MODE changed
    docker.target changed
    base image go:1 changed
    target platforms changed
    base, which it requires, is rebuilt
    ");
}

#[test]
fn the_oldest_are_dropped_when_there_are_too_many() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..=KEPT {
        let path = dir.path().join(format!("{number}.json"));
        fs::write(&path, "{}").unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + number as u64);
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }
    bound(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), KEPT * 9 / 10);
    assert!(dir.path().join(format!("{KEPT}.json")).exists());
    assert!(!dir.path().join("0.json").exists());
}
