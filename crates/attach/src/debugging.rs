//! Which containers run under a debugger, for IDEs that attach to them and have to know when one is another.

use std::collections::BTreeMap;

use devloop_model::Cx;
use devloop_model::DEBUG_ANNOTATION;
use devloop_model::DebuggingContainer;
use devloop_model::EventKind;
use serde::Deserialize;
use serde_json::Value;

use crate::Live;
use crate::family::Family;
use crate::objects::Objects;
use crate::objects::is_leaving;
use crate::objects::list;
use crate::objects::name;
use crate::objects::namespace;
use crate::objects::text;

/// What the annotation says of one container.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Debugged {
    pub(crate) artifact: String,
    runtime: String,
    working_dir: String,
    pub(crate) ports: BTreeMap<String, u16>,
}

/// Returns what a pod says of its containers, by their names; nothing where it cannot be read.
pub(crate) fn debugged(pod: &Value) -> BTreeMap<String, Debugged> {
    serde_json::from_str(text(&pod["metadata"]["annotations"][DEBUG_ANNOTATION])).unwrap_or_default()
}

/// The containers that run under a debugger now.
pub(crate) struct Debugging<'a> {
    cx: &'a Cx,
    running: Vec<DebuggingContainer>,
}

impl<'a> Debugging<'a> {
    /// Returns no container yet.
    pub(crate) fn new(cx: &'a Cx) -> Self {
        Self { cx, running: Vec::new() }
    }

    /// Tells which containers run, and run no more.
    pub(crate) fn update(&mut self, live: &Live, family: &Family, objects: &Objects) {
        let now = running(live, family, objects);
        for ended in self.running.iter().filter(|before| !now.iter().any(|one| one.is_same(before))) {
            self.cx.emit(EventKind::DebuggingEnded { container: ended.clone() });
        }
        for started in now.iter().filter(|one| !self.running.iter().any(|before| before.is_same(one))) {
            self.cx.emit(EventKind::DebuggingStarted { container: started.clone() });
        }
        self.running = now;
    }
}

fn running(live: &Live, family: &Family, objects: &Objects) -> Vec<DebuggingContainer> {
    let pods = live.namespaces().into_iter().flat_map(|namespace| objects.all(namespace, "Pod"));
    let ours = pods.filter(|pod| !is_leaving(pod) && family.has(pod, objects));
    let of_pod = |pod: &Value| {
        let runs = |container: &str| {
            let mut statuses = list(&pod["status"], "containerStatuses").iter();
            statuses.any(|status| status["name"] == *container && status["state"]["running"].is_object())
        };
        let of_container = |(container, said): (String, Debugged)| DebuggingContainer {
            namespace: namespace(pod),
            pod: name(pod).to_owned(),
            container,
            artifact: said.artifact,
            runtime: said.runtime,
            working_dir: said.working_dir,
            ports: said.ports,
        };
        debugged(pod).into_iter().filter(|(container, _)| runs(container)).map(of_container).collect::<Vec<_>>()
    };
    ours.flat_map(|pod| of_pod(pod)).collect()
}

#[cfg(test)]
mod tests {
    use devloop_model::EventSink;
    use devloop_model::Stage;
    use devloop_model::StepId;
    use serde_json::json;

    use super::*;
    use crate::family::tests::live;
    use crate::objects::tests::object;
    use crate::objects::tests::objects;

    #[test]
    fn containers_are_told_while_they_run() {
        let (events, mut facts) = EventSink::channel();
        let silent = Cx::silent(StepId::of(Stage::Attach));
        let cx = Cx::new(silent.step, silent.env, events, silent.cancel);
        let live = live(&[("Pod", "web")], &[]);
        let pod = |state: Value, leaving: bool| {
            let mut pod = object("Pod", "web", ("", ""));
            let said = r#"{"app": {"artifact": "web", "runtime": "go", "workingDir": "/src", "ports": {"dlv": 56268}}, "other": {}}"#;
            pod["metadata"]["annotations"] = json!({ DEBUG_ANNOTATION: said });
            pod["status"] = json!({"containerStatuses": [{"name": "app", "state": state}, {"name": "plain", "state": {"running": {}}}]});
            if leaving {
                pod["metadata"]["deletionTimestamp"] = json!("now");
            }
            objects(vec![pod])
        };
        let mut debugging = Debugging::new(&cx);
        let mut said = |objects: &Objects| {
            debugging.update(&live, &Family::of(&live), objects);
            let told = |fact: EventKind| match fact {
                EventKind::DebuggingStarted { container } => format!("+{}/{} {:?}", container.pod, container.container, container.ports),
                EventKind::DebuggingEnded { container } => format!("-{}/{}", container.pod, container.container),
                other => panic!("{other:?}"),
            };
            facts.so_far().into_iter().map(told).collect::<Vec<_>>()
        };
        assert!(said(&pod(json!({"waiting": {}}), false)).is_empty());
        assert_eq!(said(&pod(json!({"running": {}}), false)), [r#"+web/app {"dlv": 56268}"#]);
        assert!(said(&pod(json!({"running": {}}), false)).is_empty());
        assert_eq!(said(&pod(json!({"running": {}}), true)), ["-web/app"]);
    }
}
