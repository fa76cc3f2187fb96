//! File sync: what of a change goes into running containers, and what images have already.

use std::collections::BTreeSet;
use std::sync::Arc;

use devloop_attach::Known;
use devloop_attach::SyncItem;
use devloop_attach::SyncJob;
use devloop_model::Artifact;
use devloop_model::ChangedFile;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::Severity;
use devloop_model::SyncMode;

use super::LiveStages;
use super::seen::Seen;

impl LiveStages {
    /// Returns where the changed files go in running containers; none if one of them takes a build.
    pub(super) async fn sync_items(
        &self,
        artifact: &Artifact,
        before: &Seen,
        now: &Seen,
        files: &[ChangedFile],
        cx: &Cx,
    ) -> Option<Vec<SyncItem>> {
        let sync = artifact.sync.as_ref()?;
        let image = self.products().images.get(&artifact.image).cloned()?;
        let known = self.products().working_dirs.get(&image.deployed()).cloned();
        let working_dir = match known {
            Some(known) => known,
            // Where it cannot be told, a build is always right.
            None => devloop_attach::working_dir(artifact, &image, &self.clients, cx).await.ok()?,
        };
        if sync.mode == SyncMode::Auto {
            return self.compiled_items(artifact, files, &working_dir, cx).await;
        }
        self.products().working_dirs.insert(image.deployed(), working_dir.clone());
        let gone = if files.iter().any(|file| file.deleted) { before.gone_directories(now) } else { BTreeSet::new() };
        let (map, before) = (now.inputs.sync_map.as_deref(), before.inputs.sync_map.as_deref());
        let known = Known { map, before, gone: &gone, working_dir: &working_dir };
        devloop_attach::destinations(artifact, known, files)
    }

    /// Returns where what a builder compiles goes; what does not compile is told, and built.
    async fn compiled_items(&self, artifact: &Artifact, files: &[ChangedFile], working_dir: &str, cx: &Cx) -> Option<Vec<SyncItem>> {
        let before = self.products().compiled.get(&artifact.image).cloned();
        let specs = self.specs();
        let compiled = devloop_build::compile_for_sync(artifact, files, before.as_ref(), &specs.build, cx).await;
        let (now, files) = match compiled {
            Ok(compiled) => compiled?,
            Err(_) if cx.cancel.is_cancelled() => return None,
            Err(why) => {
                let why = why.diagnostic();
                let help = why.help.clone().or_else(|| Some("the change is built instead".to_owned()));
                cx.warn(Diagnostic { severity: Severity::Warning, help, ..why });
                return None;
            }
        };
        let known = Known { map: Some(&now.map), before: before.as_ref().map(|before| &before.map), gone: &BTreeSet::new(), working_dir };
        let items = devloop_attach::destinations(artifact, known, &files);
        self.products().compiled.insert(artifact.image.clone(), now);
        items
    }

    /// Brings what waits to be synced into the running containers of an artifact; without anything, all of it once more.
    pub(super) async fn sync(&self, image: &ImageName, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        let items = self.products().to_sync.remove(image).unwrap_or_default();
        let Some(artifact) = specs.artifacts.iter().find(|artifact| artifact.image == *image).filter(|_| !items.is_empty()) else {
            self.syncer.resync();
            return Ok(());
        };
        let context = if specs.needs_cluster() {
            self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?.context().map(str::to_owned)
        } else {
            None
        };
        let built = self.products().images.get(image).map(devloop_model::BuiltImage::tagged).unwrap_or_default();
        let job = SyncJob { artifact: Arc::clone(artifact), image: built, items, hooks: specs.build.hooks.clone() };
        self.syncer.sync(&job, context.as_deref(), cx).await.map(drop).map_err(|e| e.diagnostic())
    }
}
