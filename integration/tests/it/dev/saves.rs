//! Saves of sources: built once, in the last state, and served.

use devloop_model::Outcome;
use devloop_model::Stage;

use super::app::App;
use super::app::START;

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_serves_a_save_and_a_touch_does_nothing() {
    let app = App::new();
    let mut session = app.dev(&[]);
    app.serves("v1");
    let (_, first) = app.pod("web");

    // The same bytes, in place and renamed over.
    app.write("web/www/index.html", "v1");
    app.save("v1");
    session.sleeps();
    assert_eq!(app.pod("web").1, first);
    app.write("web/www/index.html", "v2");
    let pass = session.succeeds();
    assert_eq!((pass.save, pass.saves(), pass.ran(Stage::Build).len()), (2, 1, 1));
    assert_eq!(pass.changes(), ["deployment/web Configured"]);
    app.serves("v2");
    assert_ne!(app.pod("web").1, first);

    for (number, text) in (3..).zip(["v3", "v4"]) {
        app.save(text);
        assert_eq!(session.succeeds().save, number);
        app.serves(text);
    }
    let left = session.leaves("INT");
    assert_eq!((left.code, left.errors.as_str()), (Some(0), ""));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_ends_a_build_that_a_save_made_stale() {
    let app = App::new();
    let mut session = app.dev(&[]);
    app.write("web/build", "sleep 600\n");
    app.save("v2");
    session.started(Stage::Build);
    app.write("web/build", "");
    app.save("v3");
    let pass = session.succeeds();
    let ended = |outcome: &Outcome| pass.ended(Stage::Build).filter(|ended| *ended == outcome).count();
    assert_eq!((ended(&Outcome::Cancelled), ended(&Outcome::Succeeded)), (1, 1), "{pass:?}");
    assert_eq!(pass.ran(Stage::Deploy).len(), 1);
    app.serves("v3");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_does_not_miss_an_edit_during_its_first_build() {
    let app = App::new();
    app.write("web/build", "sleep 600\n");
    let mut session = crate::session::Session::start(&app.context, &[]);
    session.started(Stage::Build);
    app.write("web/build", "");
    app.save("early");
    session.succeeds();
    app.serves("early");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_lives_through_a_build_that_fails_and_a_program_that_crashes() {
    let app = App::new();
    let mut session = app.dev(&[]);
    app.write("web/build", "echo 'x.c:1: oops' >&2; exit 3\n");
    let said = session.fails();
    assert!(said.contains("docker/build-failed") && said.contains("x.c:1: oops"), "{said}");
    app.serves("v1");
    app.write("web/build", "");
    session.succeeds();

    app.write("web/start", "echo 'panic: no luck' >&2; exit 2\n");
    let said = session.fails();
    assert!(said.contains("panic: no luck"), "{said}");
    // What served before still does.
    app.serves("v1");
    app.write("web/start", START);
    app.save("v2");
    session.succeeds();
    app.serves("v2");
    session.leaves("INT");
}
