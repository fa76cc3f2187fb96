//! What an artifact, `.ko.yaml` and the environment give together.

use std::collections::BTreeMap;
use std::fs;

use devloop_model::BuildPlace;
use devloop_model::Builder;
use devloop_model::ImageName;
use devloop_model::Location;
use devloop_model::Tagger;

use super::*;

fn artifact(image: &str, context: &Path) -> Artifact {
    Artifact {
        image: ImageName::parse(image).unwrap(),
        context: context.to_owned(),
        builder: Builder::Ko(KoBuild::default()),
        tagger: Tagger::Sha256,
        requires: Vec::new(),
        platforms: Vec::new(),
        runtime: None,
        sync: None,
        hooks: devloop_model::Hooks::default(),
        place: BuildPlace::default(),
        at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None },
    }
}

fn env(pairs: &[(&str, &str)]) -> Env {
    Env::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn resolve(dir: &Path, spec: &KoBuild, env: &Env) -> Result<Settings, BuildError> {
    Settings::resolve(&artifact("web", dir), spec, Some(&ImageRef::parse("gcr.io/p/web:v1").unwrap()), "run", env)
}

#[test]
fn templates_see_the_environment_in_both_ways_and_the_image() {
    let spec = KoBuild {
        env: vec![template("A={{.HOME}}")],
        flags: vec![template("-tags={{ .Env.TAGS }}")],
        ldflags: vec![template("-X main.v={{.IMAGE_TAG}}"), template("-X main.x={{.Env.NONE}}-{{.Env.TAGS}}")],
        labels: BTreeMap::from([("by".to_owned(), template("{{.HOME}}"))]),
        ..KoBuild::default()
    };
    let settings = resolve(Path::new("/nowhere"), &spec, &env(&[("HOME", "/h"), ("TAGS", "x")])).unwrap();
    assert_eq!(settings.env, [("A".into(), "/h".into())]);
    assert_eq!(settings.flags, ["-tags=x", "-trimpath"]);
    assert_eq!(settings.ldflags, ["-X main.v=v1", "-X main.x=<no value>-x"]);
    assert_eq!(settings.labels, [("by".into(), "/h".into())]);
}

#[test]
fn debugging_keeps_paths_and_variables() {
    let spec = KoBuild::default();
    let settings = Settings::resolve(&artifact("web", Path::new("/nowhere")), &spec, None, "debug", &Env::default()).unwrap();
    assert_eq!(settings.flags, ["-gcflags", "all=-N -l"]);
}

#[test]
fn the_main_package_is_a_directory_or_an_import_path() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("cmd/web")).unwrap();
    fs::write(dir.path().join("cmd/web/main.go"), "").unwrap();
    for (image, main, expected) in [
        ("web", None, "."),
        ("web", Some("./cmd/web"), "./cmd/web"),
        ("web", Some("cmd/web"), "./cmd/web"),
        ("web", Some("cmd/web/main.go"), "./cmd/web"),
        ("web", Some("./..."), "./..."),
        ("web", Some("example.com/web"), "example.com/web"),
        ("ko://example.com/Shop/cmd/web", None, "example.com/Shop/cmd/web"),
    ] {
        let spec = KoBuild { main: main.map(str::to_owned), ..KoBuild::default() };
        let settings = Settings::resolve(&artifact(image, dir.path()), &spec, None, "run", &Env::default()).unwrap();
        assert_eq!(settings.package, expected, "{image} {main:?}");
    }
}

#[test]
fn bases_have_an_order() {
    let dir = tempfile::tempdir().unwrap();
    let from = |image: &str| KoBuild { from_image: Some(image.to_owned()), ..KoBuild::default() };
    let set = env(&[("KO_DEFAULTBASEIMAGE", "env")]);
    let base = |spec: &KoBuild, env: &Env, path: &str| resolve(dir.path(), spec, env).unwrap().base_image(path).to_owned();
    assert_eq!(base(&KoBuild::default(), &Env::default(), "a"), DEFAULT_BASE);
    fs::write(dir.path().join(".ko.yaml"), "defaultBaseImage: file\nbaseImageOverrides:\n  Example.com/A: override\n").unwrap();
    assert_eq!(base(&KoBuild::default(), &Env::default(), "a"), "file");
    assert_eq!(base(&KoBuild::default(), &set, "a"), "env");
    assert_eq!(base(&from("artifact"), &set, "a"), "artifact");
    assert_eq!(base(&from("artifact"), &set, "example.com/a"), "override");
}

