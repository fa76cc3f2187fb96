use devloop_model::Location;
use devloop_model::Template;
use devloop_model::Vars;
use serde_json::json;

use super::*;
use crate::family::tests::live;
use crate::forward::ForwardModes;
use crate::objects::tests::object;
use crate::objects::tests::objects;
use crate::objects::tests::shop;

impl Wanted {
    /// Returns the forward of a port by hand.
    pub(crate) fn for_test(kind: &str, name: &str, namespace: &Namespace, port: ForwardPort) -> Self {
        Self { port, is_own: false, ..Self::automatic(kind, name, namespace, 1) }
    }
}

fn entry(kind: &str, name: &str, namespace: Option<&str>, port: ForwardPort, local_port: Option<u16>) -> PortForward {
    let template = |text: &str| Template::parse(text).unwrap();
    let at = Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None };
    PortForward {
        context: None,
        kind: kind.into(),
        name: template(name),
        namespace: namespace.map(template),
        port,
        address: "0.0.0.0".into(),
        local_port,
        at,
    }
}

fn spec() -> ForwardSpec {
    let vars = Vars::default().with("NAME", "web").with("NS", "other");
    let modes = ForwardModes::default();
    ForwardSpec { modes, debuggers: BTreeMap::new(), entries: vec![], namespace: Namespace("mine".into()), vars, asks: true }
}

#[test]
fn entries_have_templates_and_the_namespace_of_their_object() {
    let of = |entry: PortForward, live: &Live| Wanted::of_entry(&entry, &spec(), live).unwrap();
    let number = || ForwardPort::Number(80);
    let web = of(entry("Service", "{{.NAME}}", Some("{{.NS}}"), number(), Some(8080)), &Live::default());
    assert_eq!((web.source.to_string().as_str(), web.source.namespace.as_str()), ("service/web:80", "other"));
    assert_eq!((web.address.as_str(), web.local_port), ("0.0.0.0", Some(8080)));
    let named = of(entry("deployment", "web", None, ForwardPort::Name("http".into()), None), &live(&[("Service", "web")], &[]));
    assert_eq!((named.source.to_string().as_str(), named.source.namespace.as_str()), ("deployment/web:http", "mine"));
    let released = of(entry("service", "web", None, number(), None), &live(&[("Service", "web")], &[]));
    assert_eq!(released.source.namespace, shop());
}

