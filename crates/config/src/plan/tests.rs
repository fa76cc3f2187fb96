use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use devloop_model::Builder;
use devloop_model::CustomDependencies;
use devloop_model::Env;
use devloop_model::ForwardPort;
use devloop_model::LogPrefix;
use devloop_model::Runtime;
use devloop_model::SecretSource;
use devloop_model::Template;

use super::*;
use crate::ConfigSource;
use crate::NoFetch;
use crate::load;

fn load_with(body: &str, options: &Options) -> Plan {
    let text = format!("apiVersion: skaffold/v4beta14\nkind: Config\n{body}");
    let root = ConfigSource::Text { name: "skaffold.yaml".into(), text };
    load(&root, options, &NoFetch).unwrap()
}

fn options() -> Options {
    let env = Env::new(BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned()), ("TOKEN".to_owned(), "s3cret".to_owned())]));
    Options::new("run", "/project", env)
}

pub(super) fn plan_of(body: &str) -> Plan {
    load_with(body, &options())
}

#[test]
fn a_configuration_that_says_nothing_has_the_defaults() {
    let plan = plan_of("build: {artifacts: [{image: web}]}\n");
    let [artifact] = plan.artifacts.as_slice() else { panic!("{:?}", plan.artifacts) };
    assert_eq!((artifact.image.as_str(), artifact.context.as_path()), ("web", Path::new("/project")));
    assert_eq!((artifact.at.line, artifact.at.column), (3, 29));
    assert!(
        matches!(&artifact.builder, Builder::Docker(docker) if docker.dockerfile == Path::new("Dockerfile") && docker.build_args.is_empty())
    );
    assert!(matches!(&artifact.tagger, Tagger::GitCommit { prefix, ignore_changes: false, .. } if prefix.is_empty()));
    assert_eq!((artifact.local().push, artifact.local().concurrency, artifact.platforms.len()), (None, None, 0));
    let [module] = plan.modules.as_slice() else { panic!("{:?}", plan.modules) };
    assert_eq!((module.name.as_deref(), module.dir.as_path()), (None, Path::new("/project")));
    let [manifests] = module.render.raw_yaml.as_slice() else { panic!("{:?}", module.render) };
    assert_eq!((manifests.pattern.source(), manifests.may_match_nothing, manifests.at.is_none()), ("k8s/*.yaml", true, true));
    assert!(module.deploy.kubectl.is_some());
    assert_eq!(plan.deploy, devloop_model::DeploySettings::default());
}

#[test]
fn every_field_of_docker_reaches_the_plan() {
    let plan = plan_of(
        r#"
build:
  artifacts:
  - image: web
    context: ../web/./app
    runtimeType: nodejs
    requires: [{image: base, alias: BASE}, {image: tools}]
    docker:
      dockerfile: build/Dockerfile
      target: prod
      buildArgs: {VERSION: "{{.TOKEN}}", EMPTY: "", FROM_ENV: null, N: 1.10}
      network: host
      addHost: ["a:1.2.3.4"]
      cacheFrom: [web:cache, "type=local,src=steps,tag=a"]
      cliFlags: ["--label={{.TOKEN}}"]
      pullParent: true
      noCache: true
      squash: true
      ssh: default
      secrets: [{id: a, src: ~/a}, {id: b, env: B}, {id: TOKEN}, {id: c, src: c}]
  - image: base
  - image: tools
"#,
    );
    let web = &plan.artifacts[0];
    assert_eq!((web.context.as_path(), web.runtime), (Path::new("/web/app"), Some(Runtime::NodeJs)));
    let requires: Vec<_> = web.requires.iter().map(|one| (one.image.as_str(), one.alias.as_str())).collect();
    assert_eq!(requires, [("base", "BASE"), ("tools", "tools")]);
    let Builder::Docker(docker) = &web.builder else { panic!("{:?}", web.builder) };
    let arguments: Vec<_> = docker.build_args.iter().map(|(name, value)| (name.as_str(), value.as_ref().map(Template::source))).collect();
    assert_eq!(arguments, [("EMPTY", Some("")), ("FROM_ENV", None), ("N", Some("1.10")), ("VERSION", Some("{{.TOKEN}}"))]);
    assert_eq!((docker.target.as_deref(), docker.network.as_deref(), docker.ssh.as_deref()), (Some("prod"), Some("host"), Some("default")));
    assert_eq!((docker.add_hosts.len(), docker.cli_flags.len()), (1, 1));
    assert_eq!(docker.cache_from, ["web:cache", "type=local,src=/project/steps,tag=a"]);
    assert!(docker.pull_parent && docker.no_cache && docker.squash);
    let sources: Vec<_> = docker.secrets.iter().map(|secret| secret.source.clone()).collect();
    assert_eq!(
        sources,
        [
            SecretSource::File("/home/me/a".into()),
            SecretSource::Env("B".into()),
            SecretSource::Env("TOKEN".into()),
            SecretSource::File("/project/c".into())
        ]
    );
}

