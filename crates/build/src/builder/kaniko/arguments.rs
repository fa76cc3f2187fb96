//! What kaniko is told: its command line and environment.
//!
//! Words and order: Skaffold's `pkg/skaffold/build/kaniko/args.go` and `pkg/skaffold/build/cluster/pod.go`.

use std::collections::BTreeMap;

use devloop_model::ClusterBuild;
use devloop_model::Diagnostic;
use devloop_model::ImageRef;
use devloop_model::KanikoBuild;
use devloop_model::KanikoCache;
use devloop_model::MissingKey;
use devloop_model::Template;
use devloop_model::Vars;
use serde_json::Value;
use serde_json::json;

use super::inside::Inside;
use crate::BuildError;

/// Where the context is in both containers.
pub(super) const CONTEXT: &str = "/kaniko/buildcontext";
/// Where warmed base images are, whatever directory of the node they come from.
pub(super) const CACHE: &str = "/cache";
/// Where kind mounts a file of its own into every container, which is in use and cannot be removed.
const PRODUCT_UUID: &str = "/product_uuid";

/// What a command line is made from.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) spec: &'a KanikoBuild,
    /// The name and tag of the image.
    pub(super) reference: &'a ImageRef,
    /// The Dockerfile in the context.
    pub(super) dockerfile: &'a str,
    /// Build arguments, templates and required images resolved.
    pub(super) build_args: &'a BTreeMap<String, String>,
    /// What templates see.
    pub(super) vars: &'a Vars,
    /// `build.insecureRegistries`.
    pub(super) insecure_registries: &'a [String],
    pub(super) inside: &'a Inside,
    /// Whether the nodes are containers of kind.
    pub(super) is_kind: bool,
}

impl Told<'_> {
    /// Returns the arguments of kaniko.
    ///
    /// # Errors
    /// When a template fails, or the destination is one that a pod cannot reach.
    pub(super) fn arguments(&self) -> Result<Vec<String>, BuildError> {
        let Self { spec, inside, .. } = self;
        let destination = inside.destination(&self.reference.to_string())?;
        let mut flags = Flags::default();
        flags.with("destination", &destination);
        for (index, template) in spec.destinations.iter().enumerate() {
            flags.with("destination", &inside.destination(&self.rendered(template, &format!("destination[{index}]"))?)?);
        }
        flags.with("dockerfile", self.dockerfile);
        flags.with("context", &format!("dir://{CONTEXT}"));
        for (name, value) in self.build_args {
            flags.with("build-arg", &format!("{name}={value}"));
        }
        if let Some(cache) = &spec.cache {
            self.cache(cache, &mut flags);
        }
        if let Some(target) = &spec.dockerfile.target {
            flags.with("target", target);
        }
        flags.with("digest-file", &spec.digest_file);
        for (name, value) in &spec.flags {
            match value {
                // A switch takes no word of its own.
                Some(value) if value == "false" => flags.0.push(format!("--{name}=false")),
                Some(value) => flags.with(name, value),
                None => flags.0.push(format!("--{name}")),
            }
        }
        if spec.flags.iter().any(|(name, _)| name == "skip-tls-verify") {
            flags.with("skip-tls-verify-registry", destination.split('/').next().unwrap_or_default());
        }
        self.registries(&mut flags);
        if self.is_kind && !flags.has("ignore-path", PRODUCT_UUID) {
            flags.with("ignore-path", PRODUCT_UUID);
        }
        self.pairs("registry-certificate", "registryCertificate", &spec.registry_certificates, &mut flags)?;
        self.pairs("label", "label", &spec.labels, &mut flags)?;
        Ok(flags.0)
    }

    fn cache(&self, cache: &KanikoCache, flags: &mut Flags) {
        flags.0.push("--cache".to_owned());
        if let Some(repo) = &cache.repo {
            flags.with("cache-repo", &self.inside.name(repo));
        }
        if cache.host_path.is_some() {
            flags.with("cache-dir", CACHE);
        }
        if let Some(ttl) = &cache.ttl {
            flags.with("cache-ttl", ttl);
        }
        if cache.copy_layers {
            flags.0.push("--cache-copy-layers".to_owned());
        }
        flags.0.push(format!("--cache-run-layers={}", cache.run_layers));
    }

    /// Registries that are spoken to without TLS: each once, as pods call them.
    fn registries(&self, flags: &mut Flags) {
        let listed = self.insecure_registries.iter().map(|registry| self.inside.name(registry));
        for registry in listed.chain(self.inside.local_host().map(str::to_owned)) {
            if !flags.has("insecure-registry", &registry) {
                flags.with("insecure-registry", &registry);
            }
        }
    }

    fn pairs(&self, flag: &str, field: &str, pairs: &BTreeMap<String, Option<Template>>, flags: &mut Flags) -> Result<(), BuildError> {
        for (name, value) in pairs {
            match value {
                Some(template) => flags.with(flag, &format!("{name}={}", self.rendered(template, &format!("{field}.{name}"))?)),
                None => flags.with(flag, name),
            }
        }
        Ok(())
    }

    fn rendered(&self, template: &Template, field: &str) -> Result<String, BuildError> {
        rendered(template, self.vars, field)
    }
}

