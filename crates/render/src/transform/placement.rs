//! Nodes: where they differ, pods are kept on those that their images are built for.
//!
//! Source: Skaffold's `pkg/skaffold/kubernetes/manifest/platform.go` and `gke_toleration.go`; it asks registries what an image is built
//! for, where we know it of what we build. What the user says of architectures is left alone, here.

use std::collections::BTreeMap;

use devloop_model::BuiltImage;
use devloop_model::ImageName;
use devloop_model::Manifest;
use devloop_model::Platform;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Fields;

/// Labels that the kubelet gives its node.
const OS: &str = "kubernetes.io/os";
const ARCH: &str = "kubernetes.io/arch";

/// What images are built for, and what nodes run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// What each artifact is built for.
    pub images: BTreeMap<ImageName, Vec<Platform>>,
    /// What the nodes run; one kind of node needs no choice.
    pub nodes: Vec<Platform>,
    /// Whether pods are kept on nodes that their images are built for.
    pub affinity: bool,
    /// Whether pods tolerate the taint of GKE's ARM nodes, if their images are built for them.
    pub tolerates_arm: bool,
}

/// Puts node affinity and tolerations into pods that run images of `placement`; images are put in already.
pub(crate) fn place(manifests: &mut [Manifest], images: &[BuiltImage], placement: &Placement, fields: &Fields) {
    if placement.nodes.len() < 2 {
        return;
    }
    let of_image: BTreeMap<String, &Vec<Platform>> =
        images.iter().filter_map(|image| Some((image.deployed(), placement.images.get(&image.artifact)?))).collect();
    for manifest in manifests {
        let Some(fields) = fields.of(&manifest.object) else { continue };
        fields.pod_specs(&mut manifest.object, &mut |spec| place_pod(spec, &of_image, placement));
    }
}

fn place_pod(spec: &mut Map<String, Value>, of_image: &BTreeMap<String, &Vec<Platform>>, placement: &Placement) {
    let built: Vec<_> = containers(spec).map(|image| of_image.get(image)).collect();
    let allowed = built.iter().flatten().fold(placement.nodes.clone(), |nodes, platforms| Platform::common(&nodes, platforms));
    if allowed.is_empty() || says_where(spec) {
        return;
    }
    // Another's container may not run there.
    let all_known = built.iter().all(Option::is_some);
    if placement.tolerates_arm && all_known && allowed.iter().any(|node| node.as_str() == "linux/arm64") {
        tolerate_arm(spec);
    }
    if placement.affinity && allowed.len() < placement.nodes.len() {
        require(spec, &allowed);
    }
}

/// Returns the images of a pod's containers.
fn containers(spec: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let lists = ["initContainers", "containers"].into_iter().filter_map(|list| spec.get(list)?.as_array());
    lists.flatten().filter_map(|container| container["image"].as_str())
}

/// Returns whether a pod chooses an architecture or a node itself.
fn says_where(spec: &Map<String, Value>) -> bool {
    let selects =
        spec.get("nodeSelector").and_then(Value::as_object).is_some_and(|labels| labels.keys().any(|label| label.ends_with(ARCH)));
    let terms = spec.get("affinity").and_then(|affinity| affinity.pointer("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"));
    let requires = terms.is_some_and(|terms| terms.to_string().contains(ARCH));
    selects || requires || spec.contains_key("nodeName")
}

/// Requires one of `allowed` in each of the alternatives that a pod has already.
fn require(spec: &mut Map<String, Value>, allowed: &[Platform]) {
    let mut architectures: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in allowed {
        architectures.entry(node.os()).or_default().push(node.arch());
    }
    let required =
        ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"].into_iter().try_fold(spec, |parent, name| {
            let child = parent.entry(name).or_insert_with(|| json!({}));
            if child.is_null() {
                *child = json!({});
            }
            child.as_object_mut()
        });
    // What is no object is the API server's to refuse.
    let Some(required) = required else { return };
    let own = required.get("nodeSelectorTerms").and_then(Value::as_array).filter(|terms| !terms.is_empty());
    let own = own.cloned().unwrap_or_else(|| vec![json!({})]);
    let terms = own.iter().flat_map(|term| architectures.iter().map(move |(os, architectures)| narrowed(term, os, architectures)));
    let terms = terms.collect();
    required.insert("nodeSelectorTerms".to_owned(), Value::Array(terms));
}

/// Returns the alternative with an operating system and its architectures required as well.
fn narrowed(term: &Value, os: &str, architectures: &[&str]) -> Value {
    let mut term = term.clone();
    let mut expressions = term["matchExpressions"].as_array().cloned().unwrap_or_default();
    expressions.push(json!({ "key": OS, "operator": "In", "values": [os] }));
    expressions.push(json!({ "key": ARCH, "operator": "In", "values": architectures }));
    if let Some(term) = term.as_object_mut() {
        term.insert("matchExpressions".to_owned(), Value::Array(expressions));
    }
    term
}

