//! What the operating system or a sweep says about one path.

use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use notify::Event;
use notify::EventKind;
use notify::event::AccessKind;
use notify::event::AccessMode;
use notify::event::ModifyKind;
use notify::event::RenameMode;

/// Something happened to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) kind: ChangeKind,
    pub(crate) at: Instant,
}

/// What happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// It was written to.
    Content,
    /// Its mode or its times changed.
    Attributes,
    /// It was open for writing and is no more.
    Closed,
    /// It was made, or moved here.
    Appeared,
    /// It was removed, or moved away.
    Gone,
}

/// Returns what an event of `notify` says; nothing for reads.
pub(crate) fn changes(event: Event, at: Instant) -> Vec<Change> {
    let change = |path: PathBuf| Some(Change { kind: kind_of(event.kind, &path)?, path, at });
    event.paths.into_iter().filter_map(change).collect()
}

fn kind_of(kind: EventKind, path: &Path) -> Option<ChangeKind> {
    Some(match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => ChangeKind::Closed,
        // Both halves of a rename are events of their own.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return None,
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => ChangeKind::Appeared,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => ChangeKind::Gone,
        // Some systems do not say which half it is.
        EventKind::Modify(ModifyKind::Name(_)) if path.symlink_metadata().is_ok() => ChangeKind::Appeared,
        EventKind::Modify(ModifyKind::Name(_)) => ChangeKind::Gone,
        EventKind::Modify(ModifyKind::Metadata(_)) => ChangeKind::Attributes,
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => ChangeKind::Content,
    })
}

#[cfg(test)]
mod tests {
    use notify::event::CreateKind;
    use notify::event::DataChange;
    use notify::event::MetadataKind;
    use notify::event::RemoveKind;

    use super::*;

    #[test]
    fn reads_do_not_count() {
        for (kind, expected) in [
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), None),
            (EventKind::Access(AccessKind::Read), None),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), None),
            (EventKind::Access(AccessKind::Close(AccessMode::Write)), Some(ChangeKind::Closed)),
            (EventKind::Create(CreateKind::File), Some(ChangeKind::Appeared)),
            (EventKind::Modify(ModifyKind::Data(DataChange::Any)), Some(ChangeKind::Content)),
            (EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), Some(ChangeKind::Attributes)),
            (EventKind::Modify(ModifyKind::Name(RenameMode::From)), Some(ChangeKind::Gone)),
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), Some(ChangeKind::Appeared)),
            (EventKind::Modify(ModifyKind::Name(RenameMode::Both)), None),
            (EventKind::Modify(ModifyKind::Name(RenameMode::Any)), Some(ChangeKind::Gone)),
            (EventKind::Remove(RemoveKind::Folder), Some(ChangeKind::Gone)),
        ] {
            let at = Instant::now();
            let found = changes(Event::new(kind).add_path("/no/such/file".into()), at);
            assert_eq!(found.first().map(|change| change.kind), expected, "{kind:?}");
            assert_eq!(found.len(), usize::from(expected.is_some()));
        }
    }
}
