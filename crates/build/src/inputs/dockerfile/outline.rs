//! Where the stages of a Dockerfile have the sources of its context, and what they run: what a debugger and an editor have to agree on.

use std::path::Path;
use std::path::PathBuf;

use super::parse::Instruction;
use super::stages::is_elsewhere;
use super::stages::resolved;
use super::words;
use crate::inputs::glob::is_pattern;

/// A stage of a Dockerfile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageOutline {
    /// The image that it starts from in the end.
    pub base: String,
    /// The commands of its RUN instructions.
    pub commands: Vec<String>,
    /// The words of ENTRYPOINT and CMD.
    pub start: Vec<String>,
    /// What it has of the context, in the order of its instructions.
    pub copies: Vec<Copied>,
}

/// A directory of the context, and where a stage has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The directory, relative to the context.
    pub local: PathBuf,
    /// The directory in the image, absolute.
    pub remote: String,
    /// The file or pattern of the directory that is copied, where that is not all of it.
    pub file: Option<String>,
}

/// What is known of a stage while its instructions are walked; a stage that starts from it goes on with a copy.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    base: String,
    commands: Vec<String>,
    entrypoint: Vec<String>,
    command: Vec<String>,
    copies: Vec<Copied>,
}

impl Draft {
    /// Returns what is known of a stage that starts from `base`.
    pub(super) fn of(base: &str) -> Self {
        Self { base: base.to_owned(), ..Self::default() }
    }

    /// Returns what is known now.
    pub(super) fn outline(&self) -> StageOutline {
        let start = self.entrypoint.iter().chain(&self.command).cloned().collect();
        StageOutline { base: self.base.clone(), commands: self.commands.clone(), start, copies: self.copies.clone() }
    }

    /// Takes in what an instruction starts or runs.
    pub(super) fn run(&mut self, instruction: &Instruction, escape: char) {
        match instruction.name.as_str() {
            "RUN" => self.commands.push(instruction.arguments.clone()),
            "ENTRYPOINT" => {
                self.entrypoint = instruction.words(escape);
                self.command.clear();
            }
            "CMD" => self.command = instruction.words(escape),
            _ => {}
        }
    }

    /// Takes in the directories that a RUN mounts from the context, for the time that it runs.
    pub(super) fn mount(&mut self, instruction: &Instruction, place: &Place<'_>, lookup: &mut dyn FnMut(&str) -> Option<String>) {
        for (_, mount) in instruction.flags.iter().filter(|(flag, _)| flag == "mount") {
            let pairs: Vec<(&str, &str)> = mount.split(',').filter_map(|pair| pair.split_once('=')).collect();
            let value = |names: &[&str]| pairs.iter().find(|(name, _)| names.contains(name)).map(|(_, value)| *value);
            let (true, None, Some(target)) =
                (value(&["type"]).is_none_or(|kind| kind == "bind"), value(&["from"]), value(&["target", "dst", "destination"]))
            else {
                continue;
            };
            let source = value(&["source", "src"]).unwrap_or(".");
            let expanded = [source, target].map(|word| words::expand(word, place.escape, lookup));
            if let [Ok(source), Ok(target)] = expanded {
                self.copies.extend(place.copied(&source, &resolved(place.working_dir, &target), false));
            }
        }
    }

    /// Takes in what a COPY or ADD takes from the context, or from a stage that has it from there.
    pub(super) fn copy(
        &mut self,
        instruction: &Instruction,
        from: Option<&Self>,
        place: &Place<'_>,
        lookup: &mut dyn FnMut(&str) -> Option<String>,
    ) {
        let expanded: Option<Vec<String>> =
            instruction.words(place.escape).iter().map(|word| words::expand(word, place.escape, lookup).ok()).collect();
        let Some(words) = expanded else { return };
        let Some((destination, sources)) = words.split_last() else { return };
        let last = destination.rsplit('/').next().unwrap_or_default();
        let is_into = sources.len() > 1 || matches!(last, "" | "." | "..");
        let destination = resolved(place.working_dir, destination);
        for source in sources.iter().filter(|source| !is_elsewhere(source)) {
            match from {
                Some(stage) => self.copies.extend(stage.copies.iter().filter_map(|copied| copied.again(source, &destination))),
                None => self.copies.extend(place.copied(source, &destination, is_into)),
            }
        }
    }
}

/// What paths of an instruction start from.
pub(super) struct Place<'a> {
    pub(super) context: &'a Path,
    pub(super) working_dir: &'a str,
    pub(super) escape: char,
}

impl Place<'_> {
    /// Returns which directory of the context `source` is, or is in; none where the destination has it under another name.
    fn copied(&self, source: &str, destination: &str, is_into: bool) -> Option<Copied> {
        let source = resolved("/", source);
        let source = source.trim_start_matches('/');
        if !is_pattern(source) && self.context.join(source).is_dir() {
            return Some(Copied { local: source.into(), remote: destination.to_owned(), file: None });
        }
        let (directory, name) = source.rsplit_once('/').unwrap_or(("", source));
        if is_pattern(directory) || source.is_empty() {
            return None;
        }
        let (parent, end) = destination.rsplit_once('/')?;
        let remote = match (is_into || is_pattern(name), end == name) {
            (true, _) => destination.to_owned(),
            (false, true) => resolved("/", parent),
            (false, false) => return None,
        };
        Some(Copied { local: directory.into(), remote, file: Some(name.to_owned()) })
    }
}

