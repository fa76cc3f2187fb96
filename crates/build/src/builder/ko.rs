//! Go programs, as ko builds them: `go build`, two layers on a base image that is not downloaded.
//! Source of every choice: ko `pkg/build/gobuild.go`.

mod base;
mod config_file;
mod git_vars;
mod go_build;
mod image;
pub(crate) mod kodata;
mod layer;
mod load;
mod settings;
mod tar;

use std::path::Path;

use devloop_clients::registry::Blob;
use devloop_clients::registry::PushImage;
use devloop_clients::registry::PushLayer;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RegistryError;
use devloop_clients::registry::RemoteImage;
use devloop_clients::registry::is_here;
use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::ImageRef;
use devloop_model::KoBuild;
use devloop_model::Platform;
use devloop_model::Stream;
use futures::future::try_join_all;
use serde_json::json;

use self::image::Image;
use self::image::Parts;
use self::image::Times;
use self::layer::Layer;
use self::layer::Layers;
use self::layer::Packing;
pub(crate) use self::load::load;
pub(crate) use self::settings::Settings;
use super::timed_push;
use crate::BuildError;
use crate::inputs::ko::Program;
use crate::inputs::ko::program;
use crate::platforms;

/// Variables of the environment that change what an image is, beside those that templates name.
const ENVIRONMENT: [&str; 15] = [
    "CGO_ENABLED",
    "GOAMD64",
    "GOARCH",
    "GOARM",
    "GOARM64",
    "GOEXPERIMENT",
    "GOFIPS140",
    "GOFLAGS",
    "GOOS",
    "GOTOOLCHAIN",
    "KO_CONFIG_PATH",
    "KO_DATA_DATE_EPOCH",
    "KO_DEFAULTBASEIMAGE",
    "KO_GO_PATH",
    "SOURCE_DATE_EPOCH",
];

/// Returns the variables that are set of those that change what an image is: a cache has to count them.
pub(crate) fn environment(env: &Env) -> impl Iterator<Item = (&'static str, &str)> {
    ENVIRONMENT.into_iter().filter_map(|name| Some((name, env.get(name)?)))
}

/// What is built, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KoJob<'a> {
    /// The artifact.
    pub(crate) artifact: &'a Artifact,
    /// The name and tag of the image.
    pub(crate) reference: &'a ImageRef,
    /// What to build for; empty is `GOOS` and `GOARCH`, else Linux on this machine's architecture.
    pub(crate) platforms: &'a [Platform],
    /// The command that this is part of: `debug` keeps what a debugger needs.
    pub(crate) mode: &'a str,
    /// Where layers and listings are kept.
    pub(crate) cache_dir: &'a Path,
}

/// A built image for one platform.
#[derive(Debug)]
struct Built {
    platform: Platform,
    base: RemoteImage,
    base_name: ImageRef,
    image: Image,
    kodata: Layer,
    program: Layer,
}

/// Returns the digest of the image, built and pushed; of an index when there are several platforms.
///
/// # Errors
/// When the settings are wrong, `go build` fails, or a registry does.
pub(crate) async fn push(spec: &KoBuild, job: KoJob<'_>, registry: &Registry, cx: &Cx) -> Result<Digest, BuildError> {
    if let Some(import_path) = job.reference.name.import_path() {
        return Err(Diagnostic::error("build/ko-no-repository", format!("there is no repository to push `ko://{import_path}` to"))
            .help("set a default repository: `--default-repo`, or `SKAFFOLD_DEFAULT_REPO`")
            .into());
    }
    let packing = if is_here(&job.reference.name) { Packing::Stored } else { Packing::Compressed };
    let built = build_all(spec, job, packing, registry, cx).await?;
    Ok(timed_push(&job.artifact.image, Box::pin(push_all(&built, job.reference, registry, cx)), cx).await?)
}

/// Pushes one image, or those of several platforms with an index of them.
async fn push_all(built: &[Built], reference: &ImageRef, registry: &Registry, cx: &Cx) -> Result<Digest, RegistryError> {
    if let [only] = built {
        return registry.push(reference, only.to_push(), cx).await;
    }
    let by_digest = ImageRef { name: reference.name.clone(), tag: None, digest: None };
    let digests = try_join_all(built.iter().map(|one| registry.push(&by_digest, one.to_push(), cx))).await?;
    let (index, media_type) = index(built, &digests);
    registry.push_manifest(reference, index.into(), media_type, cx).await
}

async fn build_all(spec: &KoBuild, job: KoJob<'_>, packing: Packing, registry: &Registry, cx: &Cx) -> Result<Vec<Built>, BuildError> {
    let layers = Layers::new(job.cache_dir, packing);
    let settings = Settings::resolve(job.artifact, spec, Some(job.reference), job.mode, &cx.env)?;
    let default = [platforms::of_go(&cx.env)];
    let platforms = if job.platforms.is_empty() { &default } else { job.platforms };
    try_join_all(platforms.iter().map(|platform| build_one(&settings, platform, job, &layers, registry, cx))).await
}

