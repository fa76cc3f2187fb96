//! `kaniko` of an artifact: what kaniko is told, and the pod around it.
//!
//! Flags: Skaffold's `pkg/skaffold/build/kaniko/args.go`.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::DockerBuild;
use devloop_model::KanikoBuild;
use devloop_model::KanikoCache;
use devloop_model::KanikoEnv;
use serde_json::Value;

use super::convert::Converter;
use super::convert::set;
use crate::loaded::join;
use crate::modules::clean;
use crate::schema;

/// The volumes that every pod may have besides the configured ones.
const OWN_VOLUMES: [&str; 4] = ["kaniko-emptydir", "kaniko-secret", "docker-cfg", "kaniko-cache"];

impl Converter<'_> {
    /// Returns what kaniko builds, and how.
    pub(super) fn kaniko(&mut self, pointer: &str, context: &Path, kaniko: &schema::KanikoArtifact) -> KanikoBuild {
        let field = |name: &str| format!("{pointer}/{name}");
        self.volume_mounts(&field("volumeMounts"), &kaniko.volume_mounts);
        self.count(&field("pushRetry"), &kaniko.push_retry);
        self.count(&field("imageFSExtractRetry"), &kaniko.image_fs_extract_retry);
        KanikoBuild {
            dockerfile: DockerBuild {
                dockerfile: self.dockerfile(context, &kaniko.dockerfile),
                target: set(&kaniko.target),
                build_args: self.build_args(&field("buildArgs"), &kaniko.build_args),
                ..DockerBuild::default()
            },
            image: set(&kaniko.image).filter(|image| image != KanikoBuild::IMAGE),
            init_image: set(&kaniko.init_image).filter(|image| image != KanikoBuild::INIT_IMAGE),
            image_pull_secret: set(&kaniko.image_pull_secret),
            destinations: self.templates(&field("destination"), &kaniko.destination),
            digest_file: kaniko.digest_file.clone(),
            flags: flags(kaniko),
            labels: self.build_args(&field("label"), &kaniko.label),
            registry_certificates: self.build_args(&field("registryCertificate"), &kaniko.registry_certificate),
            cache: kaniko.cache.as_ref().map(|cache| self.cache(&field("cache"), cache)),
            env: kaniko.env.iter().enumerate().filter_map(|(index, variable)| self.variable(&field("env"), index, variable)).collect(),
            volume_mounts: kaniko.volume_mounts.clone(),
            copy_attempts: self.within(&field("copyMaxRetries"), kaniko.copy_max_retries.unwrap_or(3), 0, i64::from(u32::MAX)).max(1),
            copy_timeout: self.duration(&field("copyTimeout"), &kaniko.copy_timeout),
            compression_level: self.within(
                &field("buildContextCompressionLevel"),
                kaniko.build_context_compression_level.unwrap_or(1),
                0,
                9,
            ),
            only_kaniko: only_kaniko(kaniko).map(str::to_owned),
        }
    }

    fn fault(&mut self, code: &'static str, pointer: &str, what: String) {
        self.faults.push(self.module.error(code, pointer, what));
    }

    /// Returns the number at `pointer`; one that is out of its range is a fault, and the nearest in it.
    fn within(&mut self, pointer: &str, number: i64, least: i64, most: i64) -> u32 {
        if !(least..=most).contains(&number) {
            let range = if most > 9 { "cannot be negative".to_owned() } else { format!("is out of range: {least} to {most}") };
            self.fault("config/range", pointer, format!("`{}: {number}` {range}", last(pointer)));
        }
        number.clamp(least, most) as u32
    }

    /// Kaniko takes these as texts, and ends with a fault of its own where they are no numbers.
    fn count(&mut self, pointer: &str, text: &str) {
        if !text.is_empty() && text.parse::<u32>().is_err() {
            self.fault("config/range", pointer, format!("`{}: {text}` is no number from 0 on", last(pointer)));
        }
    }

    /// Returns the directory of `context` that is built: what is above it is no part of the build (as in Skaffold's `kaniko.GetContext`).
    pub(super) fn built_context(&mut self, pointer: &str, context: PathBuf, kaniko: &schema::KanikoArtifact) -> PathBuf {
        let sub_path = Path::new(&kaniko.context_sub_path);
        if !sub_path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            let what = format!("`contextSubPath: {}` is not below the context", kaniko.context_sub_path);
            self.fault("config/path", &format!("{pointer}/contextSubPath"), what);
        }
        clean(&context.join(sub_path))
    }

    fn cache(&mut self, pointer: &str, cache: &schema::KanikoCache) -> KanikoCache {
        if !cache.ttl.is_empty() {
            self.duration(&format!("{pointer}/ttl"), &cache.ttl);
        }
        KanikoCache {
            repo: set(&cache.repo),
            host_path: set(&cache.host_path),
            ttl: set(&cache.ttl),
            copy_layers: cache.cache_copy_layers,
            run_layers: cache.cache_run_layers.unwrap_or(true),
        }
    }

    fn variable(&mut self, pointer: &str, index: usize, variable: &Value) -> Option<KanikoEnv> {
        let pointer = format!("{pointer}/{index}");
        let Some(name) = variable["name"].as_str().filter(|name| !name.is_empty()) else {
            self.fault("config/missing-field", &pointer, format!("{} has no `name`", self.module.subject(&pointer)));
            return None;
        };
        let value = match &variable["value"] {
            Value::Null => None,
            Value::String(text) => Some(self.template(&join(&pointer, "value"), text)),
            // Kubernetes takes nothing else, and `1.10` is no number to keep.
            _ => {
                let pointer = join(&pointer, "value");
                self.fault("config/type", &pointer, format!("{} is no text: put it into quotes", self.module.subject(&pointer)));
                None
            }
        };
        let value_from = variable.get("valueFrom").filter(|source| !source.is_null()).cloned();
        Some(KanikoEnv { name: name.to_owned(), value, value_from })
    }

    fn volume_mounts(&mut self, pointer: &str, mounts: &[Value]) {
        let volumes = self.module.config.build.cluster.iter().flat_map(|cluster| &cluster.volumes);
        let names: Vec<&str> = volumes.filter_map(|volume| volume["name"].as_str()).collect();
        for (index, mount) in mounts.iter().enumerate() {
            let name = mount["name"].as_str().unwrap_or_default();
            if names.contains(&name) || OWN_VOLUMES.contains(&name) {
                continue;
            }
            let what = format!("`volumeMounts` names `{name}`, which is no volume of `build.cluster.volumes`");
            let fault = self.module.error("config/unknown-volume", &format!("{pointer}/{index}/name"), what);
            self.faults.push(match devloop_model::nearest(name, &names) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("add a volume of that name there"),
            });
        }
    }
}

