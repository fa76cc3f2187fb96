use std::fs;
use std::path::Path;
use std::time::Duration;

use devloop_clients::ClientSettings;
use devloop_model::CustomTest;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::Location;
use devloop_model::PathList;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::StructureTest;
use devloop_model::Template;
use devloop_model::TestDependencies;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;

fn image(digit: &str) -> BuiltImage {
    let name = ImageName::parse("web").unwrap();
    let digest = Digest::parse(&format!("sha256:{}", digit.repeat(64))).unwrap();
    BuiltImage { artifact: name.clone(), name, tag: Some("v1".parse().unwrap()), identity: Identity::Digest(digest), runtime: None }
}

fn test_of(dir: &Path, kind: TestKind) -> Arc<Test> {
    let text = "command: it".to_owned();
    let at = Location { file: "skaffold.yaml".into(), line: 7, column: 10, text, width: 1, label: None };
    Arc::new(Test { image: ImageName::parse("web").unwrap(), context: dir.to_owned(), kind, at })
}

fn custom(dir: &Path, command: &str, timeout: Option<Duration>, dependencies: Option<TestDependencies>) -> Arc<Test> {
    test_of(dir, TestKind::Custom(CustomTest { command: Template::parse(command).unwrap(), timeout, dependencies }))
}

fn paths(paths: &[&str]) -> Option<TestDependencies> {
    Some(TestDependencies::Paths(PathList { paths: paths.iter().map(|path| (*path).to_owned()).collect(), ignore: Vec::new() }))
}

