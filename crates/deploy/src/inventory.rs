//! The list of what a configuration has put into the cluster, kept there in one `ConfigMap` per configuration and namespace.
//!
//! An object that a deploy creates carries the inventory's name as a label; what was there before does not, and is
//! neither pruned nor deleted. The list finds the objects, the label on each of them has the last word.

use std::collections::BTreeMap;

use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeError;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::fingerprint;

/// The label on an object that says which inventory it belongs to.
pub const INVENTORY_LABEL: &str = "devloop.dev/inventory";
/// Labels that Skaffold puts on what it deploys: such an object was made by this same tool chain.
const SKAFFOLD_LABEL: &str = "skaffold.dev/run-id";
/// The key in the `ConfigMap`.
const OBJECTS: &str = "objects";

/// What is remembered of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What names it.
    #[serde(flatten)]
    pub(crate) key: ObjectKey,
    /// API version that it was applied with.
    #[serde(rename = "apiVersion")]
    pub(crate) api_version: String,
    /// Its UID; empty before it was applied.
    pub(crate) uid: String,
    /// Digest of the manifest that was applied.
    pub(crate) manifest: String,
    /// Digest of the object as it was after that.
    pub(crate) live: String,
    /// Whether a watching session created it, so that it goes when such a session ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) passing: bool,
}

impl Entry {
    /// Returns the entry of an object that is known by its name alone.
    pub(crate) fn named(key: ObjectKey, api_version: String, passing: bool) -> Self {
        Self { key, api_version, uid: String::new(), manifest: String::new(), live: String::new(), passing }
    }
}

/// The inventory of one configuration in one namespace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inventory {
    namespace: Namespace,
    name: String,
    /// The entries as the cluster has them, by key.
    pub(crate) entries: BTreeMap<ObjectKey, Entry>,
    /// Whether it can be written; not where RBAC forbids it.
    writable: bool,
}

impl Inventory {
    /// Returns the inventory of `configuration` in `namespace` as the cluster has it; empty if it is not there.
    pub(crate) async fn load(configuration: &str, namespace: &Namespace, cluster: &Cluster, cx: &Cx) -> Result<Self, KubeError> {
        let mut inventory =
            Self { namespace: namespace.clone(), name: name(configuration, namespace), entries: BTreeMap::new(), writable: true };
        match cluster.config_map(namespace, &inventory.name, cx).await {
            Ok(data) => inventory.entries = data.and_then(|data| parse(data.get(OBJECTS)?)).unwrap_or_default(),
            Err(error @ KubeError::Forbidden { .. }) => inventory.give_up(&error, cx),
            Err(error) => return Err(error),
        }
        Ok(inventory)
    }

    /// Returns the value of the label on the objects of this inventory.
    pub(crate) fn id(&self) -> &str {
        &self.name
    }

    /// Returns whether `live` was created for this inventory (or by Skaffold, before this configuration moved to devloop).
    pub(crate) fn owns(&self, live: &Value) -> bool {
        let labels = &live["metadata"]["labels"];
        match labels[INVENTORY_LABEL].as_str() {
            Some(owner) => owner == self.id(),
            None => labels[SKAFFOLD_LABEL].is_string(),
        }
    }

    /// Writes `entries` if they are not what the cluster has.
    pub(crate) async fn save(&mut self, entries: BTreeMap<ObjectKey, Entry>, cluster: &Cluster, cx: &Cx) -> Result<(), KubeError> {
        if entries == self.entries || !self.writable {
            return Ok(());
        }
        match cluster.apply(&self.config_map(&entries), ApplyOptions::default(), cx).await {
            Ok(_) => self.entries = entries,
            Err(error @ KubeError::Forbidden { .. }) => self.give_up(&error, cx),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Deletes it from the cluster.
    pub(crate) async fn remove(&self, cluster: &Cluster, cx: &Cx) -> Result<(), KubeError> {
        let key =
            ObjectKey { group: String::new(), kind: "ConfigMap".into(), namespace: Some(self.namespace.clone()), name: self.name.clone() };
        cluster.delete("v1", &key, &devloop_clients::kube::DeleteOptions::default(), cx).await.map(drop)
    }

    fn give_up(&mut self, error: &KubeError, cx: &Cx) {
        self.writable = false;
        let warning =
            Diagnostic::warning("deploy/no-inventory", format!("what is deployed cannot be remembered in namespace `{}`", self.namespace));
        let KubeError::Forbidden { message, .. } = error else { return };
        cx.warn(
            warning
                .because(message)
                .help("objects that leave the manifests will not be pruned; allow get, create and patch on configmaps to change that"),
        );
    }

    fn config_map(&self, entries: &BTreeMap<ObjectKey, Entry>) -> Value {
        let lines: Vec<String> = entries.values().map(|entry| serde_json::to_string(entry).expect("an entry can be written")).collect();
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {"app.kubernetes.io/managed-by": "devloop"},
            },
            "data": {OBJECTS: lines.join("\n")},
        })
    }
}

fn parse(lines: &str) -> Option<BTreeMap<ObjectKey, Entry>> {
    lines.lines().map(|line| serde_json::from_str::<Entry>(line).ok().map(|entry| (entry.key.clone(), entry))).collect()
}

/// Returns the name of the inventory: readable, a valid label value, and different for each configuration and namespace.
fn name(configuration: &str, namespace: &Namespace) -> String {
    let readable: String = configuration.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(24).collect();
    let digest = fingerprint::of_text(&format!("{namespace}\n{configuration}"));
    match readable.trim_matches('-') {
        "" => format!("devloop-inventory-{digest}"),
        readable => format!("devloop-inventory-{readable}-{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label_value_of_its_own() {
        let namespace = Namespace("shop".into());
        for configuration in ["web", "/home/me/Project_1/skaffold.yaml", "", "ü", &"x".repeat(300)] {
            let name = name(configuration, &namespace);
            assert!(name.len() <= 63 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        }
        assert_ne!(name("web", &namespace), name("web", &Namespace("other".into())));
        assert_ne!(name("a/b", &namespace), name("a-b", &namespace));
    }

    #[test]
    fn entries_survive_the_config_map() {
        let key =
            ObjectKey { group: "apps".into(), kind: "Deployment".into(), namespace: Some(Namespace("shop".into())), name: "web".into() };
        let entry = Entry {
            key: key.clone(),
            api_version: "apps/v1".into(),
            uid: "u".into(),
            manifest: "m".into(),
            live: "l".into(),
            passing: true,
        };
        let entries = BTreeMap::from([(key, entry)]);
        let inventory = Inventory {
            namespace: Namespace("shop".into()),
            name: name("web", &Namespace("shop".into())),
            entries: BTreeMap::new(),
            writable: true,
        };
        let object = inventory.config_map(&entries);
        assert_eq!(parse(object["data"][OBJECTS].as_str().unwrap()), Some(entries));
    }

    #[test]
    fn the_label_says_whose_an_object_is() {
        let inventory = Inventory { namespace: Namespace("a".into()), name: "mine".into(), entries: BTreeMap::new(), writable: true };
        for (labels, owned) in [
            (json!({INVENTORY_LABEL: "mine"}), true),
            (json!({INVENTORY_LABEL: "other"}), false),
            (json!({INVENTORY_LABEL: "other", SKAFFOLD_LABEL: "x"}), false),
            (json!({SKAFFOLD_LABEL: "x"}), true),
            (json!({"app": "web"}), false),
            (Value::Null, false),
        ] {
            assert_eq!(inventory.owns(&json!({"metadata": {"labels": labels}})), owned, "{labels}");
        }
    }
}