/// Returns a template with its variables filled in.
///
/// # Errors
/// When that fails: `field` says which it is.
pub(super) fn rendered(template: &Template, vars: &Vars, field: &str) -> Result<String, BuildError> {
    template.render(vars, MissingKey::NoValue).map_err(|error| {
        let fault = Diagnostic::error("build/template", format!("`kaniko.{field}` cannot be rendered"));
        fault.because(error.to_string()).into()
    })
}

/// A command line in the making.
#[derive(Debug, Default)]
struct Flags(Vec<String>);

impl Flags {
    fn with(&mut self, name: &str, value: &str) {
        self.0.extend([format!("--{name}"), value.to_owned()]);
    }

    fn has(&self, name: &str, value: &str) -> bool {
        let flag = format!("--{name}");
        self.0.windows(2).any(|pair| pair[0] == flag && pair[1] == value)
    }
}

/// The environment of kaniko.
#[derive(Debug)]
pub(super) struct Environment<'a> {
    pub(super) spec: &'a KanikoBuild,
    pub(super) cluster: &'a ClusterBuild,
    /// The values of `env` that are texts, rendered.
    pub(super) rendered: &'a BTreeMap<String, String>,
    /// `IMAGE_REPO`, `IMAGE_NAME` and `IMAGE_TAG`.
    pub(super) image: &'a [(String, String)],
    /// The Google service account key in the container.
    pub(super) pull_secret: Option<String>,
    pub(super) inside: &'a Inside,
}

impl Environment<'_> {
    /// Returns Kubernetes' `EnvVar`s; what is configured wins over what is not.
    pub(super) fn variables(&self) -> Vec<Value> {
        let own = [
            ("UPSTREAM_CLIENT_TYPE", Some(concat!("UpstreamClient(devloop-", env!("CARGO_PKG_VERSION"), ")").to_owned())),
            ("HTTP_PROXY", self.cluster.http_proxy.clone()),
            ("HTTPS_PROXY", self.cluster.https_proxy.clone()),
            ("GOOGLE_APPLICATION_CREDENTIALS", self.pull_secret.clone()),
            // A variable and no flag, for older versions refuse a flag that they do not know.
            ("KANIKO_REGISTRY_MAP", self.inside.mapped().map(|(outside, inside)| format!("{outside}={inside}"))),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let image = self.image.iter().filter(|(_, value)| !value.is_empty()).cloned();
        let configured = |name: &str| self.spec.env.iter().any(|variable| variable.name == name);
        let implied = own.chain(image).filter(|(name, _)| !configured(name)).map(|(name, value)| json!({"name": name, "value": value}));
        let named = self.spec.env.iter().map(|variable| match (&variable.value_from, self.rendered.get(&variable.name)) {
            (Some(source), None) => json!({"name": variable.name, "valueFrom": source}),
            (_, value) => json!({"name": variable.name, "value": value.map_or("", String::as_str)}),
        });
        named.chain(implied).collect()
    }
}

#[cfg(test)]
mod tests;
