use devloop_model::BuiltImage;
use devloop_model::Identity;
use devloop_model::ImageConfig;
use devloop_model::ImageName;
use devloop_model::Manifest;
use devloop_model::Runtime;
use serde_json::Value;
use serde_json::json;

use super::DebugImage;
use super::DebugSpec;
use super::set_debuggers;

fn image(name: &str, config: &Value) -> DebugImage {
    let artifact = ImageName::parse(name).unwrap();
    let image = BuiltImage { name: artifact.clone(), artifact, tag: None, identity: Identity::AsNamed, runtime: None };
    DebugImage { image, config: ImageConfig::of(config) }
}

fn spec(images: Vec<DebugImage>) -> DebugSpec {
    DebugSpec { protocols: Vec::new(), helpers: "registry/debug".into(), images, ..DebugSpec::default() }
}

/// Returns the object as it is debugged, and the warnings.
fn debugged(object: Value, spec: &DebugSpec) -> (Value, String) {
    let mut manifests = [Manifest { object, source: "k8s.yaml".into() }];
    let warnings = set_debuggers(&mut manifests, spec);
    let [manifest] = manifests;
    (manifest.object, warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn deployment(containers: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
           "spec": {"replicas": 3, "template": {"spec": {"containers": containers}}}})
}

/// Returns the first container of a deployment of one image with this configuration and this manifest, and its annotation.
fn container(config: &Value, more: &Value) -> (Value, Value) {
    let mut own = json!({"name": "app", "image": "web"});
    own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (object, warnings) = debugged(deployment(&json!([own])), &spec(vec![image("web", config)]));
    assert_eq!(warnings, "");
    let template = &object["spec"]["template"];
    let said = template["metadata"]["annotations"]["debug.cloud.google.com/config"].as_str().unwrap();
    (template["spec"]["containers"][0].clone(), serde_json::from_str(said).unwrap())
}

#[test]
fn a_go_service_runs_under_delve_which_an_init_container_brings() {
    let config = json!({"config": {"Entrypoint": ["/app"], "Cmd": ["-v"], "Env": ["GOTRACEBACK=all"], "WorkingDir": "/src"}});
    let own = json!([{"name": "app", "image": "web", "ports": [{"containerPort": 8080}], "securityContext": {"runAsUser": 7}},
                     {"name": "proxy", "image": "envoy"}]);
    let (object, warnings) = debugged(deployment(&own), &spec(vec![image("web", &config)]));
    assert_eq!(warnings, "");
    insta::assert_snapshot!(serde_json::to_string_pretty(&object["spec"]).unwrap());
}

