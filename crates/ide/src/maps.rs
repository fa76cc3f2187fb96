//! Where the files of a program are on this machine and in its container, as its Dockerfile says.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Runtime;

use crate::Copied;
use crate::Program;
use crate::Recipe;
use crate::Stage;
use crate::runtime;

/// A directory of this machine, and the same one in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathMap {
    /// Relative to the workspace, or absolute.
    pub local: PathBuf,
    /// Absolute; for Go programs with trimmed paths, the path of the module.
    pub remote: String,
}

impl PathMap {
    /// Returns whether `self` says of the directories of `other` what that says itself.
    fn implies(&self, other: &Self) -> bool {
        let local = other.local.strip_prefix(&self.local);
        let remote = Path::new(&other.remote).strip_prefix(&self.remote);
        matches!((local, remote), (Ok(local), Ok(remote)) if local == remote)
    }

    /// Returns the widest map that says the same: `src → /app/src` is `. → /app`.
    pub(crate) fn widened(&self) -> Self {
        let (mut local, mut remote) = (self.local.as_path(), Path::new(&self.remote));
        while let (Some(name), Some(same)) = (local.file_name(), remote.file_name())
            && name == same
            && let (Some(above), Some(below)) = (local.parent(), remote.parent())
        {
            (local, remote) = (above, below);
        }
        Self { local: local.to_owned(), remote: remote.to_string_lossy().into_owned() }
    }
}

/// Returns the maps of a program, in the order in which a debugger has to try them; none where both sides have the same paths.
pub(crate) fn of(program: &Program, runtime: Runtime) -> Vec<PathMap> {
    if !program.maps.is_empty() {
        return program.maps.clone();
    }
    // A Java debugger finds sources by their packages, and ko compiles where the sources are.
    let (Recipe::Dockerfile(stages), false) = (&program.recipe, runtime == Runtime::Jvm) else { return Vec::new() };
    let Some(stage) = stage_of_sources(stages, runtime) else { return Vec::new() };
    if runtime == Runtime::Go
        && let Some(module) = &program.go_module
        && stage.commands.iter().any(|command| command.contains("-trimpath"))
    {
        return vec![PathMap { local: program.dir.clone(), remote: module.clone() }];
    }
    in_order(needed(&stage.copies, runtime))
}

/// Returns the stage whose paths the debugger sees: where Go was compiled, else what runs.
fn stage_of_sources(stages: &[Stage], runtime: Runtime) -> Option<&Stage> {
    if runtime != Runtime::Go {
        return stages.last();
    }
    let last = |of: fn(&Stage) -> bool| stages.iter().rev().find(|stage| of(stage));
    last(runtime::builds_go).or_else(|| last(runtime::is_golang)).or_else(|| last(|stage| !stage.copies.is_empty()))
}

/// Returns the maps of directories, and those of single source files in no such directory.
fn needed(copies: &[Copied], runtime: Runtime) -> Vec<PathMap> {
    let directories: Vec<&PathMap> = copies.iter().filter(|copied| copied.file.is_none()).map(|copied| &copied.map).collect();
    let counts = |copied: &&Copied| match &copied.file {
        None => true,
        Some(file) => is_source(file, runtime) && !directories.iter().any(|map| copied.map.local.starts_with(&map.local)),
    };
    let maps: Vec<&PathMap> = copies.iter().filter(counts).map(|copied| &copied.map).collect();
    let is_said = |at: usize| {
        let own = maps[at];
        maps.iter().enumerate().any(|(other, map)| other != at && map.implies(own) && (*map != own || other < at))
    };
    (0..maps.len()).filter(|&at| !is_said(at)).map(|at| maps[at].clone()).collect()
}

fn is_source(file: &str, runtime: Runtime) -> bool {
    let end = Path::new(file).extension().and_then(|end| end.to_str()).unwrap_or_default();
    match runtime {
        Runtime::Go => end == "go" || file == "go.mod" || file == "*",
        Runtime::NodeJs => {
            ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"].contains(&end) || (file.starts_with("package") && end == "json")
        }
        Runtime::Python => end == "py",
        Runtime::Jvm | Runtime::NetCore => false,
    }
}

