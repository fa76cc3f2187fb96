//! How sessions end, and what they leave behind.

use std::process::Command;
use std::process::Stdio;

use devloop_model::EventKind;
use devloop_model::Stage;

use super::app::App;
use crate::session::Session;
use crate::session::changes;
use crate::session::looked;
use crate::session::marked;

const BEFORE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: before}\n";

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_deletes_what_it_created_and_nothing_else() {
    let app = App::new();
    app.context.kubectl(&["create", "configmap", "before"]);
    app.context.kubectl(&["create", "configmap", "unrelated"]);
    app.write("k8s/before.yaml", BEFORE);
    let session = app.dev(&[]);
    assert_eq!(app.objects(), ["deployment/web", "service/web", "configmap/before", "configmap/unrelated"]);
    let left = session.leaves("INT");
    assert_eq!(left.code, Some(0), "{}", left.errors);
    let deleted: Vec<String> = changes(&left.events).into_iter().filter(|change| change.ends_with(" Deleted")).collect();
    assert_eq!(deleted, ["deployment/web Deleted", "service/web Deleted"]);
    assert_eq!(app.objects(), ["configmap/before", "configmap/unrelated"]);
    assert!(matches!(left.events.last().unwrap().fact, EventKind::SessionEnded { .. }));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_keeps_what_run_created_and_takes_only_its_own_away() {
    let app = App::new();
    app.context.devloop(&["run"]).success();
    let (_, pod) = app.pod("web");
    app.write("k8s/before.yaml", BEFORE);
    let mut session = app.dev(&[]);
    assert_eq!(app.pod("web").1, pod, "what runs is attached to");
    app.save("v2");
    session.succeeds();
    let left = session.leaves("TERM");
    assert_eq!(left.code, Some(0), "{}", left.errors);
    assert_eq!(app.objects(), ["deployment/web", "service/web"]);
    app.serves("v2");
    let said = left.events.iter().filter_map(|event| match &event.fact {
        EventKind::StepLog { line, .. } => Some(line.as_str()),
        _ => None,
    });
    assert!(said.clone().any(|line| line.contains("deployment/web") && line.contains("kept")), "{:?}", said.collect::<Vec<_>>());
    app.context.devloop(&["delete"]).success();
    assert!(app.objects().is_empty());
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_without_cleanup_leaves_what_it_deployed() {
    let app = App::new();
    let session = app.dev(&["--cleanup=false"]);
    let left = session.leaves("INT");
    assert_eq!((left.code, left.errors.as_str()), (Some(0), ""));
    assert_eq!(app.objects(), ["deployment/web", "service/web"]);
    app.serves("v1");
    // What was meant to stay is none of the next session's, whatever that one does at its end.
    let left = app.dev(&[]).leaves("INT");
    assert_eq!((left.code, left.errors.as_str()), (Some(0), ""));
    assert_eq!(app.objects(), ["deployment/web", "service/web"]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_stops_in_the_middle_of_a_build() {
    let app = App::new();
    app.write("web/build", "sleep 600\n");
    let mut session = Session::start(&app.context, &[]);
    session.started(Stage::Build);
    let left = session.leaves("INT");
    assert_eq!(left.code, Some(0), "{}", left.errors);
    assert!(app.objects().is_empty());
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_leaves_at_once_when_told_twice_and_says_what_stays() {
    let app = App::new();
    app.write("k8s/held.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.com/held]}\n");
    let session = app.dev(&[]);
    session.signal("INT");
    // It waits until everything is gone, which this never is.
    looked("deletion", || (!app.get("configmap/held", "{.metadata.deletionTimestamp}").is_empty()).then_some(()));
    session.signal("INT");
    let left = session.left();
    app.context.kubectl(&["patch", "configmap", "held", "--type=json", "-p", r#"[{"op": "remove", "path": "/metadata/finalizers"}]"#]);
    assert_eq!(left.code, Some(130), "{}", left.errors);
    assert!(left.errors.contains("configmap/held"), "{}", left.errors);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_cleans_up_when_its_terminal_is_closed() {
    let app = App::new();
    let dev = app.context.command(&["dev"]);
    let mut terminal = Command::new("script");
    // `script` gives its child a terminal, which is closed when `script` is killed.
    terminal.args(["-qc", &format!("exec {} dev", dev.get_program().display()), "/dev/null"]).current_dir(app.context.path());
    terminal.env_clear().envs(dev.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    let mark = format!("DEVLOOP_IT_SESSION=terminal-{}", app.context.namespace());
    terminal.env("DEVLOOP_IT_SESSION", mark.split_once('=').unwrap().1);
    let mut terminal = terminal.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    looked("deployment", || app.objects().contains(&"deployment/web".to_owned()).then_some(()));
    app.serves("v1");
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    looked("clean-up", || app.objects().is_empty().then_some(()));
    looked("end of every process", || marked(&mark).is_empty().then_some(()));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_attaches_to_what_a_killed_session_left() {
    let app = App::new();
    app.write("web/start", "while true; do echo tick; sleep 1; done & exec httpd -f -p 8080 -h /app/www\n");
    let session = app.dev(&[]);
    let before = app.pod("web");
    assert_eq!(session.leaves("KILL").code, None);
    let mut session = app.dev(&[]);
    assert_eq!(app.pod("web"), before, "no pod is restarted");
    session.until("log line of the pod", |fact| matches!(fact, EventKind::PodLog { pod, .. } if *pod == before.0).then_some(()));
    app.save("v2");
    session.succeeds();
    app.serves("v2");
    // What the killed session created is this one's to delete.
    session.leaves("HUP");
    assert!(app.objects().is_empty());
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_twice_in_a_namespace_works_on_two_configurations_and_not_on_one() {
    let app = App::new().project("other", "other");
    let mut web = app.dev(&[]);
    let mut command = app.context.command(&["dev", "--output", "json"]);
    command.current_dir(app.context.path().join("other"));
    let mut other = Session::of(command);
    other.succeeds();

    let (_, pod) = app.pod("web");
    app.write("other/web/www/index.html", "v2");
    other.succeeds();
    app.service_answers("other", "v2");
    web.sleeps();
    assert_eq!(app.pod("web").1, pod);

    let (_, errors) = app.context.devloop(&["dev"]).failure();
    assert!(errors.contains("session/held") && errors.contains(&web.pid().to_string()), "{errors}");

    assert_eq!(other.leaves("INT").code, Some(0));
    assert_eq!((app.pod("web").1.as_str(), app.objects()), (pod.as_str(), vec!["deployment/web".to_owned(), "service/web".to_owned()]));
    app.save("v3");
    web.succeeds();
    app.serves("v3");
    web.leaves("INT");
    assert!(app.objects().is_empty());
}
