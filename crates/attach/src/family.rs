//! Which pods belong to a release; no I/O.

use std::collections::HashMap;

use devloop_model::BuiltImage;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::ObjectKey;
use serde_json::Value;

use crate::Live;
use crate::objects::Objects;
use crate::objects::list;
use crate::objects::uid;

/// The objects of a release, and the images that it runs.
#[derive(Debug, Default)]
pub(crate) struct Family {
    roots: HashMap<String, ObjectKey>,
    artifacts: HashMap<String, ImageName>,
    /// Artifacts by the image's name alone: a pod may be ahead of the news of its image.
    names: HashMap<String, ImageName>,
}

impl Family {
    /// Returns the family of what is live.
    pub(crate) fn of(live: &Live) -> Self {
        let artifact = |image: &BuiltImage| image.artifact.clone();
        Self {
            roots: live.release.objects.iter().map(|object| (object.uid.clone(), object.key.clone())).collect(),
            artifacts: live.images.iter().map(|image| (image.deployed(), artifact(image))).collect(),
            names: live.images.iter().map(|image| (image.name.to_string(), artifact(image))).collect(),
        }
    }

    /// Returns the artifact that an image was built from.
    pub(crate) fn artifact(&self, image: &str) -> Option<&ImageName> {
        let by_name = || self.names.get(&ImageRef::parse(image).ok()?.name.to_string());
        self.artifacts.get(image).or_else(by_name)
    }

    /// Returns the object of the release that a pod descends from, or is.
    pub(crate) fn root(&self, pod: &Value, objects: &Objects) -> Option<&ObjectKey> {
        let owner = || objects.owners(pod).iter().find_map(|owner| self.roots.get(owner.uid));
        self.roots.get(uid(pod)).or_else(owner)
    }

    /// Returns whether a pod belongs to the release: by descent, or because it runs an image of this session.
    pub(crate) fn has(&self, pod: &Value, objects: &Objects) -> bool {
        let runs_ours = || containers(pod).any(|spec| spec["image"].as_str().is_some_and(|image| self.artifacts.contains_key(image)));
        self.root(pod, objects).is_some() || runs_ours()
    }
}

/// Returns the containers of a pod's spec, init containers first.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["spec"], "initContainers").iter().chain(list(&pod["spec"], "containers"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use devloop_model::Identity;
    use devloop_model::Release;
    use devloop_model::ReleasedObject;
    use serde_json::json;

    use super::*;
    use crate::objects::tests::object;
    use crate::objects::tests::objects;
    use crate::objects::tests::shop;

    /// Returns a release of these objects, whose UIDs are their names, and images.
    pub(crate) fn live(roots: &[(&str, &str)], images: &[&str]) -> Live {
        let released = |(kind, name): &(&str, &str)| ReleasedObject {
            key: ObjectKey { group: String::new(), kind: (*kind).into(), namespace: Some(shop()), name: (*name).into() },
            api_version: "v1".into(),
            uid: (*name).into(),
            generation: None,
        };
        let image = |name: &&str| BuiltImage {
            artifact: ImageName::parse(name).unwrap(),
            name: ImageName::parse(&format!("reg.io/{name}")).unwrap(),
            tag: None,
            identity: Identity::AsNamed,
            runtime: None,
        };
        Live {
            elsewhere: BTreeMap::new(),
            images: images.iter().map(image).collect(),
            release: Release { objects: roots.iter().map(released).collect(), ..Release::default() },
        }
    }

    #[test]
    fn pods_are_known_by_descent_or_image() {
        let family = Family::of(&live(&[("Deployment", "web"), ("Pod", "one")], &["api"]));
        let set = object("ReplicaSet", "web-1", ("Deployment", "web"));
        let pod = object("Pod", "web-1-x", ("ReplicaSet", "web-1"));
        let is_root = |pod: &Value, objects: &Objects| family.root(pod, objects).map(ToString::to_string);
        assert_eq!(is_root(&pod, &objects(vec![])), None);
        assert_eq!(is_root(&pod, &objects(vec![set])).as_deref(), Some("deployment/web"));
        assert_eq!(is_root(&object("Pod", "one", ("", "")), &objects(vec![])).as_deref(), Some("pod/one"));
        let mut stranger = object("Pod", "x", ("Rollout", "y"));
        assert!(!family.has(&stranger, &objects(vec![])));
        stranger["spec"] = json!({"containers": [{"image": "reg.io/api"}]});
        assert!(family.has(&stranger, &objects(vec![])));
    }

    #[test]
    fn an_image_that_is_not_known_yet_has_the_artifact_of_its_name() {
        let family = Family::of(&live(&[], &["api"]));
        for (image, artifact) in [("reg.io/api", Some("api")), ("reg.io/api:v2", Some("api")), ("reg.io/apis:v2", None), ("", None)] {
            assert_eq!(family.artifact(image).map(ImageName::as_str), artifact, "{image}");
        }
    }
}
