use std::fs;
use std::path::Path;

use devloop_model::Builder;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::Template;

use super::*;
use crate::testing;

fn spec() -> BuildpacksBuild {
    let variable = |name: &str, text: &str| (name.to_owned(), Template::parse(text).unwrap());
    BuildpacksBuild {
        builder: Some("BUILDER".to_owned()),
        run_image: Some("run:v1".to_owned()),
        env: vec![variable("HERE", "{{.PATH}}"), variable("SET", "by skaffold.yaml")],
        buildpacks: vec!["google/go".to_owned()],
        trust_builder: true,
        clear_cache: true,
        project_descriptor: "project.toml".to_owned(),
        volumes: vec!["/a:/b:rw".to_owned()],
        build_args: ["--network", "host"].map(str::to_owned).to_vec(),
        ..BuildpacksBuild::default()
    }
}

fn artifact(context: &Path) -> Artifact {
    testing::artifact("web", context, Builder::Buildpacks(Box::new(spec())))
}

fn required() -> Vec<(String, BuiltImage)> {
    let name = ImageName::parse("localhost:5000/builder").unwrap();
    let image = BuiltImage { artifact: name.clone(), name, tag: Some("v1".parse().unwrap()), identity: Identity::AsNamed, runtime: None };
    vec![("BUILDER".to_owned(), image)]
}

#[test]
fn pack_gets_names_of_variables_and_never_their_values() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("project.toml"), "").unwrap();
    let (artifact, spec, required) = (artifact(directory.path()), spec(), required());
    let reference = ImageRef::parse("gcr.io/p/web:v1").unwrap();
    let job = BuildpacksJob { artifact: &artifact, spec: &spec, reference: &reference, platforms: &[], required: &required, mode: "run" };
    let latest = ImageRef::parse("gcr.io/p/web:latest").unwrap();
    let env = environment(&artifact, &spec, "run", &testing::cx_with_path("/bin")).unwrap();
    let words = job.arguments(&latest, &Images::of(&job), env.keys()).join(" ").replace(&directory.path().display().to_string(), "[DIR]");
    insta::assert_snapshot!(words, @"build gcr.io/p/web:latest --path [DIR] --builder localhost:5000/builder:v1 --run-image run:v1 --pull-policy if-not-present --buildpack google/go --volume /a:/b:rw --env HERE --env SET --descriptor [DIR]/project.toml --trust-builder --clear-cache --no-color --network host");
}

#[test]
fn the_project_descriptor_wins_over_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let descriptor = directory.path().join("project.toml");
    let shown = |mode: &str| {
        let artifact = artifact(directory.path());
        let env = environment(&artifact, &spec(), mode, &testing::cx_with_path("/bin")).map_err(|error| error.diagnostic().what);
        env.map(|env| env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(shown("run").unwrap(), "HERE=/bin SET=by skaffold.yaml");
    assert_eq!(shown("debug").unwrap(), "GOOGLE_GOGCFLAGS=all=-N -l HERE=/bin SET=by skaffold.yaml");
    for text in [
        "[[build.env]]\nname='SET'\nvalue='by project.toml'\n",
        "[_]\nschema-version='0.2'\n[[io.buildpacks.build.env]]\nname='SET'\nvalue='by project.toml'\n",
    ] {
        fs::write(&descriptor, text).unwrap();
        assert_eq!(shown("run").unwrap(), "HERE=/bin SET=by project.toml");
    }
    fs::write(&descriptor, "[").unwrap();
    assert!(shown("run").unwrap_err().starts_with("the project descriptor of `web` cannot be read"));
}

#[test]
fn images_are_pulled_once_a_process_and_never_where_they_are_built_here() {
    let (artifact, reference, required) = (artifact("/work".as_ref()), ImageRef::parse("web:v1").unwrap(), required());
    let of = |spec: &BuildpacksBuild| {
        Images::of(&BuildpacksJob { artifact: &artifact, spec, reference: &reference, platforms: &[], required: &required, mode: "run" })
    };
    let public = of(&BuildpacksBuild { builder: Some("pulled-once".to_owned()), ..BuildpacksBuild::default() });
    assert_eq!(public.pull_policy(), "always");
    public.note_pulled();
    assert_eq!(public.pull_policy(), "if-not-present");
    let both =
        of(&BuildpacksBuild { builder: Some("BUILDER".to_owned()), run_image: Some("BUILDER".to_owned()), ..BuildpacksBuild::default() });
    assert_eq!(both.pull_policy(), "never");
}

#[test]
fn without_pack_it_is_said_how_to_get_it() {
    let (artifact, spec, reference) = (artifact("/work".as_ref()), spec(), ImageRef::parse("web:v1").unwrap());
    let job = BuildpacksJob { artifact: &artifact, spec: &spec, reference: &reference, platforms: &[], required: &[], mode: "run" };
    insta::assert_snapshot!(job.failed(ProcessError::NotFound { program: "pack".into() }).diagnostic(), @r"
    error[build/no-pack]: there is no `pack` to build `web` with
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
    help: install it as https://buildpacks.io/docs/install-pack says: one program, for example `brew install buildpacks/tap/pack`
    ");
}
