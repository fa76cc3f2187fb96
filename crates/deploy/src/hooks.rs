//! Commands around a deploy, on this machine and in containers of its namespaces.
//!
//! Facts: Skaffold's `pkg/skaffold/hooks/deploy.go` and `container.go`: a container gets each hook of a phase once in a session.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_clients::exec::ExecTarget;
use devloop_clients::hooks::HookRun;
use devloop_clients::hooks::Phase;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::ContainerRef;
use devloop_clients::kube::Detail;
use devloop_clients::kube::Selection;
use devloop_clients::kube::built_in_kind;
use devloop_model::ContainerHook;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Hook;
use devloop_model::HookSettings;
use devloop_model::Namespace;
use futures::future::try_join_all;
use globset::Glob;
use globset::GlobMatcher;
use serde_json::Value;

use crate::DeployError;

/// What hooks of a deploy are about.
#[derive(Debug, Clone)]
pub struct HookScope<'a> {
    /// What holds for every hook.
    pub settings: &'a HookSettings,
    /// The Kubernetes context.
    pub context: Option<&'a str>,
    /// The namespaces that are deployed to.
    pub namespaces: &'a BTreeSet<Namespace>,
    /// What tells this session from others.
    pub session: &'a str,
}

/// A hook by its phase and place, the UID of a pod, and a container of it.
type Visit = (Phase, usize, String, String);

/// Which containers had which hook already.
#[derive(Debug, Default)]
pub struct Visited(Mutex<BTreeSet<Visit>>);

impl Visited {
    /// Notes a visit; returns whether it is the first one.
    fn is_first(&self, visit: Visit) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(visit)
    }
}

/// Runs the hooks of a phase, one after the other; one for containers runs in all of them at once.
///
/// # Errors
/// When one fails or takes too long, those behind it are not run; when pods cannot be listed.
pub async fn run_hooks(
    phase: Phase,
    hooks: &[Hook],
    scope: &HookScope<'_>,
    visited: &Visited,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<(), DeployError> {
    if hooks.is_empty() {
        return Ok(());
    }
    let namespaces: Vec<&str> = scope.namespaces.iter().map(Namespace::as_str).collect();
    let told = [
        ("RUN_ID", scope.session.to_owned()),
        ("KUBE_CONTEXT", scope.context.unwrap_or_default().to_owned()),
        ("NAMESPACES", namespaces.join(",")),
    ];
    let run = HookRun::new(phase, scope.settings, told);
    run.starting(cx);
    for (place, hook) in hooks.iter().enumerate() {
        match hook {
            Hook::Host(host) => run.on_host([host], cx).await?,
            Hook::Container(hook) => {
                let found = containers(hook, scope.namespaces, cluster, cx).await?;
                if found.is_empty() && phase == AFTER {
                    cx.warn(no_container(hook, &namespaces));
                }
                let new = found.into_iter().filter(|(uid, at)| visited.is_first((phase, place, uid.clone(), at.container.clone())));
                let new: Vec<ContainerRef> = new.map(|(_, at)| at).collect();
                let targets = new.iter().map(|container| ExecTarget::Pod { container, cluster });
                try_join_all(targets.map(|target| run.in_container(hook, target, cx))).await?;
            }
        }
    }
    run.completed(cx);
    Ok(())
}

/// Before a deploy.
pub const BEFORE: Phase = "pre-deploy";
/// After a deploy, once what was deployed is ready.
pub const AFTER: Phase = "post-deploy";

fn no_container(hook: &ContainerHook, namespaces: &[&str]) -> Diagnostic {
    let name = |glob: &Option<String>| glob.clone().unwrap_or_else(|| "*".to_owned());
    let what = format!("no running container `{}` of a pod `{}` for a {AFTER} hook", name(&hook.container), name(&hook.pod));
    Diagnostic::warning("hooks/no-container", what).because(format!("looked in namespace {}", namespaces.join(", ")))
}

/// Returns the running containers that a hook names, with the UIDs of their pods.
async fn containers(
    hook: &ContainerHook,
    namespaces: &BTreeSet<Namespace>,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Vec<(String, ContainerRef)>, DeployError> {
    let (of_pod, of_container) = (glob(hook.pod.as_deref())?, glob(hook.container.as_deref())?);
    let pods = built_in_kind("v1", "Pod").expect("it is in the table");
    let mut found = Vec::new();
    for namespace in namespaces {
        let selection = Selection::of(pods.clone(), Some(namespace.clone()));
        for pod in cluster.list(&selection, Detail::Full, cx).await? {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            if pod["status"]["phase"] != "Running" || !of_pod.is_match(name) {
                continue;
            }
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
            let running = running_containers(&pod).filter(|container| of_container.is_match(container));
            found.extend(running.map(|container| {
                (uid.to_owned(), ContainerRef { namespace: namespace.clone(), pod: name.to_owned(), container: container.to_owned() })
            }));
        }
    }
    Ok(found)
}

fn running_containers(pod: &Value) -> impl Iterator<Item = &str> {
    let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    statuses.filter(|status| status["state"]["running"].is_object()).filter_map(|status| status["name"].as_str())
}

fn glob(pattern: Option<&str>) -> Result<GlobMatcher, DeployError> {
    let pattern = pattern.unwrap_or("*");
    let glob = Glob::new(pattern);
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| DeployError::HookPattern { pattern: pattern.to_owned(), why: error.kind().to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_that_run_are_named() {
        let pod = json!({"status": {"containerStatuses": [
            {"name": "app", "state": {"running": {"startedAt": "x"}}},
            {"name": "job", "state": {"terminated": {"exitCode": 0}}},
        ]}});
        assert_eq!(running_containers(&pod).collect::<Vec<_>>(), ["app"]);
    }

    #[test]
    fn a_container_is_visited_once_per_hook_and_phase() {
        let visited = Visited::default();
        let visit = |phase, place, uid: &str| visited.is_first((phase, place, uid.to_owned(), "app".to_owned()));
        assert!(visit(AFTER, 0, "a"));
        assert!(!visit(AFTER, 0, "a"));
        assert!(visit(AFTER, 1, "a") && visit(BEFORE, 0, "a") && visit(AFTER, 0, "b"));
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        insta::assert_snapshot!(glob(Some("web-[")).unwrap_err().diagnostic(), @r"
        error[deploy/hook-pattern]: `web-[` in a hook is not a valid pattern
          unclosed character class; missing ']'
        help: `podName` and `containerName` are globs: `*`, `?` and `[a-z]`
        ");
    }
}
