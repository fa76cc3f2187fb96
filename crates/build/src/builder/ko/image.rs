//! Configuration and manifest of a ko image: the base's, with two layers and an entry point more.

use bytes::Bytes;
use devloop_clients::registry::RemoteImage;
use devloop_clients::registry::digest_of;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Platform;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::layer::Layer;
use crate::BuildError;

/// What Go writes for a time that is not set.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// A ko image, but for the content of its layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) manifest: Bytes,
    pub(super) media_type: String,
    pub(super) config: Bytes,
}

/// What a ko image is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) base: &'a RemoteImage,
    pub(super) base_name: &'a ImageRef,
    pub(super) platform: &'a Platform,
    pub(super) import_path: &'a str,
    pub(super) kodata: &'a Layer,
    pub(super) program: &'a Layer,
    pub(super) labels: &'a [(String, String)],
    pub(super) times: Times,
}

/// When an image says that it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    /// `SOURCE_DATE_EPOCH`.
    pub(super) program: Option<jiff::Timestamp>,
    /// `KO_DATA_DATE_EPOCH`.
    pub(super) kodata: Option<jiff::Timestamp>,
}

impl Times {
    /// Returns the times that the environment sets. Source: ko `pkg/commands/config.go`.
    ///
    /// # Errors
    /// When one is no number of seconds since 1970.
    pub(super) fn of(env: &Env) -> Result<Self, BuildError> {
        let get = |name: &str| {
            let Some(text) = env.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
            let time =
                text.parse().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()).filter(|time| time.as_second() >= 0);
            let fault = || Diagnostic::error("build/ko-time", format!("`{name}` is not a number of seconds since 1970: `{text}`"));
            time.map(Some).ok_or_else(|| BuildError::from(fault()))
        };
        Ok(Self { program: get("SOURCE_DATE_EPOCH")?, kodata: get("KO_DATA_DATE_EPOCH")? })
    }
}

/// Returns the name of the program in the image: the last element of its import path.
pub(super) fn app_name(import_path: &str) -> &str {
    match import_path.trim_end_matches('/').rsplit('/').next() {
        None | Some("" | ".") => "ko-app",
        Some(name) => name,
    }
}

