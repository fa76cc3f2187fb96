//! What docker compose says that a project comes to, with our images and labels put in.

use std::collections::BTreeSet;

use devloop_model::BuiltImage;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use serde_json::Map;
use serde_json::Value;

use super::super::ARTIFACT_LABEL;
use super::super::IMAGE_LABEL;
use super::super::PASSING_LABEL;
use super::super::SETTINGS_LABEL;
use crate::INVENTORY_LABEL;
use crate::fingerprint;

/// One service of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    /// The image that its file names.
    pub(super) image: Option<String>,
    /// The artifact that this is.
    pub(super) artifact: Option<Artifact>,
    /// How many containers it has.
    pub(super) count: usize,
    /// Whether Compose builds its image.
    pub(super) builds_itself: bool,
    /// A digest of all but the image that an artifact has.
    pub(super) settings: String,
    /// What its containers are known by.
    pub(super) identity: Identity,
    /// Whether its containers run as they are to.
    pub(super) stands: bool,
}

/// An artifact that a service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Artifact {
    pub(super) name: ImageName,
    /// Its image, as the daemon has it.
    pub(super) reference: String,
}

/// What the containers of a service are known by, besides their settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// The ID of an artifact's image.
    pub(super) id: Option<String>,
    /// Whether they go when the session ends.
    pub(super) passing: bool,
}

impl Service {
    /// Returns whether it runs the image that is called so, in whatever version.
    pub(super) fn names(&self, image: &str) -> bool {
        self.image.as_deref().is_some_and(|own| is_called(own, image))
    }
}

/// Returns the services of a project. What follows from an artifact, or was chosen already, is taken out of them: how their images are
/// built and pulled, and their profiles.
pub(super) fn services(project: &mut Value, images: &[BuiltImage]) -> Vec<Service> {
    let whole = project.clone();
    let Some(services) = project["services"].as_object_mut() else { return Vec::new() };
    let one = |(name, service): (&String, &mut Value)| {
        let fields = service.as_object_mut()?;
        let image = fields.get("image").and_then(Value::as_str).map(str::to_owned);
        let artifact = images.iter().find(|built| image.as_deref().is_some_and(|image| is_called(image, built.artifact.as_str())));
        fields.remove("profiles");
        if artifact.is_some() {
            fields.remove("build");
            fields.insert("pull_policy".to_owned(), "never".into());
        }
        Some(Service {
            name: name.clone(),
            artifact: artifact.map(|built| Artifact { name: built.artifact.clone(), reference: built.deployed() }),
            count: count(fields),
            builds_itself: fields.contains_key("build"),
            settings: settings(fields, &whole),
            identity: Identity::default(),
            stands: false,
            image,
        })
    };
    services.iter_mut().filter_map(one).collect()
}

/// Puts images and labels in.
pub(super) fn identify(project: &mut Value, services: &[Service], inventory: &str) {
    for service in services {
        let Some(fields) = project["services"][&service.name].as_object_mut() else { continue };
        if let Some(artifact) = &service.artifact {
            fields.insert("image".to_owned(), plain(&artifact.reference).into());
        }
        let Identity { id, passing } = &service.identity;
        let own = [
            (INVENTORY_LABEL, Some(plain(inventory))),
            (ARTIFACT_LABEL, service.image.clone()),
            (IMAGE_LABEL, id.clone()),
            (SETTINGS_LABEL, Some(service.settings.clone())),
            (PASSING_LABEL, passing.then(|| "true".to_owned())),
        ];
        let labels = fields.entry("labels").or_insert_with(|| Map::new().into());
        if let Some(labels) = labels.as_object_mut() {
            labels.extend(own.into_iter().filter_map(|(label, value)| Some((label.to_owned(), value?.into()))));
        }
    }
}

/// Returns a text as Compose reads it as just that: a dollar begins a variable.
fn plain(text: &str) -> String {
    text.replace('$', "$$")
}

/// Returns whether the image of a service is the one that is called `name`, in whatever version; one by digest is no other.
fn is_called(image: &str, name: &str) -> bool {
    let named = |text: &str| ImageRef::parse(&text.strip_prefix("ko://").unwrap_or(text).to_lowercase()).ok();
    let (Some(image), Some(name)) = (named(image), named(name)) else { return image == name };
    image.digest.is_none() && image.name == name.name
}

fn count(service: &Map<String, Value>) -> usize {
    let replicas = service.get("scale").or_else(|| service.get("deploy")?.get("replicas")).and_then(Value::as_u64);
    replicas.and_then(|replicas| usize::try_from(replicas).ok()).unwrap_or(1)
}

/// Returns a digest of a service and of what it uses of the project's networks, volumes, configs and secrets.
fn settings(service: &Map<String, Value>, project: &Value) -> String {
    let used = ["networks", "volumes", "configs", "secrets"].map(|kind| {
        let names = service.get(kind).map(used_names).unwrap_or_default();
        names.into_iter().map(|name| project[kind][name].clone()).collect::<Vec<_>>()
    });
    let mut service = service.clone();
    // More of the same leave the others alone.
    service.remove("scale");
    fingerprint::of_text(&format!("{} {}", Value::from(service), Value::from_iter(used.map(Value::from))))
}

