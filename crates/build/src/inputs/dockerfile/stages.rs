//! Which files of the context a Dockerfile reads, stage by stage.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;

use super::outline::Draft;
use super::outline::Place;
use super::outline::StageOutline;
use super::parse::Dockerfile;
use super::parse::Instruction;
use super::words;
use super::words::Unknown;
use crate::inputs::onbuild::Base;

/// Which of a Dockerfile's stages count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those that the target needs, with all that they read: what the builder is given.
    Target,
    /// All of them, and COPY and ADD alone: what Skaffold's `inputDigest` counts.
    Everything,
}

/// What one instruction reads of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sources {
    /// Line of the instruction; none where it comes from a base image.
    pub(crate) line: Option<usize>,
    /// Patterns relative to the context, as COPY understands them.
    pub(crate) patterns: Vec<String>,
}

/// What one instruction copies of the context, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    /// Patterns relative to the context.
    pub(crate) patterns: Vec<String>,
    /// The absolute path in the image.
    pub(crate) destination: String,
    /// Whether files go into it, rather than become it.
    pub(crate) is_directory: bool,
    /// Whether archives are unpacked on the way.
    pub(crate) unpacks: bool,
}

/// What a Dockerfile is evaluated with.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    /// Build arguments, with their values.
    pub(crate) arguments: &'a BTreeMap<String, String>,
    /// The platform, `linux/amd64`.
    pub(crate) platform: &'a str,
    /// The stage to build; none is the last.
    pub(crate) target: Option<&'a str>,
    /// Base images that are known.
    pub(crate) bases: &'a HashMap<String, Base>,
}

struct Stage<'a> {
    name: Option<String>,
    /// The base, with its variables replaced; empty if it is not known before other images are built.
    base: String,
    instructions: &'a [Instruction],
}

/// Returns the images that the Dockerfile starts from and that are none of its stages.
pub(crate) fn bases(file: &Dockerfile, evaluation: &Evaluation<'_>) -> BTreeSet<String> {
    let stages = stages(file, evaluation);
    let is_base =
        |at: usize, stage: &Stage<'_>| !stage.base.is_empty() && stage.base != "scratch" && find(&stages[..at], &stage.base).is_none();
    stages.iter().enumerate().filter(|(at, stage)| is_base(*at, stage)).map(|(_, stage)| stage.base.clone()).collect()
}

/// Returns whether `target` is one of the Dockerfile's stages.
pub(crate) fn has_target(file: &Dockerfile, evaluation: &Evaluation<'_>, target: &str) -> bool {
    find(&stages(file, evaluation), target).is_some()
}

/// Returns what the Dockerfile reads of its context.
pub(crate) fn sources(file: &Dockerfile, evaluation: &Evaluation<'_>, reach: Reach) -> Vec<Sources> {
    let stages = stages(file, evaluation);
    let mut walk = Walk::new(file, evaluation, reach, &stages);
    match reach {
        Reach::Everything => (0..stages.len()).for_each(|at| walk.visit(at)),
        Reach::Target => walk.visit(target(&stages, evaluation)),
    }
    walk.found
}

/// Returns what the stage that is built copies of the context by itself, in order; not what a stage that it starts from does, which
/// may have gone into something else since.
pub(crate) fn copies(file: &Dockerfile, evaluation: &Evaluation<'_>) -> Vec<Copy> {
    let stages = stages(file, evaluation);
    let target = target(&stages, evaluation);
    let mut walk = Walk::new(file, evaluation, Reach::Target, &stages);
    walk.visit(target);
    walk.copies.into_iter().filter(|(stage, _)| *stage == target).map(|(_, copy)| copy).collect()
}

/// Returns the stages that the one that is built needs, in order, itself last.
pub(crate) fn outlines(file: &Dockerfile, evaluation: &Evaluation<'_>, context: &Path) -> Vec<StageOutline> {
    let stages = stages(file, evaluation);
    let target = target(&stages, evaluation);
    let mut walk = Walk { context: Some(context), ..Walk::new(file, evaluation, Reach::Target, &stages) };
    walk.visit(target);
    (0..=target).filter_map(|at| walk.states.get(&at)).map(|state| state.draft.outline()).collect()
}

