//! Which of the running sessions is meant.

use std::path::Path;

use devloop_model::Diagnostic;
use devloop_model::Timestamp;

use super::SessionFile;
use super::Sessions;

impl Sessions {
    /// Returns the session with this process number; else the one of this directory, or of one above it; else the
    /// only one that runs.
    ///
    /// # Errors
    /// When there is none, or several could be meant.
    pub(crate) fn find(&self, pid: Option<u32>, directory: &Path) -> Result<SessionFile, Diagnostic> {
        choose(self.running(), pid, directory)
    }
}

fn choose(running: Vec<SessionFile>, pid: Option<u32>, directory: &Path) -> Result<SessionFile, Diagnostic> {
    if let Some(pid) = pid {
        let found = running.iter().find(|session| session.pid == pid).cloned();
        return found.ok_or_else(|| none(format!("no session has the process number {pid}"), &running));
    }
    // The deepest directory is the nearest.
    let depth =
        |session: &SessionFile| places(session).filter(|place| directory.starts_with(place)).map(|place| place.components().count()).max();
    let nearest = running.iter().filter_map(depth).max();
    let candidates: Vec<&SessionFile> = running.iter().filter(|session| nearest.is_none() || depth(session) == nearest).collect();
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(none("no session runs".to_owned(), &running)),
        several => Err(several_run(several)),
    }
}

/// Returns the directories that a session is of: where it was started, and where its configuration is.
fn places(session: &SessionFile) -> impl Iterator<Item = &Path> {
    [Some(session.directory.as_path()), session.config.as_deref().and_then(Path::parent)].into_iter().flatten()
}

fn none(what: String, running: &[SessionFile]) -> Diagnostic {
    let error = running.iter().map(describe).fold(Diagnostic::error("session/none", what), Diagnostic::because);
    error.help("start one with `devloop dev`, or name one that runs with `--session`")
}

fn several_run(several: &[&SessionFile]) -> Diagnostic {
    let error = Diagnostic::error("session/several", format!("{} sessions run", several.len()));
    let error = several.iter().map(|session| describe(session)).fold(error, Diagnostic::because);
    error.help("say which one with `--session PID`, or ask from its directory")
}

/// Returns a line that says which session it is.
pub(super) fn describe(session: &SessionFile) -> String {
    let place = session.context.as_ref().map_or_else(|| session.namespace.clone(), |context| format!("{context}/{}", session.namespace));
    let (since, owner) = (ago(session.since, Timestamp::now()), &session.owner);
    format!(
        "`devloop {}`, process {}, started {since} by {owner} in {}, deploys into {place}",
        session.command,
        session.pid,
        session.directory.display()
    )
}

/// Returns how long ago something was, in the largest unit that fits.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0 => "just now".to_owned(),
        1..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::session;
    use super::*;

    fn at(pid: u32, directory: &str, config: Option<&str>) -> SessionFile {
        SessionFile { pid, directory: directory.into(), config: config.map(Into::into), ..session() }
    }

    #[test]
    fn the_session_that_is_meant_is_found() {
        let shop = || at(1, "/src/shop", None);
        let web = || at(2, "/src/shop/web", None);
        let elsewhere = || at(3, "/src", Some("/src/bank/skaffold.yaml"));
        for (running, pid, directory, found) in [
            (vec![], None, "/src", Err("session/none")),
            (vec![shop()], None, "/home", Ok(1)),
            (vec![shop()], Some(2), "/src/shop", Err("session/none")),
            (vec![shop(), web()], Some(2), "/src/shop", Ok(2)),
            (vec![shop(), web()], None, "/src/shop", Ok(1)),
            (vec![shop(), web()], None, "/src/shop/web/src", Ok(2)),
            (vec![shop(), web()], None, "/home", Err("session/several")),
            (vec![shop(), shop()], None, "/src/shop", Err("session/several")),
            (vec![shop(), elsewhere()], None, "/src/bank", Ok(3)),
        ] {
            let chosen = choose(running, pid, Path::new(directory));
            let chosen = chosen.as_ref().map(|session| session.pid).map_err(|error| error.code.as_ref());
            assert_eq!(chosen, found, "{pid:?} in {directory}");
        }
    }

    #[test]
    fn times_are_short() {
        let then = "2026-01-01T00:00:00Z".parse().unwrap();
        for (now, text) in [
            ("2026-01-01T00:00:00.9Z", "just now"),
            ("2025-12-31T00:00:00Z", "just now"),
            ("2026-01-01T00:00:59Z", "59 s ago"),
            ("2026-01-01T00:59:59Z", "59 min ago"),
            ("2026-01-01T23:00:00Z", "23 h ago"),
            ("2026-01-03T00:00:00Z", "2 d ago"),
        ] {
            assert_eq!(ago(then, now.parse().unwrap()), text);
        }
    }
}
