//! What the cluster has of the objects that are to be applied: one list for many of a kind, instead of a read for each.

use std::collections::HashMap;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::Detail;
use devloop_clients::kube::KubeError;
use devloop_clients::kube::Selection;
use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use serde_json::Value;

use super::each;
use crate::DeployError;
use crate::INVENTORY_LABEL;
use crate::inventory::Inventory;
use crate::wanted::Wanted;

/// From how many objects of a kind and namespace on a list is cheaper than reads.
const WORTH_A_LIST: usize = 4;

/// The objects that were listed; of others nothing is known yet.
#[derive(Debug, Default)]
pub(super) struct Live(HashMap<ObjectKey, Value>);

impl Live {
    /// Returns the objects of this inventory, of every kind that has many.
    pub(super) async fn of(wanted: &[Wanted], inventory: &Inventory, cluster: &Cluster, cx: &Cx) -> Result<Self, DeployError> {
        let mut groups: HashMap<(&str, &str, Option<&Namespace>), usize> = HashMap::new();
        for one in wanted.iter().filter(|one| inventory.entries.contains_key(&one.key)) {
            *groups.entry((&one.api_version, &one.key.kind, one.key.namespace.as_ref())).or_default() += 1;
        }
        let many = groups.into_iter().filter(|(_, count)| *count >= WORTH_A_LIST).map(|(group, _)| group);
        let lists = each(many, |(api_version, kind, namespace)| async move {
            let objects = list(api_version, kind, namespace, inventory, cluster, cx).await?;
            let keyed = objects.into_iter().map(|object| (key(api_version, kind, &object), object));
            Ok::<_, DeployError>(keyed.collect::<Vec<_>>())
        });
        Ok(Self(lists.await?.into_iter().flatten().collect()))
    }

    /// Returns the object as the cluster has it; none if it does not exist.
    pub(super) async fn get(&self, wanted: &Wanted, cluster: &Cluster, cx: &Cx) -> Result<Option<Value>, KubeError> {
        match self.0.get(&wanted.key) {
            Some(object) => Ok(Some(object.clone())),
            None => cluster.get(&wanted.api_version, &wanted.key, cx).await,
        }
    }
}

async fn list(
    api_version: &str,
    kind: &str,
    namespace: Option<&Namespace>,
    inventory: &Inventory,
    cluster: &Cluster,
    cx: &Cx,
) -> Result<Vec<Value>, DeployError> {
    let listed = async {
        let kind = cluster.resource(api_version, kind, cx).await?;
        let selection = Selection::of(kind, namespace.cloned()).labels(format!("{INVENTORY_LABEL}={}", inventory.id()));
        cluster.list(&selection, Detail::Full, cx).await
    };
    match listed.await {
        Ok(objects) => Ok(objects),
        Err(KubeError::Cancelled) => Err(DeployError::Cancelled),
        // Reading one may be allowed where listing is not; a kind may come with this very deploy.
        Err(error) => {
            tracing::debug!(kind, %error, "not listed");
            Ok(Vec::new())
        }
    }
}

/// Returns the key of an item of a list, which does not say its kind.
fn key(api_version: &str, kind: &str, object: &Value) -> ObjectKey {
    let named = ObjectKey::of(object);
    ObjectKey { group: api_version.split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default(), kind: kind.to_owned(), ..named }
}
