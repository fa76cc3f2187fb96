//! Where an image has the files of its context: what file sync infers (skaffold `pkg/skaffold/docker/syncmap.go`).

use std::collections::BTreeMap;

use devloop_model::KoBuild;
use devloop_model::SyncMap;

use super::stages::Copy;
use crate::InputKind;
use crate::Inputs;
use crate::inputs::glob::Glob;
use crate::inputs::glob::is_pattern;

/// Where ko puts `kodata`.
const KODATA: &str = "/var/run/ko";
/// What ADD unpacks.
const ARCHIVES: [&str; 8] = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst"];

/// Returns where these instructions put each input; of two files that go to the same place, the last one is there.
pub(crate) fn copy_destinations(copies: &[Copy], inputs: &Inputs) -> SyncMap {
    let own = inputs.dockerfile.as_ref().filter(|_| !inputs.dockerfile_is_copied);
    let patterns: Vec<(Pattern, &Copy)> =
        copies.iter().flat_map(|copy| copy.patterns.iter().filter_map(move |pattern| Some((Pattern::of(pattern)?, copy)))).collect();
    let mut sources: BTreeMap<String, &str> = BTreeMap::new();
    // Instructions come first, files second: a later instruction replaces what an earlier one copied.
    for (pattern, copy) in &patterns {
        for file in inputs.files.iter().filter(|file| own.is_none_or(|own| own.as_os_str() != &*file.path)) {
            if let Some(destination) = pattern.destination(copy, &file.path, file.kind) {
                sources.insert(destination, &file.path);
            }
        }
    }
    let mut map = SyncMap::default();
    for (destination, source) in sources {
        map.files.entry(source.to_owned()).or_default().push(destination);
    }
    map
}

/// Returns where ko puts the files of the program's `kodata`; none where the program is named by its import path.
pub(crate) fn kodata_destinations(spec: &KoBuild, inputs: &Inputs) -> SyncMap {
    let parts = [spec.dir.as_ref().map(|dir| dir.to_string_lossy().into_owned()), spec.main.clone()];
    let names = parts.iter().flatten().flat_map(|part| part.split('/')).filter(|name| !matches!(*name, "" | "."));
    let prefix = names.chain(["kodata", ""]).collect::<Vec<_>>().join("/");
    let place = |path: &str| path.strip_prefix(&prefix).map(|rest| (path.to_owned(), vec![format!("{KODATA}/{rest}")]));
    SyncMap { files: inputs.files.iter().filter_map(|file| place(&file.path)).collect() }
}

/// A source of COPY: a path, or a pattern of one.
struct Pattern {
    /// Its components; no components are the whole context.
    depth: usize,
    literal: String,
    glob: Option<Glob>,
}

impl Pattern {
    fn of(pattern: &str) -> Option<Self> {
        let mut names: Vec<&str> = Vec::new();
        for name in pattern.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                name => names.push(name),
            }
        }
        let literal = names.join("/");
        let glob = if is_pattern(&literal) { Some(Glob::parse(&literal).ok()?) } else { None };
        Some(Self { depth: names.len(), literal, glob })
    }

    /// Returns where `copy` puts a file, if this is what it is copied by.
    fn destination(&self, copy: &Copy, path: &str, kind: InputKind) -> Option<String> {
        let end = path.match_indices('/').map(|(at, _)| at).chain([path.len()]).nth(self.depth.checked_sub(1).unwrap_or(usize::MAX));
        let (head, rest) = match end {
            Some(end) => (&path[..end], path[end..].trim_start_matches('/')),
            None if self.depth == 0 => ("", path),
            None => return None,
        };
        if head != self.literal && !self.glob.as_ref().is_some_and(|glob| glob.matches(head)) {
            return None;
        }
        if !rest.is_empty() {
            // A directory stands for what is in it.
            return Some(joined(&copy.destination, rest));
        }
        let name = head.rsplit('/').next().unwrap_or_default();
        if copy.unpacks && ARCHIVES.iter().any(|ending| name.ends_with(ending)) {
            return None;
        }
        let is_into = copy.is_directory && kind != InputKind::EmptyDirectory;
        Some(if is_into { joined(&copy.destination, name) } else { copy.destination.clone() })
    }
}

