//! Into a user namespace, in which a process of a pod without privilege may mount.
//!
//! Only a process that may set user IDs can map more than one of them, and in a new namespace nobody may do so for itself.
//! So the process that enters waits for its parent, which has those capabilities, to write the maps.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::unistd::Gid;
use nix::unistd::Uid;

use crate::launch::LaunchError;

/// Every identity. As two ranges: with the identity map of one, runc does not notice that it is in a user namespace, and fails on cgroups.
const EVERY_ID: &str = "0 0 1\n1 1 4294967294\n";

/// Returns a command that runs in a user namespace of its own.
///
/// # Errors
/// When no such namespace can be made, its identities not be mapped, or nothing be mounted in it.
pub(crate) fn start(root: &Path, command: &[OsString]) -> Result<Child, LaunchError> {
    let own = std::env::current_exe().map_err(|error| LaunchError::Start { program: "devloop".into(), error })?;
    let failed = |error| LaunchError::Start { program: own.clone(), error };
    let mut child = Command::new(&own)
        .args(["builder", "enter", "--root"])
        .arg(root)
        .arg("--")
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (mut stdin, mut stdout) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
    let mut byte = [0];
    if stdout.read_exact(&mut byte).is_err() {
        // It has said why.
        child.wait().map_err(failed)?;
        return Err(LaunchError::NoNamespace);
    }
    for map in ["uid_map", "gid_map"] {
        let path = format!("/proc/{}/{map}", child.id());
        fs::write(&path, EVERY_ID).map_err(|error| LaunchError::Map { map, error })?;
    }
    stdin.write_all(&byte).map_err(failed)?;
    drop(stdin);
    // What it prints later is a log.
    std::thread::spawn(move || drop(io::copy(&mut stdout, &mut io::stderr())));
    Ok(child)
}

/// Enters, and becomes `command`; returns only if that fails.
pub(crate) fn run(root: &Path, command: &[OsString]) -> LaunchError {
    match enter(root, command) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn enter(root: &Path, command: &[OsString]) -> Result<Infallible, LaunchError> {
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).map_err(LaunchError::Unshare)?;
    let wait = |error| LaunchError::Start { program: "devloop".into(), error };
    let mut stdout = io::stdout();
    stdout.write_all(b".").and_then(|()| stdout.flush()).map_err(wait)?;
    // A parent that is gone maps nothing.
    io::stdin().read_exact(&mut [0]).map_err(wait)?;
    nix::unistd::setgid(Gid::from_raw(0)).map_err(LaunchError::Identity)?;
    nix::unistd::setuid(Uid::from_raw(0)).map_err(LaunchError::Identity)?;
    let none: Option<&str> = None;
    nix::mount::mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(LaunchError::Mount)?;
    try_overlay(root)?;
    let error = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).exec();
    Err(LaunchError::Start { program: command[0].clone().into(), error })
}

/// Mounts an overlay, so that what forbids it is told before BuildKit stumbles over it.
fn try_overlay(root: &Path) -> Result<(), LaunchError> {
    let failed = |errno: nix::Error| LaunchError::Overlay { root: root.to_owned(), errno };
    let directory = tempfile::tempdir_in(root).map_err(|error| LaunchError::Root { root: root.to_owned(), error })?;
    let at = |name: &str| directory.path().join(name);
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(at(name)).map_err(|error| LaunchError::Root { root: root.to_owned(), error })?;
    }
    let options =
        format!("lowerdir={},upperdir={},workdir={},userxattr", at("lower").display(), at("upper").display(), at("work").display());
    nix::mount::mount(Some("overlay"), &at("merged"), Some("overlay"), MsFlags::empty(), Some(options.as_str())).map_err(failed)?;
    nix::mount::umount(&at("merged")).map_err(failed)
}
