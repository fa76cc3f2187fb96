//! Directories of the pod that every RUN sees, as kaniko's do, which run in the pod's own file system.
//!
//! BuildKit has no such mounts. But it starts every RUN by a program of our choice, and that is told by a file what to
//! mount: this adds them to it, and becomes runc.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::time::SystemTime;

use nix::fcntl::OFlag;
use nix::fcntl::OpenHow;
use nix::fcntl::ResolveFlag;
use serde_json::Value;
use serde_json::json;

/// What the program is called that BuildKit runs.
pub(crate) const NAME: &str = "runc-with-mounts";
/// The list of directories, one a line, beside it.
const LIST: &str = "mounts";

/// Puts the program that mounts `directories` into `root`, and returns where it is.
///
/// # Errors
/// When nothing can be written there.
pub(crate) fn install(root: &Path, directories: &[PathBuf]) -> io::Result<PathBuf> {
    let program = root.join(NAME);
    let lines: Vec<&str> = directories.iter().filter_map(|directory| directory.to_str()).collect();
    fs::write(root.join(LIST), lines.join("\n"))?;
    if program.symlink_metadata().is_ok() {
        fs::remove_file(&program)?;
    }
    std::os::unix::fs::symlink(std::env::current_exe()?, &program)?;
    Ok(program)
}

/// Runs runc as BuildKit wants it, with the directories mounted into what it runs.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    let mut runc = Command::new("runc");
    runc.args(&arguments[1..]);
    let stubs = match bundle(arguments) {
        Some(bundle) => add_mounts(&bundle, Path::new(&arguments[0]).parent().unwrap_or(Path::new("/"))),
        None => Ok(Vec::new()),
    };
    let ran = match stubs {
        Ok(stubs) if stubs.is_empty() => Err(runc.exec()),
        Ok(stubs) => {
            let status = runc.status();
            stubs.into_iter().rev().for_each(Stub::remove);
            status
        }
        Err(error) => Err(error),
    };
    match ran {
        Ok(status) => ExitCode::from(status.code().or(status.signal().map(|signal| 128 + signal)).map_or(1, |code| code as u8)),
        Err(error) => {
            crate::say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Returns the bundle of what is run; none for any other command of runc.
fn bundle(arguments: &[OsString]) -> Option<PathBuf> {
    let at = arguments.iter().position(|argument| argument == "run")?;
    let bundle = arguments[at..].iter().position(|argument| argument == "--bundle" || argument == "-b")?;
    arguments.get(at + bundle + 1).map(PathBuf::from)
}

/// Adds the mounts to a bundle, and returns the directories that were made in its file system to mount them on.
fn add_mounts(bundle: &Path, root: &Path) -> io::Result<Vec<Stub>> {
    let settings = bundle.join("config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&settings)?)?;
    let file_system = bundle.join(config["root"]["path"].as_str().unwrap_or("rootfs"));
    let mut stubs = Vec::new();
    for directory in fs::read_to_string(root.join(LIST))?.lines() {
        let Some(mounts) = config["mounts"].as_array_mut() else { break };
        if mounts.iter().any(|mount| mount["destination"] == directory) {
            // RUN asks for something else there.
            continue;
        }
        mounts.push(json!({ "destination": directory, "type": "bind", "source": directory, "options": ["rbind", "rw"] }));
        stubs.extend(make_stubs(&file_system, Path::new(directory))?);
    }
    fs::write(settings, config.to_string())?;
    Ok(stubs)
}

/// A directory that is there only to be mounted on, which no layer may show.
#[derive(Debug)]
struct Stub {
    /// The directory that it is in, whatever links led there.
    parent: File,
    name: OsString,
    /// When something changed in that last.
    modified: Option<SystemTime>,
}

impl Stub {
    fn remove(self) {
        // One that is not empty was used by the build, and stays.
        if nix::unistd::unlinkat(self.parent.as_fd(), Path::new(&self.name), nix::unistd::UnlinkatFlags::RemoveDir).is_ok()
            && let Some(modified) = self.modified
        {
            drop(self.parent.set_modified(modified));
        }
    }
}

/// Makes what is missing of `directory` in a file system; its links lead nowhere else.
fn make_stubs(file_system: &Path, directory: &Path) -> io::Result<Vec<Stub>> {
    let root = File::open(file_system)?;
    let mut made = Vec::new();
    let mut at = PathBuf::from("/");
    for part in directory.components() {
        let Component::Normal(name) = part else { continue };
        let parent = open_inside(&root, &at)?;
        at.push(name);
        if open_inside(&root, &at).is_ok() {
            continue;
        }
        let modified = parent.metadata().and_then(|metadata| metadata.modified()).ok();
        nix::sys::stat::mkdirat(parent.as_fd(), Path::new(name), nix::sys::stat::Mode::from_bits_truncate(0o755))?;
        made.push(Stub { parent, name: OsStr::to_owned(name), modified });
    }
    Ok(made)
}

fn open_inside(root: &File, path: &Path) -> nix::Result<File> {
    let how = OpenHow::new().flags(OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    nix::fcntl::openat2(root.as_fd(), path, how).map(File::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle_with(mounts: Value) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let file_system = dir.path().join("rootfs");
        fs::create_dir_all(file_system.join("var")).unwrap();
        fs::create_dir_all(file_system.join("run")).unwrap();
        std::os::unix::fs::symlink("/run", file_system.join("var/run")).unwrap();
        fs::write(dir.path().join("config.json"), json!({ "root": { "path": "rootfs" }, "mounts": mounts }).to_string()).unwrap();
        dir
    }

    #[test]
    fn directories_are_mounted_and_leave_nothing_behind() {
        let dir = bundle_with(json!([]));
        fs::write(dir.path().join(LIST), "/var/run/gomodcache\n/data/deep").unwrap();
        let before = dir.path().join("rootfs/run").metadata().unwrap().modified().unwrap();
        let stubs = add_mounts(dir.path(), dir.path()).unwrap();
        let config: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("config.json")).unwrap()).unwrap();
        assert_eq!(config["mounts"][0]["destination"], "/var/run/gomodcache");
        assert_eq!(config["mounts"][1]["options"], json!(["rbind", "rw"]));
        assert!(dir.path().join("rootfs/run/gomodcache").is_dir() && dir.path().join("rootfs/data/deep").is_dir());
        stubs.into_iter().rev().for_each(Stub::remove);
        assert!(!dir.path().join("rootfs/run/gomodcache").exists() && !dir.path().join("rootfs/data").exists());
        assert_eq!(dir.path().join("rootfs/run").metadata().unwrap().modified().unwrap(), before);
    }

    #[test]
    fn a_mount_of_run_itself_wins() {
        let dir = bundle_with(json!([{ "destination": "/cache" }]));
        fs::write(dir.path().join(LIST), "/cache").unwrap();
        assert!(add_mounts(dir.path(), dir.path()).unwrap().is_empty());
    }

    #[test]
    fn no_link_leads_out() {
        let (dir, outside) = (bundle_with(json!([])), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), dir.path().join("rootfs/out")).unwrap();
        fs::write(dir.path().join(LIST), "/out/x").unwrap();
        drop(add_mounts(dir.path(), dir.path()));
        assert!(!outside.path().join("x").exists());
    }

    #[test]
    fn only_what_is_run_is_changed() {
        let arguments = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(bundle(&arguments("runc --log l run --bundle /b --keep id")), Some("/b".into()));
        assert_eq!(bundle(&arguments("runc --log l kill id 9")), None);
    }
}
