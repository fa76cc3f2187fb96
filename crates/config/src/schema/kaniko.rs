//! `kaniko` of an artifact: one field per flag of kaniko, and the pod around it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OptionalTextMap;

/// A build by kaniko.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of another program")]
pub struct KanikoArtifact {
    /// `--cleanup`.
    pub cleanup: bool,
    /// `--insecure`.
    pub insecure: bool,
    /// `--insecure-pull`.
    pub insecure_pull: bool,
    /// `--force`.
    pub force: bool,
    /// `--log-timestamp`.
    pub log_timestamp: bool,
    /// `--reproducible`.
    pub reproducible: bool,
    /// `--single-snapshot`.
    pub single_snapshot: bool,
    /// `--skip-tls-verify`.
    #[serde(rename = "skipTLS")]
    pub skip_tls: bool,
    /// `--skip-tls-verify-pull`.
    #[serde(rename = "skipTLSVerifyPull")]
    pub skip_tls_verify_pull: bool,
    /// `--skip-unused-stages`.
    pub skip_unused_stages: bool,
    /// `--use-new-run`.
    pub use_new_run: bool,
    /// `--whitelist-var-run`.
    pub whitelist_var_run: Option<bool>,
    /// Path of the Dockerfile; `Dockerfile` by default.
    #[schemars(extend("x-path" = "context"))]
    pub dockerfile: String,
    /// Stage to build.
    pub target: String,
    /// Image of the container that waits for the context.
    pub init_image: String,
    /// Image of kaniko.
    pub image: String,
    /// Secret to pull kaniko's image with.
    pub image_pull_secret: String,
    /// More names to push to.
    pub destination: Vec<String>,
    /// `--digest-file`.
    pub digest_file: String,
    /// `--image-fs-extract-retry`.
    #[serde(rename = "imageFSExtractRetry")]
    pub image_fs_extract_retry: String,
    /// `--image-name-with-digest-file`.
    pub image_name_with_digest_file: String,
    /// `--log-format`.
    pub log_format: String,
    /// `--oci-layout-path`.
    pub oci_layout_path: String,
    /// `--registry-mirror`.
    pub registry_mirror: String,
    /// `--snapshot-mode`.
    pub snapshot_mode: String,
    /// `--push-retry`.
    pub push_retry: String,
    /// `--tar-path`.
    pub tar_path: String,
    /// `--verbosity`.
    pub verbosity: String,
    /// `--insecure-registry`.
    pub insecure_registry: Vec<String>,
    /// `--skip-tls-verify-registry`.
    #[serde(rename = "skipTLSVerifyRegistry")]
    pub skip_tls_verify_registry: Vec<String>,
    /// Environment of the container.
    pub env: Vec<serde_json::Value>,
    /// Cached layers.
    pub cache: Option<KanikoCache>,
    /// `--registry-certificate`.
    pub registry_certificate: OptionalTextMap,
    /// `--label`.
    pub label: OptionalTextMap,
    /// Build arguments.
    pub build_args: OptionalTextMap,
    /// Volume mounts of the container.
    pub volume_mounts: Vec<serde_json::Value>,
    /// `--context-sub-path`.
    #[schemars(extend("x-path" = true))]
    pub context_sub_path: String,
    /// `--ignore-path`.
    pub ignore_paths: Vec<String>,
    /// How often the context is sent again.
    pub copy_max_retries: Option<i64>,
    /// How long sending the context may take.
    pub copy_timeout: String,
    /// How strongly the context is compressed.
    pub build_context_compression_level: Option<i64>,
}

/// Cached layers of kaniko.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KanikoCache {
    /// `--cache-repo`.
    pub repo: String,
    /// A path of the node that is mounted as cache.
    pub host_path: String,
    /// `--cache-ttl`.
    pub ttl: String,
    /// `--cache-copy-layers`.
    pub cache_copy_layers: bool,
    /// `--cache-run-layers`.
    pub cache_run_layers: Option<bool>,
}
