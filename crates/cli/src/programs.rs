//! What artifacts are, for debuggers and editors: told from how they are built, before anything runs.

use std::collections::BTreeMap;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use devloop_build::BuildOptions;
use devloop_build::StageOutline;
use devloop_ide::Copied;
use devloop_ide::PathMap;
use devloop_ide::Program;
use devloop_ide::Recipe;
use devloop_ide::Stage;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::Runtime;

use crate::session::Session;

/// Returns the artifacts that may run in containers, and what is wrong with their Dockerfiles. Paths are relative to the `workspace`.
pub(crate) fn programs(session: &Session, options: &BuildOptions, workspace: &Path) -> (Vec<Program>, Vec<Diagnostic>) {
    let artifacts = &session.plan.artifacts;
    let is_base =
        |artifact: &Artifact| artifacts.iter().any(|other| other.requires.iter().any(|required| required.image == artifact.image));
    let mut faults = Vec::new();
    let of_artifact = |artifact: &Artifact| {
        let stages = match devloop_build::outline(artifact, options, &session.env) {
            Ok(stages) => stages,
            Err(error) => {
                faults.push(error.diagnostic());
                None
            }
        };
        let context = std::path::absolute(&artifact.context).unwrap_or_else(|_| artifact.context.clone());
        let recipe = match (&artifact.builder, stages) {
            (Builder::Ko(_), _) => Recipe::Ko,
            (_, Some(stages)) => Recipe::Dockerfile(stages.into_iter().map(|stage| stage_of(stage, &context, workspace)).collect()),
            (_, None) => Recipe::Command,
        };
        Program {
            image: artifact.image.to_string(),
            runtime: artifact.runtime,
            recipe,
            dir: within(&context, workspace),
            go_module: go_module(&context),
            port: None,
            maps: Vec::new(),
        }
    };
    let programs = artifacts.iter().filter(|artifact| !is_base(artifact)).map(of_artifact).collect();
    (programs, faults)
}

/// Returns the runtimes that sources are of, where they tell.
pub(crate) fn runtimes(programs: &[Program]) -> BTreeMap<ImageName, Runtime> {
    let told = |program: &Program| Some((ImageName::parse(&program.image).ok()?, devloop_ide::runtime_of(program)?));
    programs.iter().filter_map(told).collect()
}

/// Returns the local ports that editors are told for the debuggers of artifacts.
pub(crate) fn debugger_ports(programs: &[Program]) -> BTreeMap<String, u16> {
    devloop_ide::debuggees(programs).found.into_iter().map(|debuggee| (debuggee.image, debuggee.port)).collect()
}

fn stage_of(stage: StageOutline, context: &Path, workspace: &Path) -> Stage {
    let copied = |copied: devloop_build::Copied| Copied {
        map: PathMap { local: within(&context.join(copied.local), workspace), remote: copied.remote },
        file: copied.file,
    };
    Stage { base: stage.base, commands: stage.commands, start: stage.start, copies: stage.copies.into_iter().map(copied).collect() }
}

/// Returns a path relative to a directory, or as it is outside it. A link inside stays one: an editor opens files by its name.
pub(crate) fn within(path: &Path, directory: &Path) -> PathBuf {
    let (path, directory) = (folded(path), folded(directory));
    let inner = path.strip_prefix(&directory).map(Path::to_owned);
    inner.or_else(|_| real(&path).strip_prefix(real(&directory)).map(Path::to_owned)).unwrap_or(path)
}

/// Returns a path without `.` and `..`.
fn folded(path: &Path) -> PathBuf {
    let mut folded = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if folded.file_name().is_some() => drop(folded.pop()),
            Component::ParentDir if folded.has_root() => {}
            other => folded.push(other),
        }
    }
    folded
}

/// Returns a path without links.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the module path of the `go.mod` in a directory.
fn go_module(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join("go.mod")).ok()?;
    text.lines().find_map(|line| line.trim().strip_prefix("module ")).map(|module| module.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_workspace_where_they_are_in_it() {
        for (path, expected) in [
            ("/w/web/.", "web"),
            ("/w", ""),
            ("/other/web", "/other/web"),
            ("/w/./a/b", "a/b"),
            ("/w/x/../a", "a"),
            ("/w/../b", "/b"),
            ("a", "a"),
        ] {
            assert_eq!(within(Path::new(path), Path::new("/w")), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn links_lead_into_the_workspace_and_stay_links_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("real/web")).unwrap();
        std::fs::create_dir(at("elsewhere")).unwrap();
        std::os::unix::fs::symlink(at("real"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("elsewhere"), at("real/shared")).unwrap();
        for (path, expected) in [("real/web", "web"), ("link/web", "web"), ("link/shared", "shared")] {
            assert_eq!(within(&at(path), &at("link")), Path::new(expected), "{path}");
        }
        assert_eq!(within(&at("real/web"), &at("real")), Path::new("web"));
    }

    #[test]
    fn a_module_is_named_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(go_module(dir.path()), None);
        std::fs::write(dir.path().join("go.mod"), "// web\nmodule example.com/web\n\ngo 1.24\n").unwrap();
        assert_eq!(go_module(dir.path()).as_deref(), Some("example.com/web"));
    }
}
