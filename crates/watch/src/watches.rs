//! The directories that are watched: by the operating system, or by looking at them where it does not.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;

use crate::change::Change;
use crate::claims::Claims;
use crate::claims::Hold;
use crate::claims::Part;
use crate::limits;
use crate::source::Directories;
use crate::source::Refused;
use crate::sweep::Sweep;

/// A directory may vanish and come back while it is being watched; after this many times it is left alone until its next event.
pub(crate) const MOST_ATTEMPTS: usize = 8;

/// The directories that are watched.
pub(crate) struct Watches {
    source: Source,
    warnings: Vec<Diagnostic>,
    /// Why everything is looked at, until it is said.
    fell_back: Option<Refused>,
    refused: BTreeSet<PathBuf>,
    missed: bool,
}

/// Where changes come from.
enum Source {
    /// The operating system tells.
    Told(Box<dyn Directories>),
    /// Everything is looked at.
    Looked(Sweep),
}

impl Watches {
    /// Returns watches on what the system tells, if that was asked for; if it does not, everything is looked at.
    pub(crate) fn new(told: Option<Result<Box<dyn Directories>, Refused>>) -> Self {
        let (source, fell_back) = match told {
            Some(Ok(directories)) => (Source::Told(directories), None),
            Some(Err(refused)) => (Source::Looked(Sweep::default()), Some(refused)),
            None => (Source::Looked(Sweep::default()), None),
        };
        Self { source, warnings: Vec::new(), fell_back, refused: BTreeSet::new(), missed: false }
    }

    /// Watches these directories too.
    pub(crate) fn add(&mut self, places: Vec<PathBuf>, claims: &Claims) {
        for place in places {
            let Source::Told(directories) = &mut self.source else { return };
            match watch(directories.as_mut(), &place) {
                // It is missing, which whoever wants it sees when looking again.
                Ok(()) | Err(Refused::Gone) => {}
                Err(refused @ Refused::Other(_)) => {
                    if self.refused.insert(place.clone()) {
                        self.warnings.push(limits::unwatched(&place, &refused));
                    }
                }
                Err(refused) => self.fall_back(refused, claims),
            }
        }
    }

    /// Watches these directories no more.
    pub(crate) fn remove(&mut self, places: &[PathBuf]) {
        match &mut self.source {
            Source::Told(directories) => places.iter().for_each(|place| directories.unwatch(place)),
            Source::Looked(sweep) => places.iter().for_each(|place| sweep.unwatch(place)),
        }
    }

    /// Remembers what is there now of what is newly held, where that is looked at.
    pub(crate) fn look_first(&mut self, holds: &[Hold], claims: &Claims) {
        let Source::Looked(sweep) = &mut self.source else { return };
        for Hold { place: path, part } in holds {
            if let Some(place) = claims.place(path) {
                sweep.watch(path, place);
            }
            if let Part::Awaited(name) = part {
                sweep.forget(&path.join(name));
            }
        }
    }

    /// Forgets an entry that has appeared and is missing again already, where that is looked at.
    pub(crate) fn forget(&mut self, path: &Path) {
        if let Source::Looked(sweep) = &mut self.source {
            sweep.forget(path);
        }
    }

    /// Looks at everything, and returns what changed; nothing where the system tells.
    pub(crate) fn look(&mut self, claims: &Claims) -> Vec<Change> {
        match &mut self.source {
            Source::Told(_) => Vec::new(),
            Source::Looked(sweep) => sweep.look(claims),
        }
    }

    /// Returns whether everything must be looked at to see what changed.
    pub(crate) fn is_looked_at(&self) -> bool {
        matches!(self.source, Source::Looked(_))
    }

    /// Returns whether changes were missed since this was asked last, for which no path can be named.
    pub(crate) fn take_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }

    /// Returns what the user should know and was not told yet.
    pub(crate) fn take_warnings(&mut self, claims: &Claims) -> Vec<Diagnostic> {
        let fell_back = self.fell_back.take().map(|refused| limits::polling_instead(&refused, claims.places().len()));
        fell_back.into_iter().chain(std::mem::take(&mut self.warnings)).collect()
    }

    /// Looks at everything from now on; what the system has watched is given back to it.
    fn fall_back(&mut self, refused: Refused, claims: &Claims) {
        self.fell_back = Some(refused);
        let mut sweep = Sweep::default();
        claims.places().iter().for_each(|(path, place)| sweep.watch(path, place));
        self.source = Source::Looked(sweep);
        self.missed = true;
    }
}

/// Watches a directory, also if it was another one a moment ago.
fn watch(directories: &mut dyn Directories, place: &Path) -> Result<(), Refused> {
    for _ in 0..MOST_ATTEMPTS {
        match directories.watch(place) {
            Err(Refused::Gone) if place.is_dir() => {}
            watched => return watched,
        }
    }
    Err(Refused::Gone)
}
