//! One row: a Dockerfile with its context, and in `case.yaml` what files cannot say.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use super::expected::Expected;
use super::way::Way;

const CASE: &str = "case.yaml";

/// One Dockerfile and what is to come of it: what docker makes of it, and what is expected beyond that.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Case {
    /// Its folder's name.
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    folder: PathBuf,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to build.
    pub target: Option<String>,
    /// Secrets by id.
    pub secrets: BTreeMap<String, String>,
    /// Whether there is an SSH agent.
    pub ssh: bool,
    /// A shell script that gives the context what git cannot keep.
    pub prepare: String,
    /// Places of mounts that builders may leave in the image, empty.
    pub leftovers: Vec<String>,
    /// What the failure of a build that has to fail says.
    pub fails: Option<String>,
    /// The image, where docker's own is not enough.
    pub expected: Option<Expected>,
    /// Ways that cannot do this, and why. Their builds have to fail: what is silently done otherwise is a difference.
    pub cannot: BTreeMap<Way, String>,
    /// Known differences of ways, which have to be there.
    pub differs: BTreeMap<Way, Difference>,
}

/// In what a way is known to differ.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Why this is right, or not to be mended.
    pub reason: String,
    /// The lines of the comparison.
    pub lines: Vec<String>,
}

/// Returns the whole table, which is the folders of `table`.
///
/// # Errors
/// When a folder cannot be read, or a `case.yaml` is not valid.
pub fn cases(table: &Path) -> io::Result<Vec<Case>> {
    let mut folders: Vec<PathBuf> = fs::read_dir(table)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    folders.sort();
    folders.into_iter().map(Case::read).collect()
}

impl Case {
    fn read(folder: PathBuf) -> io::Result<Self> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = match fs::read_to_string(folder.join(CASE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "{}".to_owned(),
            text => text?,
        };
        let case: Self = serde_saphyr::from_str(&text).map_err(|error| io::Error::other(format!("{name}/{CASE}: {error}")))?;
        Ok(Self { name, folder, ..case })
    }

    /// Makes the context at `to`, which is not there yet, with the same modes whatever this machine's umask is.
    ///
    /// # Errors
    /// When a file cannot be copied, or the script of `prepare` fails.
    pub fn make_context(&self, to: &Path) -> io::Result<()> {
        copy(&self.folder, to)?;
        if to.join(CASE).exists() {
            fs::remove_file(to.join(CASE))?;
        }
        let script = format!("set -e; umask 022\n{}", self.prepare);
        let output = Command::new("sh").args(["-c", &script]).current_dir(to).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr))))
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let file_type = fs::symlink_metadata(from)?.file_type();
    if file_type.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if !file_type.is_dir() {
        fs::copy(from, to)?;
        let mode = if fs::metadata(from)?.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        return fs::set_permissions(to, fs::Permissions::from_mode(mode));
    }
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<Case> {
        cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("dockerfiles")).unwrap()
    }

    #[test]
    fn the_table_is_large_and_every_row_is_well_formed() {
        let table = table();
        assert!(table.len() >= 64, "{}", table.len());
        for case in table {
            assert!(case.folder.join("Dockerfile").exists(), "{}", case.name);
            let is_judged = case.fails.is_some() || case.expected.is_some() || !case.cannot.contains_key(&Way::Docker);
            assert!(is_judged, "{}: nothing says what has to come of it", case.name);
        }
    }

    #[test]
    fn a_context_has_the_modes_and_links_that_its_row_asks_for() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("case");
        fs::create_dir(&from).unwrap();
        fs::write(from.join("tool"), "x").unwrap();
        fs::set_permissions(from.join("tool"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(from.join("case.yaml"), "prepare: ln tool other; chmod 4755 tool\n").unwrap();
        std::os::unix::fs::symlink("/nowhere", from.join("link")).unwrap();
        let (case, to) = (Case::read(from).unwrap(), folder.path().join("context"));
        case.make_context(&to).unwrap();
        assert_eq!(fs::metadata(to.join("other")).unwrap().permissions().mode() & 0o7777, 0o4755);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/nowhere"));
        assert!(!to.join("case.yaml").exists());
    }
}