fn joined(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::parse::Dockerfile;
    use super::super::stages::Evaluation;
    use super::super::stages::copies;
    use super::*;
    use crate::InputFile;
    use crate::inputs::onbuild::Base;

    const FILES: [&str; 8] =
        ["Dockerfile", "a.js", "b.js", "docker/nginx.conf", "site.tar.gz", "src/index.js", "src/lib/x.js", "src/lib/y.ts"];

    fn inputs(files: &[&str]) -> Inputs {
        let file = |path: &&str| InputFile { path: (*path).into(), kind: InputKind::File, mode: 0o644, hash: [0; 32], md5: [0; 16] };
        Inputs { dockerfile: Some("Dockerfile".into()), files: files.iter().map(file).collect(), ..Inputs::default() }
    }

    fn shown(map: &SyncMap) -> Vec<String> {
        map.files.iter().map(|(file, places)| format!("{file} -> {}", places.join(" "))).collect()
    }

    fn of(text: &str, target: Option<&str>) -> Vec<String> {
        let arguments = BTreeMap::from([("FOO".to_owned(), "given".to_owned())]);
        let environment = BTreeMap::from([("HOME_OF_BASE".to_owned(), "/opt/app".to_owned())]);
        let base = Base { working_dir: "/base".into(), environment, triggers: vec!["COPY a.js /onbuild/".into()] };
        let bases = HashMap::from([("node".to_owned(), base)]);
        let evaluation = Evaluation { arguments: &arguments, platform: "linux/amd64", target, bases: &bases };
        shown(&copy_destinations(&copies(&Dockerfile::parse(text).unwrap(), &evaluation), &inputs(&FILES)))
    }

    #[test]
    fn copied_files_are_where_the_dockerfile_puts_them() {
        for (text, expected) in [
            ("FROM a\nCOPY a.js /srv/", vec!["a.js -> /srv/a.js"]),
            ("FROM a\nCOPY a.js /srv/index.js", vec!["a.js -> /srv/index.js"]),
            ("FROM a\nCOPY a.js b.js /srv/x", vec!["a.js -> /srv/x/a.js", "b.js -> /srv/x/b.js"]),
            ("FROM a\nCOPY *.js .", vec!["a.js -> /a.js", "b.js -> /b.js"]),
            ("FROM a\nCOPY [\"a.js\", \"/with space/\"]", vec!["a.js -> /with space/a.js"]),
            ("FROM a\nWORKDIR /app\nWORKDIR sub/../x\nCOPY a.js ./\nCOPY b.js y", vec!["a.js -> /app/x/a.js", "b.js -> /app/x/y"]),
            (
                "FROM a\nCOPY src /srv",
                vec!["src/index.js -> /srv/index.js", "src/lib/x.js -> /srv/lib/x.js", "src/lib/y.ts -> /srv/lib/y.ts"],
            ),
            (
                "FROM a\nCOPY ./src/ src/",
                vec!["src/index.js -> /src/index.js", "src/lib/x.js -> /src/lib/x.js", "src/lib/y.ts -> /src/lib/y.ts"],
            ),
            ("FROM a\nCOPY src/lib/*.js /l/", vec!["src/lib/x.js -> /l/x.js"]),
            ("FROM a\nCOPY s*/lib /l", vec!["src/lib/x.js -> /l/x.js", "src/lib/y.ts -> /l/y.ts"]),
            // Both are there; and of two files in the same place, the last one.
            ("FROM a\nCOPY a.js /one/\nCOPY a.js /two", vec!["a.js -> /one/a.js /two"]),
            ("FROM a\nCOPY a.js /x\nADD b.js /x", vec!["b.js -> /x"]),
            ("FROM a\nCOPY src/lib /l\nCOPY a.js /l/x.js", vec!["a.js -> /l/x.js", "src/lib/y.ts -> /l/y.ts"]),
            // Archives are unpacked by ADD alone; what comes from elsewhere, or where only the builder knows, is not synced.
            ("FROM a\nADD site.tar.gz /www", vec![]),
            ("FROM a\nCOPY site.tar.gz /www/", vec!["site.tar.gz -> /www/site.tar.gz"]),
            (
                "FROM a\nADD https://x/y.js /\nCOPY --from=b a.js /\nCOPY --parents src/lib/x.js /\nCOPY --exclude=b.js . /\nCOPY a.js ${x#y}",
                vec![],
            ),
            ("FROM a\nENV DIR=/env SRC=src\nARG FOO\nCOPY $SRC/index.js ${DIR}/$FOO/", vec!["src/index.js -> /env/given/index.js"]),
            // Of the stages, only the one that is built counts, but working directories and environments are inherited.
            ("FROM a AS b\nWORKDIR /w\nENV D=d\nCOPY a.js .\nFROM c\nCOPY b.js .", vec!["b.js -> /b.js"]),
            ("FROM a AS b\nWORKDIR /w\nENV D=d\nCOPY a.js .\nFROM b\nCOPY b.js $D/", vec!["b.js -> /w/d/b.js"]),
            (
                "FROM node\nCOPY b.js $HOME_OF_BASE/\nCOPY docker/nginx.conf .",
                vec!["a.js -> /onbuild/a.js", "b.js -> /opt/app/b.js", "docker/nginx.conf -> /base/nginx.conf"],
            ),
            ("FROM node\nWORKDIR app\nCOPY b.js .", vec!["a.js -> /onbuild/a.js", "b.js -> /base/app/b.js"]),
        ] {
            assert_eq!(of(text, None), expected, "{text}");
        }
        assert_eq!(of("FROM a AS one\nCOPY a.js /\nFROM a\nCOPY b.js /", Some("one")), ["a.js -> /a.js"]);
        let everything = of("FROM a\nWORKDIR /app\nCOPY . .", None);
        assert_eq!((everything.len(), everything[0].as_str()), (FILES.len() - 1, "a.js -> /app/a.js"), "all but the Dockerfile");
    }

    #[test]
    fn an_empty_directory_is_one_in_the_image() {
        let mut inputs = inputs(&["src/empty", "top"]);
        let files: Vec<InputFile> = inputs.files.iter().map(|file| InputFile { kind: InputKind::EmptyDirectory, ..file.clone() }).collect();
        inputs.files = files.into();
        let copy = Copy { patterns: vec!["src".into(), "top".into()], destination: "/x".into(), is_directory: true, unpacks: false };
        assert_eq!(shown(&copy_destinations(&[copy], &inputs)), ["src/empty -> /x/empty", "top -> /x"]);
    }

    #[test]
    fn kodata_is_where_ko_puts_it() {
        let files = ["cmd/web/kodata/a/b", "cmd/web/main.go", "kodata/c"];
        let spec = |dir: Option<&str>, main: Option<&str>| KoBuild {
            dir: dir.map(Into::into),
            main: main.map(str::to_owned),
            ..KoBuild::default()
        };
        for (spec, expected) in [
            (spec(None, None), vec!["kodata/c -> /var/run/ko/c"]),
            (spec(None, Some("./cmd/web")), vec!["cmd/web/kodata/a/b -> /var/run/ko/a/b"]),
            (spec(Some("cmd"), Some("web")), vec!["cmd/web/kodata/a/b -> /var/run/ko/a/b"]),
            (spec(None, Some("example.com/x/web")), vec![]),
        ] {
            assert_eq!(shown(&kodata_destinations(&spec, &inputs(&files))), expected, "{spec:?}");
        }
    }
}