#[test]
fn every_field_of_kaniko_reaches_the_plan() {
    let plan = plan_of(
        r#"
build:
  cluster: {volumes: [{name: cache, emptyDir: {}}]}
  artifacts:
  - image: web
    context: web
    kaniko:
      cleanup: true
      insecure: true
      insecurePull: true
      force: true
      logTimestamp: true
      reproducible: true
      singleSnapshot: true
      skipTLS: true
      skipTLSVerifyPull: true
      skipUnusedStages: true
      useNewRun: true
      whitelistVarRun: true
      dockerfile: build/Dockerfile
      target: final
      initImage: busybox
      image: kaniko:v1
      imagePullSecret: registry
      destination: ["r/web:{{.IMAGE_TAG}}"]
      digestFile: /kaniko/digest
      imageFSExtractRetry: "1"
      imageNameWithDigestFile: /n
      logFormat: json
      ociLayoutPath: /o
      registryMirror: mirror.gcr.io
      snapshotMode: redo
      pushRetry: "2"
      tarPath: /t
      verbosity: debug
      insecureRegistry: [a, b]
      skipTLSVerifyRegistry: [c]
      env: [{name: A, value: "{{.TOKEN}}"}, {name: N, value: "1.10"}, {name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}]
      cache: {repo: r/cache, hostPath: /warm, ttl: 24h, cacheCopyLayers: true, cacheRunLayers: false}
      registryCertificate: {r: /ca}
      label: {one: "{{.TOKEN}}", two: null}
      buildArgs: {VERSION: "{{.TOKEN}}", FROM_ENV: null}
      volumeMounts: [{name: cache, mountPath: /c}]
      contextSubPath: sub
      ignorePaths: [/i]
      copyMaxRetries: 5
      copyTimeout: 90s
      buildContextCompressionLevel: 9
"#,
    );
    let web = &plan.artifacts[0];
    assert_eq!(web.context, Path::new("/project/web/sub"));
    let Builder::Kaniko(kaniko) = &web.builder else { panic!("{:?}", web.builder) };
    let flags: Vec<String> =
        kaniko.flags.iter().map(|(name, value)| value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}"))).collect();
    insta::assert_snapshot!(flags.join(" "), @"cleanup force image-fs-extract-retry=1 image-name-with-digest-file=/n insecure insecure-pull log-format=json log-timestamp oci-layout-path=/o registry-mirror=mirror.gcr.io reproducible single-snapshot skip-tls-verify skip-tls-verify-pull skip-unused-stages snapshot-mode=redo push-retry=2 tar-path=/t use-new-run verbosity=debug whitelist-var-run insecure-registry=a insecure-registry=b skip-tls-verify-registry=c ignore-path=/i");
    assert_eq!(
        (kaniko.dockerfile.dockerfile.as_path(), kaniko.dockerfile.target.as_deref()),
        (Path::new("build/Dockerfile"), Some("final"))
    );
    assert_eq!(kaniko.dockerfile.build_args.len(), 2);
    assert_eq!((kaniko.image.as_deref(), kaniko.init_image.as_deref()), (Some("kaniko:v1"), Some("busybox")));
    assert_eq!((kaniko.image_pull_secret.as_deref(), kaniko.digest_file.as_str()), (Some("registry"), "/kaniko/digest"));
    assert_eq!(kaniko.destinations[0].source(), "r/web:{{.IMAGE_TAG}}");
    assert_eq!(
        kaniko.labels.iter().map(|(name, value)| (name.as_str(), value.is_some())).collect::<Vec<_>>(),
        [("one", true), ("two", false)]
    );
    assert_eq!(kaniko.registry_certificates.len(), 1);
    let env: Vec<_> =
        kaniko.env.iter().map(|one| (one.name.as_str(), one.value.as_ref().map(Template::source), one.value_from.is_some())).collect();
    assert_eq!(env, [("A", Some("{{.TOKEN}}"), false), ("N", Some("1.10"), false), ("S", None, true)]);
    let cache = devloop_model::KanikoCache {
        repo: Some("r/cache".into()),
        host_path: Some("/warm".into()),
        ttl: Some("24h".into()),
        copy_layers: true,
        run_layers: false,
    };
    assert_eq!(kaniko.cache, Some(cache));
    assert_eq!((kaniko.volume_mounts.len(), kaniko.copy_attempts, kaniko.compression_level), (1, 5, 9));
    assert_eq!(kaniko.copy_timeout, Duration::from_secs(90));
    assert_eq!(kaniko.only_kaniko.as_deref(), Some("image"));
}