impl Parts<'_> {
    /// Returns the image. Source: ko `pkg/build/gobuild.go` (`buildOne`).
    ///
    /// # Errors
    /// When the base's manifest or configuration is not an object.
    pub(super) fn image(&self) -> Result<Image, BuildError> {
        let config =
            serde_json::to_vec(&self.config().ok_or_else(|| self.strange("configuration"))?).map_err(|_| self.strange("configuration"))?;
        let manifest = self.manifest(&config).ok_or_else(|| self.strange("manifest"))?;
        let manifest = serde_json::to_vec(&manifest).map_err(|_| self.strange("manifest"))?;
        Ok(Image { manifest: manifest.into(), media_type: self.base.media_type.clone(), config: config.into() })
    }

    fn config(&self) -> Option<Value> {
        let mut config = self.base.config.clone();
        let top = config.as_object_mut()?;
        // The build container of the base, which newer image tools leave out.
        top.remove("container_config");
        top.insert("author".into(), json!("github.com/ko-build/ko"));
        for (key, value) in [("os", self.platform.os()), ("architecture", self.platform.arch())] {
            if top.get(key).and_then(Value::as_str).unwrap_or_default().is_empty() {
                top.insert(key.into(), json!(value));
            }
        }
        if let Some(created) = self.times.program {
            top.insert("created".into(), json!(created));
        }
        entry(top, "history", || json!([])).as_array_mut()?.extend(self.history());
        let root = entry(top, "rootfs", || json!({ "type": "layers" })).as_object_mut()?;
        entry(root, "diff_ids", || json!([])).as_array_mut()?.extend([json!(self.kodata.diff_id), json!(self.program.diff_id)]);
        self.run_config(entry(top, "config", || json!({})).as_object_mut()?)?;
        Some(config)
    }

    fn history(&self) -> [Value; 2] {
        let by = format!("ko build ko://{}", self.import_path);
        let time = |time: Option<jiff::Timestamp>| time.map_or_else(|| json!(NO_TIME), |time| json!(time));
        let at = format!("go build output, at /ko-app/{}", app_name(self.import_path));
        [
            json!({ "author": "ko", "created": time(self.times.kodata), "created_by": by, "comment": "kodata contents, at $KO_DATA_PATH" }),
            json!({ "author": "ko", "created": time(self.times.program), "created_by": by, "comment": at }),
        ]
    }

    fn run_config(&self, config: &mut Map<String, Value>) -> Option<()> {
        let app = app_name(self.import_path);
        let (program, directory, data) = match self.platform.os() {
            "windows" => (format!(r"C:\ko-app\{app}"), r"C:\ko-app", r"C:\var\run\ko"),
            _ => (format!("/ko-app/{app}"), "/ko-app", "/var/run/ko"),
        };
        config.insert("Entrypoint".into(), json!([program]));
        config.remove("Cmd");
        let variables = entry(config, "Env", || json!([])).as_array_mut()?;
        match variables.iter_mut().find(|variable| variable.as_str().is_some_and(|text| text.starts_with("PATH="))) {
            Some(path) => *path = json!(format!("{}:{directory}", path.as_str()?)),
            None => variables.push(json!(format!("PATH={directory}"))),
        }
        variables.push(json!(format!("KO_DATA_PATH={data}")));
        if !self.labels.is_empty() {
            let labels = entry(config, "Labels", || json!({})).as_object_mut()?;
            labels.extend(self.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
        }
        Some(())
    }

    fn manifest(&self, config: &[u8]) -> Option<Value> {
        let mut manifest: Value = serde_json::from_slice(&self.base.manifest_bytes).ok()?;
        let top = manifest.as_object_mut()?;
        top.insert("mediaType".into(), json!(self.base.media_type));
        let about = top.get_mut("config")?.as_object_mut()?;
        about.insert("digest".into(), json!(digest_of(config)));
        about.insert("size".into(), json!(config.len()));
        // A registry may refuse an image that mixes both kinds of types.
        let media_type = if self.base.media_type.contains("docker") {
            "application/vnd.docker.image.rootfs.diff.tar.gzip"
        } else {
            "application/vnd.oci.image.layer.v1.tar+gzip"
        };
        let descriptor = |layer: &Layer| json!({ "mediaType": media_type, "size": layer.size, "digest": layer.digest });
        top.get_mut("layers")?.as_array_mut()?.extend([descriptor(self.kodata), descriptor(self.program)]);
        let annotations = entry(top, "annotations", || json!({})).as_object_mut()?;
        annotations.extend(base_annotations(self.base_name, self.base.manifest_digest.as_str()));
        Some(manifest)
    }

    fn strange(&self, what: &str) -> BuildError {
        Diagnostic::error("build/ko-base", format!("the {what} of base image `{}` is not an image's", self.base_name))
            .help("set `ko.fromImage` to another image")
            .into()
    }
}

/// Returns the annotations that name the base, by which others can tell that it is old.
pub(super) fn base_annotations(name: &ImageRef, digest: &str) -> [(String, Value); 2] {
    [("org.opencontainers.image.base.digest".into(), json!(digest)), ("org.opencontainers.image.base.name".into(), json!(full_name(name)))]
}

/// Returns the name with its registry and tag written out, as go-containerregistry does.
fn full_name(reference: &ImageRef) -> String {
    let name: &ImageName = &reference.name;
    let full = match name.domain() {
        Some("docker.io" | "index.docker.io") | None => {
            let library = if name.path().contains('/') { "" } else { "library/" };
            format!("index.docker.io/{library}{}", name.path())
        }
        Some(_) => name.to_string(),
    };
    match (&reference.digest, &reference.tag) {
        (Some(digest), _) => format!("{full}@{digest}"),
        (None, Some(tag)) => format!("{full}:{tag}"),
        (None, None) => format!("{full}:latest"),
    }
}

fn entry<'m>(map: &'m mut Map<String, Value>, key: &str, default: impl FnOnce() -> Value) -> &'m mut Value {
    let value = map.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = default();
    }
    value
}

#[cfg(test)]
mod tests;
