//! What a configuration asks of the daemon.

use super::*;

fn with_job<T>(files: &[PathBuf], check: impl FnOnce(DockerJob<'_>) -> T) -> T {
    let (artifact, reference) = (ImageName::parse("web").unwrap(), ImageRef::parse("reg.io/web:v1").unwrap());
    let (build_args, local) = (BTreeMap::new(), LocalBuild::default());
    check(DockerJob {
        artifact: &artifact,
        context: Path::new("/c"),
        files,
        reference: &reference,
        platforms: &[],
        build_args: &build_args,
        local: &local,
        pushes: false,
    })
}

#[test]
fn a_dockerfile_outside_is_not_sent_as_context() {
    let files = ["a", "../Dockerfile", "/abs/Dockerfile", "b/..x"].map(PathBuf::from);
    let sent = with_job(&files, |job| request(&DockerBuild::default(), job, job.reference, None, "/Dockerfile".into()).files);
    assert_eq!(sent, ["a", "b/..x"].map(PathBuf::from));
}

#[test]
fn the_artifacts_own_name_in_cache_from_is_its_new_image() {
    let spec = DockerBuild {
        cache_from: ["web", "web:old", "type=registry,ref=web", "type=local,src=web"].map(str::to_owned).to_vec(),
        ..DockerBuild::default()
    };
    let caches = with_job(&[], |job| own_image(&spec.cache_from, job));
    assert_eq!(caches, ["reg.io/web:v1", "web:old", "type=registry,ref=reg.io/web:v1", "type=local,src=web"]);
}

#[test]
fn each_platform_has_a_tag_of_its_own() {
    let reference = ImageRef::parse("web:v1").unwrap();
    let of = |platform: &str| platform_reference(&reference, &platform.parse().unwrap()).unwrap().to_string();
    assert_eq!(of("linux/amd64"), "web:v1_linux_amd64");
    assert_eq!(of("linux/arm/v7"), "web:v1_linux_arm_v7");
    let manifest =
        RemoteManifest { digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(), media_type: "m".to_owned(), bytes: "{}".into() };
    let entry = index_entry(&manifest, &"linux/arm/v7".parse().unwrap());
    assert_eq!(entry["platform"], json!({ "os": "linux", "architecture": "arm", "variant": "v7" }));
    assert_eq!(entry["size"], 2);
}
