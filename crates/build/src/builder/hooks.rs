//! Commands around the build of one artifact.
//!
//! Facts: Skaffold's `pkg/skaffold/hooks/build.go`: they run where an image is built, and not where the cache has it.

use devloop_clients::hooks::HookError;
use devloop_clients::hooks::HookRun;
use devloop_clients::hooks::Phase;
use devloop_model::Hook;

use super::Work;

/// Runs the commands of a phase on this machine; a build has no others.
pub(super) async fn run(phase: Phase, hooks: &[Hook], work: &Work<'_>) -> Result<(), HookError> {
    let hosts: Vec<_> = hooks.iter().filter_map(Hook::on_host).collect();
    if hosts.is_empty() {
        return Ok(());
    }
    let reference = &work.job.prepared.reference;
    let told = [
        ("IMAGE", reference.to_string()),
        ("PUSH_IMAGE", work.options.pushes(work.artifact).to_string()),
        ("IMAGE_REPO", reference.name.to_string()),
        ("IMAGE_TAG", reference.tag.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("BUILD_CONTEXT", work.artifact.context.display().to_string()),
    ];
    let run = HookRun::new(phase, &work.options.hooks, told);
    run.starting(work.cx);
    run.on_host(hosts, work.cx).await?;
    run.completed(work.cx);
    Ok(())
}