fn target(stages: &[Stage<'_>], evaluation: &Evaluation<'_>) -> usize {
    evaluation.target.and_then(|target| find(stages, target)).unwrap_or(stages.len() - 1)
}

fn stages<'a>(file: &'a Dockerfile, evaluation: &Evaluation<'_>) -> Vec<Stage<'a>> {
    let globals = globals(file, evaluation);
    let starts: Vec<usize> = file.instructions.iter().enumerate().filter(|(_, i)| i.name == "FROM").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([file.instructions.len()]);
    let stage = |(&start, end): (&usize, usize)| {
        let words = file.instructions[start].words(file.escape);
        let mut lookup = |name: &str| globals.get(name).cloned().or_else(|| platform_argument(name, evaluation.platform));
        Stage {
            name: words.get(2).map(|name| name.to_lowercase()),
            base: words::expand(&words[0], file.escape, &mut lookup).unwrap_or_default(),
            instructions: &file.instructions[start + 1..end],
        }
    };
    starts.iter().zip(ends).map(stage).collect()
}

/// The arguments before the first FROM: they hold in FROM, and in a stage that declares them again.
fn globals(file: &Dockerfile, evaluation: &Evaluation<'_>) -> BTreeMap<String, String> {
    let mut globals = BTreeMap::new();
    for instruction in file.instructions.iter().take_while(|instruction| instruction.name != "FROM").filter(|i| i.name == "ARG") {
        for word in words::split(&instruction.arguments, file.escape) {
            let (name, default) = split_value(word);
            let mut lookup = |name: &str| globals.get(name).cloned().or_else(|| platform_argument(name, evaluation.platform));
            let default = default.and_then(|default| words::expand(default, file.escape, &mut lookup).ok());
            if let Some(value) = evaluation.arguments.get(name).cloned().or(default) {
                globals.insert(name.to_owned(), value);
            }
        }
    }
    globals
}

fn split_value(word: &str) -> (&str, Option<&str>) {
    word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)))
}

/// BuildKit's own arguments for what is built, and what it is built on.
fn platform_argument(name: &str, platform: &str) -> Option<String> {
    let part = name.strip_prefix("TARGET").or_else(|| name.strip_prefix("BUILD"))?;
    let mut parts = platform.splitn(3, '/');
    let (os, arch, variant) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let value = match part {
        "PLATFORM" => platform,
        "OS" => os,
        "ARCH" => arch,
        "VARIANT" => variant,
        _ => return None,
    };
    Some(value.to_owned())
}

/// A stage by its name, in any case, or by its number.
fn find(stages: &[Stage<'_>], name: &str) -> Option<usize> {
    let lower = name.to_lowercase();
    let by_name = stages.iter().rposition(|stage| stage.name.as_deref() == Some(&lower));
    by_name.or_else(|| name.parse().ok().filter(|&number| number < stages.len()))
}

/// What a stage leaves to those that start from it.
#[derive(Debug, Clone, Default)]
struct State {
    environment: BTreeMap<String, String>,
    /// The environment of the base image.
    base_environment: BTreeMap<String, String>,
    working_dir: String,
    triggers: Vec<Instruction>,
    /// What an outline of the stage says; filled where one is asked for.
    draft: Draft,
}

struct Walk<'a> {
    file: &'a Dockerfile,
    evaluation: &'a Evaluation<'a>,
    reach: Reach,
    globals: BTreeMap<String, String>,
    stages: &'a [Stage<'a>],
    states: HashMap<usize, State>,
    found: Vec<Sources>,
    /// What is copied, with the stage that does.
    copies: Vec<(usize, Copy)>,
    /// The context, where an outline is asked for.
    context: Option<&'a Path>,
}

