//! Scenarios of tests: what fails holds the deploy, and only what changed is tested again.

use super::*;

/// The steps of a save that changes an image of `api` and is live.
const LIVE: [&str; 3] = ["render because after build of api", "deploy because after render", "status check because after deploy"];

#[tokio::test]
async fn a_failed_test_holds_the_deploy_and_the_next_save_retries() {
    let lines = session(
        &[
            ("test of api", Act::Nothing),
            ("test of api", Act::Fail),
            ("prepare", Act::Miss(&[("api", "a2")])),
            ("build of api", Act::Make("a2")),
            ("render", Act::Make("m2")),
        ],
        &[("done 1", Then::Save("api/main.go")), ("bad 2", Then::Save("tests/api")), ("done 3", Then::Quit)],
    )
    .await;
    let expected = [
        "save 2: main.go",
        "prepare because main.go changed",
        "build of api because never built here",
        "test of api because after build of api",
        "test of api failed",
        "render waits: test of api failed",
        "bad 2",
        "save 3: tests/api",
        "test of api because tests/api changed",
        LIVE[0],
        LIVE[1],
        LIVE[2],
        "done 3",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_file_of_the_tests_runs_them_alone() {
    let lines = session(
        &[("test of api", Act::Nothing)],
        &[("done 1", Then::Save("tests/api")), ("done 2", Then::Save("k8s/web.yaml")), ("done 3", Then::Quit)],
    )
    .await;
    let expected = [
        "save 2: tests/api",
        "test of api because tests/api changed",
        "done 2",
        "save 3: k8s/web.yaml",
        "render because k8s/web.yaml changed",
        "done 3",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn tests_of_an_image_that_nobody_wants_are_stopped() {
    let lines = session(
        &[
            ("test of api", Act::Nothing),
            ("test of api", Act::Hang),
            ("prepare", Act::Nothing),
            ("prepare", Act::Miss(&[("api", "a2")])),
            ("build of api", Act::Make("a2")),
            ("render", Act::Make("m2")),
        ],
        &[
            ("done 1", Then::Save("tests/api")),
            ("test of api because tests/api changed", Then::Save("web/none.go")),
            ("prepare because none.go changed", Then::Save("api/main.go")),
            ("done 4", Then::Quit),
        ],
    )
    .await;
    let at = |wanted: &str| lines.iter().position(|line| line == wanted).unwrap_or_else(|| panic!("{wanted}: {lines:?}"));
    assert!(at("test of api stopped") < at("test of api because after build of api"), "{lines:?}");
    assert!(at("test of api because after build of api") < at(LIVE[0]), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("done 4"));
}

#[tokio::test]
async fn what_the_tests_need_starts_them_anew_while_they_run() {
    let lines = session(
        &[("test of api", Act::Nothing), ("test of api", Act::Hang)],
        &[("done 1", Then::Save("tests/api")), ("test of api because tests/api changed", Then::Save("tests/api")), ("done 3", Then::Quit)],
    )
    .await;
    let expected = [
        "save 2: tests/api",
        "test of api because tests/api changed",
        "save 3: tests/api",
        "test of api stopped",
        "test of api because tests/api changed",
        "done 3",
    ];
    assert_eq!(lines, expected);
}