/// Runs tests of an image; returns the names of those that ran, and what they said.
async fn run_with(dir: &Path, tests: &[Arc<Test>], image: &BuiltImage, memory: &TestMemory) -> (Vec<String>, Result<(), String>) {
    let (sender, mut events) = mpsc::unbounded_channel();
    let variables = [("PATH", std::env::var("PATH").unwrap()), ("MODE", "fast".to_owned())];
    let env = Env::new(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let cx = Cx::new(StepId::test(image.artifact.clone()), env, EventSink::new(sender), CancellationToken::new());
    let options = BuildOptions::without_cluster(dir.join("cache"), dir.to_owned(), "run");
    let job = TestJob { tests, image, options: &options, memory };
    let result = test(job, &Clients::new(ClientSettings::default()), &cx).await.map_err(|error| error.diagnostic().to_string());
    drop(cx);
    let mut ran = Vec::new();
    while let Ok(fact) = events.try_recv() {
        match fact {
            EventKind::TestStarted { name, .. } => ran.push(name),
            EventKind::StepLog { line, .. } if !line.starts_with("Running") && !line.ends_with("passed before") => ran.push(line),
            _ => {}
        }
    }
    (ran, result.map_err(|text| text.replace(&dir.display().to_string(), "DIR")))
}

async fn run(dir: &Path, tests: &[Arc<Test>]) -> (Vec<String>, Result<(), String>) {
    run_with(dir, tests, &image("1"), &TestMemory::of_session()).await
}

#[tokio::test]
async fn a_command_is_told_its_image_and_context() {
    let dir = tempfile::tempdir().unwrap();
    let tests = [custom(dir.path(), "echo {{.MODE}} $IMAGE; [ $PWD = $TEST_CONTEXT ]", None, None)];
    let (said, result) = run(dir.path(), &tests).await;
    assert_eq!(result, Ok(()));
    assert_eq!(said[1], format!("fast web:v1@sha256:{}", "1".repeat(64)));
}

#[tokio::test]
async fn a_command_that_fails_shows_its_last_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (_, result) = run(dir.path(), &[custom(dir.path(), "echo no answer >&2; exit 3", None, None)]).await;
    insta::assert_snapshot!(result.unwrap_err().replace(&"1".repeat(64), "1…"), @r"
    error[test/failed]: test `echo no answer >&2; exit 3` of `web` ended with exit status: 3
     --> skaffold.yaml:7:10
      |
    7 | command: it
      |          ^
      no answer
    help: run it by hand in DIR with `IMAGE=web:v1@sha256:1…`
    ");
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let (said, result) = run(dir.path(), &[custom(dir.path(), "sleep 1000 & echo $!; wait", Some(Duration::from_secs(1)), None)]).await;
    insta::assert_snapshot!(result.unwrap_err(), @r"
    error[test/timed-out]: test `sleep 1000 & echo $!; wait` of `web` was stopped after 1 s
     --> skaffold.yaml:7:10
      |
    7 | command: it
      |          ^
    help: see what it waits for, or raise `timeoutSeconds`
    ");
    let state = fs::read_to_string(format!("/proc/{}/stat", said[1])).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "still there: {state}");
}

#[tokio::test]
async fn every_test_runs_though_one_fails() {
    let dir = tempfile::tempdir().unwrap();
    let tests = ["exit 1", "true", "echo x; exit 2"].map(|command| custom(dir.path(), command, None, None));
    let (said, result) = run(dir.path(), &tests).await;
    assert_eq!(said, ["exit 1", "true", "echo x; exit 2", "x"]);
    insta::assert_snapshot!(result.unwrap_err(), @r"
    error[test/failed]: 2 tests of `web` failed
      skaffold.yaml:7:10: test `exit 1` of `web` ended with exit status: 1
      skaffold.yaml:7:10: test `echo x; exit 2` of `web` ended with exit status: 2
        x
    ");
}

#[tokio::test]
async fn what_succeeded_for_the_same_image_and_files_is_not_run_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.sh"), "true\n").unwrap();
    fs::write(dir.path().join("b"), "").unwrap();
    let tests = [custom(dir.path(), "sh a.sh", None, paths(&["b"])), custom(dir.path(), "true", None, None)];
    let later = || TestMemory::on_disk(&dir.path().join("cache"));
    let ran = |image: BuiltImage, memory| {
        let (dir, tests) = (dir.path(), &tests);
        async move { run_with(dir, tests, &image, memory).await.0 }
    };
    let (session, second, third, none) = (later(), later(), later(), TestMemory::of_session());
    assert_eq!(ran(image("1"), &session).await, ["sh a.sh", "true"]);
    assert_eq!(ran(image("1"), &session).await, [""; 0], "in this session, nothing is left to do");
    assert_eq!(ran(image("1"), &second).await, ["true"], "in another one, what does not say what it depends on is run");
    assert_eq!(ran(image("2"), &third).await, ["sh a.sh", "true"], "another image");
    fs::write(dir.path().join("a.sh"), "exit 0\n").unwrap();
    assert_eq!(ran(image("2"), &session).await, ["sh a.sh", "true"], "another image in the same session");
    fs::write(dir.path().join("a.sh"), "exit  0\n").unwrap();
    assert_eq!(ran(image("2"), &session).await, ["sh a.sh"], "the file that the command names");
    fs::write(dir.path().join("b"), "b").unwrap();
    assert_eq!(ran(image("2"), &session).await, ["sh a.sh"], "the file that the configuration names");
    assert_eq!(ran(image("1"), &none).await, ["sh a.sh", "true"], "without a memory");
}

#[tokio::test]
async fn what_fails_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let (tests, memory) = ([custom(dir.path(), "false", None, paths(&["."]))], TestMemory::on_disk(&dir.path().join("cache")));
    fs::write(dir.path().join("a"), "").unwrap();
    for _ in 0..2 {
        assert_eq!(run_with(dir.path(), &tests, &image("1"), &memory).await.0, ["false"]);
    }
}

#[tokio::test]
async fn what_changes_while_it_is_tested_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "").unwrap();
    let (tests, memory) = ([custom(dir.path(), "echo x >> a", None, paths(&["a"]))], TestMemory::on_disk(&dir.path().join("cache")));
    assert_eq!(run_with(dir.path(), &tests, &image("1"), &memory).await.0, ["echo x >> a"]);
    fs::write(dir.path().join("a"), "").unwrap();
    assert_eq!(run_with(dir.path(), &tests, &image("1"), &memory).await.0, ["echo x >> a"], "what was there before");
}

