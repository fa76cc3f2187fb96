//! From files to a configuration, which devloop itself has to understand.

use std::fs;
use std::path::Path;

use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_model::Diagnostic;
use devloop_model::Env;

use super::*;

/// A folder called `shop`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn of(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.root()).unwrap();
        for (path, text) in files {
            let path = folder.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn root(&self) -> std::path::PathBuf {
        self.0.path().join("shop")
    }

    fn matched(&self, options: &Options) -> Result<(Project, Deployment, Matching), Diagnostic> {
        let tree = Tree::read(&self.root(), false)?;
        let project = Project::of(&tree, options, &|text| text.starts_with("FROM").then(Vec::new));
        let compose = self.root().join("compose.yaml").exists().then(|| Converted::read(&self.root(), "compose.yaml", &Env::default()));
        let deployment = Deployment::of(&project, options, compose.transpose()?)?;
        let matching = Matching::of(&project, &deployment, options)?;
        Ok((project, deployment, matching))
    }

    /// What `--force` gives.
    fn forced(&self, options: &Options) -> Result<Outcome, Diagnostic> {
        let (project, deployment, mut matching) = self.matched(options)?;
        matching.settle_by_force()?;
        if options.generate_manifests {
            for artifact in matching.made_up(&matching.unused()) {
                matching.artifacts.push(Artifact { manifest: Some(8080), ..artifact });
            }
        }
        let outcome = Outcome::of(&project, deployment, &matching)?;
        self.check(&outcome);
        Ok(outcome)
    }

    /// The loader takes it, but for builders that it does not have.
    #[track_caller]
    fn check(&self, outcome: &Outcome) {
        for file in &outcome.files {
            let path = self.root().join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.text).unwrap();
        }
        let source = ConfigSource::Text { name: "skaffold.yaml".into(), text: outcome.config.clone() };
        // What a command that neither builds nor deploys says is about the form.
        let options = devloop_config::Options::new("diagnose", self.root(), Env::default());
        let faults = devloop_config::load(&source, &options, &NoFetch).err().map(|error| error.diagnostics).unwrap_or_default();
        let faults: Vec<String> = faults.iter().filter(|fault| fault.code != "config/unsupported").map(ToString::to_string).collect();
        assert!(faults.is_empty(), "{}\n{}", outcome.config, faults.join("\n"));
    }
}

fn all() -> Options {
    Options { jib: true, ko: true, buildpacks: true, buildpacks_builder: "gcr.io/buildpacks/builder:v1".into(), ..Options::default() }
}

fn pod(image: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: [{{name: web, image: '{image}'}}]}}\n")
}

const DOCKERFILE: &str = "FROM scratch\n";

