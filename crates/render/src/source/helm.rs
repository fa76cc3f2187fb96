//! `manifests.helm`: releases that `helm template` renders, all at once.

use std::path::Path;

use devloop_clients::helm;
use devloop_clients::helm::HelmSettings;
use devloop_clients::helm::ResolvedRelease;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::HelmRelease;
use devloop_model::Manifest;
use devloop_model::RenderSpec;
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use futures::stream;

use super::objects::objects;
use crate::RenderError;
use crate::transform;

/// How many releases are rendered at once: helm reads the whole chart, and uses a processor meanwhile.
const CONCURRENCY: usize = 8;

/// Returns the objects of `manifests.helm`, in the order of its releases.
///
/// # Errors
/// When helm is not installed, a chart or file is missing, or a chart does not render.
pub(crate) async fn helm(
    module: &RenderSpec,
    images: &[BuiltImage],
    settings: &HelmSettings,
    cx: &Cx,
) -> Result<Vec<Manifest>, RenderError> {
    if module.helm.is_empty() {
        return Ok(Vec::new());
    }
    let vars = helm::image_variables(&settings.vars, images);
    let resolved: Vec<ResolvedRelease> = module.helm.iter().map(|spec| helm::resolve(spec, settings, &vars)).collect::<Result<_, _>>()?;
    // Without any image, as for a delete, none is missed.
    for warning in resolved.iter().flat_map(|release| &release.warnings).filter(|_| !images.is_empty()) {
        cx.warn(warning.clone());
    }
    helm::build_dependencies(&resolved, settings, cx).await?;
    let all: Vec<_> = resolved.iter().map(|release| one(release, settings, cx)).collect();
    let rendered: Vec<Vec<Manifest>> = stream::iter(all).buffered(CONCURRENCY).try_collect().await?;
    Ok(rendered.into_iter().flatten().collect())
}

async fn one(release: &ResolvedRelease, settings: &HelmSettings, cx: &Cx) -> Result<Vec<Manifest>, RenderError> {
    let text = helm::template(release, settings, cx).await?;
    let found = objects(&text, Path::new(&format!("helm template {}", release.name)))?;
    found.warnings.into_iter().for_each(|warning| cx.warn(warning));
    let mut manifests = found.manifests;
    // helm knows the namespace of a release, its manifests seldom do: applied as they are, they would go elsewhere.
    if settings.writes_namespace && names_namespace(&release.spec, settings) {
        for warning in transform::set_namespace(&mut manifests, &release.namespace) {
            tracing::debug!("{}", warning.what);
        }
    }
    Ok(manifests)
}

fn names_namespace(spec: &HelmRelease, settings: &HelmSettings) -> bool {
    spec.namespace.is_some() && !settings.namespace_is_forced
}