async fn build_one(
    settings: &Settings,
    platform: &Platform,
    job: KoJob<'_>,
    layers: &Layers,
    registry: &Registry,
    cx: &Cx,
) -> Result<Built, BuildError> {
    let program = program(settings, platform, job.cache_dir, cx).await?;
    let times = Times::of(&cx.env)?;
    let base_name = base::reference(settings.base_image(&program.import_path))?;
    let (base, program_layer, kodata) = tokio::try_join!(
        base::fetch(&base_name, platform, registry, cx),
        program_layer(settings, &program, platform, layers, cx),
        kodata_layer(&program, platform, layers, times, cx),
    )?;
    let parts = Parts {
        base: &base,
        base_name: &base_name,
        platform,
        import_path: &program.import_path,
        kodata: &kodata,
        program: &program_layer,
        labels: &settings.labels,
        times,
    };
    let image = parts.image()?;
    Ok(Built { platform: platform.clone(), image, base, base_name, kodata, program: program_layer })
}

async fn program_layer(settings: &Settings, program: &Program, platform: &Platform, layers: &Layers, cx: &Cx) -> Result<Layer, BuildError> {
    cx.log(Stream::Stdout, format!("Building {} for {platform}", program.import_path));
    let output = go_build::run(settings, program, platform, cx).await?;
    let (layers, platform, name) = (layers.clone(), platform.clone(), image::app_name(&program.import_path).to_owned());
    blocking(move || layers.program(output.path(), &name, &platform).map_err(|source| layer_error("the program", &source))).await
}

async fn kodata_layer(program: &Program, platform: &Platform, layers: &Layers, times: Times, cx: &Cx) -> Result<Layer, BuildError> {
    let (layers, platform, root) = (layers.clone(), platform.clone(), program.dir.join("kodata"));
    let allowed = cx.env.get("KO_DATA_PATH_ALLOWED_ROOT").map(str::to_owned);
    let modified = times.kodata.map_or(0, |time| time.as_second() as u64);
    blocking(move || {
        let members = kodata::members(&root, allowed.as_deref());
        members.and_then(|members| layers.kodata(&members, &platform, modified)).map_err(|source| layer_error("`kodata`", &source))
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, BuildError> + Send + 'static) -> Result<T, BuildError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(devloop_model::Cancelled.into()),
    })
}

fn layer_error(of: &str, source: &std::io::Error) -> BuildError {
    Diagnostic::error("build/ko-layer", format!("the image layer of {of} cannot be made")).because(source.to_string()).into()
}

impl Built {
    fn to_push(&self) -> PushImage {
        let base = self.base.manifest.layers().iter().filter(|layer| !is_foreign(layer.media_type().as_ref()));
        let base = base.filter_map(|layer| {
            let digest = Digest::parse(layer.digest().as_ref()).ok()?;
            Some(PushLayer { digest, size: layer.size(), blob: Blob::InRepository(self.base_name.name.clone()) })
        });
        let own = [&self.kodata, &self.program];
        let own = own.map(|layer| PushLayer { digest: layer.digest.clone(), size: layer.size, blob: Blob::File(layer.file.clone()) });
        PushImage {
            manifest: self.image.manifest.clone(),
            media_type: self.image.media_type.clone(),
            config: self.image.config.clone(),
            layers: base.chain(own).collect(),
        }
    }
}

/// Returns whether a layer must not be pushed: it is had from where its manifest says.
fn is_foreign(media_type: &str) -> bool {
    media_type.contains("foreign") || media_type.contains("nondistributable")
}

/// Returns the index over images of several platforms, and its media type.
fn index(built: &[Built], digests: &[Digest]) -> (Vec<u8>, &'static str) {
    let docker = built.iter().all(|one| one.image.media_type.contains("docker"));
    let media_type =
        if docker { "application/vnd.docker.distribution.manifest.list.v2+json" } else { "application/vnd.oci.image.index.v1+json" };
    let manifests = built.iter().zip(digests).map(|(one, digest)| {
        let mut platform = json!({ "architecture": one.platform.arch(), "os": one.platform.os() });
        if let Some(variant) = one.platform.variant() {
            platform["variant"] = json!(variant);
        }
        json!({ "mediaType": one.image.media_type, "size": one.image.manifest.len(), "digest": digest, "platform": platform })
    });
    let manifests: Vec<_> = manifests.collect();
    let annotations: serde_json::Map<_, _> =
        built.first().map(|one| image::base_annotations(&one.base_name, one.base.digest.as_str())).into_iter().flatten().collect();
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests, "annotations": annotations });
    (index.to_string().into_bytes(), media_type)
}