#[test]
fn runtimes_are_told_by_programs_before_variables() {
    let tool = "-agentlib:jdwp=transport=dt_socket,server=y,address=5005,suspend=n,quiet=y";
    for (config, more, runtime, command, env) in [
        (
            json!({"Entrypoint": ["node", "a.js"], "Env": ["GOGC=1"]}),
            json!({}),
            "nodejs",
            json!(["node", "--inspect=0.0.0.0:9229", "a.js"]),
            json!(null),
        ),
        (
            json!({"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["npm", "run", "x", "--", "-y"], "Env": ["PATH=/bin"]}),
            json!({}),
            "nodejs",
            json!(["docker-entrypoint.sh", "npm", "run", "x", "--node-options=--inspect=0.0.0.0:9229", "--", "-y"]),
            json!([{"name": "PATH", "value": "/dbg/nodejs/bin:/bin"}]),
        ),
        (
            json!({"Cmd": ["yarn", "start"], "Env": ["PATH=/bin", "NODE_OPTIONS=--x"]}),
            json!({}),
            "nodejs",
            json!(null),
            json!([{"name": "NODE_OPTIONS", "value": "--x --inspect=0.0.0.0:9229"}, {"name": "PATH", "value": "/dbg/nodejs/bin:/bin"}]),
        ),
        (json!({"Cmd": ["node", "--inspect-brk=0.0.0.0:9300", "a.js"]}), json!({}), "nodejs", json!(null), json!(null)),
        (
            json!({"Cmd": ["/bin/sh", "-c", "exec java -jar x.jar"]}),
            json!({}),
            "jvm",
            json!(null),
            json!([{"name": "JAVA_TOOL_OPTIONS", "value": tool}]),
        ),
        (
            json!({"Cmd": ["./run.sh"], "Env": ["JAVA_VERSION=17"]}),
            json!({"env": [{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}]}),
            "jvm",
            json!(null),
            json!([{"name": "JAVA_TOOL_OPTIONS", "value": format!("-Xmx1g {tool}")}]),
        ),
        (json!({"Cmd": ["java", "-agentlib:jdwp=address=*:6000,server=y"]}), json!({}), "jvm", json!(null), json!(null)),
        (
            json!({"Cmd": ["python3.12", "-u", "app.py"]}),
            json!({}),
            "python",
            json!(["/dbg/python/launcher", "--mode", "debugpy", "--port", "5678", "--", "python3.12", "-u", "app.py"]),
            json!(null),
        ),
        (
            json!({"Cmd": ["gunicorn", "app:app"], "Env": ["PYTHONUNBUFFERED=1"]}),
            json!({}),
            "python",
            json!(["/dbg/python/launcher", "--mode", "debugpy", "--port", "5678", "--", "gunicorn", "app:app"]),
            json!(null),
        ),
        (json!({"Cmd": ["python", "-m", "debugpy", "--listen", "0.0.0.0:7000", "app.py"]}), json!({}), "python", json!(null), json!(null)),
        (
            json!({"Entrypoint": ["/app"]}),
            json!({"command": ["/dbg/dlv", "exec", "--listen=:4000", "/app"]}),
            "go",
            json!(["/dbg/dlv", "exec", "--listen=:4000", "/app"]),
            json!(null),
        ),
        (
            json!({"Entrypoint": ["/ko-app/web"], "Env": ["KO_DATA_PATH=/x"], "Cmd": ["-a"]}),
            json!({"args": ["-b"]}),
            "go",
            json!([
                "/dbg/go/bin/dlv",
                "exec",
                "--headless",
                "--continue",
                "--accept-multiclient",
                "--listen=:56268",
                "--api-version=2",
                "/ko-app/web",
                "--",
                "-b"
            ]),
            json!(null),
        ),
        (json!({"Entrypoint": ["dotnet", "x.dll"]}), json!({}), "netcore", json!(null), json!(null)),
    ] {
        let (container, said) = container(&config, &more);
        assert_eq!(said["app"]["runtime"], runtime, "{config}");
        assert_eq!((&container["command"], &container["env"]), (&command, &env), "{config}");
    }
}

#[test]
fn debuggers_that_are_there_already_are_where_they_listen() {
    for (config, port) in [
        (json!({"Cmd": ["node", "--inspect-brk=0.0.0.0:9300", "a.js"]}), json!({"devtools": 9300})),
        (json!({"Cmd": ["node", "--inspect", "a.js"]}), json!({"devtools": 9229})),
        (json!({"Cmd": ["java", "-agentlib:jdwp=address=*:6000,server=y"]}), json!({"jdwp": 6000})),
        (json!({"Cmd": ["python", "-m", "debugpy", "--listen", "0.0.0.0:7000", "app.py"]}), json!({"dap": 7000})),
        (json!({"Cmd": ["dlv", "exec", "-l", ":4000", "/app", "--", "--listen=:1"]}), json!({"dlv": 4000})),
    ] {
        let (container, said) = container(&config, &json!({}));
        assert_eq!(said["app"]["ports"], port, "{config}");
        let (name, number) = port.as_object().unwrap().iter().next().unwrap();
        assert_eq!(container["ports"], json!([{"name": name, "containerPort": number}]), "{config}");
    }
}

#[test]
fn two_debuggers_of_a_pod_listen_at_two_ports() {
    let go = json!({"Entrypoint": ["/app"], "Env": ["GOGC=1"]});
    let own = json!([{"name": "a", "image": "web"}, {"name": "b", "image": "api"}, {"name": "c", "image": "x", "ports": [{"containerPort": 56269}]}]);
    let (object, _) = debugged(deployment(&own), &spec(vec![image("web", &go), image("api", &go)]));
    let template = &object["spec"]["template"];
    let said = template["metadata"]["annotations"]["debug.cloud.google.com/config"].as_str().unwrap();
    let debugged = |artifact: &str, port: u16| json!({"artifact": artifact, "runtime": "go", "workingDir": "/", "ports": {"dlv": port}});
    assert_eq!(serde_json::from_str::<Value>(said).unwrap(), json!({"a": debugged("web", 56268), "b": debugged("api", 56270)}));
    assert_eq!(template["spec"]["initContainers"].as_array().unwrap().len(), 1);
}

#[test]
fn pydevd_is_chosen_by_protocol() {
    let spec = DebugSpec { protocols: vec!["pydevd".into()], ..spec(vec![image("web", &json!({"Cmd": ["python", "a.py"]}))]) };
    let (object, _) = debugged(deployment(&json!([{"name": "app", "image": "web"}])), &spec);
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&container["command"][2], &container["ports"][0]["name"]), (&json!("pydevd"), &json!("pydevd")));
}

