//! What running containers lack: the changes since their image was built; no I/O.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::ImageName;

use super::SyncItem;
use super::destinations::is_emptied;

/// How many images of an artifact are remembered: containers of the one before the newest may still run.
const KEPT_IMAGES: usize = 2;

/// A point in the order of all changes: an image has those up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark(u64);

/// What containers lack, with the mark that they have once they got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lacking {
    pub(super) mark: Mark,
    /// The mark of the newest change of the artifact.
    pub(super) newest: Mark,
    /// Oldest first.
    pub(super) changes: Vec<Change>,
}

/// What became of one place in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The place: an absolute path.
    pub(super) destination: String,
    /// The file that belongs there; none if it was deleted.
    pub(super) source: Option<PathBuf>,
}

/// The changes of all artifacts since their images were built.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    last: Mark,
    artifacts: HashMap<ImageName, Record>,
}

#[derive(Debug)]
struct Record {
    artifact: Arc<Artifact>,
    changes: BTreeMap<String, (Mark, Option<PathBuf>)>,
    /// Images as containers name them, oldest first, each with what is in it.
    images: Vec<(String, Mark)>,
}

impl Ledger {
    /// Returns the mark of everything so far.
    pub(super) fn now(&self) -> Mark {
        self.last
    }

    /// Notes an image of `artifact` that has all changes up to `contains`.
    pub(super) fn image_built(&mut self, artifact: &Arc<Artifact>, image: &BuiltImage, contains: Mark) {
        let record = self.record_of(artifact);
        record.artifact = Arc::clone(artifact);
        let name = image.deployed();
        let before = record.images.iter().position(|(known, _)| *known == name).map(|at| record.images.remove(at).1);
        record.images.push((name, contains.max(before.unwrap_or_default())));
        if record.images.len() > KEPT_IMAGES {
            record.images.remove(0);
        }
        if let Some(least) = record.images.iter().map(|(_, mark)| *mark).min() {
            record.changes.retain(|_, (mark, _)| *mark > least);
        }
    }

    /// Records changes and returns the mark that containers with them have.
    pub(super) fn record(&mut self, artifact: &Arc<Artifact>, items: &[SyncItem]) -> Mark {
        self.last = Mark(self.last.0 + 1);
        let mark = self.last;
        let record = self.record_of(artifact);
        for item in items {
            let source = (!item.deleted).then(|| artifact.context.join(&item.path));
            record.changes.insert(item.destination.clone(), (mark, source));
        }
        mark
    }

    fn record_of(&mut self, artifact: &Arc<Artifact>) -> &mut Record {
        let new = || Record { artifact: Arc::clone(artifact), changes: BTreeMap::new(), images: Vec::new() };
        self.artifacts.entry(artifact.image.clone()).or_insert_with(new)
    }

    /// Returns the artifact whose image a container runs.
    pub(super) fn artifact_of(&self, image: &str) -> Option<&Arc<Artifact>> {
        self.artifacts.values().find(|record| record.images.iter().any(|(known, _)| known == image)).map(|record| &record.artifact)
    }

    /// Returns what a container of this image lacks that got everything up to `done` since it started.
    pub(super) fn lacking(&self, artifact: &ImageName, image: &str, done: Mark) -> Lacking {
        let Some(record) = self.artifacts.get(artifact) else {
            return Lacking { mark: self.last, newest: Mark::default(), changes: Vec::new() };
        };
        let contained = record.images.iter().find(|(known, _)| known == image).map(|(_, mark)| *mark).unwrap_or_default();
        let mut changes: Vec<_> = record.changes.iter().filter(|(_, (mark, _))| *mark > contained.max(done)).collect();
        // Of one save, what is deleted goes first: it may stand where something else has to go. Directories go after what is in them.
        changes.sort_by_key(|(destination, (mark, source))| {
            (*mark, source.is_some(), is_emptied(destination).then_some(Reverse(destination.as_str())))
        });
        let change = |(destination, (_, source)): (&String, &(Mark, Option<PathBuf>))| Change {
            destination: destination.clone(),
            source: source.clone(),
        };
        let newest = record.changes.values().map(|(mark, _)| *mark).max().unwrap_or_default();
        Lacking { mark: self.last, newest, changes: changes.into_iter().map(change).collect() }
    }
}

