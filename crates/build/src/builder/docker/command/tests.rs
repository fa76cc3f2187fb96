//! The command line of `docker build`.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_model::BuildSecret;
use devloop_model::Env;
use devloop_model::ImageName;
use devloop_model::LocalBuild;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Template;

use super::*;

fn shown(spec: &DockerBuild, local: &LocalBuild, pushes: bool, platform: Option<&str>) -> String {
    let mut cx = Cx::silent(StepId::of(Stage::Build));
    cx.env = Env::new(BTreeMap::from([("TOKEN".to_owned(), "s3cret".to_owned()), ("LEVEL".to_owned(), "9".to_owned())]));
    let (artifact, reference) = (ImageName::parse("web").unwrap(), ImageRef::parse("reg.io/web:v1").unwrap());
    let build_args = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "two words".to_owned())]);
    let job = DockerJob {
        artifact: &artifact,
        context: Path::new("/c"),
        files: &[],
        reference: &reference,
        platforms: &[],
        build_args: &build_args,
        local,
        pushes,
    };
    let platform = platform.map(|text| text.parse().unwrap());
    arguments(spec, job, &reference, platform.as_ref(), &cx).unwrap().join(" ")
}

#[test]
fn every_setting_has_its_flag() {
    let spec = DockerBuild {
        dockerfile: "Dockerfile".into(),
        target: Some("dev".to_owned()),
        network: Some("Host".to_owned()),
        add_hosts: vec!["h:1.2.3.4".to_owned()],
        cache_from: vec!["web".to_owned(), "other".to_owned(), "type=registry,ref=web".to_owned()],
        cache_to: vec!["type=registry,ref=web,mode=max".to_owned()],
        cli_flags: vec![Template::parse("--label=level={{.LEVEL}}-{{.IMAGE_TAG}}").unwrap()],
        pull_parent: true,
        no_cache: true,
        squash: true,
        secrets: vec![
            BuildSecret { id: "a".to_owned(), source: SecretSource::File("/s".into()) },
            BuildSecret { id: "b".to_owned(), source: SecretSource::Env("TOKEN".to_owned()) },
        ],
        ssh: Some("default".to_owned()),
        ..DockerBuild::default()
    };
    insta::assert_snapshot!(shown(&spec, &LocalBuild::default(), true, Some("linux/arm64")), @"build /c --file /c/Dockerfile -t reg.io/web:v1 --build-arg A=1 --build-arg B=two words --add-host h:1.2.3.4 --cache-from reg.io/web:v1 --cache-from other --cache-from type=registry,ref=reg.io/web:v1 --cache-to type=registry,ref=reg.io/web:v1,mode=max --label=level=9-v1 --target dev --network host --no-cache --squash --pull --secret id=a,src=/s --secret id=b,env=TOKEN --ssh default --force-rm --platform linux/arm64");
}

#[test]
fn buildkit_loads_what_is_not_pushed() {
    let spec = DockerBuild { dockerfile: "sub/My.dockerfile".into(), ..DockerBuild::default() };
    let buildkit = LocalBuild { use_buildkit: Some(true), ..LocalBuild::default() };
    insta::assert_snapshot!(shown(&spec, &buildkit, false, None), @"build /c --file /c/sub/My.dockerfile -t reg.io/web:v1 --build-arg A=1 --build-arg B=two words --force-rm --load");
    assert!(!shown(&spec, &buildkit, true, None).contains("--load"));
}
