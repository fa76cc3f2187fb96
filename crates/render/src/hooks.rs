//! Commands around rendering, on this machine.
//!
//! Facts: Skaffold's `pkg/skaffold/hooks/render.go`.

use std::path::Path;

use devloop_clients::hooks::HookRun;
use devloop_clients::hooks::Phase;
use devloop_model::Cx;
use devloop_model::Manifest;
use devloop_model::ManifestHook;
use devloop_model::ManifestSet;
use devloop_model::RenderSpec;

use crate::RenderError;
use crate::RenderJob;
use crate::source::objects;
use crate::to_yaml;

/// Runs the commands that come before rendering, module by module.
///
/// # Errors
/// When one fails or takes too long; those behind it are not run.
pub async fn run_hooks_before(job: &RenderJob, cx: &Cx) -> Result<(), RenderError> {
    for module in job.modules.iter().filter(|module| !module.hooks.before.is_empty()) {
        let run = phase("pre-render", job);
        run.starting(cx);
        run.on_host(&module.hooks.before, cx).await?;
        run.completed(cx);
    }
    Ok(())
}

/// Returns the manifests of a module after its commands saw them, and changed them where they may.
pub(crate) async fn after(
    module: &RenderSpec,
    mut manifests: Vec<Manifest>,
    job: &RenderJob,
    cx: &Cx,
) -> Result<Vec<Manifest>, RenderError> {
    if module.hooks.after.is_empty() {
        return Ok(manifests);
    }
    let run = phase("post-render", job);
    run.starting(cx);
    for hook in &module.hooks.after {
        let (set, input) = yaml(manifests)?;
        manifests = match given_back(hook, &run, input, cx).await? {
            Some(text) => read(hook, &text, cx)?,
            None => set.manifests,
        };
    }
    run.completed(cx);
    Ok(manifests)
}

fn yaml(manifests: Vec<Manifest>) -> Result<(ManifestSet, Vec<u8>), RenderError> {
    let set = ManifestSet { manifests };
    let text = to_yaml(&set)?;
    Ok((set, text.into_bytes()))
}

/// Returns what a hook printed in place of the manifests, if that is what it is for.
async fn given_back(hook: &ManifestHook, run: &HookRun, input: Vec<u8>, cx: &Cx) -> Result<Option<String>, RenderError> {
    if !hook.with_change {
        run.with_input(&hook.host, input, cx).await?;
        return Ok(None);
    }
    let output = run.filter(&hook.host, input, cx).await?;
    Ok(output.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn read(hook: &ManifestHook, text: &str, cx: &Cx) -> Result<Vec<Manifest>, RenderError> {
    let command = hook.host.command.join(" ");
    // What is deployed would be pruned.
    if text.trim().is_empty() {
        return Err(RenderError::HookOutput { command });
    }
    let found = objects(text, Path::new(&format!("output of `{command}`")))?;
    found.warnings.into_iter().for_each(|warning| cx.warn(warning));
    Ok(found.manifests)
}

fn phase(phase: Phase, job: &RenderJob) -> HookRun {
    let told = [("KUBE_CONTEXT", job.context.clone().unwrap_or_default()), ("NAMESPACES", job.hook_namespace.to_string())];
    HookRun::new(phase, &job.hooks, told)
}