/// Puts a directory that lies within another in the container before that, for a debugger takes the first map that fits.
fn in_order(maps: Vec<PathMap>) -> Vec<PathMap> {
    let mut ordered: Vec<PathMap> = Vec::new();
    for map in maps {
        let at = ordered.iter().position(|other| other.remote != map.remote && Path::new(&map.remote).starts_with(&other.remote));
        ordered.insert(at.unwrap_or(ordered.len()), map);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::map_of;
    use crate::testing::program;
    use crate::testing::stage;

    fn shown(maps: &[PathMap]) -> Vec<String> {
        maps.iter().map(|map| format!("{} -> {}", map.local.display(), map.remote)).collect()
    }

    fn of_stages(runtime: Runtime, stages: Vec<Stage>) -> Vec<String> {
        shown(&of(&program("web", Recipe::Dockerfile(stages)), runtime))
    }

    #[test]
    fn go_has_the_paths_of_the_stage_that_compiled_it() {
        for (copies, expected) in [
            (&["web -> /src (go.mod)", "web -> /src"][..], &["web -> /src"][..]),
            (&["web -> /src"], &["web -> /src"]),
            (&[" -> /src (go.mod)", "cmd -> /src/cmd", "pkg -> /src/pkg"], &[" -> /src"]),
            (&[" -> /src (*.go)", " -> /src (go.mod)"], &[" -> /src"]),
            (&[" -> /etc/app (config.yaml)", " -> /src"], &[" -> /src"]),
            (&["app -> /src", "lib -> /src/lib"], &["lib -> /src/lib", "app -> /src"]),
            (&[" -> /src", "assets -> /var/www"], &[" -> /src", "assets -> /var/www"]),
            (&[], &[]),
        ] {
            let stages = || vec![stage("go build .", copies), stage("", &[" -> /etc/app"])];
            assert_eq!(of_stages(Runtime::Go, stages()), expected, "{copies:?}");
        }
    }

    #[test]
    fn a_go_stage_without_go_build_is_found_by_its_base_else_by_its_sources() {
        let golang = Stage { base: "golang:1.26".to_owned(), ..stage("make", &[" -> /src"]) };
        assert_eq!(of_stages(Runtime::Go, vec![golang, stage("", &["static -> /www"])]), [" -> /src"]);
        assert_eq!(of_stages(Runtime::Go, vec![stage("make", &[" -> /src"]), stage("", &[])]), [" -> /src"]);
    }

    #[test]
    fn trimmed_paths_start_with_the_module() {
        let stages = vec![stage("go build -trimpath .", &["web -> /src"])];
        let own = Program { go_module: Some("example.com/web".into()), dir: "web".into(), ..program("web", Recipe::Dockerfile(stages)) };
        assert_eq!(shown(&of(&own, Runtime::Go)), ["web -> example.com/web"]);
    }

    #[test]
    fn other_programs_have_the_paths_of_what_runs() {
        let stages = || vec![stage("", &[" -> /build"]), stage("", &[" -> /app (app.py)", "lib -> /app/lib", " -> /etc (x.conf)"])];
        assert_eq!(of_stages(Runtime::Python, stages()), [" -> /app"]);
        assert_eq!(of_stages(Runtime::Jvm, stages()), [""; 0]);
        assert_eq!(shown(&of(&program("web", Recipe::Ko), Runtime::Go)), [""; 0]);
    }

    #[test]
    fn what_the_user_said_wins() {
        let own = Program { maps: vec![map_of("x -> /y")], ..program("web", Recipe::Dockerfile(vec![stage("", &[" -> /app"])])) };
        assert_eq!(shown(&of(&own, Runtime::Python)), ["x -> /y"]);
    }

    #[test]
    fn a_map_is_as_wide_as_names_agree() {
        for (map, expected) in
            [("src -> /app/src", " -> /app"), ("web/src -> /app/src", "web -> /app"), (" -> /app", " -> /app"), ("a -> /b", "a -> /b")]
        {
            assert_eq!(shown(&[map_of(map).widened()]), [expected]);
        }
    }
}
