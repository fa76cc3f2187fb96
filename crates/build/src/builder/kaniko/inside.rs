//! What registries are called from inside of pods.

use devloop_clients::kube::target::LocalRegistry;
use devloop_model::Diagnostic;

use crate::BuildError;

/// How images are named inside of pods, where a local registry has another host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inside {
    registry: Option<LocalRegistry>,
}

impl Inside {
    pub(super) fn new(registry: Option<LocalRegistry>) -> Self {
        Self { registry }
    }

    /// Returns the name of an image or repository as pods call it.
    pub(super) fn name(&self, name: &str) -> String {
        let host = name.split_once('/').map_or(name, |(host, _)| host);
        match self.mapped() {
            Some((outside, inside)) if host == outside => format!("{inside}{}", &name[host.len()..]),
            _ => name.to_owned(),
        }
    }

    /// Returns the host outside and inside, where they differ.
    pub(super) fn mapped(&self) -> Option<(&str, &str)> {
        let registry = self.registry.as_ref()?;
        Some((&registry.host, registry.from_pods.as_deref()?))
    }

    /// Returns the host of the local registry as pods call it: most of them speak plain HTTP.
    pub(super) fn local_host(&self) -> Option<&str> {
        let registry = self.registry.as_ref()?;
        Some(registry.from_pods.as_deref().unwrap_or(&registry.host))
    }

    /// Returns the name to push `name` to.
    ///
    /// # Errors
    /// When it is one of this machine: inside of a pod that is the pod itself.
    pub(super) fn destination(&self, name: &str) -> Result<String, BuildError> {
        let inside = self.name(name);
        let host = inside.split('/').next().unwrap_or_default();
        let is_loopback = matches!(host.split(':').next(), Some("localhost" | "127.0.0.1")) || host.starts_with("[::1]");
        if !is_loopback {
            return Ok(inside);
        }
        let fault = Diagnostic::error("build/kaniko-registry", format!("a kaniko pod cannot push to `{name}`"));
        let why = format!("inside of a pod, `{host}` is the pod itself");
        let help = "name another registry with `--default-repo`, or say what pods call this one: `hostFromClusterNetwork` in the ConfigMap \
                    `local-registry-hosting` of `kube-public` (KEP-1755)";
        Err(fault.because(why).help(help).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(host: &str, from_pods: Option<&str>) -> Inside {
        Inside::new(Some(LocalRegistry { host: host.to_owned(), from_pods: from_pods.map(str::to_owned) }))
    }

    #[test]
    fn a_local_registry_is_called_as_pods_call_it() {
        let mapped = inside("localhost:5000", Some("registry:5000"));
        for (name, expected) in [
            ("localhost:5000/web:v1", "registry:5000/web:v1"),
            ("localhost:5000", "registry:5000"),
            ("localhost:50001/web", "localhost:50001/web"),
            ("gcr.io/p/web", "gcr.io/p/web"),
        ] {
            assert_eq!(mapped.name(name), expected);
            assert_eq!(Inside::default().name(name), name);
        }
        assert_eq!((mapped.local_host(), mapped.mapped()), (Some("registry:5000"), Some(("localhost:5000", "registry:5000"))));
        let same = inside("k3d-registry:5000", None);
        assert_eq!((same.local_host(), same.mapped()), (Some("k3d-registry:5000"), None));
    }

    #[test]
    fn a_registry_of_this_machine_is_refused() {
        for name in ["localhost:5000/web:v1", "127.0.0.1/web"] {
            let error = inside("other:5000", Some("o:5000")).destination(name).unwrap_err().diagnostic().to_string();
            assert!(error.starts_with(&format!("error[build/kaniko-registry]: a kaniko pod cannot push to `{name}`\n")), "{error}");
        }
        assert_eq!(inside("localhost:5000", Some("r:1")).destination("localhost:5000/web").unwrap(), "r:1/web");
        assert_eq!(Inside::default().destination("gcr.io/p/web").unwrap(), "gcr.io/p/web");
    }
}
