//! Command lines and environments, as Skaffold makes them where it does so rightly.

use devloop_clients::kube::target::LocalRegistry;
use devloop_model::DockerBuild;
use devloop_model::Env;
use devloop_model::KanikoEnv;

use super::*;
use crate::builder::image_vars;

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn pairs(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<Template>> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(template))).collect()
}

fn flags(flags: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    flags.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
}

fn spec() -> KanikoBuild {
    KanikoBuild { digest_file: KanikoBuild::DIGEST_FILE.to_owned(), ..KanikoBuild::default() }
}

fn local() -> Inside {
    Inside::new(Some(LocalRegistry { host: "localhost:5000".to_owned(), from_pods: Some("10.0.0.1:5000".to_owned()) }))
}

fn told(spec: &KanikoBuild, image: &str, insecure: &[&str], inside: &Inside, is_kind: bool) -> Result<String, BuildError> {
    let reference = ImageRef::parse(image).unwrap();
    let build_args = BTreeMap::from([("GOPROXY".to_owned(), "http://athens".to_owned()), ("MODE".to_owned(), "a b".to_owned())]);
    let insecure: Vec<String> = insecure.iter().map(|&registry| registry.to_owned()).collect();
    let told = Told {
        spec,
        reference: &reference,
        dockerfile: "Dockerfile",
        build_args: &build_args,
        vars: &image_vars(Some(&reference), &Env::default()),
        insecure_registries: &insecure,
        inside,
        is_kind,
    };
    // A flag and its value on one line.
    Ok(told.arguments()?.join("\n").replace("\n--", "\0").replace('\n', " ").replace('\0', "\n--"))
}