fn last(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or_default()
}

/// Returns the flags that are set, in Skaffold's order.
fn flags(kaniko: &schema::KanikoArtifact) -> Vec<(String, Option<String>)> {
    let switch = |name: &str, is_set: bool| is_set.then(|| (name.to_owned(), None));
    let text = |name: &str, value: &String| set(value).map(|value| (name.to_owned(), Some(value)));
    let single = [
        switch("cleanup", kaniko.cleanup),
        switch("force", kaniko.force),
        text("image-fs-extract-retry", &kaniko.image_fs_extract_retry),
        text("image-name-with-digest-file", &kaniko.image_name_with_digest_file),
        switch("insecure", kaniko.insecure),
        switch("insecure-pull", kaniko.insecure_pull),
        text("log-format", &kaniko.log_format),
        switch("log-timestamp", kaniko.log_timestamp),
        text("oci-layout-path", &kaniko.oci_layout_path),
        text("registry-mirror", &kaniko.registry_mirror),
        switch("reproducible", kaniko.reproducible),
        switch("single-snapshot", kaniko.single_snapshot),
        switch("skip-tls-verify", kaniko.skip_tls),
        switch("skip-tls-verify-pull", kaniko.skip_tls_verify_pull),
        switch("skip-unused-stages", kaniko.skip_unused_stages),
        text("snapshot-mode", &kaniko.snapshot_mode),
        text("push-retry", &kaniko.push_retry),
        text("tar-path", &kaniko.tar_path),
        switch("use-new-run", kaniko.use_new_run),
        text("verbosity", &kaniko.verbosity),
        // The old name of `ignore-var-run`: every kaniko knows it. What is off has to be said, for on is kaniko's default.
        kaniko.whitelist_var_run.map(|is_on| ("whitelist-var-run".to_owned(), (!is_on).then(|| "false".to_owned()))),
    ];
    let lists = [
        ("insecure-registry", &kaniko.insecure_registry),
        ("skip-tls-verify-registry", &kaniko.skip_tls_verify_registry),
        ("ignore-path", &kaniko.ignore_paths),
    ];
    let repeated = lists.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name.to_owned(), Some(value.clone()))));
    single.into_iter().flatten().chain(repeated).collect()
}

/// Returns the first field that no other builder of Dockerfiles understands.
fn only_kaniko(kaniko: &schema::KanikoArtifact) -> Option<&'static str> {
    let is_set = |text: &String| !text.is_empty();
    let fields = [
        ("image", kaniko.image != KanikoBuild::IMAGE),
        ("initImage", kaniko.init_image != KanikoBuild::INIT_IMAGE),
        ("volumeMounts", !kaniko.volume_mounts.is_empty()),
        ("env", !kaniko.env.is_empty()),
        ("cache.hostPath", kaniko.cache.as_ref().is_some_and(|cache| is_set(&cache.host_path))),
        ("reproducible", kaniko.reproducible),
        ("singleSnapshot", kaniko.single_snapshot),
        ("useNewRun", kaniko.use_new_run),
        ("whitelistVarRun", kaniko.whitelist_var_run.is_some()),
        ("snapshotMode", is_set(&kaniko.snapshot_mode)),
        ("ignorePaths", !kaniko.ignore_paths.is_empty()),
        ("registryMirror", is_set(&kaniko.registry_mirror)),
        ("registryCertificate", !kaniko.registry_certificate.is_empty()),
        ("insecurePull", kaniko.insecure_pull),
        ("skipTLS", kaniko.skip_tls),
        ("skipTLSVerifyPull", kaniko.skip_tls_verify_pull),
        ("skipTLSVerifyRegistry", !kaniko.skip_tls_verify_registry.is_empty()),
        ("digestFile", kaniko.digest_file != KanikoBuild::DIGEST_FILE),
        ("imageNameWithDigestFile", is_set(&kaniko.image_name_with_digest_file)),
        ("ociLayoutPath", is_set(&kaniko.oci_layout_path)),
        ("tarPath", is_set(&kaniko.tar_path)),
    ];
    fields.into_iter().find_map(|(name, is_set)| is_set.then_some(name))
}