#[test]
fn what_only_kaniko_understands_is_known() {
    let of = |field: &str| {
        let plan = plan_of(&format!("build: {{cluster: {{volumes: [{{name: v}}]}}, artifacts: [{{image: web, kaniko: {{{field}}}}}]}}\n"));
        let Builder::Kaniko(kaniko) = &plan.artifacts[0].builder else { panic!("{:?}", plan.artifacts) };
        (kaniko.image.clone(), kaniko.only_kaniko.clone())
    };
    let all = "dockerfile: D, target: t, buildArgs: {A: b}, label: {a: b}, cleanup: true, force: true, verbosity: debug, logFormat: text, \
               logTimestamp: true, skipUnusedStages: true, copyMaxRetries: 1, copyTimeout: 1s, buildContextCompressionLevel: 0, \
               initImage: gcr.io/k8s-skaffold/skaffold-helpers/busybox, image: 'gcr.io/kaniko-project/executor:latest', \
               digestFile: /dev/termination-log, imagePullSecret: s, pushRetry: '1', imageFSExtractRetry: '1', cache: {repo: r}, \
               destination: [d], contextSubPath: s, insecure: true, insecureRegistry: [r]";
    assert_eq!(of(all), (None, None));
    for field in [
        "image: mine",
        "initImage: mine",
        "volumeMounts: [{name: v, mountPath: /v}]",
        "env: [{name: A, value: b}]",
        "cache: {hostPath: /warm}",
        "reproducible: true",
        "singleSnapshot: true",
        "useNewRun: true",
        "whitelistVarRun: false",
        "snapshotMode: time",
        "ignorePaths: [/i]",
        "registryMirror: m",
        "registryCertificate: {r: /ca}",
        "insecurePull: true",
        "skipTLS: true",
        "skipTLSVerifyPull: true",
        "skipTLSVerifyRegistry: [r]",
        "digestFile: /d",
        "imageNameWithDigestFile: /n",
        "ociLayoutPath: /o",
        "tarPath: /t",
    ] {
        let name = field.replace("cache: {hostPath:", "cache.hostPath:");
        assert_eq!(of(field).1.as_deref(), name.split(':').next(), "{field}");
    }
}

#[test]
fn an_artifact_of_a_cluster_build_is_kanikos() {
    let plan = plan_of("build: {cluster: {}, artifacts: [{image: web}]}\n");
    let Builder::Kaniko(kaniko) = &plan.artifacts[0].builder else { panic!("{:?}", plan.artifacts) };
    assert_eq!((kaniko.image.as_deref(), kaniko.init_image.as_deref()), (None, None));
    assert_eq!((kaniko.digest_file.as_str(), kaniko.copy_attempts, kaniko.compression_level), ("/dev/termination-log", 3, 1));
    assert_eq!(kaniko.copy_timeout, Duration::from_mins(5));
    let cluster = plan.artifacts[0].cluster().unwrap();
    assert_eq!((cluster.timeout, cluster.pull_secret.is_none()), (Duration::from_mins(20), true));
}

#[test]
fn ko_and_custom_reach_the_plan() {
    let plan = plan_of(
        r"
build:
  platforms: [linux, linux/arm64]
  artifacts:
  - image: ko://example.com/app
    platforms: [arm64]
    ko: {fromImage: base, dir: cmd, env: [A=1], flags: [-v], ldflags: [-s], labels: {a: b}, main: ./x, dependencies: {paths: [p], ignore: [i]}}
  - image: one
    custom: {buildCommand: ./build.sh}
  - image: two
    custom: {buildCommand: ./build.sh, dependencies: {command: ls}}
  - image: three
    custom: {buildCommand: ./build.sh, dependencies: {dockerfile: {buildArgs: {A: null}}}}
",
    );
    let Builder::Ko(ko) = &plan.artifacts[0].builder else { panic!("{:?}", plan.artifacts) };
    assert_eq!((ko.from_image.as_deref(), ko.dir.as_deref(), ko.main.as_deref()), (Some("base"), Some(Path::new("cmd")), Some("./x")));
    assert_eq!((ko.env.len(), ko.flags.len(), ko.ldflags.len(), ko.labels.len()), (1, 1, 1, 1));
    assert_eq!(ko.dependencies.as_ref().unwrap().ignore, ["i"]);
    let platforms = |index: usize| plan.artifacts[index].platforms.iter().map(|one| (one.os(), one.arch())).collect::<Vec<_>>();
    assert_eq!(platforms(0), [("linux", "arm64")]);
    assert_eq!(platforms(1)[1], ("linux", "arm64"));
    let dependencies = |index: usize| match &plan.artifacts[index].builder {
        Builder::Custom(custom) => custom.dependencies.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(dependencies(1), CustomDependencies::Paths(list) if list.paths == ["."]));
    assert!(matches!(dependencies(2), CustomDependencies::Command(command) if command == "ls"));
    assert!(
        matches!(dependencies(3), CustomDependencies::Dockerfile { path, build_args } if path == Path::new("Dockerfile") && build_args["A"].is_none())
    );
}