#[test]
fn probes_that_the_program_answers_wait_ten_minutes() {
    let config = json!({"Cmd": ["java"]});
    let probes =
        json!({"livenessProbe": {"httpGet": {}}, "readinessProbe": {"tcpSocket": {}}, "startupProbe": {"exec": {}, "timeoutSeconds": 900}});
    let (container, _) = container(&config, &probes);
    assert_eq!(container["livenessProbe"]["timeoutSeconds"], 600);
    assert_eq!(container["readinessProbe"]["timeoutSeconds"], json!(null));
    assert_eq!(container["startupProbe"]["timeoutSeconds"], 900);
    for (asked, seconds) in [("skip", json!(null)), ("90s", json!(90))] {
        let mut object = deployment(&json!([{"name": "app", "image": "web", "livenessProbe": {"httpGet": {}}}]));
        object["spec"]["template"]["metadata"] = json!({"annotations": {"debug.cloud.google.com/probe-timeouts": asked}});
        let (object, _) = debugged(object, &spec(vec![image("web", &config)]));
        assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["timeoutSeconds"], seconds, "{asked}");
    }
}

#[test]
fn what_cannot_be_debugged_runs_as_it_is_and_says_why() {
    let own = json!([{"name": "app", "image": "web"}]);
    let said = |config: Value, runtime| {
        let mut image = image("web", &config);
        image.image.runtime = runtime;
        let (object, warnings) = debugged(deployment(&own), &spec(vec![image]));
        assert_eq!(object["spec"]["template"]["spec"], json!({"containers": own}));
        warnings
    };
    insta::assert_snapshot!(
        [
            said(json!({"Entrypoint": ["/app"]}), None),
            said(json!({"Entrypoint": ["/start.sh"]}), Some(Runtime::Go)),
            said(json!({}), Some(Runtime::Python)),
            said(json!({"Cmd": ["java", "-agentlib:jdwp=transport=dt_socket"]}), None),
        ]
        .join("\n\n")
    );
}

#[test]
fn what_the_sources_are_of_counts_last() {
    let sources = [(ImageName::parse("web").unwrap(), Runtime::Go)].into();
    let spec = DebugSpec { sources, ..spec(vec![image("web", &json!({"Entrypoint": ["/app"]}))]) };
    let (object, warnings) = debugged(deployment(&json!([{"name": "app", "image": "web"}])), &spec);
    assert_eq!((warnings.as_str(), &object["spec"]["template"]["spec"]["containers"][0]["command"][1]), ("", &json!("exec")));
}

#[test]
fn other_images_kinds_and_pods_that_say_how_are_left_alone() {
    let spec = spec(vec![image("web", &json!({"Cmd": ["java"]}))]);
    let annotated = {
        let mut object = deployment(&json!([{"name": "app", "image": "web"}]));
        object["spec"]["template"]["metadata"] = json!({"annotations": {"debug.cloud.google.com/config": "{}"}});
        object["spec"]["replicas"] = json!(1);
        object
    };
    let other =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "nginx"}]}});
    let custom = json!({"apiVersion": "x.io/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replicas": 2}});
    for object in [annotated, other, custom] {
        assert_eq!(debugged(object.clone(), &spec), (object, String::new()));
    }
}

#[test]
fn pods_of_every_kind_are_found() {
    let spec = spec(vec![image("web", &json!({"Cmd": ["java"]}))]);
    let pod = json!({"spec": {"containers": [{"name": "a", "image": "web"}]}});
    for (version, kind, path) in [
        ("v1", "Pod", ""),
        ("v1", "ReplicationController", "/spec/template"),
        ("apps/v1", "StatefulSet", "/spec/template"),
        ("batch/v1", "Job", "/spec/template"),
        ("batch/v1", "CronJob", "/spec/jobTemplate/spec/template"),
    ] {
        let spec_of = match path {
            "" => pod["spec"].clone(),
            "/spec/template" => json!({"template": pod}),
            _ => json!({"jobTemplate": {"spec": {"template": pod}}}),
        };
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec_of});
        let (object, _) = debugged(object, &spec);
        let annotations = object.pointer(&format!("{path}/metadata/annotations")).unwrap();
        assert!(annotations["debug.cloud.google.com/config"].as_str().unwrap().contains("jdwp"), "{kind}");
    }
}
