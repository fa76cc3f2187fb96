//! Whole runs: several configurations, failures beside successes, what the API server warns of, and events as JSON lines.

use serde_json::Value;

use crate::context::TestContext;
use crate::context::root;
use crate::schema::faults;

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      terminationGracePeriodSeconds: 0\n      containers: [{{name: {name}, image: {name}}}]\n"
    )
}

fn document(name: &str, rest: &str) -> String {
    format!("apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {{name: {name}}}\n{rest}")
}

fn pipeline(image: &str, context: &str) -> String {
    format!(
        "build:\n  tagPolicy: {{sha256: {{}}}}\n  artifacts: [{{image: {image}, context: {context}}}]\nmanifests: {{rawYaml: [{context}/{image}.yaml]}}\n"
    )
}

const SLEEPER: &str = "FROM localhost:5000/busybox\nCMD [\"sleep\", \"1000\"]\n";

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn documents_and_required_files_are_one_run() {
    let requires = "requires: [{path: ./db}, {configs: [queue]}]\n";
    let documents = [document("shop", &format!("{requires}{}", pipeline("web", "web"))), document("queue", &pipeline("queue", "queue"))];
    let mut context = TestContext::new()
        .with_file("skaffold.yaml", &documents.join("---\n"))
        .with_file("db/skaffold.yaml", &document("db", &pipeline("db", ".")))
        .with_file("db/Dockerfile", SLEEPER)
        .with_file("db/db.yaml", &deployment("db"));
    for name in ["web", "queue"] {
        context = context.with_file(&format!("{name}/Dockerfile"), SLEEPER).with_file(&format!("{name}/{name}.yaml"), &deployment(name));
    }
    let said = context.devloop(&["run"]).success();
    assert!(said.contains("Building 3 artifacts in parallel"), "{said}");
    let deployed = || context.kubectl(&["get", "deployment", "-o", "jsonpath={.items[*].metadata.name}"]);
    assert_eq!(deployed(), "db queue web");
    let images = context.kubectl(&["get", "deployment", "-o", "jsonpath={.items[*].spec.template.spec.containers[0].image}"]);
    assert!(images.split(' ').all(|image| image.contains("@sha256:")), "{images}");
    context.devloop(&["delete", "-m", "db"]).success();
    assert_eq!(deployed(), "queue web");
    context.devloop(&["delete"]).success();
    assert_eq!(deployed(), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn documents_without_a_name_leave_one_another_alone() {
    let config = |name: &str| format!("apiVersion: skaffold/v4beta13\nkind: Config\nmanifests: {{rawYaml: [{name}.yaml]}}\n");
    let settings = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let context = TestContext::new()
        .with_file("skaffold.yaml", &format!("{}---\n{}", config("one"), config("two")))
        .with_file("one.yaml", &settings("one"))
        .with_file("two.yaml", &settings("two"));
    let uids = || context.kubectl(&["get", "configmap", "one", "two", "-o", "jsonpath={.items[*].metadata.uid}"]);
    context.devloop(&["run"]).success();
    let before = uids();
    let said = context.devloop(&["run"]).success();
    assert!(!said.contains("pruned"), "{said}");
    assert_eq!(uids(), before);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_failing_build_holds_only_what_needs_it() {
    let config = "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  tagPolicy: {sha256: {}}\n  artifacts:\n  - {image: good, context: good}\n  - {image: bad, context: bad}\n  - {image: above, context: above, requires: [{image: bad, alias: BASE}]}\n";
    let context = TestContext::new()
        .with_file("skaffold.yaml", config)
        .with_file("good/Dockerfile", SLEEPER)
        .with_file("bad/Dockerfile", "FROM localhost:5000/busybox\nRUN echo broken && exit 4\n")
        .with_file("above/Dockerfile", "ARG BASE\nFROM $BASE\n");
    let (said, errors) = context.devloop(&["build"]).failure();
    assert!(said.contains("Build [good] succeeded") && said.contains("Build [bad] failed"), "{said}");
    assert!(!said.contains("Building [above]"), "{said}");
    assert_eq!(errors.matches("error[").count(), 1, "{errors}");
    let (said, _) = context.devloop(&["build"]).failure();
    assert!(said.contains("good: Found Remotely"), "what succeeded beside a failure is known: {said}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_the_api_server_warns_of_is_said_once() {
    let context = TestContext::new()
        .with_file("skaffold.yaml", &document("web", "manifests: {rawYaml: [web.yaml, api.yaml]}\n"))
        .with_file("web.yaml", &deployment("web"))
        .with_file("api.yaml", &deployment("api"));
    context.kubectl(&["label", "namespace", context.namespace(), "pod-security.kubernetes.io/warn=restricted"]);
    let run = context.devloop(&["deploy", "--status-check=false", "-i", "web=localhost:5000/busybox,api=localhost:5000/busybox"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let warnings: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("warning[kube/warning]: ")).collect();
    assert_eq!(warnings.len(), 2, "one of each object: {}", run.stderr);
    assert!(warnings.iter().all(|line| line.contains("would violate PodSecurity")), "{warnings:?}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn every_json_line_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(root().join("schemas/event.v1.json")).unwrap()).unwrap();
    let context = TestContext::new()
        .with_file("skaffold.yaml", &document("web", &pipeline("web", "web")))
        .with_file("web/Dockerfile", SLEEPER)
        .with_file("web/web.yaml", &deployment("web"));
    for (arguments, types) in [
        (&["diagnose", "-o", "json"][..], &["planLoaded", "inputsListed", "sessionEnded"][..]),
        (&["diagnose", "--explain", "-o", "json"], &["imageTagged", "cacheChecked", "sessionEnded"]),
        (&["build", "-o", "json"], &["buildsStarted", "stepLog", "stepProgress", "imageReady"]),
        (&["render", "-o", "json"], &["imagesResolved", "sessionEnded"]),
        (&["run", "-o", "json"], &["cacheChecked", "objectChanged", "readiness", "sessionEnded"]),
        (&["delete", "-o", "json"], &["objectChanged", "sessionEnded"]),
    ] {
        let printed = context.devloop(arguments).success();
        let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for (line, number) in lines.iter().zip(1_u64..) {
            assert_eq!(faults(line, &schema, &schema, ""), Vec::<String>::new(), "{arguments:?} {line}");
            assert_eq!(line["seq"], number, "{arguments:?}");
        }
        for name in types {
            assert!(lines.iter().any(|line| line["fact"]["type"] == *name), "{arguments:?} has no {name}: {printed}");
        }
    }
}

#[test]
fn images_that_are_given_are_named_as_skaffold_names_them() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: foo}]}\n";
    let context = TestContext::new()
        .with_file("skaffold.yaml", &document("given", "manifests: {rawYaml: [pod.yaml]}\n"))
        .with_file("pod.yaml", pod)
        .with_file("built.json", r#"{"builds": [{"imageName": "foo", "tag": "foo:file"}]}"#);
    for (arguments, image) in [
        (&["-i", "foo:abc"][..], "foo:abc"),
        (&["-i", "foo:abc", "-d", "gcr.io/k8s-skaffold"], "gcr.io/k8s-skaffold/foo:abc"),
        (&["-a", "built.json", "-i", "foo=foo:named"], "foo:file"),
        (&["-a", "built.json", "-t", "custom"], "foo:custom"),
    ] {
        let rendered = context.devloop(&[&["render", "--offline"][..], arguments].concat()).success();
        assert!(rendered.contains(&format!("image: {image}\n")), "{arguments:?}\n{rendered}");
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_builds_nothing_writes_no_tag() {
    let context = TestContext::new()
        .with_file("skaffold.yaml", &document("dry", &pipeline("web", ".")))
        .with_file("Dockerfile", SLEEPER)
        .with_file("web.yaml", &deployment("web"));
    let repository = format!("localhost:5000/{}", context.namespace());
    let context = context.with("SKAFFOLD_DEFAULT_REPO", &repository);
    context.devloop(&["build", "-t", "built"]).success();
    let dry = context.devloop(&["build", "--dry-run", "-q", "-t", "dry"]).success();
    assert!(dry.contains("web:dry") && !dry.contains("@sha256:"), "{dry}");
    let tags = context.devloop(&["render", "--digest-source", "tag", "-t", "tag"]).success();
    assert!(tags.contains("web:tag"), "{tags}");
    for tag in ["dry", "tag", "never"] {
        let (_, said) = context.devloop(&["render", "--digest-source", "remote", "-t", tag]).failure();
        assert!(said.contains(&format!("/web:{tag}")) && said.contains("has no image"), "{said}");
    }
    let built = context.devloop(&["render", "--digest-source", "remote", "-t", "built"]).success();
    assert!(built.contains("web:built@sha256:"), "{built}");
    // Neither a registry nor a daemon is asked for a name alone.
    for arguments in [&["build", "--dry-run", "-q"][..], &["render", "--digest-source", "tag"]] {
        let named = context.devloop(&[arguments, &["-d", "registry.invalid/x"]].concat()).success();
        assert!(named.contains("registry.invalid/x/web"), "{named}");
    }
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn apply_deploys_what_render_printed_and_prunes_nothing() {
    let context = TestContext::new();
    // Another test pushes an image of this name too.
    let repository = format!("localhost:5000/{}", context.namespace());
    let context = context
        .with("SKAFFOLD_DEFAULT_REPO", &repository)
        .with_file("skaffold.yaml", &document("shop", &pipeline("web", ".")))
        .with_file("Dockerfile", SLEEPER)
        .with_file("web.yaml", &deployment("web"))
        .with_file("other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n");
    context.devloop(&["build", "--tag", "latest"]).success();
    context.devloop(&["render", "--output", "out.yaml"]).success();
    let first = context.devloop(&["apply", "out.yaml"]).success();
    assert!(first.contains("deployment.apps/web created") && first.contains("Deployments stabilized"), "{first}");
    let image = context.kubectl(&["get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"]);
    assert!(image.contains("@sha256:"), "{image}");
    let second = context.devloop(&["apply", "other.yaml"]).success();
    assert!(second.contains("configmap/other created") && !second.contains("pruned"), "{second}");
    // Without a configuration as well, and from standard input.
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: piped}\n";
    std::fs::create_dir(context.path().join("elsewhere")).unwrap();
    let mut command = context.command(&["apply", "-"]);
    let mut child = command.current_dir(context.path().join("elsewhere")).stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), manifest.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let names = context.kubectl(&["get", "configmap", "-o", "jsonpath={.items[*].metadata.name}"]);
    assert!(names.contains("piped") && names.contains("other"), "{names}");
    let (_, errors) = context.devloop(&["apply", "gone.yaml"]).failure();
    insta::assert_snapshot!(errors, @r"
    error[render/no-such-manifest]: there is no manifest `gone.yaml`
      looked in [FOLDER]
    ");
    context.devloop(&["delete"]).success();
    assert_eq!(context.kubectl(&["get", "deployment,configmap", "other", "web", "--ignore-not-found", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn events_say_which_fields_of_an_object_changed() {
    let context = TestContext::new()
        .with_file("skaffold.yaml", "apiVersion: skaffold/v4beta13\nkind: Config\nmanifests: {rawYaml: [a.yaml, b.yaml]}\n")
        .with_file("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {kept: '1', old: '1', other: '1'}\n")
        .with_file("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    context.devloop(&["run"]).success();
    let context =
        context.with_file("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {kept: '1', new: '1', other: '2'}\n");
    let events = context.devloop(&["run", "--output", "json"]).success();
    let changed = |name: &str| -> Value {
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut of = events.filter(|event| event["fact"]["type"] == "objectChanged" && event["fact"]["object"]["name"] == name);
        of.next().unwrap()["fact"].clone()
    };
    assert_eq!(
        (&changed("a")["change"], &changed("a")["fields"]),
        (&"configured".into(), &serde_json::json!(["data.new", "data.old", "data.other"]))
    );
    assert_eq!((&changed("b")["change"], &changed("b")["fields"]), (&"unchanged".into(), &serde_json::json!([])));
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn manifests_that_are_gone_delete_nothing_and_can_be_deleted() {
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
    let context = TestContext::new()
        .with_file("skaffold.yaml", "apiVersion: skaffold/v4beta13\nkind: Config\n")
        .with_file("k8s/settings.yaml", settings);
    let found = || context.kubectl(&["get", "configmap", "settings", "--ignore-not-found", "-o", "name"]);
    context.devloop(&["run"]).success();
    std::fs::rename(context.path().join("k8s"), context.path().join("gone")).unwrap();
    let said = context.devloop(&["run"]).success();
    assert!(!said.contains("pruned"), "{said}");
    assert_eq!(found(), "configmap/settings\n");

    // What is named has to be there, before anything is built.
    let named =
        "apiVersion: skaffold/v4beta13\nkind: Config\nbuild: {artifacts: [{image: web}]}\nmanifests: {rawYaml: [k8s/*.yaml, more.yaml]}\n";
    let context = context.with_file("skaffold.yaml", named).with_file("Dockerfile", SLEEPER);
    let (said, errors) = context.devloop(&["run"]).failure();
    assert!(!said.contains("Building") && errors.contains("skaffold.yaml:4:23"), "{said}{errors}");
    context.devloop(&["delete"]).success();
    assert_eq!(context.kubectl(&["get", "configmap", "settings", "--ignore-not-found", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_default_namespace_is_a_template_and_gives_way_to_the_command_line() {
    let config = "apiVersion: skaffold/v4beta13\nkind: Config\nmanifests: {rawYaml: [settings.yaml]}\ndeploy: {kubectl: {defaultNamespace: '{{.OWN}}'}}\n";
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
    let other = TestContext::new();
    let context = TestContext::new().with_file("skaffold.yaml", config).with_file("settings.yaml", settings).with("OWN", other.namespace());
    let found = |context: &TestContext| context.kubectl(&["get", "configmap", "settings", "--ignore-not-found", "-o", "name"]);
    let runs = |arguments: &[&str]| assert!(context.command(arguments).env_remove("SKAFFOLD_NAMESPACE").status().unwrap().success());
    runs(&["run"]);
    assert_eq!((found(&other).as_str(), found(&context).as_str()), ("configmap/settings\n", ""));
    runs(&["delete"]);
    assert_eq!(found(&other), "");
    runs(&["run", "-n", context.namespace()]);
    assert_eq!((found(&other).as_str(), found(&context).as_str()), ("", "configmap/settings\n"));
}
