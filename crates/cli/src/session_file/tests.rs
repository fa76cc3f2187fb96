use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;

use super::*;

/// Where a child process of these tests takes its locks.
const DIRECTORY: &str = "DEVLOOP_TEST_SESSIONS";

pub(super) fn session() -> SessionFile {
    SessionFile {
        pid: std::process::id(),
        since: Timestamp::now().checked_add(std::time::Duration::from_mins(10)).unwrap(),
        command: "dev".into(),
        directory: "/src/shop".into(),
        config: Some("/src/shop/skaffold.yaml".into()),
        context: Some("kind".into()),
        namespace: "default".into(),
        owner: "me@here".into(),
        url: None,
        token: None,
    }
}

fn sessions(directory: &Path) -> Sessions {
    Sessions { directory: directory.join("sessions") }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(sessions: &Sessions) -> Vec<String> {
    fs::read_dir(&sessions.directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_session_is_found_while_it_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = sessions(directory.path());
    assert!(sessions.running().is_empty(), "no directory is no session");
    let mut open = sessions.open(session(), &["shop".into()]).unwrap();
    open.serve("http://127.0.0.1:1", Some("s3cret")).unwrap();
    let running = sessions.running();
    assert_eq!(running.len(), 1);
    assert_eq!((running[0].url.as_deref(), running[0].token.as_deref()), (Some("http://127.0.0.1:1"), Some("s3cret")));
    assert_eq!((mode(&sessions.directory), mode(&sessions.file(session().pid))), (0o700, 0o600));
    open.end();
    assert!(sessions.running().is_empty() && names(&sessions).is_empty(), "{:?}", names(&sessions));
}

#[test]
fn one_release_has_one_session() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = sessions(directory.path());
    let first = sessions.open(session(), &["shop".into(), "shop".into(), "db".into()]).unwrap();
    let held = sessions.open(session(), &["db".into()]).unwrap_err().to_string();
    assert!(held.starts_with("error[session/held]: another session works on this configuration in the namespace `default`\n"), "{held}");
    let pid = std::process::id();
    assert!(
        held.contains(&format!("`devloop dev`, process {pid}, started just now by me@here in /src/shop, deploys into kind/default")),
        "{held}"
    );
    for other in
        [SessionFile { pid: 1, namespace: "other".into(), ..session() }, SessionFile { pid: 2, context: Some("other".into()), ..session() }]
    {
        sessions.open(other, &["db".into()]).unwrap().end();
    }
    sessions.open(SessionFile { pid: 3, ..session() }, &["bank".into()]).unwrap().end();
    first.end();
    sessions.open(session(), &["db".into()]).unwrap().end();
}

#[test]
#[ignore = "no test: the process that another one kills"]
fn hold_until_killed() {
    let directory = std::env::var_os(DIRECTORY).unwrap();
    let _open = sessions(Path::new(&directory)).open(session(), &["shop".into()]).unwrap();
    writeln!(io::stdout(), "held").unwrap();
    std::thread::park();
}

#[test]
fn a_killed_session_frees_its_release_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = sessions(directory.path());
    let test = ["--ignored", "--exact", "session_file::tests::hold_until_killed", "--nocapture"];
    let mut child =
        Command::new(std::env::current_exe().unwrap()).args(test).env(DIRECTORY, directory.path()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("held")), "the child holds the release");
    let pid = child.id();
    assert_eq!(sessions.running().iter().map(|session| session.pid).collect::<Vec<_>>(), [pid]);
    let held = sessions.open(session(), &["shop".into()]).unwrap_err().to_string();
    assert!(held.contains(&format!("process {pid}")) && held.contains(&format!("kill {pid}")), "{held}");
    // SIGKILL: nothing of the child runs after it.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(sessions.running().is_empty());
    assert!(!sessions.file(pid).exists(), "its file is removed by who finds it");
    sessions.open(session(), &["shop".into()]).unwrap().end();
}

#[test]
fn files_that_are_no_sessions_are_no_trouble() {
    let directory = tempfile::tempdir().unwrap();
    let sessions = sessions(directory.path());
    sessions.create().unwrap();
    let broken = File::create(sessions.directory.join("7.json")).unwrap();
    broken.lock().unwrap();
    assert!(sessions.running().is_empty() && sessions.file(7).exists());
    drop(broken);
    assert!(sessions.running().is_empty() && !sessions.file(7).exists());
    assert!(sessions.find(None, Path::new("/")).is_err());
}

#[test]
fn sessions_are_kept_in_the_runtime_directory() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = directory.path().to_str().unwrap().to_owned();
    let of = |variables: &[(&str, &str)]| {
        let env = Env::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        Sessions::of(&env, &Paths::from_env(&env)).directory
    };
    assert_eq!(of(&[("HOME", "/home/me"), ("XDG_RUNTIME_DIR", &runtime)]), directory.path().join("devloop"));
    assert_eq!(of(&[("HOME", "/home/me"), ("XDG_RUNTIME_DIR", "relative")]), Path::new("/home/me/.cache/devloop/sessions"));
    assert_eq!(of(&[("HOME", "/home/me")]), Path::new("/home/me/.cache/devloop/sessions"));
    assert!(owner(&Env::default()).contains('@'));
}
