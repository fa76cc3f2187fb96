//! Programs for tests.

use devloop_model::Runtime;

use crate::Copied;
use crate::Debuggee;
use crate::PathMap;
use crate::Program;
use crate::Recipe;
use crate::Stage;
use crate::Task;

pub(crate) fn program(image: &str, recipe: Recipe) -> Program {
    let image = image.to_owned();
    Program { image, runtime: None, recipe, dir: "".into(), go_module: None, port: None, maps: Vec::new() }
}

/// Returns a stage that runs `command` and has these directories, `local -> remote`, or files of them, `local -> remote (file)`.
pub(crate) fn stage(command: &str, copies: &[&str]) -> Stage {
    let copied = |text: &&str| {
        let (map, file) =
            text.strip_suffix(')').and_then(|text| text.split_once(" (")).map_or((*text, None), |(map, file)| (map, Some(file)));
        Copied { map: map_of(map), file: file.map(str::to_owned) }
    };
    Stage { commands: vec![command.to_owned()], copies: copies.iter().map(copied).collect(), ..Stage::default() }
}

/// Returns the map of `local -> remote`.
pub(crate) fn map_of(text: &str) -> PathMap {
    let (local, remote) = text.split_once(" -> ").unwrap_or_else(|| text.split_once("-> ").unwrap());
    PathMap { local: local.into(), remote: remote.to_owned() }
}

pub(crate) fn debuggee(name: &str, runtime: Runtime, port: u16, maps: &[&str]) -> Debuggee {
    Debuggee { image: name.to_owned(), name: name.to_owned(), runtime, port, maps: maps.iter().map(|text| map_of(text)).collect() }
}

pub(crate) fn task(arguments: &[&str]) -> Task {
    Task {
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        dir: "".into(),
        begins: "begins".to_owned(),
        ends: "ends".to_owned(),
    }
}
