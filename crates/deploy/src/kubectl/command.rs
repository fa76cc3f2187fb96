//! The real kubectl, for flags that have no equivalent in process.

use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::Cx;
use devloop_model::KubectlDeploy;
use serde_json::Value;

use crate::DeployError;
use crate::DeployJob;
use crate::wanted::namespace;

/// What flags of `kubectl apply` mean in process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NativeFlags {
    /// `--force`.
    pub(super) force: bool,
    /// `--validate=false`.
    pub(super) no_validation: bool,
}

/// Returns what the flags of the configuration mean in process; none if only kubectl knows.
pub(super) fn native_flags(settings: &KubectlDeploy) -> Option<NativeFlags> {
    if !settings.global_flags.is_empty() {
        return None;
    }
    let mut native = NativeFlags::default();
    for flag in &settings.apply_flags {
        match flag.as_str() {
            "--server-side"
            | "--server-side=true"
            | "--force-conflicts"
            | "--force-conflicts=true"
            | "--wait=false"
            | "--overwrite"
            | "--overwrite=true"
            | "--validate"
            | "--validate=true"
            | "--validate=strict"
            | "--force=false" => {}
            "--force" | "--force=true" => native.force = true,
            "--validate=false" | "--validate=ignore" => native.no_validation = true,
            _ => return None,
        }
    }
    Some(native)
}

/// Returns whether a delete has to be done by the real kubectl.
pub(crate) fn flags_need_command(settings: &KubectlDeploy) -> bool {
    let known = |flag: &String| {
        matches!(flag.as_str(), "--ignore-not-found" | "--ignore-not-found=true" | "--wait" | "--wait=true" | "--wait=false")
    };
    !settings.global_flags.is_empty() || !settings.delete_flags.iter().all(known)
}

/// Returns the lines that `kubectl apply` wrote.
pub(super) async fn apply(job: &DeployJob, objects: &[Value], cx: &Cx) -> Result<Vec<String>, DeployError> {
    let mut command = kubectl(job, "apply", cx)?.args(&job.kubectl.apply_flags);
    if job.force {
        command = command.args(["--force", "--grace-period=0"]);
    }
    if job.kubectl.disable_validation {
        command = command.arg("--validate=false");
    }
    run(command, "apply", objects, cx).await
}

/// Deletes `objects` by `kubectl delete`.
pub(crate) async fn delete(job: &DeployJob, objects: &[Value], dry_run: bool, cx: &Cx) -> Result<Vec<String>, DeployError> {
    let mut command = kubectl(job, "delete", cx)?.args(&job.kubectl.delete_flags).args(["--ignore-not-found=true", "--wait=false"]);
    if dry_run {
        command = command.arg("--dry-run=client");
    }
    run(command, "delete", objects, cx).await
}

fn kubectl(job: &DeployJob, verb: &str, cx: &Cx) -> Result<Command, DeployError> {
    let mut command = Command::new("kubectl");
    if let Some(path) = &job.kubeconfig {
        command = command.arg("--kubeconfig").arg(path);
    }
    if let Some(context) = &job.target.context {
        command = command.args(["--context", context]);
    }
    Ok(command.args(["--namespace", namespace(job, cx)?.as_str()]).args(&job.kubectl.global_flags).arg(verb))
}

async fn run(command: Command, verb: &'static str, objects: &[Value], cx: &Cx) -> Result<Vec<String>, DeployError> {
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let output = command.args(["-f", "-"]).input(list.to_string()).output(cx).await.map_err(|error| match error {
        ProcessError::Cancelled => DeployError::Cancelled,
        error => DeployError::Kubectl { verb, error },
    })?;
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        cx.log(devloop_model::Stream::Stderr, line);
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_with_an_equivalent_stay_in_process() {
        for (flags, native) in [
            (vec![], Some(NativeFlags::default())),
            (vec!["--server-side", "--force-conflicts"], Some(NativeFlags::default())),
            (vec!["--force"], Some(NativeFlags { force: true, no_validation: false })),
            (vec!["--validate=false"], Some(NativeFlags { force: false, no_validation: true })),
            (vec!["--prune", "-l", "app=web"], None),
            (vec!["--dry-run=server"], None),
        ] {
            let settings = KubectlDeploy { apply_flags: flags.iter().map(ToString::to_string).collect(), ..KubectlDeploy::default() };
            assert_eq!(native_flags(&settings), native, "{flags:?}");
        }
        assert_eq!(native_flags(&KubectlDeploy { global_flags: vec!["--as=me".into()], ..KubectlDeploy::default() }), None);
    }
}
