//! What a program said of inputs last time (`go list`, Maven, Bazel), and what has to be unchanged for it to be true still.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ko::shape;

/// Raised whenever the meaning of the file changes: an older one is then not believed.
const VERSION: u32 = 2;
/// A file this young may change again without a change of its time.
const RACY: Duration = Duration::from_millis(100);
/// How far the times of a file system may lag behind the clock.
const TICK: Duration = Duration::from_millis(10);

/// An answer with its conditions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Memory<T> {
    version: u32,
    answer: T,
    files: Vec<Watched>,
    directories: Vec<Directory>,
}

/// What has to stay the same of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Part {
    /// Its imports, constraints and embed directives.
    Shape,
    /// All of it, or that it does not exist.
    Whole,
}

/// What has to stay the same of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Names {
    /// The names that `go` looks at.
    Go,
    /// All names, but for the links that Bazel makes to its own output.
    Bazel,
    /// All names.
    All,
}

#[derive(Debug, Serialize, Deserialize)]
struct Watched {
    path: PathBuf,
    part: Part,
    /// None while the file is too young to be judged by its times.
    stamp: Option<Stamp>,
    /// None when there is no such file.
    hash: Option<[u8; 32]>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Directory {
    path: PathBuf,
    names: Names,
    hash: [u8; 32],
}

/// Size, times and identity of a file: equal stamps, equal content.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(u64, i128, i128, u64);

impl<T: Serialize + DeserializeOwned> Memory<T> {
    /// Returns `answer`, which was asked for at `asked`, with the present state of
    /// what it depends on; none if something of that changed since then.
    pub(super) fn of(
        answer: T,
        files: BTreeSet<(PathBuf, Part)>,
        directories: BTreeSet<(PathBuf, Names)>,
        asked: SystemTime,
    ) -> io::Result<Option<Self>> {
        let is_new = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).is_ok_and(|modified| modified + TICK >= asked);
        if files.iter().any(|(path, _)| is_new(path)) || directories.iter().any(|(path, _)| is_new(path)) {
            return Ok(None);
        }
        Ok(Some(Self {
            version: VERSION,
            answer,
            files: files.into_iter().map(|(path, part)| Watched::now(path, part)).collect::<io::Result<_>>()?,
            directories: directories
                .into_iter()
                .map(|(path, names)| Ok(Directory { hash: hash_names(&path, names)?, path, names }))
                .collect::<io::Result<_>>()?,
        }))
    }

    /// Returns what is remembered at `path`; none where that is nothing that can be used.
    pub(super) fn load(path: &Path) -> Option<Self> {
        let memory: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (memory.version == VERSION).then_some(memory)
    }

    /// Remembers this at `path`; a reader sees all of it or none.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer(io::BufWriter::new(&file), self)?;
        file.persist(path)?;
        Ok(())
    }

    /// Returns the answer if it is true still, and whether it has to be stored again because only
    /// what does not matter changed.
    pub(super) fn recall(mut self) -> Option<(Self, bool)> {
        let mut touched = false;
        for directory in &self.directories {
            if hash_names(&directory.path, directory.names).ok()? != directory.hash {
                return None;
            }
        }
        for file in &mut self.files {
            if file.stamp.is_some() && file.stamp == stamp_of(&file.path) {
                continue;
            }
            let now = Watched::now(std::mem::take(&mut file.path), file.part).ok()?;
            if now.hash != file.hash {
                return None;
            }
            touched |= now.stamp != file.stamp;
            *file = now;
        }
        Some((self, touched))
    }

    /// Returns the answer.
    pub(super) fn into_answer(self) -> T {
        self.answer
    }
}

/// Returns what is remembered at `at`, if it is true still.
pub(super) async fn recall<T: Serialize + DeserializeOwned + Send + 'static>(at: PathBuf) -> Option<T> {
    let recall = move || {
        let (memory, touched) = Memory::load(&at)?.recall()?;
        if touched {
            try_to_store(&memory, &at);
        }
        Some(memory.into_answer())
    };
    tokio::task::spawn_blocking(recall).await.ok().flatten()
}

/// Remembers `memory` at `at`; an answer that cannot be remembered is asked for again: slower, not wrong.
pub(super) async fn store<T: Serialize + DeserializeOwned + Send + 'static>(memory: Memory<T>, at: PathBuf) {
    // It does not panic, and one that is stopped has stored nothing.
    tokio::task::spawn_blocking(move || try_to_store(&memory, &at)).await.ok();
}

fn try_to_store<T: Serialize + DeserializeOwned>(memory: &Memory<T>, at: &Path) {
    if let Err(error) = memory.store(at) {
        tracing::debug!(%error, "answer not remembered");
    }
}