impl<'a> Walk<'a> {
    fn new(file: &'a Dockerfile, evaluation: &'a Evaluation<'a>, reach: Reach, stages: &'a [Stage<'a>]) -> Self {
        let globals = globals(file, evaluation);
        Self { file, evaluation, reach, globals, stages, states: HashMap::new(), found: Vec::new(), copies: Vec::new(), context: None }
    }

    fn visit(&mut self, at: usize) {
        if self.states.contains_key(&at) {
            return;
        }
        let stage = &self.stages[at];
        let mut inherited = Vec::new();
        let mut state = State { draft: Draft::of(&stage.base), ..State::default() };
        if let Some(base) = find(&self.stages[..at], &stage.base) {
            self.visit(base);
            let base = self.states[&base].clone();
            inherited.clone_from(&base.triggers);
            state = State { triggers: Vec::new(), ..base };
        } else if let Some(base) = self.evaluation.bases.get(&stage.base) {
            state.base_environment.clone_from(&base.environment);
            state.working_dir.clone_from(&base.working_dir);
            inherited = base.triggers.iter().map(|trigger| Instruction::parse(trigger, 0, '\\')).collect();
        }
        let mut arguments = BTreeMap::new();
        for instruction in inherited.iter().chain(stage.instructions) {
            self.step(at, instruction, &mut state, &mut arguments);
        }
        self.states.insert(at, state);
    }

    fn step(&mut self, at: usize, instruction: &Instruction, state: &mut State, arguments: &mut BTreeMap<String, String>) {
        let escape = self.file.escape;
        let environment = state.environment.clone();
        let scope = arguments.clone();
        let mut lookup = |name: &str| environment.get(name).or_else(|| scope.get(name)).cloned();
        match instruction.name.as_str() {
            "ARG" => {
                for word in words::split(&instruction.arguments, escape) {
                    let (name, default) = split_value(word);
                    let default = default.and_then(|default| words::expand(default, escape, &mut lookup).ok());
                    let given = self.evaluation.arguments.get(name).cloned();
                    let global = || self.globals.get(name).cloned().or_else(|| platform_argument(name, self.evaluation.platform));
                    if let Some(value) = given.or(default).or_else(global) {
                        arguments.insert(name.to_owned(), value);
                    }
                }
            }
            "ENV" => state.environment.extend(environment_of(&instruction.arguments, escape, &mut lookup)),
            "ONBUILD" => state.triggers.push(Instruction::parse(&instruction.arguments, instruction.line, escape)),
            "WORKDIR" => {
                let mut lookup = with_base(&mut lookup, &state.base_environment);
                if let Ok(path) = words::expand(&instruction.arguments, escape, &mut lookup) {
                    state.working_dir = resolved(&state.working_dir, &path);
                }
            }
            "COPY" | "ADD" => {
                self.copy(at, instruction, &mut lookup);
                let mut lookup = with_base(&mut lookup, &state.base_environment);
                let copy = copy_of(instruction, escape, &state.working_dir, &mut lookup);
                self.copies.extend(copy.map(|copy| (at, copy)));
            }
            "RUN" => self.run(at, instruction, &mut lookup),
            _ => {}
        }
        if let Some(context) = self.context {
            let mut lookup = with_base(&mut lookup, &state.base_environment);
            let place = Place { context, working_dir: &state.working_dir, escape };
            state.draft.run(instruction, escape);
            match instruction.name.as_str() {
                "COPY" | "ADD" => {
                    let from = instruction.flag("from").map(|from| words::expand(from, escape, &mut lookup).unwrap_or_default());
                    let stage = from.as_ref().map(|from| find(&self.stages[..at], from).and_then(|stage| self.states.get(&stage)));
                    match stage {
                        // Another image has nothing of the context.
                        Some(None) => {}
                        Some(Some(stage)) => state.draft.copy(instruction, Some(&stage.draft), &place, &mut lookup),
                        None => state.draft.copy(instruction, None, &place, &mut lookup),
                    }
                }
                "RUN" => state.draft.mount(instruction, &place, &mut lookup),
                _ => {}
            }
        }
    }

    fn copy(&mut self, at: usize, instruction: &Instruction, lookup: &mut dyn FnMut(&str) -> Option<String>) {
        if let Some(from) = instruction.flag("from") {
            let from = words::expand(from, self.file.escape, lookup).unwrap_or_default();
            return self.needs(at, &from);
        }
        let words = instruction.words(self.file.escape);
        let Some((_, sources)) = words.split_last() else { return };
        let local = sources.iter().filter(|source| !is_elsewhere(source));
        let patterns: Result<Vec<String>, Unknown> = local.map(|source| words::expand(source, self.file.escape, lookup)).collect();
        match patterns {
            Ok(patterns) => self.reads(instruction, patterns.into_iter().filter(|pattern| !is_elsewhere(pattern)).collect()),
            // A path that only the builder can tell may be any.
            Err(_) => self.reads(instruction, vec![".".to_owned()]),
        }
    }

    fn run(&mut self, at: usize, instruction: &Instruction, lookup: &mut dyn FnMut(&str) -> Option<String>) {
        if self.reach == Reach::Everything {
            return;
        }
        let mounts = instruction.flags.iter().filter(|(flag, _)| flag == "mount");
        for (_, mount) in mounts {
            let value = |names: &[&str]| {
                mount
                    .split(',')
                    .filter_map(|pair| pair.split_once('='))
                    .find(|(name, _)| names.contains(&name.to_lowercase().as_str()))
                    .map(|(_, value)| value)
            };
            let is_bind = value(&["type"]).is_none_or(|kind| kind == "bind");
            if let Some(from) = value(&["from"]) {
                let from = words::expand(from, self.file.escape, lookup).unwrap_or_default();
                self.needs(at, &from);
            } else if is_bind {
                let source = words::expand(value(&["source", "src"]).unwrap_or("."), self.file.escape, lookup);
                self.reads(instruction, vec![source.unwrap_or_else(|_| ".".to_owned())]);
            }
        }
    }

    fn needs(&mut self, at: usize, from: &str) {
        if let Some(stage) = find(&self.stages[..at], from) {
            self.visit(stage);
        }
    }

    fn reads(&mut self, instruction: &Instruction, patterns: Vec<String>) {
        if !patterns.is_empty() {
            self.found.push(Sources { line: Some(instruction.line).filter(|&line| line > 0), patterns });
        }
    }
}

/// Looks up what the base image sets where the Dockerfile sets nothing.
fn with_base<'a>(
    lookup: &'a mut dyn FnMut(&str) -> Option<String>,
    base: &'a BTreeMap<String, String>,
) -> impl FnMut(&str) -> Option<String> + 'a {
    |name| lookup(name).or_else(|| base.get(name).cloned())
}

