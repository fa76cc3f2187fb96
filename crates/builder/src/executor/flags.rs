//! kaniko's command line: its flags, and what becomes of each.
//!
//! Source of names and defaults: kaniko's `cmd/executor/cmd/root.go`.

use std::path::PathBuf;

use clap::ArgAction;
use clap::Parser;
use devloop_model::Platform;

/// kaniko's command line.
#[derive(Debug, Parser)]
#[command(name = "executor", about = "Builds a Dockerfile as kaniko does, with BuildKit", disable_version_flag = true)]
#[expect(clippy::struct_excessive_bools, reason = "they are kaniko's")]
pub(super) struct Flags {
    /// The Dockerfile: a path in the context or on this machine.
    #[arg(short = 'f', long, default_value = "Dockerfile")]
    pub(super) dockerfile: String,
    /// What is built: `dir://PATH`, `tar://FILE`, `git://HOST/REPO#REF#COMMIT`, `https://HOST/FILE.tar.gz`.
    #[arg(short, long, default_value = "/workspace/")]
    pub(super) context: String,
    /// A directory in the context.
    #[arg(long, default_value = "")]
    pub(super) context_sub_path: String,
    /// How a git context is fetched.
    #[arg(long, default_value = "")]
    pub(super) git: String,
    /// Where the image is pushed; may be repeated.
    #[arg(short, long)]
    pub(super) destination: Vec<String>,
    /// A build argument: NAME=VALUE, or NAME of the environment; may be repeated.
    #[arg(long)]
    pub(super) build_arg: Vec<String>,
    /// The stage to build.
    #[arg(long, default_value = "")]
    pub(super) target: String,
    /// Steps are looked for in a cache, and kept there.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) cache: bool,
    /// The repository of that cache.
    #[arg(long, default_value = "")]
    pub(super) cache_repo: String,
    /// Nothing is pushed; what is asked for besides is written.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", env = "KANIKO_NO_PUSH", action = ArgAction::Set)]
    pub(super) no_push: bool,
    /// Nothing is written to the cache.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) no_push_cache: bool,
    /// How often a push is tried again.
    #[arg(long, default_value_t = 0)]
    pub(super) push_retry: u32,
    /// A tag that may not be pushed again is no failure.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) push_ignore_immutable_tag_errors: bool,
    /// The image as `docker load` takes it.
    #[arg(long, alias = "tarPath", default_value = "")]
    pub(super) tar_path: String,
    /// The image as an OCI layout, in this directory.
    #[arg(long, default_value = "")]
    pub(super) oci_layout_path: String,
    /// The digest of the image.
    #[arg(long, default_value = "")]
    pub(super) digest_file: String,
    /// Names and digest of the image.
    #[arg(long, default_value = "")]
    pub(super) image_name_with_digest_file: String,
    /// Names, tags and digest of the image.
    #[arg(long, default_value = "")]
    pub(super) image_name_tag_with_digest_file: String,
    /// Where images of Docker Hub are looked for first; may be repeated.
    #[arg(long, env = "KANIKO_REGISTRY_MIRROR", value_delimiter = ',', hide_env_values = true)]
    pub(super) registry_mirror: Vec<String>,
    /// Where images of a registry are looked for first: HOST=OTHER;HOST=OTHER; may be repeated.
    #[arg(long, env = "KANIKO_REGISTRY_MAP", value_delimiter = ';', hide_env_values = true)]
    pub(super) registry_map: Vec<String>,
    /// The registries of all destinations are spoken to without TLS.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) insecure: bool,
    /// A registry without TLS; may be repeated.
    #[arg(long)]
    pub(super) insecure_registry: Vec<String>,
    /// The registries of all base images are spoken to without TLS.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) insecure_pull: bool,
    /// The certificates of destinations are not checked.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) skip_tls_verify: bool,
    /// The certificates of base images' registries are not checked.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) skip_tls_verify_pull: bool,
    /// A registry whose certificate is not checked; may be repeated.
    #[arg(long)]
    pub(super) skip_tls_verify_registry: Vec<String>,
    /// A certificate of a registry: HOST=PATH; may be repeated.
    #[arg(long)]
    pub(super) registry_certificate: Vec<String>,
    /// A certificate to show to a registry: HOST=CERTIFICATE,KEY; may be repeated.
    #[arg(long)]
    pub(super) registry_client_cert: Vec<String>,
    /// What is built for.
    #[arg(long, alias = "customPlatform", alias = "platform", value_delimiter = ',')]
    pub(super) custom_platform: Vec<Platform>,
    /// A label: NAME=VALUE; may be repeated.
    #[arg(long)]
    pub(super) label: Vec<String>,
    /// An annotation of the manifest: NAME=VALUE; may be repeated.
    #[arg(long)]
    pub(super) annotation: Vec<String>,
    /// A secret of RUN: id=NAME,src=PATH or id=NAME,env=NAME; may be repeated.
    #[arg(long)]
    pub(super) secret: Vec<String>,
    /// The same inputs give the same image.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) reproducible: bool,
    /// gzip or zstd.
    #[arg(long, default_value = "")]
    pub(super) compression: String,
    /// How strongly layers are compressed.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) compression_level: Option<i32>,
    /// panic, fatal, error, warn, info, debug or trace.
    #[arg(short, long, default_value = "info")]
    pub(super) verbosity: String,
    /// Each line begins with the time.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    pub(super) log_timestamp: bool,
    #[command(flatten)]
    pub(super) without_effect: WithoutEffect,
}

