//! What a session keeps connected: files in running containers, and ports on this machine.

use std::fs;
use std::process::Command;

use devloop_model::EventKind;
use devloop_model::ForwardState;
use devloop_model::Stage;

use crate::context::TestContext;
use crate::session::Session;
use crate::session::looked;

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_syncs_pages_and_forwards_a_port() {
    let context = TestContext::new().with_example("sync");
    let mut session = Session::start(&context, &[]);
    session.succeeds();
    let pods = || context.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"]);
    let before = pods();
    let ready = |fact: &EventKind| match fact {
        EventKind::PortForwarded { local_port, state: ForwardState::Ready { .. }, .. } => Some(*local_port),
        _ => None,
    };
    // A port may be reached before the pass is over.
    let before_its_end = session.seen.iter().find_map(|event| ready(&event.fact));
    let port = before_its_end.unwrap_or_else(|| session.until("the port", ready));
    let get = || {
        let output = Command::new("curl").args(["-sS", "--max-time", "30", &format!("http://127.0.0.1:{port}/")]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(get(), "Hello from a page that is synced\n");

    fs::write(context.path().join("www/index.html"), "synced\n").unwrap();
    assert_eq!(session.succeeds().ran(Stage::Sync).len(), 1);
    assert_eq!(get(), "synced\n");
    assert_eq!(pods(), before, "a sync restarts nothing");

    // A comment says nothing new, although the image does not have what was synced.
    let config = fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    fs::write(context.path().join("skaffold.yaml"), format!("# a comment\n{config}")).unwrap();
    let pass = session.succeeds();
    assert_eq!((pass.ran(Stage::Configure).len(), pass.ran(Stage::Build).len(), pods()), (1, 0, before.clone()), "{pass:?}");

    // A directory goes with what was in it.
    let watched = |session: &Session| {
        let files = session.seen.iter().rev().find_map(|event| match event.fact {
            EventKind::Watching { files, .. } => Some(files),
            _ => None,
        });
        files.unwrap()
    };
    let files = watched(&session);
    fs::create_dir_all(context.path().join("www/a/b")).unwrap();
    fs::write(context.path().join("www/a/b/page.html"), "deep\n").unwrap();
    session.succeeds();
    let listed = || context.kubectl(&["exec", "deploy/hello-sync", "--", "find", "/www"]);
    assert!(listed().contains("/www/a/b/page.html"), "{}", listed());
    assert_eq!(watched(&session), files + 1);
    fs::rename(context.path().join("www/a"), context.path().join("www/moved")).unwrap();
    session.succeeds();
    looked("the directory to move", || (!listed().contains("/www/a\n") && listed().contains("/www/moved/b/page.html")).then_some(()));
    fs::remove_dir_all(context.path().join("www/moved")).unwrap();
    session.succeeds();
    looked("the directory to go", || (!listed().contains("moved")).then_some(()));
    assert_eq!(pods(), before);

    // A new container gets what its image does not have, and the port stays.
    context.kubectl(&["delete", "pod", "--all", "--wait=false"]);
    session.until("the replay", |fact| matches!(fact, EventKind::FilesSynced { replayed: true, .. }).then_some(()));
    looked("the page of the new pod", || (get() == "synced\n").then_some(()));

    // What no rule syncs is built, with all that was synced.
    let dockerfile = fs::read_to_string(context.path().join("Dockerfile")).unwrap();
    fs::write(context.path().join("Dockerfile"), format!("{dockerfile}LABEL x=y\n")).unwrap();
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);
    assert_eq!(context.answer("hello-sync"), "synced\n");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_syncs_what_maven_makes_and_builds_what_it_cannot() {
    let context = TestContext::new().with_example("jib");
    let mut session = Session::start(&context, &[]);
    session.succeeds();
    let pods = || context.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"]);
    let before = pods();
    let greeting = context.path().join("src/main/resources/greeting.txt");
    for text in ["synced\n", "synced again\n"] {
        fs::write(&greeting, text).unwrap();
        let pass = session.succeeds();
        assert_eq!((pass.ran(Stage::Sync).len(), pass.ran(Stage::Build).len()), (1, 0), "{pass:?}");
        assert_eq!(context.answer("hello-jib"), text);
    }
    assert_eq!(pods(), before, "a sync restarts nothing");

    // What does not compile is told twice: why it was not synced, and why its build fails.
    let main = context.path().join("src/main/java/hello/Main.java");
    let java = fs::read_to_string(&main).unwrap();
    fs::write(&main, java.replace("body.length", "body.lenght")).unwrap();
    let fault = session.fails();
    assert!(fault.contains("Main.java:[") && fault.contains("cannot find symbol"), "{fault}");
    let warned = session.seen.iter().any(|event| match &event.fact {
        EventKind::Warned { diagnostic } => diagnostic.what.contains("Maven could not compile"),
        _ => false,
    });
    assert!(warned, "{:?}", session.seen);
    fs::write(&main, java).unwrap();
    session.succeeds();

    // A build file is built.
    let pom = fs::read_to_string(context.path().join("pom.xml")).unwrap();
    fs::write(context.path().join("pom.xml"), pom.replace("<version>1</version>", "<version>2</version>")).unwrap();
    let pass = session.succeeds();
    assert_eq!((pass.ran(Stage::Sync).len(), pass.ran(Stage::Build).len()), (0, 1), "{pass:?}");
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_is_told_who_holds_its_configuration() {
    let context = TestContext::new().with_example("sync");
    let mut session = Session::start(&context, &[]);
    session.succeeds();
    let (_, told) = context.devloop(&["dev"]).failure();
    assert!(told.contains(&session.pid().to_string()), "{told}");
    let status = context.devloop(&["status"]).success();
    assert!(status.contains("hello-sync"), "{status}");
    session.leaves("INT");
}