#[test]
fn a_local_port_that_was_chosen_comes_first() {
    let entries = [("same", 80, Some(80)), ("chosen", 8080, Some(80)), ("any", 9000, None)];
    let entries = entries.map(|(name, port, local)| entry("service", name, None, ForwardPort::Number(port), local));
    let modes = |words: &[&str]| ForwardModes::parse(words, "dev").unwrap();
    let names = |modes| {
        let spec = ForwardSpec { modes, entries: entries.to_vec(), ..spec() };
        spec.entries().iter().map(|entry| entry.name.source().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(modes(&["user"])), ["chosen", "same", "any"]);
    assert!(names(modes(&["off"])).is_empty());
}

#[test]
fn what_is_watched_is_what_leads_to_pods() {
    for (kind, kinds) in [
        ("service", vec!["Service", "Pod"]),
        ("pod", vec!["Pod"]),
        ("deployment", vec!["Deployment", "ReplicaSet", "Pod"]),
        ("cronjob", vec!["CronJob", "Job", "Pod"]),
        ("statefulset", vec!["StatefulSet", "Pod"]),
        ("container", vec![]),
    ] {
        let wanted = Wanted::for_test(kind, "web", &shop(), ForwardPort::Number(80));
        assert_eq!(wanted.scopes(), kinds.iter().map(|kind| Scope::new(&shop(), kind)).collect::<Vec<_>>(), "{kind}");
    }
}

fn service(name: &str, spec: Value) -> Value {
    let mut service = object("Service", name, ("", ""));
    service["spec"] = spec;
    service
}

#[test]
fn services_of_the_release_are_forwarded_port_by_port() {
    let objects = objects(vec![
        service("web", json!({"selector": {"a": "b"}, "ports": [{"port": 80}, {"port": 8080}, {"port": 53, "protocol": "UDP"}]})),
        service("external", json!({"type": "ExternalName", "ports": [{"port": 80}]})),
        service("theirs", json!({"selector": {"a": "b"}, "ports": [{"port": 80}]})),
    ]);
    let found = of_services(&live(&[("Service", "web"), ("Service", "external"), ("Service", "soon")], &[]), &objects);
    let ports: Vec<_> = found.iter().map(|wanted| (wanted.source.to_string(), wanted.local_port)).collect();
    assert_eq!(ports, [("service/web:80".to_owned(), None), ("service/web:8080".to_owned(), Some(8080))]);
}

fn pod(name: &str, owner: (&str, &str), ports: Value) -> Value {
    let mut pod = object("Pod", name, owner);
    pod["spec"] = json!({"containers": [{"image": "x", "ports": ports}]});
    pod
}

#[test]
fn pods_are_forwarded_as_what_made_them() {
    let live = live(&[("Deployment", "web"), ("Pod", "one"), ("Rollout", "own")], &[]);
    let objects = objects(vec![
        object("ReplicaSet", "web-1", ("Deployment", "web")),
        pod("web-1-x", ("ReplicaSet", "web-1"), json!([{"containerPort": 8080}])),
        pod("web-1-y", ("ReplicaSet", "web-1"), json!([{"containerPort": 8080}])),
        pod("one", ("", ""), json!([{"containerPort": 1}, {"containerPort": 2, "protocol": "SCTP"}])),
        pod("own-x", ("Rollout", "own"), json!([{"containerPort": 3}])),
        pod("stranger", ("", ""), json!([{"containerPort": 4}])),
    ]);
    let sources: BTreeSet<String> = of_pods(&live, &Family::of(&live), &objects).iter().map(|wanted| wanted.source.to_string()).collect();
    assert_eq!(sources.into_iter().collect::<Vec<_>>(), ["deployment/web:8080", "pod/one:1", "pod/own-x:3"]);
}

#[test]
fn debuggers_are_found_by_annotation() {
    let live = live(&[("Pod", "one")], &[]);
    let mut debugged = pod("one", ("", ""), json!([{"containerPort": 1}, {"containerPort": 56268}]));
    debugged["metadata"]["annotations"] = json!({"debug.cloud.google.com/config": r#"{"app":{"runtime":"go","ports":{"dlv":56268}}}"#});
    let found = of_debuggers(&live, &Family::of(&live), &objects(vec![debugged.clone()]), &BTreeMap::new());
    assert_eq!(
        found.iter().map(|wanted| (wanted.source.to_string(), wanted.is_debugger)).collect::<Vec<_>>(),
        [("pod/one:56268".into(), true)]
    );
    debugged["metadata"]["annotations"] = json!({"debug.cloud.google.com/config": "no JSON"});
    assert!(of_debuggers(&live, &Family::of(&live), &objects(vec![debugged]), &BTreeMap::new()).is_empty());
}

#[test]
fn debuggers_have_the_local_ports_that_editors_were_told() {
    let names = ["alpha", "other", "zeta"];
    let live = live(&names.map(|name| ("Pod", name)), &[]);
    let debugged = names.map(|name| {
        let mut pod = pod(name, ("", ""), json!([]));
        let said = json!({"app": {"artifact": name, "ports": {"dlv": 56268}}});
        pod["metadata"]["annotations"] = json!({"debug.cloud.google.com/config": said.to_string()});
        pod
    });
    let planned = [("zeta".to_owned(), 56268), ("alpha".to_owned(), 56269)].into();
    let found = of_debuggers(&live, &Family::of(&live), &objects(debugged.to_vec()), &planned);
    assert_eq!(
        found.iter().map(|wanted| (wanted.source.name.as_str(), wanted.local_port)).collect::<Vec<_>>(),
        [("alpha", Some(56269)), ("zeta", Some(56268)), ("other", Some(56270))]
    );
}

#[test]
fn a_port_by_name_and_by_number_is_the_same() {
    let objects = objects(vec![service("web", json!({"ports": [{"name": "http", "port": 80}]}))]);
    let wanted = |name: &str, port: ForwardPort, source: &str| {
        let mut wanted = Wanted::for_test("service", name, &shop(), port);
        source.clone_into(&mut wanted.source.port);
        wanted
    };
    let (named, number) = (wanted("web", ForwardPort::Name("http".into()), "http"), wanted("web", ForwardPort::Number(80), "80"));
    assert!(named.is_same(&number, &objects));
    assert!(!named.is_same(&wanted("web", ForwardPort::Number(81), "81"), &objects));
    assert!(!named.is_same(&wanted("api", ForwardPort::Number(80), "80"), &objects));
}
