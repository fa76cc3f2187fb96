//! Which files a session watches.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_watch::FileWatcher;
use devloop_watch::WatchReport;
use devloop_watch::WatchSet;

use super::LiveStages;
use super::Specs;

/// What tells of changed files.
pub(super) struct Watching {
    watcher: Arc<FileWatcher>,
    watched: Mutex<Watched>,
}

/// What is watched, and what was said of it.
#[derive(Default)]
struct Watched {
    set: WatchSet,
    said: Option<(usize, usize)>,
}

impl LiveStages {
    /// Returns these stages with a watcher of the files that count.
    #[must_use]
    pub fn watching(self, watcher: Arc<FileWatcher>) -> Self {
        Self { watching: Some(Watching { watcher, watched: Mutex::default() }), ..self }
    }

    /// Watches the files that count by now.
    pub(super) fn watch_files(&self, cx: &Cx) {
        let Some(watching) = &self.watching else { return };
        let (set, files) = self.watch_set(&self.specs());
        let mut watched = watching.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.set == set {
            return;
        }
        let WatchReport { mode, directories, warnings, .. } = watching.watcher.watch(set.clone());
        watched.set = set;
        for warning in warnings {
            cx.warn(warning);
        }
        if watched.said.replace((files, directories)) != Some((files, directories)) {
            cx.emit(EventKind::Watching { mode, files, directories });
        }
    }

    /// Notes what manifests are rendered from, so that a file which is written again as it was is no news: hooks and tools do so.
    pub(super) fn note_sources(&self, specs: &Specs) {
        if self.watching.is_some() {
            let contents = specs.sources().contents();
            self.products().sources = Arc::new(contents);
        }
    }

    /// Returns what is to be watched, and how many files count in it.
    fn watch_set(&self, specs: &Specs) -> (WatchSet, usize) {
        let sources = specs.sources();
        let mut files =
            specs.config_files.iter().filter(|file| file.exists()).count() + sources.files.iter().filter(|file| file.exists()).count();
        let mut set = WatchSet { directories: sources.directories, files: sources.files, ..WatchSet::default() };
        set.directories.extend(sources.whole.into_keys());
        set.files.extend(specs.config_files.iter().cloned());
        let products = self.products();
        for known in &products.test_files {
            match &known.seen {
                Some(seen) => {
                    files += seen.len();
                    set.directories.extend(seen.directories().iter().cloned());
                }
                None => drop(set.directories.insert(known.test.context.clone())),
            }
        }
        for artifact in specs.artifacts.iter().filter(|artifact| specs.watches(artifact)) {
            match products.seen.get(&artifact.image) {
                Some(seen) => {
                    files += seen.len();
                    set.directories.extend(seen.directories().iter().cloned());
                }
                // What cannot be listed yet may be right after the next change near it.
                None => drop(set.directories.insert(artifact.context.clone())),
            }
            if !matches!(artifact.builder, Builder::Ko(_)) {
                set.trees.insert(artifact.context.clone());
                set.pruned.insert(artifact.context.join(".git"));
            }
        }
        (set, files)
    }
}

impl Specs {
    /// Returns whether files of any artifact are copied into running containers.
    pub(super) fn syncs(&self) -> bool {
        self.artifacts.iter().any(|artifact| artifact.sync.is_some())
    }

    /// Returns whether changes of the artifact's sources count.
    pub(super) fn watches(&self, artifact: &Artifact) -> bool {
        self.watched.is_empty() || self.watched.iter().any(|part| artifact.image.as_str().contains(part.as_str()))
    }
}
