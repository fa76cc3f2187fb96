//! The inputs of an artifact as they were last looked at, and where they lie.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

use devloop_build::InputKind;
use devloop_build::Inputs;
use devloop_model::normal_path as normal;

/// The inputs of an artifact as they were last looked at.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) inputs: Inputs,
    /// Made when it is first needed: only a session that watches asks.
    places: OnceLock<Places>,
}

/// Where inputs lie.
#[derive(Debug, Clone)]
struct Places {
    /// Absolute paths without `.` and `..`, as file events name them.
    files: HashSet<PathBuf>,
    /// Every directory that holds an input, and those above it up to the context.
    directories: BTreeSet<PathBuf>,
}

impl Places {
    fn of(inputs: &Inputs) -> Self {
        let context = normal(&inputs.context);
        let dockerfile = inputs.dockerfile.iter().map(|path| normal(&inputs.context.join(path)));
        let files: HashSet<PathBuf> = inputs.files.iter().map(|file| normal(&inputs.absolute(file))).chain(dockerfile).collect();
        let mut directories = BTreeSet::from([context.clone()]);
        for path in &files {
            for above in path.ancestors().skip(1) {
                if !directories.insert(above.to_owned()) || !above.starts_with(&context) {
                    break;
                }
            }
        }
        let empty = inputs.files.iter().filter(|file| file.kind == InputKind::EmptyDirectory);
        directories.extend(empty.map(|file| normal(&inputs.absolute(file))));
        Self { files, directories }
    }
}

impl Seen {
    /// Returns these inputs with where they lie.
    pub(super) fn new(inputs: Inputs) -> Self {
        Self { inputs, places: OnceLock::new() }
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::of(&self.inputs))
    }

    /// Returns whether `path` is one of the inputs.
    pub(super) fn is_input(&self, path: &Path) -> bool {
        self.places().files.contains(path)
    }

    /// Returns whether `path` lies where inputs lie, so that it may be one as well.
    pub(super) fn is_near(&self, path: &Path) -> bool {
        let Places { directories, .. } = self.places();
        directories.contains(path) || path.parent().is_some_and(|parent| directories.contains(parent))
    }

    /// Returns how many files count.
    pub(super) fn len(&self) -> usize {
        self.places().files.len()
    }

    /// Returns every directory that holds an input, and those above it up to the context.
    pub(super) fn directories(&self) -> &BTreeSet<PathBuf> {
        &self.places().directories
    }

    /// Returns the directories, relative to the context, that are gone with all that was in them.
    pub(super) fn gone_directories(&self, now: &Self) -> BTreeSet<String> {
        let context = normal(&self.inputs.context);
        let gone = self.directories().difference(now.directories()).filter_map(|path| path.strip_prefix(&context).ok());
        gone.map(|path| path.to_string_lossy().into_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use devloop_build::InputFile;

    use super::*;

    #[test]
    fn inputs_and_their_neighbours() {
        let file = |path: &str, kind| InputFile { path: path.into(), kind, mode: 0o644, hash: [0; 32], md5: [0; 16] };
        let files =
            [file("../go.work", InputKind::File), file("cmd/web/main.go", InputKind::File), file("empty", InputKind::EmptyDirectory)];
        let inputs = Inputs {
            context: "/p/app".into(),
            files: files.to_vec().into(),
            dockerfile: Some("docker/Dockerfile".into()),
            ..Inputs::default()
        };
        let seen = Seen::new(inputs);
        for (path, input, near) in [
            ("/p/app/cmd/web/main.go", true, true),
            ("/p/go.work", true, true),
            ("/p/app/docker/Dockerfile", true, true),
            ("/p/app/new.go", false, true),
            ("/p/app/cmd/new", false, true),
            ("/p/app/empty/new", false, true),
            ("/p/app/other/x.go", false, false),
            ("/q/x", false, false),
        ] {
            assert_eq!((seen.is_input(Path::new(path)), seen.is_near(Path::new(path))), (input, near), "{path}");
        }
        assert!(!seen.directories().contains(Path::new("/")), "{:?}", seen.directories());
    }
}