#[test]
fn one_dockerfile_and_one_manifest() {
    let folder = Folder::of(&[("Dockerfile", DOCKERFILE), ("k8s/web.yaml", &pod("gcr.io/p/example:v1")), ("go.mod", "module m\n")]);
    insta::assert_snapshot!(folder.forced(&all()).unwrap().config, @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: gcr.io/p/example
        docker:
          dockerfile: Dockerfile
    manifests:
      rawYaml:
      - k8s/web.yaml
    ");
}

#[test]
fn several_services_are_told_apart_by_their_folders() {
    let folder = Folder::of(&[
        ("leeroy-app/Dockerfile", DOCKERFILE),
        ("leeroy-app/k8s.yaml", &pod("gcr.io/p/leeroy-app")),
        ("leeroy-app/package.json", "{}"),
        ("leeroy-web/Dockerfile", DOCKERFILE),
        ("leeroy-web/k8s.yaml", &pod("gcr.io/p/leeroy-web")),
        ("cmd/worker/main.go", "package main\n"),
        ("go.mod", "module example.com/shop\n"),
        ("worker.yaml", &pod("ko://example.com/shop/cmd/worker")),
        ("redis.yaml", &pod("redis:7")),
    ]);
    insta::assert_snapshot!(folder.forced(&all()).unwrap().config, @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: ko://example.com/shop/cmd/worker
        ko:
          main: ./cmd/worker
      - image: gcr.io/p/leeroy-app
        context: leeroy-app
        docker:
          dockerfile: Dockerfile
      - image: gcr.io/p/leeroy-web
        context: leeroy-web
        docker:
          dockerfile: Dockerfile
    manifests:
      rawYaml:
      - redis.yaml
      - worker.yaml
      - leeroy-app/k8s.yaml
      - leeroy-web/k8s.yaml
    ");
}

#[test]
fn an_analysis_is_as_editors_read_it() {
    let pom = "<artifactId>jib-maven-plugin</artifactId><to><image>gcr.io/p/java</image></to>";
    let folder = Folder::of(&[
        ("a/Dockerfile", DOCKERFILE),
        ("a/k.yaml", &pod("gcr.io/p/a")),
        ("b/package.json", "{}"),
        ("b/k.yaml", &pod("gcr.io/p/b:v")),
        ("java/pom.xml", pom),
        ("java/k.yaml", &pod("gcr.io/p/java")),
    ]);
    let matching = folder.matched(&Options { ko: false, ..all() }).unwrap().2;
    insta::assert_snapshot!(analysis(&matching), @r#"{"builders":[{"name":"Jib Maven Plugin","payload":{"image":"gcr.io/p/java","path":"java/pom.xml"}},{"name":"Docker","payload":{"path":"a/Dockerfile"}},{"name":"Buildpacks","payload":{"path":"b/package.json","builder":"gcr.io/buildpacks/builder:v1"}},{"name":"Buildpacks","payload":{"path":"java/pom.xml","builder":"gcr.io/buildpacks/builder:v1"}}],"images":[{"name":"gcr.io/p/java","foundMatch":true},{"name":"gcr.io/p/a","foundMatch":false},{"name":"gcr.io/p/b","foundMatch":false}]}"#);
    insta::assert_snapshot!(old_analysis(&matching), @r#"{"dockerfiles":["a/Dockerfile"],"images":["gcr.io/p/a","gcr.io/p/b","gcr.io/p/java"]}"#);
}

#[test]
fn nothing_to_build_and_nothing_to_deploy_are_told() {
    for (files, options, code) in [
        (&[("k.yaml", pod("web"))][..], all(), "init/no-builder"),
        (&[("Dockerfile", DOCKERFILE.into())], all(), "init/no-manifest"),
        (&[("a/Dockerfile", DOCKERFILE.into()), ("b/Dockerfile", DOCKERFILE.into())], all(), "init/no-manifest"),
        (
            &[("Dockerfile", DOCKERFILE.into()), ("k.yaml", "apiVersion: v1\nkind: Service\nmetadata: {}\n".into())],
            all(),
            "init/no-manifest",
        ),
        (&[("Dockerfile", DOCKERFILE.into()), ("c/Chart.yaml", ": [".into())], all(), "init/no-charts"),
        (&[("k.yaml", pod("web")), ("Dockerfile", DOCKERFILE.into())], Options { artifacts: vec!["x".into()], ..all() }, "init/artifact"),
        (
            &[("a/Dockerfile", DOCKERFILE.into()), ("b/Dockerfile", DOCKERFILE.into()), ("k.yaml", pod("x") + "---\n" + &pod("y"))],
            all(),
            "init/ambiguous",
        ),
        (&[("Dockerfile", DOCKERFILE.into())], Options { default_kustomization: Some("x".into()), ..all() }, "init/no-kustomization"),
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let error = Folder::of(&files).forced(&options).unwrap_err();
        assert_eq!(error.code, code, "{files:?} {error}");
    }
}

#[test]
fn ambiguity_is_told_with_what_to_say() {
    let folder = Folder::of(&[("a/Dockerfile", DOCKERFILE), ("b/Dockerfile", DOCKERFILE), ("k.yaml", &(pod("x") + "---\n" + &pod("y")))]);
    insta::assert_snapshot!(folder.forced(&all()).unwrap_err(), @r"
    error[init/ambiguous]: it is not clear which image is built by what
      images: `x`, `y`
      builders: Docker (a/Dockerfile), Docker (b/Dockerfile)
    help: say it by `--artifact a/Dockerfile=x`, or run `devloop init` without `--force`, which asks
    ");
}

#[test]
fn what_is_open_is_guessed_and_chosen() {
    let folder = Folder::of(&[("a/Dockerfile", DOCKERFILE), ("b/Dockerfile", DOCKERFILE), ("k.yaml", &(pod("b") + "---\n" + &pod("y")))]);
    let mut matching = folder.matched(&all()).unwrap().2;
    assert!(!matching.settle());
    assert_eq!(matching.images, ["b", "y"]);
    assert_eq!((matching.guess("b").unwrap().path.as_str(), matching.guess("y")), ("b/Dockerfile", None));
    let builder = matching.guess("b").cloned();
    matching.choose("b", builder.as_ref());
    matching.choose("y", None);
    assert!(matching.settle());
    assert_eq!(matching.unused().iter().map(Builder::describe).collect::<Vec<_>>(), ["Docker (a/Dockerfile)"]);
}

#[test]
fn one_image_gets_the_best_of_several_builders() {
    let folder = Folder::of(&[("a/package.json", "{}"), ("b/Dockerfile", DOCKERFILE), ("k.yaml", &pod("image"))]);
    assert!(folder.forced(&all()).unwrap().config.contains("context: b\n"));
}

#[test]
fn kustomizations_become_profiles() {
    let folder = Folder::of(&[
        ("Dockerfile", DOCKERFILE),
        ("k8s/base/kustomization.yaml", "resources: [web.yaml]"),
        ("k8s/base/web.yaml", &pod("web")),
        ("k8s/dev/kustomization.yaml", "resources: [../base]"),
        ("k8s/prod/kustomization.yaml", "resources: [../base]"),
        ("other/prod/kustomization.yaml", "resources: [x.yaml]"),
    ]);
    insta::assert_snapshot!(folder.forced(&all()).unwrap().config, @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: web
        docker:
          dockerfile: Dockerfile
    manifests:
      kustomize:
        paths:
        - k8s/dev
    profiles:
    - name: prod
      manifests:
        kustomize:
          paths:
          - k8s/prod
    - name: other-prod
      manifests:
        kustomize:
          paths:
          - other/prod
    ");
    let wanted = Options { default_kustomization: Some("k8s/prod".into()), ..all() };
    let (_, deployment, _) = folder.matched(&wanted).unwrap();
    assert!(folder.forced(&wanted).unwrap().config.contains("paths:\n    - k8s/prod\nprofiles:"), "{deployment:?}");
}

#[test]
fn charts_become_releases() {
    let folder = Folder::of(&[
        ("charts/web/Chart.yaml", "name: web\nversion: 0.1.0\n"),
        ("charts/web/values.yaml", "image: go-hello\n"),
        ("src/Dockerfile", DOCKERFILE),
        ("extra.yaml", &pod("x")),
    ]);
    insta::assert_snapshot!(folder.forced(&all()).unwrap().config, @r#"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: go-hello
        context: src
        docker:
          dockerfile: Dockerfile
    deploy:
      helm:
        releases:
        - name: web
          chartPath: charts/web
          valuesFiles:
          - charts/web/values.yaml
          version: "0.1.0"
    "#);
    let (_, deployment, _) = folder.matched(&all()).unwrap();
    insta::assert_snapshot!(deployment.warnings[0], @r"
    warning[init/left-out]: 1 manifest outside the charts is left out
    help: add them to the configuration, or name manifests by `-k`
    ");
}

#[test]
fn manifests_are_made_for_what_has_none() {
    let folder = Folder::of(&[
        ("Dockerfile", DOCKERFILE),
        ("My.App/src/Dockerfile", DOCKERFILE),
        ("My.App/src/deployment.yaml", "taken: true\n"),
        ("My.App/src/package.json", "{}"),
    ]);
    let outcome = folder.forced(&Options { generate_manifests: true, ..all() }).unwrap();
    insta::assert_snapshot!(outcome.config, @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: dockerfile-image
        docker:
          dockerfile: Dockerfile
      - image: my-app-src
        context: My.App/src
        docker:
          dockerfile: Dockerfile
    manifests:
      rawYaml:
      - deployment.yaml
      - My.App/src/my-app-src-deployment.yaml
    portForward:
    - resourceType: service
      resourceName: dockerfile-image
      port: 8080
    - resourceType: service
      resourceName: my-app-src
      port: 8080
    ");
    insta::assert_snapshot!(outcome.files[0].text, @r"
    apiVersion: v1
    kind: Service
    metadata:
      name: dockerfile-image
      labels:
        app: dockerfile-image
    spec:
      selector:
        app: dockerfile-image
      ports:
      - port: 8080
        targetPort: 8080
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: dockerfile-image
      labels:
        app: dockerfile-image
    spec:
      selector:
        matchLabels:
          app: dockerfile-image
      template:
        metadata:
          labels:
            app: dockerfile-image
        spec:
          containers:
          - name: dockerfile-image
            image: dockerfile-image
            ports:
            - containerPort: 8080
    ");
    let paths: Vec<&str> = outcome.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["deployment.yaml", "My.App/src/my-app-src-deployment.yaml"]);
}

#[test]
fn the_command_line_says_it_all() {
    let folder = Folder::of(&[("x", "")]);
    let artifacts = vec![
        r#"{"builder":"Docker","payload":{"path":"web/build/Dockerfile"},"context":"web","image":"web"}"#.into(),
        r#"{"builder":"Buildpacks","payload":{"path":"api/package.json","builder":"b"},"image":"api","manifest":{"generate":true,"port":3000}}"#.into(),
        r#"{"builder":"None","image":"db"}"#.into(),
        "cron/Dockerfile=cron".into(),
    ];
    let outcome = folder.forced(&Options { artifacts, manifests: vec!["k8s/*.yaml".into()], ..all() }).unwrap();
    insta::assert_snapshot!(outcome.config, @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: web
        context: web
        docker:
          dockerfile: build/Dockerfile
      - image: api
        context: api
        buildpacks:
          builder: b
      - image: cron
        context: cron
        docker:
          dockerfile: Dockerfile
    manifests:
      rawYaml:
      - k8s/*.yaml
      - api/deployment.yaml
    portForward:
    - resourceType: service
      resourceName: api
      port: 3000
    ");
    assert_eq!(outcome.files[0].path, "api/deployment.yaml");
}

#[test]
fn named_manifests_are_read_and_stages_are_left_out() {
    let folder = Folder::of(&[("web/Dockerfile", DOCKERFILE), ("k8s/web.yaml", &pod("web")), ("other/api.yaml", &pod("api"))]);
    let named = folder.forced(&Options { manifests: vec!["./k8s/*.yaml".into(), "later.yaml".into()], ..all() }).unwrap().config;
    assert!(named.contains("image: web\n") && named.contains("- ./k8s/*.yaml\n") && !named.contains("other"), "{named}");
    let unbuilt = folder.forced(&Options { skip_build: true, ..all() }).unwrap().config;
    assert!(!unbuilt.contains("build:") && unbuilt.contains("- k8s/web.yaml\n"), "{unbuilt}");
    let undeployed = folder.forced(&Options { skip_deploy: true, ..all() }).unwrap().config;
    assert!(!undeployed.contains("manifests:"), "{undeployed}");
}

#[test]
fn a_compose_file_says_how_images_are_built() {
    let compose = "services:\n  web:\n    build: ./web\n    ports: ['8080:80']\n  worker:\n    image: gcr.io/p/worker:v1\n    build: {context: ., dockerfile: docker/worker.Dockerfile, target: run, args: {A: b, C: }}\n  db:\n    image: postgres:17\n";
    let folder = Folder::of(&[
        ("compose.yaml", compose),
        ("web/Dockerfile", DOCKERFILE),
        ("docker/worker.Dockerfile", DOCKERFILE),
        ("old.yaml", &pod("old")),
    ]);
    let outcome = folder.forced(&all()).unwrap();
    insta::assert_snapshot!(outcome.config, @r"
    apiVersion: skaffold/v4beta14
    kind: Config
    metadata:
      name: shop
    build:
      artifacts:
      - image: web
        context: web
        docker:
          dockerfile: Dockerfile
      - image: gcr.io/p/worker
        docker:
          dockerfile: docker/worker.Dockerfile
          target: run
          buildArgs:
            A: b
            C: null
    manifests:
      rawYaml:
      - k8s/web.yaml
      - k8s/worker.yaml
      - k8s/db.yaml
    portForward:
    - resourceType: service
      resourceName: web
      port: 80
      localPort: 8080
    ");
    assert!(Path::new(&outcome.files[0].path).starts_with("k8s"));
}
