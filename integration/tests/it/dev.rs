//! `devloop dev`: what is saved is served, and nothing else happens.

use std::fs;
use std::process::Command;

use crate::context::TestContext;
use crate::dev_session::DevSession;

fn ko() -> TestContext {
    TestContext::new().with_example("ko")
}

/// Writes the program that answers with `text`.
fn save(context: &TestContext, text: &str) {
    let file = context.path().join("main.go");
    let before = fs::read_to_string(&file).unwrap();
    let (start, rest) = before.split_once("const message = \"").unwrap();
    let (_, end) = rest.split_once('"').unwrap();
    fs::write(file, format!("{start}const message = \"{text}\"{end}")).unwrap();
}

fn pod_uids(context: &TestContext) -> String {
    context.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"])
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_save_is_served_and_a_touch_does_nothing() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    assert_eq!(session.pass(), "succeeded");
    assert_eq!(context.answer("hello-ko"), "Hello from ko, without a Dockerfile\n");
    let before = pod_uids(&context);

    // Neither a file that has nothing new, nor one of an editor, nor one that no step reads.
    let text = fs::read(context.path().join("main.go")).unwrap();
    fs::write(context.path().join("main.go"), &text).unwrap();
    fs::write(context.path().join(".main.go.swp"), "x").unwrap();
    fs::write(context.path().join("notes.txt"), "x").unwrap();
    // A comment in a manifest is looked at, and changes nothing.
    let manifest = fs::read_to_string(context.path().join("k8s.yaml")).unwrap();
    fs::write(context.path().join("k8s.yaml"), format!("# a comment\n{manifest}")).unwrap();
    assert_eq!(session.pass_of(2), "succeeded");
    assert_eq!((session.count("triggered"), session.count("imageReady")), (2, 1));
    assert_eq!(pod_uids(&context), before);

    // An editor that writes beside the file and renames.
    save(&context, "second");
    let changed = fs::read(context.path().join("main.go")).unwrap();
    fs::write(context.path().join("main.go"), &text).unwrap();
    fs::write(context.path().join("4913"), &changed).unwrap();
    fs::rename(context.path().join("4913"), context.path().join("main.go")).unwrap();
    let mut answer = String::new();
    while answer != "second\n" {
        assert_eq!(session.pass(), "succeeded");
        answer = context.answer("hello-ko");
    }
    assert_eq!(session.stop(), Some(0));
    assert_eq!(context.kubectl(&["get", "deployments,services,pods", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_edit_during_the_first_build_is_not_missed() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    session.step_starts("build");
    save(&context, "during the build");
    session.pass_of(2);
    assert_eq!(context.answer("hello-ko"), "during the build\n");
    assert_eq!(session.stop(), Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn the_last_of_several_saves_is_served() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    session.pass();
    for save_number in 2..=6 {
        save(&context, &format!("save {save_number}"));
        if save_number < 6 {
            session.wait("the save", |fact| fact["type"] == "triggered" && fact["save"] == save_number);
        }
    }
    assert_eq!(session.pass_of(6), "succeeded");
    assert_eq!(context.answer("hello-ko"), "save 6\n");
    assert_eq!(session.stop(), Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_fails_is_tried_again_and_the_rest_stays() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    session.pass();
    let before = pod_uids(&context);
    let good = fs::read_to_string(context.path().join("main.go")).unwrap();
    fs::write(context.path().join("main.go"), format!("{good}\nbroken")).unwrap();
    assert_eq!(session.pass_of(2), "failed");
    assert_eq!(pod_uids(&context), before, "a build that fails takes nothing down");

    let configuration = fs::read_to_string(context.path().join("skaffold.yaml")).unwrap();
    fs::write(context.path().join("skaffold.yaml"), configuration.replace("ko: {}", "kp: {}")).unwrap();
    session.wait("the rejection", |fact| fact["type"] == "planRejected");
    session.pass_of(3);
    // The last good configuration still builds.
    fs::write(context.path().join("main.go"), good.replace("Hello from ko, without a Dockerfile", "mended")).unwrap();
    assert_eq!(session.pass_of(4), "succeeded");
    assert_eq!(context.answer("hello-ko"), "mended\n");

    fs::write(context.path().join("skaffold.yaml"), &configuration).unwrap();
    session.wait("the plan", |fact| fact["type"] == "planLoaded");
    assert_eq!(session.pass_of(5), "succeeded");
    let built = session.count("imageReady");
    assert_eq!(built, 2, "the same configuration builds nothing again");
    assert_eq!(session.stop(), Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_program_that_crashes_is_told_and_mended() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    session.pass();
    let good = fs::read_to_string(context.path().join("main.go")).unwrap();
    fs::write(context.path().join("main.go"), good.replace("func main() {", "func main() {\n\tpanic(\"no database\")")).unwrap();
    assert_eq!(session.pass_of(2), "failed");
    assert!(session.seen.last().unwrap().to_string().contains("no database"), "{:?}", session.seen.last());
    fs::write(context.path().join("main.go"), good.replace("Hello from ko, without a Dockerfile", "mended")).unwrap();
    assert_eq!(session.pass_of(3), "succeeded");
    assert_eq!(context.answer("hello-ko"), "mended\n");
    assert_eq!(session.stop(), Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_pod_that_goes_is_followed_to_its_successor() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    session.pass();
    let first = session.wait("a line", |fact| fact["type"] == "podLog");
    for evict in [false, true] {
        let pod = context.kubectl(&["get", "pods", "-o", "jsonpath={.items[0].metadata.name}"]);
        if evict {
            let eviction = format!(
                r#"{{"apiVersion":"policy/v1","kind":"Eviction","metadata":{{"name":"{pod}","namespace":"{}"}}}}"#,
                context.namespace()
            );
            fs::write(context.path().join("eviction.json"), eviction).unwrap();
            let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", context.namespace());
            context.kubectl(&["create", "--raw", &path, "-f", context.path().join("eviction.json").to_str().unwrap()]);
        } else {
            context.kubectl(&["delete", "pod", &pod, "--wait=false"]);
        }
        session.wait("a line of the next pod", |fact| fact["type"] == "podLog" && fact["pod"] != pod.as_str());
    }
    assert!(first["line"].as_str().unwrap().contains("listening"));
    save(&context, "still watching");
    session.pass();
    assert_eq!(context.answer("hello-ko"), "still watching\n");
    assert_eq!(session.stop(), Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_killed_session_is_taken_up_without_a_restart() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    session.pass();
    let before = pod_uids(&context);
    session.signal("KILL");
    assert_eq!(session.ended(), None);
    assert_eq!(pod_uids(&context), before);

    let mut session = DevSession::start(&context, &[]);
    assert_eq!(session.pass(), "succeeded");
    assert_eq!(pod_uids(&context), before);
    assert_eq!(session.stop(), Some(0));
    assert_eq!(context.kubectl(&["get", "deployments,services", "-o", "name"]), "", "what the killed one made goes with its successor");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn only_what_the_session_created_is_deleted() {
    let context = ko();
    context.devloop(&["run"]).success();
    let extra = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n";
    let manifest = fs::read_to_string(context.path().join("k8s.yaml")).unwrap();
    fs::write(context.path().join("k8s.yaml"), format!("{manifest}---\n{extra}")).unwrap();
    let mut session = DevSession::start(&context, &[]);
    assert_eq!(session.pass(), "succeeded");
    assert_eq!(session.stop(), Some(0));
    let left = context.kubectl(&["get", "deployments,services,configmaps", "-o", "name"]);
    assert!(left.contains("deployment.apps/hello-ko") && !left.contains("configmap/extra"), "{left}");

    let mut session = DevSession::start(&context, &["--cleanup=false"]);
    session.pass();
    session.signal("TERM");
    assert_eq!(session.ended(), Some(0));
    assert!(context.kubectl(&["get", "configmaps", "-o", "name"]).contains("configmap/extra"));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_second_session_is_told_who_holds_the_first() {
    let context = ko();
    let mut session = DevSession::start(&context, &[]);
    session.pass();
    let (_, told) = context.devloop(&["dev"]).failure();
    assert!(told.contains(&session.pid().to_string()), "{told}");

    // Another configuration in the same namespace is none of its business.
    let other = context.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(
        other.join("skaffold.yaml"),
        "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: other}\nmanifests: {rawYaml: [x.yaml]}\n",
    )
    .unwrap();
    fs::write(other.join("x.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n").unwrap();
    let run = context.command(&["dev", "-f", "other/skaffold.yaml", "--output", "json"]).stdout(std::process::Stdio::piped()).spawn();
    let mut run = run.unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(run.stdout.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line.contains("iterationEnded")));
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
    assert!(run.wait().unwrap().success());
    assert_eq!(context.answer("hello-ko"), "Hello from ko, without a Dockerfile\n");
    save(&context, "undisturbed");
    session.pass();
    assert_eq!(context.answer("hello-ko"), "undisturbed\n");
    assert_eq!(session.stop(), Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn pages_are_synced_and_a_port_is_forwarded() {
    let context = TestContext::new().with_example("sync");
    let mut session = DevSession::start(&context, &[]);
    session.pass();
    let before = pod_uids(&context);
    let forwarded = session.wait("the port", |fact| fact["type"] == "portForwarded" && fact["state"]["state"] == "ready");
    let url = format!("http://127.0.0.1:{}/", forwarded["localPort"]);
    let get = || {
        let output = Command::new("curl").args(["-sS", "--max-time", "30", &url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(get(), "Hello from a page that is synced\n");

    fs::write(context.path().join("www/index.html"), "synced\n").unwrap();
    fs::create_dir(context.path().join("www/more")).unwrap();
    fs::write(context.path().join("www/more/page.html"), "more\n").unwrap();
    session.wait("the sync", |fact| fact["type"] == "filesSynced");
    while get() != "synced\n" {
        session.pass();
    }
    assert_eq!(pod_uids(&context), before, "a sync restarts nothing");

    // A new container gets what its image does not have.
    let pod = context.kubectl(&["get", "pods", "-o", "jsonpath={.items[0].metadata.name}"]);
    context.kubectl(&["delete", "pod", &pod, "--wait=false"]);
    session.wait("the replay", |fact| fact["type"] == "filesSynced" && fact["replayed"] == true);
    let exec = context.kubectl(&["exec", "deploy/hello-sync", "--", "cat", "/www/index.html"]);
    assert_eq!(exec, "synced\n");

    // What no rule syncs is built, with all that was synced.
    let dockerfile = fs::read_to_string(context.path().join("Dockerfile")).unwrap();
    fs::write(context.path().join("Dockerfile"), format!("{dockerfile}LABEL x=y\n")).unwrap();
    session.step_starts("deploy");
    session.pass();
    assert_eq!(context.answer("hello-sync"), "synced\n");
    assert_eq!(session.stop(), Some(0));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn ten_thousand_files_are_one_save() {
    let context = TestContext::new().with_example("sync");
    let mut session = DevSession::start(&context, &["--auto-sync=false"]);
    session.pass();
    for directory in 0..100 {
        let path = context.path().join(format!("www/{directory}"));
        fs::create_dir(&path).unwrap();
        for file in 0..100 {
            fs::write(path.join(format!("{file}.html")), format!("{directory}/{file}")).unwrap();
        }
    }
    let mut files = std::collections::BTreeSet::new();
    while files.len() < 10_000 {
        let fact = session.wait("the save", |fact| fact["type"] == "triggered");
        let touched = fact["touched"]["artifacts"][0]["files"].as_array().cloned().unwrap_or_default();
        files.extend(touched.into_iter().map(|file| file.as_str().unwrap().to_owned()));
    }
    // The first one is that of the start; a busy machine may see a pause in the middle of the burst.
    assert!(session.count("triggered") <= 3, "{} saves", session.count("triggered"));
    assert_eq!(session.stop(), Some(0));
}
