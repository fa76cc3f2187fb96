//! What the steps so far have made.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use devloop_attach::Live;
use devloop_attach::Mark;
use devloop_attach::SyncItem;
use devloop_build::BuildJob;
use devloop_build::Compiled;
use devloop_build::Prepared;
use devloop_build::PreparedState;
use devloop_deploy::Deletion;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Diagnostic;
use devloop_model::ImageConfig;
use devloop_model::ImageName;
use devloop_model::ManifestSet;
use devloop_model::Release;
use devloop_render::Contents;
use devloop_render::DebugSpec;

use super::pruning::Own;
use super::seen::Seen;
use super::tested::TestFiles;

/// What the steps so far have made.
#[derive(Debug, Default)]
pub(super) struct Products {
    pub(super) prepared: BTreeMap<ImageName, Arc<Prepared>>,
    /// The inputs of each artifact when they were last looked at, for whatever reason.
    pub(super) seen: BTreeMap<ImageName, Arc<Seen>>,
    /// What each test depends on.
    pub(super) test_files: Vec<TestFiles>,
    pub(super) images: BTreeMap<ImageName, BuiltImage>,
    /// What has to be built, for as long as it is not.
    pub(super) unbuilt: BTreeSet<ImageName>,
    pub(super) manifests: Arc<Vec<ManifestSet>>,
    /// What manifests were rendered from, where files are watched.
    pub(super) sources: Arc<Contents>,
    /// The images that `manifests` were rendered with.
    pub(super) rendered: Vec<BuiltImage>,
    /// How the containers of these are debugged.
    pub(super) debug: Option<DebugSpec>,
    /// What each image that is debugged says of how it is run.
    pub(super) configs: BTreeMap<String, ImageConfig>,
    pub(super) live: Arc<Live>,
    /// What the last group of a deploy left, until the hooks after it ran.
    pub(super) unhooked: Option<Release>,
    /// What was built into a daemon and is still there.
    pub(super) own: Own,
    /// What waits to be synced.
    pub(super) to_sync: BTreeMap<ImageName, Vec<SyncItem>>,
    /// What was compiled for running containers since their image was prepared.
    pub(super) compiled: BTreeMap<ImageName, Compiled>,
    /// Up to where the inputs of each artifact, when they were last looked at, have what was synced.
    pub(super) marks: BTreeMap<ImageName, Mark>,
    /// The working directory of each image that was looked at.
    pub(super) working_dirs: BTreeMap<String, String>,
    pub(super) deletion: Deletion,
}

impl Products {
    /// Returns the images so far, in the order of `artifacts`; images that were given for no artifact come last.
    pub(super) fn images(&self, artifacts: &[Arc<Artifact>]) -> Vec<BuiltImage> {
        let mut known = self.images.clone();
        let in_order: Vec<BuiltImage> = artifacts.iter().filter_map(|artifact| known.remove(&artifact.image)).collect();
        in_order.into_iter().chain(known.into_values()).collect()
    }

    /// Takes in what a preparation found.
    pub(super) fn prepared(&mut self, prepared: &[Arc<Prepared>], images: Vec<BuiltImage>, mark: Mark) {
        self.images.extend(images.into_iter().map(|image| (image.artifact.clone(), image)));
        for prepared in prepared {
            let image = &prepared.artifact.image;
            self.seen.insert(image.clone(), Arc::new(Seen::new(prepared.inputs.clone())));
            match &prepared.state {
                PreparedState::Cached(_) => self.unbuilt.remove(image),
                PreparedState::ToBuild { .. } => self.unbuilt.insert(image.clone()),
            };
            self.prepared.insert(image.clone(), Arc::clone(prepared));
            self.marks.insert(image.clone(), mark);
            // The image will have it.
            self.to_sync.remove(image);
            self.compiled.remove(image);
        }
    }

    /// Takes in the image of `job`, unless its inputs ask for another one by now; returns whether it was taken.
    pub(super) fn built(&mut self, job: &Prepared, image: &BuiltImage) -> bool {
        self.own.built(image);
        let wanted = self.prepared.get(&image.artifact).is_some_and(|prepared| prepared.key == job.key);
        if wanted {
            self.images.insert(image.artifact.clone(), image.clone());
        }
        wanted
    }

    /// Returns what the build of `artifact` is given.
    ///
    /// # Errors
    /// When a step before it did not make what it needs, which is a mistake of the loop.
    pub(super) fn build_job(&self, artifact: &ImageName) -> Result<BuildJob, Diagnostic> {
        let lost = |what: &ImageName| Diagnostic::error("engine/lost", format!("`{what}` is built before it was prepared"));
        let prepared = self.prepared.get(artifact).ok_or_else(|| lost(artifact))?;
        let required = prepared.artifact.requires.iter().map(|requirement| {
            let image = self.images.get(&requirement.image).ok_or_else(|| lost(&requirement.image))?;
            Ok((requirement.alias.clone(), image.clone()))
        });
        Ok(BuildJob { prepared: Prepared::clone(prepared), required: required.collect::<Result<_, Diagnostic>>()? })
    }
}