fn tolerate_arm(spec: &mut Map<String, Value>) {
    let toleration = json!({ "key": ARCH, "operator": "Equal", "value": "arm64", "effect": "NoSchedule" });
    let Some(tolerations) = spec.entry("tolerations").or_insert_with(|| json!([])).as_array_mut() else { return };
    if !tolerations.iter().any(|own| own["key"] == ARCH) {
        tolerations.push(toleration);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use devloop_model::Identity;
    use devloop_model::ResourceRule;
    use devloop_model::ResourceSelector;

    use super::*;
    use crate::source;

    fn platforms(texts: &[&str]) -> Vec<Platform> {
        texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
    }

    /// Returns the pod after artifacts `arm` and `both` were placed on nodes of these kinds.
    fn placed(pod: &str, nodes: &[&str]) -> Value {
        placed_by(pod, nodes, &ResourceSelector::default())
    }

    fn placed_by(pod: &str, nodes: &[&str], selector: &ResourceSelector) -> Value {
        let image = |name: &str| BuiltImage {
            artifact: ImageName::parse(name).unwrap(),
            name: ImageName::parse(name).unwrap(),
            tag: None,
            identity: Identity::AsNamed,
            runtime: None,
        };
        let images = [image("arm"), image("both")];
        let placement = Placement {
            images: [("arm", platforms(&["linux/arm64"])), ("both", platforms(&["linux/amd64", "linux/arm64"]))]
                .map(|(name, platforms)| (ImageName::parse(name).unwrap(), platforms))
                .into(),
            nodes: platforms(nodes),
            affinity: true,
            tolerates_arm: true,
        };
        let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {pod}\n");
        let mut manifests = source::objects(&text, Path::new("p.yaml")).unwrap().manifests;
        place(&mut manifests, &images, &placement, &Fields::new(selector));
        manifests.remove(0).object["spec"].take()
    }

    const MIXED: &[&str] = &["linux/amd64", "linux/arm64"];

    #[test]
    fn a_pod_is_kept_on_nodes_that_its_images_are_built_for() {
        let spec = placed("{containers: [{image: arm}, {image: both}]}", MIXED);
        let term = json!({"matchExpressions": [
            {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
            {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]},
        ]});
        assert_eq!(
            spec.pointer("/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"),
            Some(&json!({"nodeSelectorTerms": [term]}))
        );
        assert_eq!(
            spec["tolerations"],
            json!([{"key": "kubernetes.io/arch", "operator": "Equal", "value": "arm64", "effect": "NoSchedule"}])
        );
    }

    #[test]
    fn alternatives_of_the_user_stay() {
        let own = "{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: \
                   [{matchExpressions: [{key: disk, operator: Exists}]}, {matchFields: [{key: metadata.name, operator: In, values: [n]}]}]}}}";
        let spec = placed(
            &format!("{{affinity: {own}, tolerations: [{{key: kubernetes.io/arch, operator: Exists}}], initContainers: [{{image: arm}}]}}"),
            MIXED,
        );
        let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
        let keys = |term: &Value| {
            term["matchExpressions"].as_array().unwrap().iter().map(|e| e["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(terms.as_array().unwrap().iter().map(keys).collect::<Vec<_>>(), [vec!["disk", OS, ARCH], vec![OS, ARCH]]);
        assert!(terms[1]["matchFields"].is_array());
        assert_eq!(spec["tolerations"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn pods_are_left_alone_where_there_is_no_choice_or_the_user_made_it() {
        for (pod, nodes) in [
            ("{containers: [{image: arm}]}", &["linux/arm64"][..]),
            ("{containers: [{image: arm}], nodeSelector: {kubernetes.io/arch: amd64}}", MIXED),
            ("{containers: [{image: arm}], nodeName: n}", MIXED),
            ("{containers: [{image: of-another}]}", MIXED),
            ("{containers: [{image: both}, {image: of-another}]}", MIXED),
            ("{containers: [{image: arm}]}", &["linux/amd64", "linux/s390x"]),
        ] {
            assert_eq!(placed(pod, nodes), placed(pod, &[]), "{pod} {nodes:?}");
        }
    }

    #[test]
    fn rules_say_where_pod_specs_are() {
        let pod = "{containers: [{image: both}], sub: {containers: [{image: arm}]}}";
        let rule = |path: &str| ResourceRule { group_kind: "Pod".into(), pod_spec: vec![path.into()], ..ResourceRule::default() };
        let placed = |selector: ResourceSelector| placed_by(pod, MIXED, &selector);
        let sub = placed(ResourceSelector { allow: vec![rule(".spec.sub")], ..ResourceSelector::default() });
        assert!(sub["sub"]["affinity"].is_object() && sub["affinity"].is_null());
        assert_eq!(
            placed(ResourceSelector { deny: vec![rule(".*")], ..ResourceSelector::default() }),
            placed_by(pod, &[], &ResourceSelector::default())
        );
    }

    #[test]
    fn nodes_of_another_system_are_not_among_the_alternatives() {
        let spec = placed("{containers: [{image: both}]}", &["linux/amd64", "linux/arm64", "windows/amd64"]);
        let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
        assert_eq!(terms.as_array().unwrap().len(), 1);
        assert_eq!(terms[0]["matchExpressions"][1]["values"], json!(["amd64", "arm64"]));
    }
}