#[tokio::test]
async fn a_command_names_what_a_test_depends_on() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for file in ["a", "sub/b", "c"] {
        fs::write(dir.path().join(file), "").unwrap();
    }
    let options = BuildOptions::without_cluster(dir.path().join("cache"), dir.path().to_owned(), "run");
    let mut cx = Cx::silent(StepId::of(Stage::Test));
    cx.env = Env::new([("PATH".to_owned(), std::env::var("PATH").unwrap())].into());
    let listed = |line: &str| {
        let test = custom(&dir.path().join("sub"), "true", None, Some(TestDependencies::Command(line.to_owned())));
        let (options, cx) = (options.clone(), cx.clone());
        async move {
            let inputs = test_inputs(&test, &options, &cx).await.map_err(|error| error.diagnostic().to_string())?;
            Ok::<Vec<String>, String>(inputs.paths().map(|path| path.display().to_string()).collect())
        }
    };
    assert_eq!(listed(r#"echo '["a", "sub"]'"#).await.unwrap(), ["../a", "b"]);
    assert_eq!(listed("printf 'a\nc\n'").await.unwrap(), ["../a", "../c"]);
    assert_eq!(listed("echo $PWD/c").await.unwrap(), ["../c"]);
    assert_eq!(listed("true").await.unwrap(), [""; 0]);
    let clean = |text: String| text.replace(&dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(clean(listed("echo no >&2; exit 3").await.unwrap_err()), @r"
    error[test/inputs-not-listed]: the command that names what a test of `web` depends on failed
     --> skaffold.yaml:7:10
      |
    7 | command: it
      |          ^
      `sh` ended with exit status: 3
      no
    help: `echo no >&2; exit 3` is run by `sh` in DIR
    ");
    insta::assert_snapshot!(clean(listed("echo '[1]'").await.unwrap_err()), @r#"
    error[test/inputs-not-listed]: the command that names what a test of `web` depends on does not print a list of paths
     --> skaffold.yaml:7:10
      |
    7 | command: it
      |          ^
      invalid type: integer `1`, expected a string at line 1 column 2
    help: `echo '[1]'` must print something like ["test.sh", "testdata"], or one path on each line
    "#);
}

#[tokio::test]
async fn structure_tests_that_are_not_there_are_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("test")).unwrap();
    fs::write(dir.path().join("test/a.yaml"), "").unwrap();
    let of = |files: &[&str]| {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        [test_of(dir.path(), TestKind::Structure(StructureTest { files, args: Vec::new() }))]
    };
    let options = BuildOptions::without_cluster(dir.path().join("cache"), dir.path().to_owned(), "run");
    let cx = Cx::silent(StepId::of(Stage::Test));
    let absolute = dir.path().join("test/*.yaml").display().to_string();
    for files in [&["test/*.yaml"][..], &["./test/a.yaml", "test"], &[absolute.as_str()]] {
        let inputs = test_inputs(&of(files)[0], &options, &cx).await.unwrap();
        assert_eq!(inputs.paths().collect::<Vec<_>>(), [Path::new("test/a.yaml")], "{files:?}");
    }
    insta::assert_snapshot!(run(dir.path(), &of(&["test/*.yaml", "none/*.yaml"])).await.1.unwrap_err(), @r"
    error[test/no-file]: the structure tests of `web` name `none/*.yaml`, which fits no file
     --> skaffold.yaml:7:10
      |
    7 | command: it
      |          ^
      looked in DIR
    help: correct `structureTests`
    ");
    insta::assert_snapshot!(run(dir.path(), &of(&["test/[.yaml"])).await.1.unwrap_err(), @r"
    error[test/malformed-pattern]: `test/[.yaml`, in the structure tests of `web`, is a malformed pattern
     --> skaffold.yaml:7:10
      |
    7 | command: it
      |          ^
    ");
}