#[cfg(test)]
mod tests {
    use devloop_model::Identity;
    use devloop_model::Tag;

    use super::*;
    use crate::sync::testing::artifact;

    fn image(tag: &str) -> BuiltImage {
        let name = ImageName::parse("web").unwrap();
        BuiltImage { artifact: name.clone(), name, tag: Some(Tag::parse(tag).unwrap()), identity: Identity::AsNamed, runtime: None }
    }

    fn item(path: &str, deleted: bool) -> SyncItem {
        SyncItem { path: path.into(), destination: format!("/app/{path}"), deleted }
    }

    fn shown(lacking: &Lacking) -> Vec<String> {
        let sign = |change: &Change| if change.source.is_some() { "+" } else { "-" };
        lacking.changes.iter().map(|change| format!("{}{}", sign(change), change.destination)).collect()
    }

    #[test]
    fn each_container_lacks_what_came_after_its_image() {
        let web = artifact("web", None);
        let mut ledger = Ledger::default();
        ledger.image_built(&web, &image("1"), ledger.now());
        ledger.record(&web, &[item("a", false), item("b", false)]);
        let second = ledger.record(&web, &[item("c/d", false), item("b", true)]);
        let of = |ledger: &Ledger, image: &str, done| shown(&ledger.lacking(&web.image, image, done));
        assert_eq!(of(&ledger, "web:1", Mark::default()), ["+/app/a", "-/app/b", "+/app/c/d"]);
        assert_eq!(of(&ledger, "web:1", second), [""; 0]);
        // A build that began before the last save does not have it.
        ledger.record(&web, &[item("late", false)]);
        ledger.image_built(&web, &image("2"), second);
        assert_eq!(of(&ledger, "web:2", Mark::default()), ["+/app/late"]);
        assert_eq!(of(&ledger, "web:1", Mark::default()), ["+/app/a", "-/app/b", "+/app/c/d", "+/app/late"]);
        assert_eq!(ledger.artifact_of("web:1").map(|a| &a.image), Some(&web.image));
        // What no image lacks any more is forgotten, and so are images that nothing runs.
        ledger.image_built(&web, &image("3"), ledger.now());
        assert_eq!((of(&ledger, "web:2", Mark::default()), of(&ledger, "web:3", Mark::default())), (vec!["+/app/late".to_owned()], vec![]));
        assert!(ledger.artifact_of("web:1").is_none());
        assert_eq!(ledger.artifacts[&web.image].changes.len(), 1);
    }

    #[test]
    fn directories_go_after_what_was_in_them_and_before_what_comes() {
        let web = artifact("web", None);
        let mut ledger = Ledger::default();
        ledger.image_built(&web, &image("1"), ledger.now());
        ledger.record(&web, &[item("d", false), item("a/b/", true), item("a/", true), item("a/b/x", true), item("z", true)]);
        let lacking = ledger.lacking(&web.image, "web:1", Mark::default());
        assert_eq!(shown(&lacking), ["-/app/a/b/x", "-/app/z", "-/app/a/b/", "-/app/a/", "+/app/d"]);
    }

    #[test]
    fn the_same_image_again_has_what_it_had() {
        let web = artifact("web", None);
        let mut ledger = Ledger::default();
        let mark = ledger.record(&web, &[item("a", false)]);
        ledger.image_built(&web, &image("1"), mark);
        ledger.image_built(&web, &image("1"), Mark::default());
        assert_eq!(ledger.lacking(&web.image, "web:1", Mark::default()).changes, []);
    }
}
