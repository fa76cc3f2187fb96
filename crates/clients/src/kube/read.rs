//! Reading: one object, many objects, and the few that have a meaning of their own.

use std::collections::BTreeMap;

use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Platform;
use serde_json::Value;

use super::Cluster;
use super::KubeError;
use super::ResolvedKind;
use super::cluster::Call;
use super::kinds::built_in_kind;
use super::kinds::encoded;

/// How many objects one page of a list has.
const PAGE: usize = 500;
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Which objects of a kind are meant.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The kind.
    pub kind: ResolvedKind,
    /// The namespace; none is all of them.
    pub namespace: Option<Namespace>,
    /// A label selector: `app=web,tier!=db`.
    pub labels: Option<String>,
    /// A field selector: `metadata.name=web`.
    pub fields: Option<String>,
}

impl Selection {
    /// Returns all objects of `kind` in `namespace`.
    pub fn of(kind: ResolvedKind, namespace: Option<Namespace>) -> Self {
        Self { kind, namespace, labels: None, fields: None }
    }

    /// Narrows it to objects with these labels.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// Narrows it to objects with these fields.
    #[must_use]
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.fields = Some(selector.into());
        self
    }

    pub(super) fn describe(&self) -> String {
        let namespace = self.namespace.as_ref().map(|n| format!(" in namespace {n}")).unwrap_or_default();
        format!("{}{namespace}", self.kind.plural)
    }
}

/// How much of each object is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// `metadata` alone.
    Metadata,
    /// All of it.
    Full,
}

/// Returns `deployment/web in namespace shop`.
pub(super) fn describe(key: &ObjectKey, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{key} in namespace {namespace}"),
        None => key.to_string(),
    }
}

impl Cluster {
    /// Returns where an object is: its kind, and its namespace if its kind has one.
    pub(super) async fn place<'a>(
        &'a self,
        api_version: &str,
        key: &'a ObjectKey,
        cx: &Cx,
    ) -> Result<(ResolvedKind, Option<&'a str>), KubeError> {
        let kind = self.resource(api_version, &key.kind, cx).await?;
        let namespace = kind.namespaced.then(|| key.namespace.as_ref().map_or(self.default_namespace(), Namespace::as_str));
        Ok((kind, namespace))
    }

    /// Returns the object as the cluster has it; none if it does not exist.
    ///
    /// # Errors
    /// When the cluster does not know the kind, forbids it, or does not answer.
    pub async fn get(&self, api_version: &str, key: &ObjectKey, cx: &Cx) -> Result<Option<Value>, KubeError> {
        let (kind, namespace) = self.place(api_version, key, cx).await?;
        let action = format!("get {}", describe(key, namespace));
        match self.call(Call::get(kind.path(namespace, Some(&key.name)), action).about(&kind), cx).await {
            Ok(object) => Ok(Some(object)),
            Err(KubeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the selected objects, page by page underneath.
    ///
    /// # Errors
    /// When the cluster forbids it or does not answer.
    pub async fn list(&self, selection: &Selection, detail: Detail, cx: &Cx) -> Result<Vec<Value>, KubeError> {
        let mut found = Vec::new();
        let mut more = String::new();
        loop {
            let mut uri = format!("{}?limit={PAGE}", selection.kind.path(selection.namespace.as_ref().map(Namespace::as_str), None));
            for (name, value) in [("labelSelector", &selection.labels), ("fieldSelector", &selection.fields)] {
                if let Some(value) = value {
                    uri += &["&", name, "=", &encoded(value)].concat();
                }
            }
            if !more.is_empty() {
                uri += &["&continue=", &encoded(&more)].concat();
            }
            let mut call = Call::get(uri, format!("list {}", selection.describe())).about(&selection.kind);
            if detail == Detail::Metadata {
                call.accept = METADATA_LIST;
            }
            let mut page = self.call(call, cx).await?;
            if let Some(items) = page["items"].as_array_mut() {
                found.append(items);
            }
            page["metadata"]["continue"].as_str().unwrap_or_default().clone_into(&mut more);
            if more.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Returns the data of a `ConfigMap`; none if it does not exist.
    ///
    /// # Errors
    /// When the cluster forbids it or does not answer.
    pub async fn config_map(&self, namespace: &Namespace, name: &str, cx: &Cx) -> Result<Option<BTreeMap<String, String>>, KubeError> {
        let key = ObjectKey { group: String::new(), kind: "ConfigMap".into(), namespace: Some(namespace.clone()), name: name.to_owned() };
        let Some(object) = self.get("v1", &key, cx).await? else { return Ok(None) };
        let data = object["data"].as_object().into_iter().flatten();
        Ok(Some(data.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()))
    }

    /// Returns the events about the object with this UID, oldest first.
    ///
    /// # Errors
    /// When the cluster forbids it or does not answer.
    pub async fn events_of(&self, namespace: &Namespace, uid: &str, cx: &Cx) -> Result<Vec<Value>, KubeError> {
        let kind = built_in_kind("v1", "Event").expect("events are in the table");
        let selection = Selection::of(kind, Some(namespace.clone())).fields(format!("involvedObject.uid={uid}"));
        let mut events = self.list(&selection, Detail::Full, cx).await?;
        let time = |event: &Value| {
            let texts = [
                &event["series"]["lastObservedTime"],
                &event["lastTimestamp"],
                &event["eventTime"],
                &event["metadata"]["creationTimestamp"],
            ];
            texts.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned()
        };
        events.sort_by_key(time);
        Ok(events)
    }

    /// Returns what the nodes run, each platform once.
    ///
    /// # Errors
    /// When the cluster forbids it or does not answer.
    pub async fn node_platforms(&self, cx: &Cx) -> Result<Vec<Platform>, KubeError> {
        let kind = built_in_kind("v1", "Node").expect("nodes are in the table");
        let nodes = self.list(&Selection::of(kind, None), Detail::Metadata, cx).await?;
        let mut platforms: Vec<Platform> = nodes
            .iter()
            .filter_map(|node| {
                let label = |name: &str| node["metadata"]["labels"][name].as_str();
                Platform::parse(&format!("{}/{}", label("kubernetes.io/os")?, label("kubernetes.io/arch")?)).ok()
            })
            .collect();
        platforms.sort();
        platforms.dedup();
        Ok(platforms)
    }
}