#[test]
fn every_tag_policy_reaches_the_plan() {
    let tagger =
        |policy: &str| plan_of(&format!("build: {{tagPolicy: {policy}, artifacts: [{{image: web}}]}}\n")).artifacts[0].tagger.clone();
    assert_eq!(tagger("{sha256: {}}"), Tagger::Sha256);
    assert_eq!(tagger("{inputDigest: {}}"), Tagger::InputDigest);
    assert_eq!(tagger("{dateTime: {timezone: UTC}}"), Tagger::DateTime { format: None, timezone: Some("UTC".into()) });
    assert!(matches!(tagger("{envTemplate: {template: '{{.A}}'}}"), Tagger::EnvTemplate(template) if template.source() == "{{.A}}"));
    let git = tagger("{gitCommit: {variant: TREESHA, prefix: v, ignoreChanges: yes}}");
    assert_eq!(git, Tagger::GitCommit { variant: devloop_model::GitVariant::TreeSha, prefix: "v".into(), ignore_changes: true });
    let custom = tagger("{customTemplate: {template: '{{.A}}', components: [{name: A, sha256: {}}]}}");
    assert!(matches!(custom, Tagger::CustomTemplate { components, .. } if components == [("A".to_owned(), Tagger::Sha256)]));
    let fixed = Options { tag: Some("v1".into()), ..options() };
    assert_eq!(load_with("build: {artifacts: [{image: web}]}\n", &fixed).artifacts[0].tagger, Tagger::Fixed("v1".into()));
}

