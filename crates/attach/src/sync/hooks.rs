//! Commands around a sync, on this machine and in the containers.

use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::ContainerRef;
use devloop_clients::kube::ExecEnd;
use devloop_clients::process::Command;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Stream;
use devloop_model::SyncHook;

use super::SyncItem;
use super::SyncJob;
use super::agent::reason;

/// How long a command in a container may take.
const LIMIT: Duration = Duration::from_mins(5);

/// Runs the commands that are for this machine, one after the other.
///
/// # Errors
/// When one fails; those behind it are not run.
pub(super) async fn on_host(hooks: &[SyncHook], variables: &[(String, String)], cx: &Cx) -> Result<(), Diagnostic> {
    for hook in hooks {
        let SyncHook::Host { command: words, os, dir } = hook else { continue };
        let Some((program, arguments)) = words.split_first() else { continue };
        if !os.is_empty() && !os.iter().any(|name| name == own_os()) {
            continue;
        }
        let command = variables.iter().fold(Command::new(program).args(arguments), |command, (name, value)| command.env(name, value));
        let command = match dir {
            Some(dir) => command.dir(dir),
            None => command,
        };
        command.run(cx).await.map_err(|error| failed(words, "on this machine").because_of(&error))?;
    }
    Ok(())
}

/// Runs the commands that are for the container, one after the other.
///
/// # Errors
/// When one fails; those behind it are not run.
pub(super) async fn in_container(hooks: &[SyncHook], container: &ContainerRef, cluster: &Cluster, cx: &Cx) -> Result<(), Diagnostic> {
    for hook in hooks {
        let SyncHook::Container { command } = hook else { continue };
        let failed = || failed(command, &format!("in {container}"));
        let output = cluster.exec_to_end(container, command, &[], LIMIT, cx).await.map_err(|error| failed().because_of(&error))?;
        for (stream, text) in [(Stream::Stdout, &output.stdout), (Stream::Stderr, &output.stderr)] {
            text.lines().for_each(|line| cx.log(stream, line));
        }
        if output.end != ExecEnd::Exited(0) {
            return Err(failed().because(reason(output.end, &output.stderr)));
        }
    }
    Ok(())
}

/// Returns what commands on this machine are told. Source: skaffold `pkg/skaffold/hooks/env.go`.
pub(super) fn variables(job: &SyncJob, namespaces: &[String], context: Option<&str>) -> Vec<(String, String)> {
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
    job.variables.iter().cloned().chain(own.map(|(name, value)| (format!("SKAFFOLD_{name}"), value))).collect()
}

/// The system in Go's words.
fn own_os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

fn failed(command: &[String], place: &str) -> Diagnostic {
    Diagnostic::error("attach/sync-hook", format!("a sync hook failed {place}: `{}`", command.join(" ")))
}

#[cfg(test)]
mod tests {
    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;
    use crate::sync::testing::artifact;

    fn host(command: &[&str], os: &[&str]) -> SyncHook {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        SyncHook::Host { command: owned(command), os: owned(os), dir: None }
    }

    #[test]
    fn hooks_are_told_what_changed() {
        let item = |path: &str, place: &str, deleted| SyncItem { path: path.into(), destination: place.into(), deleted };
        let job = SyncJob {
            artifact: artifact("web", None),
            image: "web:1".into(),
            items: vec![item("a", "/x/a", false), item("a", "/y/a", false), item("b", "/b", false), item("c", "/c", true)],
            variables: vec![("SKAFFOLD_WORK_DIR".into(), "/work".into())],
        };
        let shown: Vec<String> =
            variables(&job, &["n1".into(), "n2".into()], Some("kind")).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            shown,
            [
                "SKAFFOLD_WORK_DIR=/work",
                "SKAFFOLD_IMAGE=web:1",
                "SKAFFOLD_BUILD_CONTEXT=/project",
                "SKAFFOLD_FILES_ADDED_OR_MODIFIED=/project/a;/project/b",
                "SKAFFOLD_FILES_DELETED=/project/c",
                "SKAFFOLD_KUBE_CONTEXT=kind",
                "SKAFFOLD_NAMESPACES=n1,n2"
            ]
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_first_hook_that_fails_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        let line = format!("echo $V >> {}", file.display());
        let cx = Cx::silent(StepId::of(Stage::Sync));
        let hooks = [
            host(&["sh", "-c", &line], &["linux", "darwin"]),
            host(&["false"], &["plan9"]),
            host(&["false"], &[]),
            host(&["sh", "-c", &line], &[]),
        ];
        let error = on_host(&hooks, &[("V".into(), "value".into())], &cx).await.unwrap_err();
        assert!(error.to_string().contains("`false`"), "{error}");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "value\n");
    }
}
