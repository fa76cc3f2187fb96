//! Listings of real modules by the real `go`, and of a fake one that counts its calls.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Stage;
use devloop_model::StepId;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::inputs::ko::program;

/// Writes files into a new directory, old enough for their times to be trusted.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
    }
    age(dir.path());
    dir
}

fn age(path: &Path) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            age(&entry.unwrap().path());
        }
    }
    fs::File::open(path).unwrap().set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
}

fn cx(pairs: &[(&str, String)]) -> Cx {
    let mut env: BTreeMap<String, String> =
        ["PATH", "HOME", "GOCACHE", "GOPATH"].iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect();
    env.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    env.entry("GOFLAGS".to_owned()).or_insert_with(|| "-buildvcs=false".to_owned());
    Cx::new(StepId::of(Stage::Build), Env::new(env), EventSink::none(), CancellationToken::new())
}

fn settings(dir: &Path, package: &str) -> Settings {
    Settings::bare(dir, package)
}

async fn list(dir: &Path, package: &str, cx: &Cx) -> Result<Program, BuildError> {
    let cache = tempfile::tempdir().unwrap();
    program(&settings(dir, package), &Platform::parse("linux/amd64").unwrap(), cache.path(), cx).await
}

fn shown(program: &Program, dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap();
    program.files.iter().map(|path| path.strip_prefix(&dir).unwrap_or(path).display().to_string()).collect::<Vec<_>>().join(" ")
}

const MAIN: &str = "package main\n\nimport \"example.com/a/lib\"\n\nfunc main() { lib.F() }\n";
const LIB: &str = "package lib\n\nfunc F() {}\n";

/// Fails with what to do, where there is no Go to ask.
fn with_go() {
    assert!(std::process::Command::new("go").arg("version").output().is_ok(), "these tests ask the real Go: put `go` on PATH");
}

#[tokio::test]
async fn inputs_are_exactly_what_is_compiled() {
    with_go();
    let dir = tree(&[
        ("go.mod", "module example.com/a\n\ngo 1.24\n\nrequire example.com/b v0.0.0\n\nreplace example.com/b => ./b\n"),
        ("go.sum", ""),
        (
            "cmd/web/main.go",
            "package main\n\nimport (\n\t_ \"embed\"\n\n\t_ \"example.com/b\"\n\n\t\"example.com/a/lib\"\n)\n\n//go:embed static\nvar s string\n\n//go:embed all:files *.txt\nvar f embed.FS\n\nfunc main() { lib.F() }\n",
        ),
        ("cmd/web/main_test.go", "package main\n"),
        ("cmd/web/default.pgo", ""),
        ("cmd/web/static", "s"),
        ("cmd/web/a.txt", "a"),
        ("cmd/web/files/.hidden", "h"),
        ("cmd/web/readme.md", ""),
        ("cmd/other/main.go", "package main\n\nfunc main() {}\n"),
        ("lib/lib.go", LIB),
        ("lib/lib_windows.go", "package lib\n"),
        ("lib/asm.s", "// nothing\n"),
        ("unused/unused.go", "package unused\n"),
        ("b/go.mod", "module example.com/b\n\ngo 1.24\n"),
        ("b/b.go", "package b\n"),
    ]);
    let program = list(dir.path(), "./cmd/web", &cx(&[])).await.unwrap();
    assert_eq!(program.import_path, "example.com/a/cmd/web");
    insta::assert_snapshot!(shown(&program, dir.path()), @"b/b.go b/go.mod cmd/web/a.txt cmd/web/default.pgo cmd/web/files/.hidden cmd/web/main.go cmd/web/static go.mod go.sum lib/asm.s lib/lib.go");
}

#[tokio::test]
async fn a_workspace_brings_its_modules() {
    with_go();
    let dir = tree(&[
        ("go.work", "go 1.24\n\nuse (\n\t./a\n\t./lib\n)\n"),
        ("go.work.sum", ""),
        ("a/go.mod", "module example.com/a\n\ngo 1.24\n"),
        ("a/main.go", MAIN),
        ("lib/go.mod", "module example.com/a/lib\n\ngo 1.24\n"),
        ("lib/lib.go", LIB),
    ]);
    let program = list(&dir.path().join("a"), ".", &cx(&[])).await.unwrap();
    insta::assert_snapshot!(shown(&program, dir.path()), @"a/go.mod a/main.go go.work go.work.sum lib/go.mod lib/lib.go");
}

#[tokio::test]
async fn a_program_that_does_not_compile_has_inputs_too() {
    with_go();
    let dir = tree(&[
        ("go.mod", "module example.com/a\n\ngo 1.24\n"),
        ("main.go", "package main\n\nimport \"example.com/a/lib\"\n\nfunc main( {\n"),
        ("lib/lib.go", LIB),
    ]);
    let program = list(dir.path(), ".", &cx(&[])).await.unwrap();
    assert!(shown(&program, dir.path()).contains("main.go"), "{program:?}");
}

#[tokio::test]
async fn what_is_no_program_is_told() {
    with_go();
    let dir = tree(&[("go.mod", "module example.com/a\n\ngo 1.24\n"), ("lib/lib.go", LIB), ("none/readme.md", "")]);
    for (package, why) in [
        ("./lib", "`example.com/a/lib` is no program: it is `package lib`, not `package main`"),
        ("./none", "no Go files in"),
        ("./gone", "directory not found"),
    ] {
        let error = list(dir.path(), package, &cx(&[])).await.unwrap_err().diagnostic().to_string();
        assert!(error.starts_with("error[build/ko-no-program]: no Go program was found at") && error.contains(why), "{error}");
    }
}

/// A `go` that writes a line into `calls` and answers with what is in `answer`.
fn fake_go(dir: &Path) -> Cx {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("go"), format!("#!/bin/sh\necho called >>{0}/calls\ncat {0}/answer\n", dir.display())).unwrap();
    fs::set_permissions(bin.join("go"), fs::Permissions::from_mode(0o755)).unwrap();
    cx(&[("PATH", format!("{}:/usr/bin:/bin", bin.display()))])
}

#[tokio::test]
async fn go_is_asked_only_when_its_answer_may_differ() {
    let dir = tree(&[("src/go.mod", "module a\n"), ("src/main.go", "package main\n\nfunc main() {}\n")]);
    let src = dir.path().join("src");
    fs::write(
        dir.path().join("answer"),
        format!("{{\"Dir\":{:?},\"ImportPath\":\"a\",\"Name\":\"main\",\"GoFiles\":[\"main.go\"]}}", src.display().to_string()),
    )
    .unwrap();
    let cx = fake_go(dir.path());
    let cache = tempfile::tempdir().unwrap();
    let calls = || fs::read_to_string(dir.path().join("calls")).unwrap_or_default().lines().count();
    let settings = settings(&src, ".");
    let platform = Platform::parse("linux/amd64").unwrap();
    let ask = async |platform: &Platform| program(&settings, platform, cache.path(), &cx).await.unwrap();
    ask(&platform).await;
    ask(&platform).await;
    assert_eq!(calls(), 1, "nothing changed");
    fs::write(src.join("main.go"), "package main\n\nfunc main() { println() }\n").unwrap();
    ask(&platform).await;
    assert_eq!(calls(), 1, "a function body changed");
    ask(&Platform::parse("linux/arm64").unwrap()).await;
    assert_eq!(calls(), 2, "another platform has other files");
    fs::write(src.join("other.go"), "package main\n").unwrap();
    age(&src);
    ask(&platform).await;
    assert_eq!(calls(), 3, "a file came");
    ask(&platform).await;
    assert_eq!(calls(), 3, "it is known now");
}
