//! What changed files mean: to whose inputs, manifests or configuration they belong, and whether they differ at all.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::ImageName;
use devloop_model::Touched;
use devloop_model::TouchedArtifact;
use devloop_model::TouchedTests;
use devloop_render::Sources;
use futures::future::join_all;

use super::LiveStages;
use super::Specs;
use super::seen::Seen;

impl LiveStages {
    /// Returns what a change of `files` concerns; an artifact whose inputs are what they were is not concerned.
    pub(super) async fn concerned(&self, files: &[PathBuf], cx: &Cx) -> Touched {
        let specs = self.specs();
        let sources = specs.sources();
        let (config, rest): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|file| specs.config_files.contains(file));
        let watched = specs.artifacts.iter().filter(|artifact| specs.watches(artifact));
        let near = watched.map(|artifact| (artifact, self.near(artifact, &rest, &sources)));
        let near: Vec<_> = near.filter(|(_, near)| !near.is_empty()).collect();
        let artifacts = join_all(near.iter().map(|(artifact, near)| self.differs(artifact, near, &specs, cx))).await;
        let (tests, rendered) = (self.touched_tests(&rest, &specs, cx).await, Arc::clone(&self.products().sources));
        let manifests = rest.iter().filter(|file| sources.contains(file) && !rendered.still_have(file));
        Touched {
            artifacts: artifacts.into_iter().flatten().collect(),
            tests,
            manifests: manifests.map(|file| specs.shown(file)).collect(),
            config: config.into_iter().map(|file| specs.shown(file)).collect(),
        }
    }

    /// Returns that everything may have changed.
    pub(super) fn all(&self) -> Touched {
        let specs = self.specs();
        let touched = |artifact: &Arc<Artifact>| TouchedArtifact { artifact: artifact.image.clone(), files: Vec::new(), syncable: false };
        let manifests = specs.sources().files;
        let tested: BTreeSet<&ImageName> = specs.tests.iter().map(|test| &test.image).collect();
        Touched {
            artifacts: specs.artifacts.iter().map(touched).collect(),
            tests: tested.into_iter().map(|image| TouchedTests { artifact: image.clone(), files: Vec::new() }).collect(),
            manifests: manifests.iter().map(|file| specs.shown(file)).collect(),
            config: specs.config_files.iter().map(|file| specs.shown(file)).collect(),
        }
    }

    /// Returns the files that may be inputs of `artifact`. A manifest beside sources is none unless it was one before.
    fn near<'f>(&self, artifact: &Artifact, files: &[&'f PathBuf], sources: &Sources) -> Vec<&'f PathBuf> {
        let seen = self.products().seen.get(&artifact.image).cloned();
        let is_near = |file: &&&'f PathBuf| match &seen {
            Some(seen) => seen.is_input(file) || seen.is_near(file) && !sources.contains(file),
            None => file.starts_with(&artifact.context),
        };
        files.iter().filter(is_near).copied().collect()
    }

    /// Returns what of `artifact` differs from when its inputs were last looked at.
    async fn differs(&self, artifact: &Arc<Artifact>, near: &[&PathBuf], specs: &Specs, cx: &Cx) -> Option<TouchedArtifact> {
        let touched = |files, syncable| Some(TouchedArtifact { artifact: artifact.image.clone(), files, syncable });
        let before = self.products().seen.get(&artifact.image).cloned();
        let now = devloop_build::inputs_of(artifact, &specs.build, &self.clients, cx).await;
        let (Some(before), Ok(now)) = (before, now) else {
            // The step that looks again says what is wrong.
            return touched(near.iter().map(|file| specs.shown(file)).collect(), false);
        };
        let files = before.inputs.differences(&now);
        if files.is_empty() {
            return None;
        }
        let now = Arc::new(Seen::new(now));
        let items = self.sync_items(artifact, &before, &now, &files, cx).await;
        let mut products = self.products();
        products.seen.insert(artifact.image.clone(), now);
        let syncable = items.is_some();
        products.to_sync.entry(artifact.image.clone()).or_default().extend(items.into_iter().flatten());
        touched(files.into_iter().map(|file| file.path).collect(), syncable)
    }
}

impl Specs {
    /// Returns a path as the user would name it.
    pub(super) fn shown(&self, file: &Path) -> String {
        file.strip_prefix(&self.build.working_dir).unwrap_or(file).display().to_string()
    }
}
