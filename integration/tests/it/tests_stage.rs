//! Tests of images: before a deploy, again after a save, and alone.

use devloop_model::EventKind;
use devloop_model::Outcome;
use devloop_model::Stage;

use crate::context::TestContext;
use crate::session::Pass;
use crate::session::Session;

/// Returns the tests that were run, with whether they passed: `./test/greeting.sh passed`.
fn tested(pass: &Pass) -> Vec<String> {
    let tested = pass.events.iter().filter_map(|event| match &event.fact {
        EventKind::TestFinished { name, outcome: Outcome::Succeeded, .. } => Some(format!("{name} passed")),
        EventKind::TestFinished { name, .. } => Some(format!("{name} failed")),
        _ => None,
    });
    tested.collect()
}

/// A project whose only image is that of busybox, tested so.
fn project(tests: &str) -> TestContext {
    let context = TestContext::new();
    let name = context.namespace().to_owned();
    let skaffold = format!(
        "apiVersion: skaffold/v4beta13\nkind: Config\nbuild: {{artifacts: [{{image: {name}}}]}}\nmanifests: {{rawYaml: []}}\ntest:\n- image: {name}\n{tests}"
    );
    context
        .with_file("skaffold.yaml", &skaffold)
        .with_file("Dockerfile", "FROM localhost:5000/busybox\nCOPY *.txt /\n")
        .with_file("a.txt", "a")
        // Its image is of this test alone, and so are its containers.
        .with_file("name.txt", &name)
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_run_tests_what_it_built_and_the_next_one_nothing() {
    let context = TestContext::new().with_example("tests");
    let first = context.devloop(&["run"]).success();
    let at = |text: &str| first.find(text).unwrap_or_else(|| panic!("no {text}: {first}"));
    assert!(at("Starting test...") < at("Testing images...") && at("./test/greeting.sh: passed") < at("Starting deploy..."), "{first}");
    assert!(first.contains("Command Test: it greets: passed") && first.contains("test/image.yaml: passed"), "{first}");
    assert_eq!(context.answer("tested"), "Hello from a tested image\n");

    let second = context.devloop(&["run"]).success();
    assert!(!second.contains("Testing images...") && second.contains("2 tests passed before"), "{second}");

    std::fs::write(context.path().join("test/greeting.txt"), "Something else\n").unwrap();
    let (stdout, stderr) = context.devloop(&["run"]).failure();
    assert!(stdout.contains("./test/greeting.sh: failed") && !stdout.contains("test/image.yaml"), "{stdout}");
    assert!(!stdout.contains("Starting deploy..."), "{stdout}");
    assert!(stderr.contains(r#"it says "Hello from a tested image", not "Something else""#), "{stderr}");
    let skipped = context.devloop(&["run", "--skip-tests"]).success();
    assert!(!skipped.contains("Testing images...") && skipped.contains("Starting deploy..."), "{skipped}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_holds_a_deploy_until_the_tests_pass() {
    let context = TestContext::new().with_example("tests");
    let write = |file: &str, from: &str, to: &str| {
        let path = context.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap().replace(from, to);
        std::fs::write(path, text).unwrap();
    };
    let mut session = Session::start(&context, &[]);
    let first = session.succeeds();
    assert_eq!(tested(&first), ["test/image.yaml passed", "./test/greeting.sh passed"]);

    write("main.go", "a tested image", "a better image");
    let said = session.fails();
    assert!(said.contains(r#"it says "Hello from a better image", not "Hello from a tested image""#), "{said}");
    assert_eq!(context.answer("tested"), "Hello from a tested image\n", "what is live stays");

    // The test is mended: it alone is run, nothing is built, and the deploy goes on.
    write("test/greeting.txt", "a tested image", "a better image");
    let pass = session.succeeds();
    assert_eq!(tested(&pass), ["./test/greeting.sh passed"]);
    assert_eq!((pass.ran(Stage::Build).len(), pass.changes()), (0, vec!["deployment/tested Configured".to_owned()]));
    assert_eq!(context.answer("tested"), "Hello from a better image\n");

    // Structure tests are run when their file changes, and nothing is deployed for them.
    write("test/image.yaml", "isExecutableBy: any", "isExecutableBy: owner");
    let pass = session.succeeds();
    assert_eq!((tested(&pass), pass.ran(Stage::Deploy).len()), (vec!["test/image.yaml passed".to_owned()], 0));
    write("test/image.yaml", "path: /app", "path: /none");
    let said = session.fails();
    assert!(said.contains("test/image.yaml:8:11") && said.contains("File Existence Test: the program: `/none` does not exist"), "{said}");
    write("test/image.yaml", "path: /none", "path: /app");
    session.succeeds();

    // A test that the configuration adds is run alone, and one that it takes away holds nothing.
    write("skaffold.yaml", "    custom:\n", "    custom:\n      - command: exit 7\n");
    let said = session.fails();
    assert!(said.contains("test `exit 7` of `tested` ended with exit status: 7"), "{said}");
    write("skaffold.yaml", "      - command: exit 7\n", "");
    let pass = session.succeeds();
    assert_eq!((tested(&pass), pass.ran(Stage::Build).len()), (Vec::new(), 0));
    assert_eq!(session.leaves("INT").code, Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn images_that_were_built_before_are_tested_alone() {
    let context = TestContext::new().with_example("tests");
    context.devloop(&["build", "--file-output", "built.json"]).success();
    for _ in 0..2 {
        let tested = context.devloop(&["test", "-a", "built.json"]).success();
        assert!(tested.contains("test/image.yaml: passed") && tested.contains("./test/greeting.sh: passed"), "{tested}");
    }
    let (_, stderr) = context.devloop(&["test"]).failure();
    assert!(stderr.starts_with("error[cli/images]: no image is given for the tests of `tested`"), "{stderr}");
    let (_, stderr) = context.devloop(&["test", "-i", "tested=localhost:5000/it/none:v1"]).failure();
    assert!(stderr.contains("the container daemon has no image `localhost:5000/it/none:v1` to be tested"), "{stderr}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_image_that_only_a_daemon_has_is_tested_by_its_id() {
    let context = project("  custom: [{command: 'docker run --rm $IMAGE cat a.txt'}]\n  structureTests: [a.yaml]\n");
    let context =
        context.with_file("a.yaml", "schemaVersion: 2.0.0\nfileContentTests: [{name: a, path: /a.txt, expectedContents: [^a$]}]\n");
    let skaffold = std::fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    let context = context.with_file("skaffold.yaml", &skaffold.replace("build: {", "build: {local: {push: false}, "));
    let run = context.devloop(&["run"]).success();
    assert!(run.contains("File Content Test: a: passed") && run.contains("cat a.txt: passed"), "{run}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_test_that_hangs_is_killed_and_a_session_that_is_stopped_leaves_no_container() {
    let context = project("  custom: [{command: sleep 600, timeoutSeconds: 1}]\n");
    let (stdout, stderr) = context.devloop(&["run"]).failure();
    assert!(stderr.contains("test `sleep 600` of `[NAMESPACE]` was stopped after 1 s\n --> skaffold.yaml:7:22"), "{stderr}");
    assert!(!stdout.contains("Starting deploy..."), "{stdout}");

    let context = project("  structureTests: [a.yaml]\n");
    let context = context
        .with_file("a.yaml", "schemaVersion: 2.0.0\ncommandTests: [{name: a, setup: [[touch, /x]], command: sleep, args: ['600']}]\n");
    let mut session = Session::start(&context, &[]);
    let containers = |image: &str| {
        let output = context.docker(&["ps", "--all", "--quiet", "--filter", &format!("ancestor={image}")]);
        output.lines().count()
    };
    let image = session.until("image", |fact| match fact {
        EventKind::ImageReady { image } => Some(image.deployed()),
        _ => None,
    });
    session.until("start of the test", |fact| matches!(fact, EventKind::TestStarted { .. }).then_some(()));
    crate::session::looked("container", || (containers(&image) > 0).then_some(()));
    assert_eq!(session.leaves("INT").code, Some(0));
    assert_eq!(containers(&image), 0);
}