#[test]
fn an_entry_of_the_file_holds_unless_the_artifact_says_anything() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("cmd/web")).unwrap();
    fs::write(dir.path().join("go.mod"), "module example.com/shop\n").unwrap();
    let file = "defaultLdflags: -s\nbuilds:\n- main: ./cmd/web\n  flags: -tags a\n  env: [B=1]\n  ldflags: ['-X main.v={{.Env.B}}']\n";
    fs::write(dir.path().join(".ko.yaml"), file).unwrap();
    let image = artifact("ko://example.com/shop/cmd/web", dir.path());
    let settings = |image: &Artifact, spec: &KoBuild| Settings::resolve(image, spec, None, "run", &Env::default()).unwrap();
    let found = settings(&image, &KoBuild::default());
    assert_eq!((found.flags.join(" "), found.ldflags.join(" ")), ("-tags a -trimpath".into(), "-X main.v=1".into()));
    let found = settings(&image, &KoBuild { env: vec![template("C=1")], ..KoBuild::default() });
    assert_eq!((found.flags.join(" "), found.ldflags.join(" "), found.env.len()), ("-trimpath".into(), "-s".into(), 1));
    let found = settings(&artifact("ko://example.com/shop", dir.path()), &KoBuild::default());
    assert_eq!((found.flags.join(" "), found.ldflags.join(" ")), ("-trimpath".into(), "-s".into()));
}

#[test]
fn a_variable_that_a_template_of_the_file_lacks_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".ko.yaml"), "defaultLdflags: ['-X main.v={{.Env.NONE}}']\n").unwrap();
    let error = resolve(dir.path(), &KoBuild::default(), &Env::default()).unwrap_err().diagnostic().to_string();
    assert!(error.contains("error[build/template]") && error.contains("NONE"), "{error}");
}

#[test]
fn the_last_of_a_name_counts_in_the_environment() {
    let spec = KoBuild { env: vec![template("CGO_ENABLED=1")], ..KoBuild::default() };
    let last = |platform: &str, spec: &KoBuild, env: &Env, name: &str| {
        let settings = resolve(Path::new("/nowhere"), spec, env).unwrap();
        let all = settings.go_env(&Platform::parse(platform).unwrap(), env).unwrap();
        all.into_iter().rev().find(|(other, _)| other == name).map(|(_, value)| value)
    };
    let bare = KoBuild::default();
    let shell = env(&[("CGO_ENABLED", "2"), ("GOOS", "plan9"), ("GOARM", "6")]);
    for (platform, spec, env, name, expected) in [
        ("linux/amd64", &bare, &Env::default(), "CGO_ENABLED", Some("0")),
        ("linux/amd64", &bare, &shell, "CGO_ENABLED", Some("2")),
        ("linux/amd64", &spec, &shell, "CGO_ENABLED", Some("1")),
        ("linux/amd64", &bare, &shell, "GOOS", Some("linux")),
        ("linux/arm64", &bare, &shell, "GOARCH", Some("arm64")),
        ("linux/amd64/v2", &bare, &Env::default(), "GOAMD64", Some("v2")),
        ("linux/arm/v7", &bare, &Env::default(), "GOARM", Some("7")),
        ("linux/arm/v8", &bare, &Env::default(), "GOARM", Some("7")),
        ("linux/arm/v4", &bare, &Env::default(), "GOARM", None),
        ("linux/arm/v7", &bare, &shell, "GOARM", Some("6")),
    ] {
        assert_eq!(last(platform, spec, env, name).as_deref(), expected, "{platform} {name}");
    }
}

#[test]
fn what_cannot_be_done_is_told() {
    let told = |result: Result<Settings, BuildError>| result.unwrap_err().diagnostic().to_string();
    let nowhere = Path::new("/nowhere");
    let flag = KoBuild { flags: vec![template("-toolexec=sh")], ..KoBuild::default() };
    insta::assert_snapshot!(told(resolve(nowhere, &flag, &Env::default())), @r"
    error[build/ko-toolexec]: `-toolexec=sh` is not allowed in a ko build
    help: remove it from the flags and from `GOFLAGS`
    ");
    assert!(resolve(nowhere, &KoBuild::default(), &env(&[("GOFLAGS", "-v --toolexec sh")])).is_err());
    let entry = KoBuild { env: vec![template("TOKEN")], ..KoBuild::default() };
    insta::assert_snapshot!(told(resolve(nowhere, &entry, &Env::default())), @r"
    error[build/ko-env]: an entry of `ko.env` is not `NAME=value`
    help: write each entry as `NAME=value`
    ");
    let settings = resolve(nowhere, &KoBuild::default(), &Env::default()).unwrap();
    insta::assert_snapshot!(settings.find_go(&env(&[("PATH", "/nowhere:/none")])).unwrap_err().diagnostic(), @r"
    error[build/ko-no-go]: `go` was not found: a ko artifact is built by the Go toolchain of this machine
    help: install Go (https://go.dev/dl/), put it on PATH, or set `KO_GO_PATH`
    ");
    assert!(settings.go_env(&Platform::parse("linux/arm/x").unwrap(), &Env::default()).is_err());
}
