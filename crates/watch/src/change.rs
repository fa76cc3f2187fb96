//! What the operating system or a sweep says about one path.

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
    let Some(kind) = kind_of(event.kind) else { return Vec::new() };
    let one = |path: PathBuf| {
        let kind = kind.unwrap_or_else(|| if path.symlink_metadata().is_ok() { ChangeKind::Appeared } else { ChangeKind::Gone });
        Change { path, kind, at }
    };
    event.paths.into_iter().map(one).collect()
}

/// Returns what kind it is; `Some(None)` where only the file system can tell.
fn kind_of(kind: EventKind) -> Option<Option<ChangeKind>> {
    Some(Some(match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => ChangeKind::Closed,
        // Both halves of a rename are events of their own.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return None,
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => ChangeKind::Appeared,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => ChangeKind::Gone,
        EventKind::Modify(ModifyKind::Name(RenameMode::Any | RenameMode::Other)) => return Some(None),
        EventKind::Modify(ModifyKind::Metadata(_)) => ChangeKind::Attributes,
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => ChangeKind::Content,
    }))
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