/// Flags that say how kaniko works, and not what comes of it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Understood, without effect")]
pub(super) struct WithoutEffect {
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    skip_unused_stages: Option<String>,
    #[arg(long, alias = "snapshotMode", hide = true)]
    snapshot_mode: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    single_snapshot: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    use_new_run: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    force_build_metadata: Option<String>,
    #[arg(long, hide = true)]
    ignore_path: Vec<String>,
    #[arg(long, alias = "whitelist-var-run", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    ignore_var_run: Option<String>,
    #[arg(long, hide = true)]
    cache_ttl: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    cache_run_layers: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    cache_copy_layers: Option<String>,
    #[arg(long, hide = true)]
    cache_dir: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    compressed_caching: Option<String>,
    #[arg(long, hide = true)]
    image_download_retry: Option<String>,
    #[arg(long, hide = true)]
    image_fs_extract_retry: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    skip_push_permission_check: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    skip_default_registry_fallback: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    cleanup: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pre_cleanup: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    preserve_context: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    materialize: Option<String>,
    #[arg(long, hide = true)]
    kaniko_dir: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    force: Option<String>,
    #[arg(long, hide = true)]
    log_format: Option<String>,
    #[arg(long, hide = true)]
    image_format: Option<String>,
    #[arg(long, hide = true)]
    credential_helpers: Vec<String>,
}

impl Flags {
    /// Returns what is said of flags that change less than somebody who set them may think.
    pub(super) fn notices(&self) -> Vec<String> {
        let Self { without_effect: flags, .. } = self;
        let is_on = |flag: &Option<String>| flag.as_deref().is_some_and(|value| value != "false");
        let all = [
            (
                is_on(&flags.single_snapshot),
                "--single-snapshot: BuildKit makes a layer of each step; stages that are only copied from leave none",
            ),
            (flags.snapshot_mode.is_some(), "--snapshot-mode: BuildKit asks the file system what a step changed, in every mode"),
            (is_on(&flags.use_new_run), "--use-new-run: BuildKit asks the file system what a step changed"),
            (!flags.ignore_path.is_empty(), "--ignore-path: steps run in a file system of their own, where the pod's paths are not"),
            (flags.cache_ttl.is_some() && self.cache, "--cache-ttl: a cached step is used as long as its inputs are the same"),
            (is_on(&flags.cache_copy_layers) && !self.cache, "--cache-copy-layers needs --cache"),
            (flags.cache_dir.as_deref().is_some_and(|path| path != "/cache"), "--cache-dir: base images come from their registries"),
            (
                is_on(&flags.skip_default_registry_fallback),
                "--skip-default-registry-fallback: what a mirror does not have comes from its own registry",
            ),
            (flags.image_format.is_some(), "--image-format: the image is an OCI image"),
            (!flags.credential_helpers.is_empty(), "--credential-helpers: those of the docker configuration are asked"),
            (self.insecure_pull, "--insecure-pull: name the registries by --insecure-registry"),
            (self.skip_tls_verify_pull, "--skip-tls-verify-pull: name the registries by --skip-tls-verify-registry"),
        ];
        all.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text.to_owned()).collect()
    }
}

/// Returns why a context cannot be used, if it cannot.
pub(super) fn refused_context(context: &str) -> Option<String> {
    let store = [("gs://", "Google Cloud Storage"), ("s3://", "S3")].into_iter().find(|(scheme, _)| context.starts_with(scheme))?;
    Some(format!("contexts of {} cannot be read here: give the archive by a signed https:// address, or as tar://FILE", store.1))
}

/// Returns a path that is set.
pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}
