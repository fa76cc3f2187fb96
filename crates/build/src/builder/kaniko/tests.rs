//! What is decided before there is a pod.

use devloop_model::Builder;
use devloop_model::KanikoEnv;
use devloop_model::Template;

use super::*;
use crate::testing;

#[test]
fn several_platforms_are_refused_where_they_are_asked_for() {
    let parse = |texts: &[&str]| -> Vec<Platform> { texts.iter().map(|text| Platform::parse(text).unwrap()).collect() };
    let of = |asked: &[&str], nodes: &[&str]| {
        let mut artifact = testing::artifact("web", "/c".as_ref(), Builder::Kaniko(Box::default()));
        artifact.platforms = parse(asked);
        let mut options = BuildOptions::without_cluster("/cache".into(), "/".into(), "build");
        options.target.node_platforms = parse(nodes);
        platform(&artifact, &options).map(|platform| platform.map(|p| p.to_string())).map_err(|error| error.diagnostic().to_string())
    };
    assert_eq!(of(&[], &[]), Ok(None));
    assert_eq!(of(&[], &["linux/amd64", "linux/arm64"]), Ok(Some("linux/amd64".to_owned())));
    assert_eq!(of(&["linux/arm64"], &["linux/amd64"]), Ok(Some("linux/arm64".to_owned())));
    insta::assert_snapshot!(of(&["linux/arm64", "linux/amd64"], &[]).unwrap_err(), @"
    error[build/kaniko-platforms]: a kaniko pod builds for one platform, and `web` is for linux/arm64, linux/amd64
    help: name one platform, or use `docker` or `ko` instead of `kaniko`
    ");
}

#[test]
fn the_first_line_says_why_kaniko_builds() {
    let spec = KanikoBuild { only_kaniko: Some("volumeMounts".to_owned()), ..KanikoBuild::default() };
    assert_eq!(announcement(&spec)[0], "kaniko pod: `volumeMounts` is for kaniko alone");
    assert!(announcement(&spec)[1].starts_with("`gcr.io/kaniko-project/executor:latest` is archived: set `kaniko.image`"));
    let own = KanikoBuild { image: Some("kaniko:v1".to_owned()), ..KanikoBuild::default() };
    assert_eq!(announcement(&own), ["kaniko pod: `image: kaniko:v1` asks for it"]);
    assert!(announcement(&KanikoBuild::default())[0].starts_with("kaniko pod: there is no image of a builder pod"));
}

#[test]
fn kind_is_known_by_its_contexts() {
    for (context, expected) in [(Some("kind-dev"), true), (Some("dev@kind"), true), (Some("mankind"), false), (None, false)] {
        assert_eq!(is_kind(context), expected, "{context:?}");
    }
}

#[test]
fn templates_are_rendered_for_each_build_anew() {
    let value = Template::parse("{{.IMAGE_TAG}} {{.USER}}").unwrap();
    let env = vec![KanikoEnv { name: "TAG".to_owned(), value: Some(value), value_from: None }];
    let spec = KanikoBuild { env, ..KanikoBuild::default() };
    let user = Env::new(BTreeMap::from([("USER".to_owned(), "me".to_owned())]));
    for tag in ["v1", "v2"] {
        let reference = ImageRef::parse(&format!("web:{tag}")).unwrap();
        assert_eq!(variables(&spec, &reference, &user).unwrap()["TAG"], format!("{tag} me"));
    }
}
