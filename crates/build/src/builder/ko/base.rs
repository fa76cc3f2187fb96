//! Base images: only their manifest and configuration, once in a session.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use devloop_clients::registry::Registry;
use devloop_clients::registry::RemoteImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageRef;
use devloop_model::Platform;
use devloop_model::Stream;
use tokio::sync::OnceCell;

use crate::BuildError;

type Bases = HashMap<(String, String), Arc<OnceCell<RemoteImage>>>;

/// A tag that moves while we run must not change what two images of one session stand on.
static BASES: LazyLock<Mutex<Bases>> = LazyLock::new(Mutex::default);

/// Returns the reference of a base image.
///
/// # Errors
/// When `text` is none.
pub(super) fn reference(text: &str) -> Result<ImageRef, BuildError> {
    ImageRef::parse(text).map_err(|error| {
        let fault = Diagnostic::error("build/ko-base", format!("the base image `{text}` is not a valid reference"));
        fault.because(error.to_string()).help("correct `ko.fromImage`, `KO_DEFAULTBASEIMAGE` or `.ko.yaml`").into()
    })
}

/// Returns the base image for `platform`, as the registry had it when it was first asked.
///
/// # Errors
/// When the registry fails, or has no such image for that platform.
pub(super) async fn fetch(reference: &ImageRef, platform: &Platform, registry: &Registry, cx: &Cx) -> Result<RemoteImage, BuildError> {
    let key = (reference.to_string(), platform.to_string());
    let cell = BASES.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
    let image = cell
        .get_or_try_init(|| async {
            let image = registry.image(reference, Some(platform), cx).await?;
            cx.log(Stream::Stdout, format!("Using base {reference}@{}", image.digest));
            Ok::<_, BuildError>(image)
        })
        .await?;
    check(image, reference, platform)?;
    Ok(image.clone())
}

/// A base without an index is what it is, whatever was asked for.
fn check(image: &RemoteImage, reference: &ImageRef, platform: &Platform) -> Result<(), BuildError> {
    let get = |key: &str| image.config.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    let (os, arch) = (get("os").unwrap_or("linux"), get("architecture").unwrap_or("amd64"));
    if (os, arch) == (platform.os(), platform.arch()) {
        return Ok(());
    }
    Err(Diagnostic::error("build/ko-platform", format!("the base image `{reference}` is for `{os}/{arch}`, not for `{platform}`"))
        .help("set `ko.fromImage` to an image for that platform, or change `platforms`")
        .into())
}