/// Returns the names that a service refers to: the keys of a map, or the sources of a list.
fn used_names(of: &Value) -> BTreeSet<&str> {
    match of {
        Value::Object(entries) => entries.keys().map(String::as_str).collect(),
        Value::Array(entries) => entries.iter().filter_map(|entry| entry["source"].as_str()).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use devloop_model::Identity as Built;
    use devloop_model::Tag;
    use serde_json::json;

    use super::*;

    fn image(name: &str, tag: &str) -> BuiltImage {
        BuiltImage {
            artifact: ImageName::parse(name).unwrap(),
            name: ImageName::parse(&format!("localhost:5000/{name}")).unwrap(),
            tag: Some(Tag::parse(tag).unwrap()),
            identity: Built::AsNamed,
            runtime: None,
        }
    }

    fn project() -> Value {
        json!({
            "name": "shop",
            "networks": {"default": {"name": "shop_default"}},
            "volumes": {"data": {"name": "shop_data"}},
            "services": {
                "web": {"image": "web:old", "build": {"context": "/web"}, "profiles": ["all"], "networks": {"default": null}},
                "db": {"image": "postgres:17", "scale": 2, "volumes": [{"type": "volume", "source": "data", "target": "/d"}]},
                "docs": {"build": {"context": "/docs"}, "deploy": {"replicas": 0}},
            },
        })
    }

    fn of<'s>(services: &'s [Service], name: &str) -> &'s Service {
        services.iter().find(|service| service.name == name).unwrap()
    }

    #[test]
    fn artifacts_are_put_in_and_the_rest_stays_as_it_is() {
        let mut whole = project();
        let mut services = services(&mut whole, &[image("web", "v2"), image("api", "v2")]);
        assert_eq!(of(&services, "web").artifact.as_ref().unwrap().reference, "localhost:5000/web:v2");
        let counts: Vec<_> = ["web", "db", "docs"].map(|name| (of(&services, name).count, of(&services, name).builds_itself)).into();
        assert_eq!(counts, [(1, false), (2, false), (0, true)]);
        for service in &mut services {
            service.settings = "settings".into();
            service.identity = Identity { id: service.artifact.as_ref().map(|_| "sha256:1".into()), passing: service.name == "web" };
        }
        identify(&mut whole, &services, "/shop/$1/skaffold.yaml");
        let own = |artifact: &str| json!({"devloop.dev/inventory": "/shop/$$1/skaffold.yaml", "devloop.dev/artifact": artifact, "devloop.dev/settings": "settings"});
        let mut web = own("web:old");
        web["devloop.dev/image"] = "sha256:1".into();
        web["devloop.dev/passing"] = "true".into();
        assert_eq!(
            whole["services"]["web"],
            json!({"image": "localhost:5000/web:v2", "pull_policy": "never", "networks": {"default": null}, "labels": web})
        );
        let mut db = project()["services"]["db"].clone();
        db["labels"] = own("postgres:17");
        assert_eq!(whole["services"]["db"], db);
    }

    #[test]
    fn settings_are_all_but_the_image_of_an_artifact_and_how_many_there_are() {
        let settings =
            |whole: &Value, tag: &str, name: &str| of(&services(&mut whole.clone(), &[image("web", tag)]), name).settings.clone();
        let changed = |path: &str, value: Value| {
            let mut whole = project();
            *whole.pointer_mut(path).unwrap() = value;
            whole
        };
        let plain = project();
        for (whole, tag, name, same) in [
            (project(), "v2", "web", true),
            (changed("/services/web/networks", json!({"other": null})), "v1", "web", false),
            (changed("/services/web/build", json!({"context": "/other"})), "v1", "web", true),
            (changed("/services/db/scale", json!(3)), "v1", "db", true),
            (changed("/networks/default", json!({"name": "x"})), "v1", "web", false),
            (changed("/networks/default", json!({"name": "x"})), "v1", "db", true),
            (changed("/volumes/data", json!({"name": "x"})), "v1", "db", false),
            (changed("/services/db/image", json!("postgres:18")), "v1", "db", false),
        ] {
            assert_eq!(settings(&whole, tag, name) == settings(&plain, "v1", name), same, "{name} {whole}");
        }
    }

    #[test]
    fn an_image_is_known_by_its_name_whatever_its_version() {
        for (image, name, expected) in [
            ("web", "web", true),
            ("web:v1", "web", true),
            ("gcr.io/p/Web", "gcr.io/p/web", true),
            ("example.com/cmd/web", "ko://example.com/cmd/web", true),
            ("localhost:5000/web", "web", false),
            ("web-2", "web", false),
            (&format!("web@sha256:{}", "0".repeat(64)), "web", false),
        ] {
            assert_eq!(is_called(image, name), expected, "{image}");
        }
    }
}
