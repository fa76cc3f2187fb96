//! Commands around a sync, on this machine and in the containers.

use devloop_clients::exec::ExecTarget;
use devloop_clients::hooks::HookRun;
use devloop_clients::hooks::Phase;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Hook;
use devloop_model::HookSettings;

use super::SyncItem;
use super::SyncJob;

pub(super) const BEFORE: Phase = "pre-sync";
pub(super) const AFTER: Phase = "post-sync";

/// Runs the commands that are for this machine, one after the other.
///
/// # Errors
/// When one fails; those behind it are not run.
pub(super) async fn on_host(hooks: &[Hook], run: &HookRun, cx: &Cx) -> Result<(), Diagnostic> {
    run.on_host(hooks.iter().filter_map(Hook::on_host), cx).await.map_err(|error| error.diagnostic())
}

/// Runs the commands that are for the container, one after the other.
///
/// # Errors
/// When one fails; those behind it are not run.
pub(super) async fn in_container(hooks: &[Hook], phase: Phase, target: ExecTarget<'_>, cx: &Cx) -> Result<(), Diagnostic> {
    // Only those on this machine are told anything.
    let run = HookRun::new(phase, &HookSettings::default(), []);
    for hook in hooks {
        if let Hook::Container(hook) = hook {
            run.in_container(hook, target, cx).await.map_err(|error| error.diagnostic())?;
        }
    }
    Ok(())
}

/// Returns the hooks of a phase with what those on this machine are told. Source: skaffold `pkg/skaffold/hooks/env.go`.
pub(super) fn run(phase: Phase, job: &SyncJob, namespaces: &[String], context: Option<&str>) -> HookRun {
    let list = |deleted: bool| {
        let items = job.items.iter().filter(|item| item.deleted == deleted && item.is_file());
        let mut paths: Vec<String> = items.map(|SyncItem { path, .. }| job.artifact.context.join(path).display().to_string()).collect();
        paths.dedup();
        paths.join(";")
    };
    let own = [
        ("IMAGE", job.image.clone()),
        ("BUILD_CONTEXT", job.artifact.context.display().to_string()),
        ("FILES_ADDED_OR_MODIFIED", list(false)),
        ("FILES_DELETED", list(true)),
        ("KUBE_CONTEXT", context.unwrap_or_default().to_owned()),
        ("NAMESPACES", namespaces.join(",")),
    ];
    HookRun::new(phase, &job.hooks, own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::testing::artifact;

    #[test]
    fn hooks_are_told_what_changed() {
        let item = |path: &str, place: &str, deleted| SyncItem { path: path.into(), destination: place.into(), deleted };
        let hooks = HookSettings { variables: vec![("SKAFFOLD_WORK_DIR".into(), "/work".into())], ..HookSettings::default() };
        let job = SyncJob {
            artifact: artifact("web", None),
            image: "web:1".into(),
            items: vec![item("a", "/x/a", false), item("a", "/y/a", false), item("b", "/b", false), item("c", "/c", true)],
            hooks: hooks.clone(),
        };
        let told = [
            ("IMAGE", "web:1"),
            ("BUILD_CONTEXT", "/project"),
            ("FILES_ADDED_OR_MODIFIED", "/project/a;/project/b"),
            ("FILES_DELETED", "/project/c"),
            ("KUBE_CONTEXT", "kind"),
            ("NAMESPACES", "n1,n2"),
        ];
        let expected = HookRun::new(BEFORE, &hooks, told.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(run(BEFORE, &job, &["n1".into(), "n2".into()], Some("kind")), expected);
    }
}