#[test]
fn the_words_are_skaffolds() {
    let spec = KanikoBuild {
        dockerfile: DockerBuild { target: Some("final".to_owned()), ..DockerBuild::default() },
        destinations: vec![template("gcr.io/p/web:{{.IMAGE_TAG}}-also")],
        flags: flags(&[
            ("registry-mirror", Some("mirror.gcr.io")),
            ("reproducible", None),
            ("single-snapshot", None),
            ("skip-tls-verify", None),
            ("skip-unused-stages", None),
            ("use-new-run", None),
            ("whitelist-var-run", None),
            ("ignore-path", Some("/keep")),
        ]),
        labels: pairs(&[("empty", None), ("image", Some("{{.IMAGE_NAME}}"))]),
        registry_certificates: pairs(&[("gcr.io", Some("/certs/ca.pem"))]),
        cache: Some(KanikoCache {
            repo: Some("gcr.io/p/cache".to_owned()),
            host_path: None,
            ttl: Some("24h".to_owned()),
            copy_layers: true,
            run_layers: true,
        }),
        ..spec()
    };
    insta::assert_snapshot!(told(&spec, "gcr.io/p/web:v1", &[], &Inside::default(), false).unwrap(), @"
    --destination gcr.io/p/web:v1
    --destination gcr.io/p/web:v1-also
    --dockerfile Dockerfile
    --context dir:///kaniko/buildcontext
    --build-arg GOPROXY=http://athens
    --build-arg MODE=a b
    --cache
    --cache-repo gcr.io/p/cache
    --cache-ttl 24h
    --cache-copy-layers
    --cache-run-layers=true
    --target final
    --digest-file /dev/termination-log
    --registry-mirror mirror.gcr.io
    --reproducible
    --single-snapshot
    --skip-tls-verify
    --skip-unused-stages
    --use-new-run
    --whitelist-var-run
    --ignore-path /keep
    --skip-tls-verify-registry gcr.io
    --registry-certificate gcr.io=/certs/ca.pem
    --label empty
    --label image=web
    ");
}

#[test]
fn the_cache_directory_is_where_it_is_mounted() {
    let cache = KanikoCache { host_path: Some("/var/lib/warm".to_owned()), run_layers: false, ..KanikoCache::default() };
    let spec = KanikoBuild { cache: Some(cache), ..spec() };
    let arguments = told(&spec, "gcr.io/p/web:v1", &[], &Inside::default(), false).unwrap();
    assert!(arguments.contains("--cache\n--cache-dir /cache\n--cache-run-layers=false\n"), "{arguments}");
    assert!(!arguments.contains("/var/lib/warm"), "{arguments}");
}

#[test]
fn what_is_off_can_be_said() {
    let spec = KanikoBuild { flags: flags(&[("whitelist-var-run", Some("false"))]), ..spec() };
    let arguments = told(&spec, "gcr.io/p/web:v1", &[], &Inside::default(), false).unwrap();
    assert!(arguments.contains("\n--whitelist-var-run=false"), "{arguments}");
}

#[test]
fn two_builds_of_one_configuration_have_their_own_tags_and_registries_once() {
    let spec = KanikoBuild {
        destinations: vec![template("gcr.io/p/web:{{.IMAGE_TAG}}-also")],
        flags: flags(&[("insecure-registry", Some("a:1"))]),
        ..spec()
    };
    let insecure = ["a:1", "b:1", "localhost:5000"];
    let first = told(&spec, "localhost:5000/web:v1", &insecure, &local(), false).unwrap();
    let second = told(&spec, "localhost:5000/web:v2", &insecure, &local(), false).unwrap();
    assert_eq!(first.replace(":v1", ":v2"), second);
    let registries: Vec<&str> = second.lines().filter_map(|line| line.strip_prefix("--insecure-registry ")).collect();
    assert_eq!(registries, ["a:1", "b:1", "10.0.0.1:5000"]);
    assert!(second.starts_with("--destination 10.0.0.1:5000/web:v2\n--destination gcr.io/p/web:v2-also\n"), "{second}");
}

#[test]
fn what_kind_mounts_is_left_alone() {
    let count = |spec: &KanikoBuild, is_kind| {
        let arguments = told(spec, "gcr.io/p/web:v1", &[], &Inside::default(), is_kind).unwrap();
        arguments.matches("--ignore-path /product_uuid").count()
    };
    assert_eq!((count(&spec(), true), count(&spec(), false)), (1, 0));
    let named = KanikoBuild { flags: flags(&[("ignore-path", Some("/product_uuid"))]), ..spec() };
    assert_eq!(count(&named, true), 1);
}

#[test]
fn the_environment_has_what_is_configured_and_what_kaniko_needs() {
    let variable = |name: &str, value: Option<&str>, source: Option<Value>| KanikoEnv {
        name: name.to_owned(),
        value: value.map(template),
        value_from: source,
    };
    let spec = KanikoBuild {
        env: vec![
            variable("TAG", Some("{{.IMAGE_TAG}}"), None),
            variable("TOKEN", None, Some(json!({"secretKeyRef": {"name": "s", "key": "k"}}))),
            variable("HTTPS_PROXY", Some("http://mine"), None),
        ],
        ..spec()
    };
    let cluster = ClusterBuild {
        http_proxy: Some("http://proxy".to_owned()),
        https_proxy: Some("http://proxy".to_owned()),
        ..ClusterBuild::default()
    };
    let rendered = BTreeMap::from([("TAG".to_owned(), "v1".to_owned()), ("HTTPS_PROXY".to_owned(), "http://mine".to_owned())]);
    let image = [("IMAGE_REPO", ""), ("IMAGE_NAME", "web"), ("IMAGE_TAG", "v1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pull_secret = Some("/secret/kaniko-secret".to_owned());
    let environment = Environment { spec: &spec, cluster: &cluster, rendered: &rendered, image: &image, pull_secret, inside: &local() };
    let lines: Vec<String> = environment.variables().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n").replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
    {"name":"TAG","value":"v1"}
    {"name":"TOKEN","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}
    {"name":"HTTPS_PROXY","value":"http://mine"}
    {"name":"UPSTREAM_CLIENT_TYPE","value":"UpstreamClient(devloop-VERSION)"}
    {"name":"HTTP_PROXY","value":"http://proxy"}
    {"name":"GOOGLE_APPLICATION_CREDENTIALS","value":"/secret/kaniko-secret"}
    {"name":"KANIKO_REGISTRY_MAP","value":"localhost:5000=10.0.0.1:5000"}
    {"name":"IMAGE_NAME","value":"web"}
    {"name":"IMAGE_TAG","value":"v1"}
    "#);
}
