//! The objects that are watched, as the cluster has them now; no I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use devloop_model::Namespace;
use serde_json::Value;

/// A kind in a namespace: what one watch is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Scope {
    pub(crate) namespace: Namespace,
    /// Kind: `Pod`.
    pub(crate) kind: &'static str,
}

impl Scope {
    pub(crate) fn new(namespace: &Namespace, kind: &'static str) -> Self {
        Self { namespace: namespace.clone(), kind }
    }
}

/// What happened to one object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// It is there, in this state.
    There(Arc<Value>),
    /// It is gone; this was its last state.
    Gone(Arc<Value>),
}

/// What controls an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner<'a> {
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) uid: &'a str,
}

/// The objects of each watch, by name.
#[derive(Debug, Default)]
pub(crate) struct Objects(BTreeMap<Scope, BTreeMap<String, Arc<Value>>>);

impl Objects {
    /// Takes in the state of an object.
    pub(crate) fn set(&mut self, scope: &Scope, object: &Arc<Value>) {
        self.0.entry(scope.clone()).or_default().insert(name(object).to_owned(), Arc::clone(object));
    }

    /// Forgets an object, unless another has its name by now; returns whether it was known.
    pub(crate) fn remove(&mut self, scope: &Scope, object: &Value) -> bool {
        let Some(known) = self.0.get_mut(scope) else { return false };
        let is_same = known.get(name(object)).is_some_and(|known| uid(known) == uid(object));
        if is_same {
            known.remove(name(object));
        }
        is_same
    }

    /// Returns the objects of a watch, in the order of their names.
    pub(crate) fn all<'a>(&'a self, namespace: &Namespace, kind: &'static str) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        self.0.get(&Scope::new(namespace, kind)).into_iter().flat_map(BTreeMap::values)
    }

    /// Returns an object of a watch.
    pub(crate) fn get(&self, namespace: &Namespace, kind: &'static str, name: &str) -> Option<&Value> {
        self.0.get(&Scope::new(namespace, kind))?.get(name).map(|object| &**object)
    }

    /// Returns what controls `object`, nearest first, as far as it is known.
    pub(crate) fn owners<'a>(&'a self, object: &'a Value) -> Vec<Owner<'a>> {
        let namespace = namespace(object);
        let mut owners = Vec::new();
        let mut next = owner(object);
        // Job or replica set, and what made it: two levels; a cycle must not hold us.
        while let Some(found) = next.filter(|_| owners.len() < 4) {
            owners.push(found);
            let between = match found.kind {
                "ReplicaSet" => self.get(&namespace, "ReplicaSet", found.name),
                "Job" => self.get(&namespace, "Job", found.name),
                _ => None,
            };
            next = between.filter(|object| uid(object) == found.uid).and_then(owner);
        }
        owners
    }
}

fn owner(object: &Value) -> Option<Owner<'_>> {
    let owner = list(&object["metadata"], "ownerReferences").iter().find(|owner| owner["controller"] == true)?;
    Some(Owner { kind: text(&owner["kind"]), name: text(&owner["name"]), uid: text(&owner["uid"]) })
}

/// Returns the list under `name`, empty where there is none.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Returns a text, empty where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the name of an object.
pub(crate) fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// Returns the UID of an object.
pub(crate) fn uid(object: &Value) -> &str {
    text(&object["metadata"]["uid"])
}

/// Returns the namespace of an object.
pub(crate) fn namespace(object: &Value) -> Namespace {
    Namespace(text(&object["metadata"]["namespace"]).to_owned())
}

/// Returns whether a pod is on its way out.
pub(crate) fn is_leaving(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the objects with these in namespace `shop`.
    pub(crate) fn objects(values: Vec<Value>) -> Objects {
        let mut objects = Objects::default();
        for value in values {
            let kind = ["Pod", "ReplicaSet", "Job", "Service", "Deployment"].into_iter().find(|kind| value["kind"] == *kind).unwrap();
            objects.set(&Scope::new(&shop(), kind), &Arc::new(value));
        }
        objects
    }

    pub(crate) fn shop() -> Namespace {
        Namespace("shop".to_owned())
    }

    /// Returns an object whose UID is its name and that the owner controls, if it is named.
    pub(crate) fn object(kind: &str, name: &str, owner: (&str, &str)) -> Value {
        let owners =
            if owner.1.is_empty() { json!([]) } else { json!([{"controller": true, "kind": owner.0, "name": owner.1, "uid": owner.1}]) };
        json!({"kind": kind, "metadata": {"name": name, "namespace": "shop", "uid": name, "ownerReferences": owners}})
    }

    #[test]
    fn owners_are_found_as_far_as_they_are_known() {
        let pod = object("Pod", "web-1-x", ("ReplicaSet", "web-1"));
        let set = object("ReplicaSet", "web-1", ("Deployment", "web"));
        let names = |objects: &Objects| objects.owners(&pod).iter().map(|owner| owner.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&objects(vec![])), ["web-1"]);
        assert_eq!(names(&objects(vec![set.clone()])), ["web-1", "web"]);
        let mut another = set;
        another["metadata"]["uid"] = json!("of its name");
        assert_eq!(names(&objects(vec![another])), ["web-1"]);
    }

    #[test]
    fn an_object_that_came_again_is_not_taken_for_the_old_one() {
        let old = object("Pod", "db-0", ("", ""));
        let mut new = old.clone();
        new["metadata"]["uid"] = json!("another");
        let (mut objects, scope) = (objects(vec![new.clone()]), Scope::new(&shop(), "Pod"));
        assert!(!objects.remove(&scope, &old));
        assert!(objects.get(&shop(), "Pod", "db-0").is_some());
        assert!(objects.remove(&scope, &new));
        assert_eq!(objects.all(&shop(), "Pod").count(), 0);
    }
}