#[test]
fn modules_agree_on_what_holds_for_all() {
    let plan = plan_of(
        r"
metadata: {name: one}
build: {insecureRegistries: [r1, r2], local: {concurrency: 0}}
deploy: {statusCheckDeadlineSeconds: 30, kubeContext: kind, kubectl: {defaultNamespace: '{{.NS}}', flags: {apply: [--wait], disableValidation: true}, remoteManifests: [a:pod/x]}}
resourceSelector: {allow: [{groupKind: A.b, image: [.x]}]}
---
apiVersion: skaffold/v4beta14
kind: Config
metadata: {name: two}
build: {insecureRegistries: [r2, r3], local: {concurrency: 4}}
manifests: {rawYaml: [a.yaml, k8s/*.yaml], remoteManifests: [{manifest: pod/y, kubeContext: other}]}
deploy: {statusCheckDeadlineSeconds: 90, statusCheck: false, tolerateFailuresUntilDeadline: true, logs: {prefix: none, jsonParse: {fields: [msg]}}}
resourceSelector: {deny: [{groupKind: C.d, labels: [.*]}]}
---
apiVersion: skaffold/v4beta14
kind: Config
metadata: {name: three}
build: {local: {concurrency: 2}}
",
    );
    assert_eq!(plan.build.insecure_registries, ["r1", "r2", "r3"]);
    assert_eq!(plan.build.concurrency, Some(2));
    let deploy = &plan.deploy;
    assert_eq!(
        (deploy.kube_context.as_deref(), deploy.status_check, deploy.status_check_deadline),
        (Some("kind"), Some(false), Some(Duration::from_secs(90)))
    );
    assert!(deploy.tolerate_failures_until_deadline);
    assert_eq!((deploy.logs.prefix, deploy.logs.json_fields.len()), (LogPrefix::None, 1));
    assert_eq!((plan.resource_selector.allow.len(), plan.resource_selector.deny.len()), (1, 1));
    let [one, two, three] = plan.modules.as_slice() else { panic!("{:?}", plan.modules) };
    let kubectl = one.deploy.kubectl.as_ref().unwrap();
    assert_eq!((kubectl.apply_flags.len(), kubectl.disable_validation), (1, true));
    assert_eq!(kubectl.default_namespace.as_ref().map(Template::source), Some("{{.NS}}"));
    assert_eq!(one.render.remote_manifests[0].manifest, "a:pod/x");
    assert_eq!(two.render.remote_manifests[0].kube_context.as_deref(), Some("other"));
    assert!(two.render.raw_yaml.iter().all(|manifests| !manifests.may_match_nothing && manifests.at.is_some()));
    assert!(two.deploy.kubectl.is_some() && three.deploy.kubectl.is_none(), "manifests imply the deployer");
}

#[test]
fn ports_to_forward_reach_the_plan() {
    let plan = plan_of(
        r#"
portForward:
- {resourceType: Service, resourceName: "web-{{.TOKEN}}", port: 8080}
- {resourceType: deployment, resourceName: api, namespace: "{{.NS}}", port: http, address: 0.0.0.0}
- {resourceType: pod, resourceName: db, port: "5432", localPort: 15432}
"#,
    );
    let [web, api, db] = plan.port_forward.as_slice() else { panic!("{:?}", plan.port_forward) };
    assert_eq!((web.kind.as_str(), web.name.source(), web.namespace.is_none()), ("service", "web-{{.TOKEN}}", true));
    assert_eq!((&web.port, web.address.as_str(), web.local_port), (&ForwardPort::Number(8080), "127.0.0.1", Some(8080)));
    assert_eq!((web.at.line, web.at.column), (5, 3));
    assert_eq!(api.namespace.as_ref().map(Template::source), Some("{{.NS}}"));
    assert_eq!((&api.port, api.address.as_str(), api.local_port), (&ForwardPort::Name("http".into()), "0.0.0.0", None));
    assert_eq!((&db.port, db.local_port), (&ForwardPort::Number(5432), Some(15432)));
}

#[test]
fn a_port_that_is_none_is_a_fault() {
    let fault = |entry: &str| {
        let text =
            format!("apiVersion: skaffold/v4beta14\nkind: Config\nportForward: [{{resourceType: service, resourceName: web, {entry}}}]\n");
        let root = ConfigSource::Text { name: "skaffold.yaml".into(), text };
        load(&root, &options(), &NoFetch).unwrap_err().diagnostics.iter().map(|fault| fault.what.clone()).collect::<Vec<_>>().join("; ")
    };
    for (entry, expected) in [
        ("port: 0", "`portForward[0].port` is no port: `0`"),
        ("port: 65536", "`portForward[0].port` is no port: `65536`"),
        ("port: -1", "`portForward[0].port` is no port: `-1`"),
        ("localPort: 80", "`portForward[0].port` is missing"),
        ("port: 80, localPort: 65536", "`portForward[0].localPort` is no port: `65536`"),
        ("port: http, localPort: -1", "`portForward[0].localPort` is no port: `-1`"),
    ] {
        assert_eq!(fault(entry), expected, "{entry}");
    }
}

#[test]
fn platforms_are_those_that_are_wanted_and_allowed() {
    let built_for = |named: &[&str], build: &str, own: &str| {
        let text = format!("build:\n  platforms: [{build}]\n  artifacts:\n  - image: web\n    platforms: [{own}]\n");
        let platforms = named.iter().map(|name| devloop_model::Platform::parse(name).unwrap()).collect();
        let options = Options { platforms, ..options() };
        let root =
            ConfigSource::Text { name: "skaffold.yaml".into(), text: format!("apiVersion: skaffold/v4beta14\nkind: Config\n{text}") };
        load(&root, &options, &NoFetch)
            .map(|plan| plan.artifacts[0].platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            .map_err(|error| error.to_string())
    };
    for (named, build, own, expected) in [
        (&[][..], "", "", ""),
        (&[], "linux/amd64", "", "linux/amd64"),
        (&[], "", "linux/arm64", "linux/arm64"),
        (&[], "linux/amd64, linux/arm64", "linux/arm64, linux/s390x", "linux/arm64"),
        (&["linux/s390x"], "linux/amd64", "", "linux/s390x"),
        (&["linux/arm/v7", "linux/amd64"], "linux/amd64", "linux/arm", "linux/arm/v7"),
    ] {
        assert_eq!(built_for(named, build, own).as_deref(), Ok(expected), "{named:?} {build} {own}");
    }
    insta::assert_snapshot!(built_for(&["linux/arm/v7"], "linux/arm/v6", "linux/arm/v6").unwrap_err(), @"
    error[config/platforms]: this artifact is not for any platform that is built for
     --> skaffold.yaml:7:16
      |
    7 |     platforms: [linux/arm/v6]
      |                ^
      `--platform` names `linux/arm/v7`
    ");
}