/// Returns what a COPY or ADD copies of the context; none where only the builder can tell what goes where.
fn copy_of(instruction: &Instruction, escape: char, working_dir: &str, lookup: &mut dyn FnMut(&str) -> Option<String>) -> Option<Copy> {
    if ["from", "parents", "exclude"].iter().any(|flag| instruction.flag(flag).is_some()) {
        return None;
    }
    let words = instruction.words(escape);
    let (destination, sources) = words.split_last()?;
    let mut expanded = |word: &String| words::expand(word, escape, lookup).ok();
    let destination = expanded(destination)?;
    let sources: Vec<String> = sources.iter().map(&mut expanded).collect::<Option<_>>()?;
    let last = destination.rsplit('/').next().unwrap_or_default();
    Some(Copy {
        is_directory: sources.len() > 1 || matches!(last, "" | "." | ".."),
        destination: resolved(working_dir, &destination),
        unpacks: instruction.name == "ADD",
        patterns: sources.into_iter().filter(|source| !is_elsewhere(source)).collect(),
    })
}

/// Returns the absolute path without `.` and `..` of `path` in the directory `base`.
pub(super) fn resolved(base: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { base };
    let mut names: Vec<&str> = Vec::new();
    for name in base.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// `ENV a=b c="d e"`, or the old `ENV a b c`.
fn environment_of(arguments: &str, escape: char, lookup: &mut dyn FnMut(&str) -> Option<String>) -> Vec<(String, String)> {
    let first = words::first(arguments, escape);
    if !first.contains('=') {
        let value = arguments[first.len()..].trim();
        return words::expand(value, escape, lookup).map(|value| (first.to_owned(), value)).into_iter().collect();
    }
    let pair = |word| {
        let (name, value) = split_value(word);
        Some((name.to_owned(), words::expand(value?, escape, lookup).ok()?))
    };
    words::split(arguments, escape).filter_map(pair).collect()
}

/// Here-documents, URLs and git repositories are not in the context.
pub(super) fn is_elsewhere(source: &str) -> bool {
    source.starts_with("<<") || ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|scheme| source.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, arguments: &[(&str, &str)], target: Option<&str>, reach: Reach) -> Vec<String> {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let base = Base { triggers: vec!["COPY package.json /".to_owned(), "RUN npm i".to_owned()], ..Base::default() };
        let bases = HashMap::from([("node:onbuild".to_owned(), base)]);
        let evaluation = Evaluation { arguments: &arguments, platform: "linux/arm/v7", target, bases: &bases };
        let file = Dockerfile::parse(text).unwrap();
        sources(&file, &evaluation, reach).into_iter().flat_map(|sources| sources.patterns).collect()
    }

    #[test]
    fn copied_files_are_read() {
        for (text, expected) in [
            ("FROM a\nCOPY go.mod go.sum ./\nADD src /src", vec!["go.mod", "go.sum", "src"]),
            ("FROM a\ncopy [\"a b\", \"/x\"]", vec!["a b"]),
            ("FROM a\nADD https://x/y.tgz local.tgz git@github.com:a/b.git /x/", vec!["local.tgz"]),
            ("FROM a\nCOPY <<EOF <<B real /x/\nhi\nEOF\nno\nB", vec!["real"]),
            ("FROM a\nCOPY --from=b x y\nCOPY --chown=1:2 --link z /", vec!["z"]),
            ("FROM a\nRUN --mount=type=bind,source=tools,target=/t --mount=type=cache,target=/c x", vec!["tools"]),
            ("FROM a\nRUN --mount=target=/src x", vec!["."]),
            ("FROM a\nRUN --mount=type=secret,id=x --mount=from=b,source=/x,target=/y z", vec![]),
            // The variables of one ENV do not see each other.
            ("FROM a\nENV D=src E=\"lib $D\"\nENV OLD some thing\nCOPY $D/x \"${E}\" $OLD /", vec!["src/x", "lib ", "some thing"]),
            ("FROM a\nCOPY ${x#y}/z /", vec!["."]),
            ("FROM node:onbuild\nCOPY b /", vec!["package.json", "b"]),
        ] {
            assert_eq!(read(text, &[], None, Reach::Target), expected, "{text}");
        }
    }

    #[test]
    fn arguments_have_their_scopes() {
        let text = "ARG DIR=global\nARG OTHER=${DIR}2\nFROM a\nCOPY $DIR/none /\nARG DIR\nCOPY $DIR /\nARG OTHER=own\nCOPY $OTHER /\nARG TARGETARCH\nCOPY bin-$TARGETARCH-$TARGETOS /\nENV DIR=env\nCOPY $DIR /";
        assert_eq!(read(text, &[], None, Reach::Target), ["/none", "global", "own", "bin-arm-", "env"]);
        assert_eq!(read(text, &[("DIR", "given"), ("OTHER", "x")], None, Reach::Target), ["/none", "given", "x", "bin-arm-", "env"]);
    }

    #[test]
    fn only_stages_that_the_target_needs_count() {
        let text = "FROM a AS Base\nONBUILD COPY trigger /\nCOPY base /\nFROM a AS unused\nCOPY unused /\nFROM base AS build\nCOPY build /\nFROM a AS tools\nCOPY tools /\nFROM scratch AS test\nRUN --mount=from=tools,source=/,target=/t x\nCOPY --from=build / /\nFROM scratch\nCOPY --from=2 / /\nCOPY last /";
        assert_eq!(read(text, &[], None, Reach::Target), ["base", "trigger", "build", "last"]);
        assert_eq!(read(text, &[], Some("TEST"), Reach::Target), ["tools", "base", "trigger", "build"]);
        assert_eq!(read(text, &[], Some("1"), Reach::Target), ["unused"]);
        assert_eq!(read(text, &[], Some("tools"), Reach::Everything), ["base", "unused", "trigger", "build", "tools", "last"]);
    }

    #[test]
    fn bases_are_named_with_their_arguments() {
        let arguments = BTreeMap::from([("V".to_owned(), "2".to_owned())]);
        let evaluation = Evaluation { arguments: &arguments, platform: "linux/amd64", target: None, bases: &HashMap::new() };
        let file = Dockerfile::parse(
            "ARG V=1\nARG BASE\nFROM --platform=$BUILDPLATFORM go:$V AS b\nFROM b\nFROM $BASE\nFROM scratch\nFROM img:$TARGETARCH",
        )
        .unwrap();
        assert_eq!(bases(&file, &evaluation).into_iter().collect::<Vec<_>>(), ["go:2", "img:amd64"]);
    }
}
