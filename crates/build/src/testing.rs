//! Artifacts for tests.

use std::path::Path;

use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::CustomBuild;
use devloop_model::CustomDependencies;
use devloop_model::DockerBuild;
use devloop_model::ImageName;
use devloop_model::LocalBuild;
use devloop_model::Location;
use devloop_model::PathList;
use devloop_model::Tagger;
use devloop_model::Template;

pub(crate) fn artifact(image: &str, context: &Path, builder: Builder) -> Artifact {
    Artifact {
        image: ImageName::parse(image).unwrap(),
        context: context.to_owned(),
        builder,
        tagger: Tagger::Sha256,
        requires: Vec::new(),
        platforms: Vec::new(),
        runtime: None,
        sync: None,
        local: LocalBuild::default(),
        at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: format!("image: {image}"), width: 1, label: None },
    }
}

pub(crate) fn docker(image: &str, context: &Path) -> Artifact {
    artifact(image, context, Builder::Docker(DockerBuild { dockerfile: "Dockerfile".into(), ..DockerBuild::default() }))
}

pub(crate) fn custom(image: &str, context: &Path) -> Artifact {
    let dependencies = CustomDependencies::Paths(PathList { paths: vec![".".to_owned()], ignore: Vec::new() });
    artifact(image, context, Builder::Custom(CustomBuild { command: Template::parse("true").unwrap(), dependencies }))
}
