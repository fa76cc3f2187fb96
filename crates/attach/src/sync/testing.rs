//! Nouns for tests.

use std::sync::Arc;

use devloop_model::Artifact;
use devloop_model::BuildPlace;
use devloop_model::Builder;
use devloop_model::DockerBuild;
use devloop_model::Hooks;
use devloop_model::ImageName;
use devloop_model::Location;
use devloop_model::SyncSpec;
use devloop_model::Tagger;

/// Returns an artifact built from a Dockerfile.
pub(super) fn artifact(name: &str, sync: Option<SyncSpec>) -> Arc<Artifact> {
    Arc::new(Artifact {
        image: ImageName::parse(name).unwrap(),
        context: "/project".into(),
        builder: Builder::Docker(DockerBuild { dockerfile: "Dockerfile".into(), ..DockerBuild::default() }),
        tagger: Tagger::Sha256,
        requires: Vec::new(),
        platforms: Vec::new(),
        runtime: None,
        place: BuildPlace::default(),
        sync,
        hooks: Hooks::default(),
        at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None },
    })
}
