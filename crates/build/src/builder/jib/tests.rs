use devloop_model::Builder;
use devloop_model::Identity;
use devloop_model::JibBuild;

use super::*;
use crate::testing;

/// The arguments of a build, for the daemon or a registry.
fn shown(spec: JibBuild, pushes: bool, platforms: &[&str], reference: &str) -> String {
    let artifact = testing::artifact("web", "/work".as_ref(), Builder::Jib(spec));
    let Builder::Jib(spec) = &artifact.builder else { panic!("{:?}", artifact.builder) };
    let base = ImageName::parse("localhost:5000/base").unwrap();
    let base = BuiltImage {
        artifact: ImageName::parse("base").unwrap(),
        name: base,
        tag: Some("v1".parse().unwrap()),
        identity: Identity::AsNamed,
        runtime: None,
    };
    let platforms: Vec<Platform> = platforms.iter().map(|platform| Platform::parse(platform).unwrap()).collect();
    let job = JibJob {
        project: Project::of(&artifact, spec).unwrap(),
        reference: &ImageRef::parse(reference).unwrap(),
        platforms: &platforms,
        required: &[("BASE".to_owned(), base)],
        insecure: &["insecure.example".to_owned()],
        skips_tests: !pushes,
        pushes,
    };
    let (task, goal) = if pushes { ("jib", "build") } else { ("jibDockerBuild", "dockerBuild") };
    job.arguments(task, goal).join(" ")
}

fn of_kind(kind: JibKind) -> JibBuild {
    JibBuild { kind: Some(kind), ..JibBuild::default() }
}

#[test]
fn maven_is_told_what_skaffold_tells_it() {
    insta::assert_snapshot!(shown(of_kind(JibKind::Maven), true, &[], "gcr.io/p/web:v1"), @"--batch-mode jib:_skaffold-fail-if-jib-out-of-date -Djib.requiredVersion=1.4.0 --non-recursive prepare-package jib:build -Dimage=gcr.io/p/web:v1");
    let module = JibBuild { project: Some("web".into()), args: vec!["-Pdev".into()], ..of_kind(JibKind::Maven) };
    insta::assert_snapshot!(shown(module, false, &["linux/amd64", "linux/arm64"], "web:v1"), @"--batch-mode jib:_skaffold-fail-if-jib-out-of-date -Djib.requiredVersion=3.2.0 -Pdev --projects web --also-make -DskipTests=true package jib:dockerBuild -Djib.containerize=web -Djib.from.platforms=linux/amd64,linux/arm64 -Dimage=web:v1");
}

#[test]
fn gradle_is_told_what_skaffold_tells_it() {
    insta::assert_snapshot!(shown(of_kind(JibKind::Gradle), true, &[], "gcr.io/p/web:v1"), @"--console=plain _skaffoldFailIfJibOutOfDate -Djib.requiredVersion=1.4.0 :jib --image=gcr.io/p/web:v1");
    let module = JibBuild { project: Some("web".into()), args: vec!["-Pdev".into()], ..of_kind(JibKind::Gradle) };
    insta::assert_snapshot!(shown(module, false, &["linux/arm64"], "web:v1"), @"--console=plain _skaffoldFailIfJibOutOfDate -Djib.requiredVersion=3.2.0 :web:jibDockerBuild -x test -Pdev -Djib.from.platforms=linux/arm64 --image=web:v1");
}

#[test]
fn a_base_is_a_name_or_a_required_image_from_where_it_is() {
    let from = |base: &str| JibBuild { from_image: Some(base.to_owned()), ..of_kind(JibKind::Maven) };
    for (base, pushes, reference, expected) in [
        ("gcr.io/p/java", true, "gcr.io/p/web:v1", "-Djib.from.image=gcr.io/p/java"),
        ("BASE", true, "gcr.io/p/web:v1", "-Djib.allowInsecureRegistries=true -Djib.from.image=localhost:5000/base:v1"),
        ("BASE", false, "web:v1", "-Djib.from.image=docker://localhost:5000/base:v1"),
        ("localhost:5000/java:17", true, "gcr.io/p/web:v1", "-Djib.allowInsecureRegistries=true -Djib.from.image=localhost:5000/java:17"),
        ("java", true, "insecure.example/web:v1", "-Djib.allowInsecureRegistries=true -Djib.from.image=java"),
    ] {
        let arguments = shown(from(base), pushes, &[], reference);
        let (_, rest) = arguments.split_once(if pushes { " jib:build " } else { " jib:dockerBuild " }).unwrap();
        assert_eq!(rest, format!("{expected} -Dimage={reference}"));
    }
}
