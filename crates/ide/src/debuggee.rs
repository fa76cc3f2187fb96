//! What an editor can attach to, by which port, and what it cannot.

use std::collections::BTreeSet;

use devloop_model::Runtime;

use crate::PathMap;
use crate::Program;
use crate::maps;
use crate::runtime;

/// A program that an editor can attach to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debuggee {
    /// The name of its image.
    pub image: String,
    /// The short one.
    pub name: String,
    /// What it is written in.
    pub runtime: Runtime,
    /// The port of this machine that its debugger has.
    pub port: u16,
    /// Where its files are, in the order in which maps are tried; none where both sides have the same paths.
    pub maps: Vec<PathMap>,
}

/// An artifact that an editor cannot attach to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The name of its image.
    pub image: String,
    /// Why.
    pub why: String,
}

/// What became of artifacts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Debuggees {
    /// What can be attached to.
    pub found: Vec<Debuggee>,
    /// What cannot.
    pub skipped: Vec<Skipped>,
}

impl Debuggee {
    /// Returns its name with its language: `web (Go)`.
    pub(crate) fn title(&self) -> String {
        format!("{} ({})", self.name, runtime::name(self.runtime))
    }
}

/// Returns what can be attached to. A port that no session told is the one that `devloop debug` would take: that of the runtime, or the
/// next one for the next artifact.
pub fn debuggees(programs: &[Program]) -> Debuggees {
    let mut result = Debuggees::default();
    let mut taken: BTreeSet<u16> = programs.iter().filter_map(|program| program.port).collect();
    for program in programs {
        let mut skip = |why: String| result.skipped.push(Skipped { image: program.image.clone(), why });
        let runtime = match runtime::of(program) {
            Ok(runtime) => runtime,
            Err(why) => {
                skip(why);
                continue;
            }
        };
        let Some(first) = first_port(runtime) else {
            skip(format!("there is no debugger for {}", runtime::name(runtime)));
            continue;
        };
        let port = program.port.or_else(|| (first..=u16::MAX).find(|port| !taken.contains(port))).unwrap_or(first);
        taken.insert(port);
        let maps = maps::of(program, runtime);
        let image = program.image.clone();
        result.found.push(Debuggee { image, name: short_name(program, programs), runtime, port, maps });
    }
    result
}

/// Returns the port that the debugger of a runtime listens on.
fn first_port(runtime: Runtime) -> Option<u16> {
    match runtime {
        Runtime::Go => Some(56268),
        Runtime::NodeJs => Some(9229),
        Runtime::Jvm => Some(5005),
        Runtime::Python => Some(5678),
        Runtime::NetCore => None,
    }
}

/// Returns the last part of the image's name, or all of it where another artifact has the same.
fn short_name(program: &Program, programs: &[Program]) -> String {
    let last = |program: &Program| program.image.rsplit('/').next().unwrap_or_default().to_owned();
    let own = last(program);
    if programs.iter().filter(|other| last(other) == own).count() > 1 { program.image.clone() } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recipe;
    use crate::testing::program;

    fn shown(programs: &[Program]) -> String {
        let Debuggees { found, skipped } = debuggees(programs);
        let found = found.iter().map(|found| format!("{}: {}", found.title(), found.port));
        let skipped = skipped.iter().map(|skipped| format!("not {}: {}", skipped.image, skipped.why));
        found.chain(skipped).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_has_a_port_and_a_name_of_its_own() {
        let of = |image: &str, runtime| Program { runtime: Some(runtime), ..program(image, Recipe::Command) };
        let programs = [
            of("gcr.io/p/web", Runtime::Go),
            of("a/api", Runtime::Go),
            of("b/api", Runtime::NodeJs),
            of("legacy", Runtime::NetCore),
            program("proxy", Recipe::Command),
            of("jobs", Runtime::Go),
        ];
        insta::assert_snapshot!(shown(&programs), @r"
        web (Go): 56268
        a/api (Go): 56269
        b/api (Node.js): 9229
        jobs (Go): 56270
        not legacy: there is no debugger for .NET
        not proxy: its build command does not tell its language: set `runtimeType` of the artifact
        ");
    }

    #[test]
    fn ports_of_a_session_are_kept() {
        let of = |image: &str, port| Program { port, ..program(image, Recipe::Ko) };
        insta::assert_snapshot!(shown(&[of("web", None), of("api", Some(56268)), of("jobs", Some(40000)), of("cart", None)]), @r"
        web (Go): 56269
        api (Go): 56268
        jobs (Go): 40000
        cart (Go): 56270
        ");
    }
}
