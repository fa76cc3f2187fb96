//! When a burst of changes is over.
//!
//! A person who saves one file waits for nothing but the quiet period, so that is as short as an editor's save
//! allows. What makes many changes (a checkout, a code generator) makes them with pauses, so the quiet period
//! grows with the burst.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use crate::Batch;

/// More paths than this are not told apart any more.
const MOST_PATHS: usize = 50_000;

/// The quiet period of a burst, and how long it may last, by how many paths are in it.
const STEPS: [Step; 5] = [
    Step { most_paths: 4, quiet: Duration::from_millis(20), longest: Duration::from_millis(500) },
    Step { most_paths: 32, quiet: Duration::from_millis(50), longest: Duration::from_secs(2) },
    Step { most_paths: 512, quiet: Duration::from_millis(100), longest: Duration::from_secs(10) },
    Step { most_paths: 4096, quiet: Duration::from_millis(200), longest: Duration::from_secs(10) },
    Step { most_paths: usize::MAX, quiet: LONGEST_QUIET, longest: Duration::from_secs(10) },
];

const LONGEST_QUIET: Duration = Duration::from_millis(300);

struct Step {
    most_paths: usize,
    quiet: Duration,
    longest: Duration,
}

/// Gathers changes until nothing has happened for a while.
#[derive(Debug, Default)]
pub(crate) struct Debounce {
    burst: Option<Burst>,
}

#[derive(Debug)]
struct Burst {
    first: Instant,
    last: Instant,
    paths: HashSet<PathBuf>,
    rescan: bool,
}

impl Debounce {
    /// Adds a changed path.
    pub(crate) fn note(&mut self, path: PathBuf, at: Instant) {
        let burst = self.burst(at);
        if burst.rescan {
            return;
        }
        burst.paths.insert(path);
        if burst.paths.len() > MOST_PATHS {
            self.note_rescan(at);
        }
    }

    /// Adds that anything may have changed.
    pub(crate) fn note_rescan(&mut self, at: Instant) {
        let burst = self.burst(at);
        burst.rescan = true;
        burst.paths = HashSet::new();
    }

    /// Returns one of the changed paths.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.burst.as_ref()?.paths.iter().next().map(PathBuf::as_path)
    }

    /// Returns whether changes were lost in this burst.
    pub(crate) fn is_rescan(&self) -> bool {
        self.burst.as_ref().is_some_and(|burst| burst.rescan)
    }

    /// Returns when the burst is over if nothing else happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.burst.as_ref().map(Burst::deadline)
    }

    /// Returns whether the burst has lasted as long as it may, whatever else happens.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.burst.as_ref().is_some_and(|burst| burst.first + burst.step().longest <= now)
    }

    /// Returns the burst, which is over then.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let burst = self.burst.take()?;
        let mut paths: Vec<PathBuf> = burst.paths.into_iter().collect();
        paths.sort_unstable();
        Some(Batch { paths, first: burst.first, rescan: burst.rescan })
    }

    fn burst(&mut self, at: Instant) -> &mut Burst {
        let burst = self.burst.get_or_insert_with(|| Burst { first: at, last: at, paths: HashSet::new(), rescan: false });
        burst.last = burst.last.max(at);
        burst
    }
}

impl Burst {
    fn step(&self) -> &'static Step {
        let size = if self.rescan { usize::MAX } else { self.paths.len() };
        STEPS.iter().find(|step| size <= step.most_paths).unwrap_or(&STEPS[STEPS.len() - 1])
    }

    fn deadline(&self) -> Instant {
        let step = self.step();
        let by_duration = (self.last.duration_since(self.first) / 4).min(LONGEST_QUIET);
        (self.last + step.quiet.max(by_duration)).min(self.first + step.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// Notes `paths` different paths, one every `gap`, and returns how long after the last one the burst is over.
    fn quiet_after(paths: usize, gap: Duration) -> Duration {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        let mut at = start;
        for index in 0..paths {
            at = start + gap * u32::try_from(index).unwrap();
            debounce.note(format!("/src/{index}").into(), at);
        }
        debounce.deadline().unwrap() - at
    }

    #[test]
    fn the_quiet_period_grows_with_the_burst() {
        for (paths, gap, quiet) in [
            (1, ms(0), ms(20)),
            (4, ms(2), ms(20)),
            (5, ms(2), ms(50)),
            (32, ms(1), ms(50)),
            (33, ms(1), ms(100)),
            (500, ms(0), ms(100)),
            (4000, ms(0), ms(200)),
            (10_000, ms(0), ms(300)),
            // Slow, but without an end: a fourth of what it has lasted.
            (21, ms(19), ms(95)),
            (100, ms(15), ms(300)),
        ] {
            assert_eq!(quiet_after(paths, gap), quiet, "{paths} paths, one every {gap:?}");
        }
    }

    #[test]
    fn a_steady_writer_does_not_postpone_for_ever() {
        for (paths, longest) in [(1, ms(500)), (20, ms(2000)), (100, ms(10_000)), (20_000, ms(10_000))] {
            let start = Instant::now();
            let mut debounce = Debounce::default();
            for step in 0..=(longest.as_millis() as usize * 2) {
                debounce.note(format!("/src/{}", step % paths).into(), start + ms(step as u64));
            }
            assert_eq!(debounce.deadline().unwrap() - start, longest, "{paths} paths");
            assert!(debounce.is_overdue(start + longest) && !debounce.is_overdue(start), "{paths} paths");
        }
    }

    #[test]
    fn the_same_path_is_one_path_however_often_it_is_written() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        for step in 0..50 {
            debounce.note("/src/main.go".into(), start + ms(step));
        }
        assert_eq!(debounce.deadline(), Some(start + ms(49 + 20)));
        let batch = debounce.take().unwrap();
        assert_eq!((batch.paths, batch.first, batch.rescan), (vec!["/src/main.go".into()], start, false));
        assert_eq!(debounce.deadline(), None);
        assert!(debounce.take().is_none());
    }

    #[test]
    fn more_paths_than_can_be_kept_are_a_rescan() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        for index in 0..=MOST_PATHS + 10 {
            debounce.note(format!("/src/{index}").into(), start);
        }
        let batch = debounce.take().unwrap();
        assert!(batch.rescan && batch.paths.is_empty());
    }

    #[test]
    fn lost_changes_are_a_rescan_that_waits_for_quiet() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        debounce.note("/src/a".into(), start);
        debounce.note_rescan(start + ms(5));
        debounce.note("/src/b".into(), start + ms(6));
        assert_eq!(debounce.deadline(), Some(start + ms(306)));
        assert!(debounce.is_rescan());
        let batch = debounce.take().unwrap();
        assert_eq!((batch.rescan, batch.paths.len(), batch.first), (true, 0, start));
    }

    #[test]
    fn time_that_runs_backwards_does_not_shorten_the_burst() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        debounce.note("/src/a".into(), start + ms(10));
        debounce.note("/src/b".into(), start);
        assert_eq!(debounce.deadline(), Some(start + ms(30)));
    }
}