impl Watched {
    fn now(path: PathBuf, part: Part) -> io::Result<Self> {
        // The times are read first: a file that changes in between is read once more next time.
        let stamp = stamp_of(&path);
        let hash = match fs::read(&path) {
            Ok(content) if part == Part::Shape => Some(*blake3::hash(&shape::of(&content)).as_bytes()),
            Ok(content) => Some(*blake3::hash(&content).as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { path, part, stamp, hash })
    }
}

#[cfg(unix)]
fn stamp_of(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let data = fs::metadata(path).ok()?;
    let settled = data.modified().ok()? + RACY < SystemTime::now();
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    settled.then(|| Stamp(data.size(), nanos(data.mtime(), data.mtime_nsec()), nanos(data.ctime(), data.ctime_nsec()), data.ino()))
}

#[cfg(not(unix))]
fn stamp_of(path: &Path) -> Option<Stamp> {
    let data = fs::metadata(path).ok()?;
    let modified = data.modified().ok()?;
    let nanos = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos() as i128;
    (modified + RACY < SystemTime::now()).then_some(Stamp(data.len(), nanos, 0, 0))
}

fn hash_names(directory: &Path, names: Names) -> io::Result<[u8; 32]> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_directory = entry.file_type()?.is_dir();
        let matters = match names {
            Names::All => true,
            Names::Bazel => !name.as_encoded_bytes().starts_with(b"bazel-"),
            Names::Go => matters(&name.to_string_lossy(), is_directory),
        };
        if matters {
            found.insert((name, is_directory));
        }
    }
    let mut hash = blake3::Hasher::new();
    for (name, is_directory) in found {
        hash.update(name.as_encoded_bytes()).update(if is_directory { b"/\0" } else { b"\0" });
    }
    Ok(*hash.finalize().as_bytes())
}

/// Returns whether `go` looks at a name in a package directory. Source: go/build `matchFile` and `fileListForExt`.
fn matters(name: &str, is_directory: bool) -> bool {
    if name.starts_with(['.', '_']) {
        return false;
    }
    if is_directory {
        return true;
    }
    let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    match extension {
        "go" => !name.ends_with("_test.go"),
        "c" | "cc" | "cpp" | "cxx" | "m" | "h" | "hh" | "hpp" | "hxx" | "f" | "F" | "for" | "f90" | "s" | "S" | "sx" | "swig"
        | "swigcxx" | "syso" => true,
        _ => matches!(name, "go.mod" | "go.work" | "default.pgo"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::ko::Program;

    fn memory(dir: &Path) -> Memory<Program> {
        let files = [(dir.join("main.go"), Part::Shape), (dir.join("go.mod"), Part::Whole), (dir.join("go.work"), Part::Whole)];
        let program = Program { import_path: "example.com/a".into(), dir: dir.into(), files: vec![dir.join("main.go")] };
        Memory::of(program, files.into(), [(dir.to_owned(), Names::Go)].into(), SystemTime::now() + Duration::from_secs(1))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn a_listing_older_than_its_files_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let program = Program { import_path: "a".into(), dir: dir.path().into(), files: Vec::new() };
        let asked = SystemTime::now();
        fs::write(dir.path().join("main.go"), "package main\n").unwrap();
        let files = [(dir.path().join("main.go"), Part::Shape)];
        assert!(Memory::of(program, files.into(), BTreeSet::new(), asked).unwrap().is_none());
    }

    #[test]
    #[expect(clippy::type_complexity, reason = "a table")]
    fn a_listing_stands_until_something_that_it_depends_on_changes() {
        let cases: [(&str, fn(&Path), bool); 9] = [
            ("nothing", |_| {}, true),
            ("a body", |dir| fs::write(dir.join("main.go"), "package main\nfunc main() { println() }\n").unwrap(), true),
            ("an import", |dir| fs::write(dir.join("main.go"), "package main\nimport \"fmt\"\n").unwrap(), false),
            ("a new Go file", |dir| fs::write(dir.join("b.go"), "").unwrap(), false),
            ("a new test", |dir| fs::write(dir.join("b_test.go"), "").unwrap(), true),
            ("an editor's file", |dir| fs::write(dir.join(".main.go.swp"), "").unwrap(), true),
            ("go.mod", |dir| fs::write(dir.join("go.mod"), "module b\n").unwrap(), false),
            ("a new go.work", |dir| fs::write(dir.join("go.work"), "").unwrap(), false),
            ("a removed file", |dir| fs::remove_file(dir.join("main.go")).unwrap(), false),
        ];
        for (what, change, stands) in cases {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("main.go"), "package main\nfunc main() {}\n").unwrap();
            fs::write(dir.path().join("go.mod"), "module a\n").unwrap();
            let at = dir.path().join("memory/a.json");
            memory(dir.path()).store(&at).unwrap();
            let loaded = Memory::<Program>::load(&at).unwrap();
            fs::rename(dir.path().join("memory"), dir.path().join("_memory")).unwrap();
            change(dir.path());
            assert_eq!(loaded.recall().is_some(), stands, "{what}");
        }
    }

    #[test]
    fn what_is_not_a_memory_is_no_memory() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("a.json");
        assert!(Memory::<Program>::load(&at).is_none());
        fs::write(&at, "{").unwrap();
        assert!(Memory::<Program>::load(&at).is_none());
    }
}