impl Copied {
    /// Returns where this is once `source` of its stage is copied to `destination`; none where it is no part of it.
    fn again(&self, source: &str, destination: &str) -> Option<Self> {
        let source = resolved("/", source);
        let (source, remote) = (Path::new(&source), Path::new(&self.remote));
        if let Ok(inner) = remote.strip_prefix(source) {
            let place = Path::new(destination).join(inner);
            return Some(Self { remote: place.to_string_lossy().trim_end_matches('/').to_owned(), ..self.clone() });
        }
        // What a command made there, a bundle or a program, has no name in the context that could be relied on; a directory has.
        let inner = source.strip_prefix(remote).ok()?;
        let is_file = inner.extension().is_some() || self.file.is_some();
        (!is_file).then(|| Self { local: self.local.join(inner), remote: destination.to_owned(), file: None })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::HashMap;

    use super::super::parse::Dockerfile;
    use super::super::stages::Evaluation;
    use super::super::stages::outlines;
    use super::*;

    /// Returns the stages of a Dockerfile beside `cmd/web/main.go`, `web/app.py`, `go.mod` and `main.go`.
    fn of(text: &str) -> Vec<StageOutline> {
        let context = tempfile::tempdir().unwrap();
        for file in ["cmd/web/main.go", "web/app.py", "go.mod", "main.go"] {
            let path = context.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let evaluation = Evaluation { arguments: &BTreeMap::new(), platform: "linux/amd64", target: None, bases: &HashMap::new() };
        outlines(&Dockerfile::parse(text).unwrap(), &evaluation, context.path())
    }

    fn copies(text: &str) -> Vec<String> {
        let shown = |copied: &Copied| {
            let file = copied.file.as_ref().map(|file| format!(" ({file})")).unwrap_or_default();
            format!("{} -> {}{file}", copied.local.display(), copied.remote)
        };
        of(text).last().unwrap().copies.iter().map(shown).collect()
    }

    #[test]
    fn directories_are_where_the_stage_has_them() {
        for (text, expected) in [
            ("FROM go\nWORKDIR /src\nCOPY . .", &[" -> /src"][..]),
            ("FROM go\nWORKDIR /src\nCOPY go.mod .\nCOPY cmd ./cmd", &[" -> /src (go.mod)", "cmd -> /src/cmd"]),
            ("FROM go\nCOPY *.go go.mod /src/", &[" -> /src (*.go)", " -> /src (go.mod)"]),
            ("FROM go\nCOPY main.go /src/main.go\nCOPY go.mod /other.mod", &[" -> /src (main.go)"]),
            ("FROM go\nARG D=web\nENV TO=/app\nCOPY $D/app.py $TO/", &["web -> /app (app.py)"]),
            ("FROM go\nCOPY c*/web /x", &[]),
            ("FROM go AS base\nWORKDIR /src\nCOPY . .\nFROM base\nRUN make", &[" -> /src"]),
            ("FROM go\nWORKDIR /src\nRUN --mount=type=cache,target=/c --mount=type=bind,target=. go build", &[" -> /src"]),
            ("FROM go\nRUN --mount=source=cmd,target=/cmd --mount=from=x,target=/y go build", &["cmd -> /cmd"]),
            ("FROM go\nADD https://x/y.tgz /x/\nCOPY <<EOF /x\nhi\nEOF", &[]),
        ] {
            assert_eq!(copies(text), expected, "{text}");
        }
    }

    #[test]
    fn what_goes_through_a_stage_is_still_of_the_context() {
        let build = "FROM node AS build\nWORKDIR /app\nCOPY . .\nRUN npm run build\nFROM node\nWORKDIR /srv\n";
        for (copy, expected) in [
            ("COPY --from=build /app .", &[" -> /srv"][..]),
            ("COPY --from=build /app/dist ./dist", &["dist -> /srv/dist"]),
            ("COPY --from=build / /old", &[" -> /old/app"]),
            ("COPY --from=build /app/bundle.js .", &[]),
            ("COPY --from=build /usr/lib /usr/lib", &[]),
            ("COPY --from=nginx /etc /etc", &[]),
        ] {
            assert_eq!(copies(&format!("{build}{copy}")), expected, "{copy}");
        }
    }

    #[test]
    fn what_runs_and_starts_is_told_with_the_first_base() {
        let stages = of("FROM golang:1.26 AS base\nCMD [\"x\"]\nFROM base AS build\nRUN go build -o /app .\nFROM scratch AS unused\n\
             FROM base\nCOPY --from=build /app /\nENTRYPOINT [\"/app\"]\nCMD -v 1");
        let shown: Vec<_> = stages.iter().map(|s| (s.base.as_str(), s.commands.join(";"), s.start.join(" "))).collect();
        let expected = [("golang:1.26", "", "x"), ("golang:1.26", "go build -o /app .", "x"), ("golang:1.26", "", "/app -v 1")];
        assert_eq!(shown, expected.map(|(base, commands, start)| (base, commands.to_owned(), start.to_owned())));
    }
}
