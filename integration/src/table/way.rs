//! The ways to build, and the `skaffold.yaml` that chooses one.

use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::case::Case;

/// A way to build an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// `docker build`, the classic builder.
    Classic,
    /// `devloop build` with the container daemon's BuildKit: what all others are compared with.
    Docker,
    /// `devloop build` with BuildKit in the builder pod.
    BuilderPod,
    /// `devloop build` with a kaniko pod.
    KanikoPod,
}

impl Way {
    /// Returns its name, which is also its folder in the registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Docker => "docker",
            Self::BuilderPod => "builder-pod",
            Self::KanikoPod => "kaniko-pod",
        }
    }

    /// Returns the `skaffold.yaml` beside a case's context, which is the folder `context`.
    /// A secret is in the variable that [`secret_variable`] names.
    pub fn skaffold_yaml(self, case: &Case, kaniko_image: &str) -> Value {
        let mut artifact = Map::from_iter([("image".to_owned(), json!(case.name)), ("context".to_owned(), json!("context"))]);
        let mut builder = Map::from_iter([("dockerfile".to_owned(), json!("Dockerfile")), ("buildArgs".to_owned(), json!(case.args))]);
        if let Some(target) = &case.target {
            builder.insert("target".to_owned(), json!(target));
        }
        let mut build = json!({ "tagPolicy": { "sha256": {} } });
        match self {
            Self::KanikoPod => {
                builder.insert("image".to_owned(), json!(kaniko_image));
                builder.insert("initImage".to_owned(), json!("localhost:5000/busybox"));
                artifact.insert("kaniko".to_owned(), Value::Object(builder));
            }
            Self::Classic | Self::Docker | Self::BuilderPod => {
                let secrets = case.secrets.keys().map(|id| json!({ "id": id, "env": secret_variable(id) }));
                builder.insert("secrets".to_owned(), secrets.collect());
                if case.ssh {
                    builder.insert("ssh".to_owned(), json!("default"));
                }
                artifact.insert("docker".to_owned(), Value::Object(builder));
            }
        }
        match self {
            Self::Classic => build["local"] = json!({ "push": true, "useBuildkit": false }),
            Self::Docker => build["local"] = json!({ "push": true, "useBuildkit": true }),
            Self::BuilderPod | Self::KanikoPod => build["cluster"] = json!({}),
        }
        build["artifacts"] = json!([artifact]);
        json!({ "apiVersion": "skaffold/v4beta13", "kind": "Config", "metadata": { "name": case.name }, "build": build })
    }
}

/// Returns the name of the variable that has the secret of that id.
pub fn secret_variable(id: &str) -> String {
    format!("SECRET_{}", id.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_asked_for_what_the_row_needs() {
        let mut case: Case = serde_saphyr::from_str("args: {A: b}\ntarget: dev\nsecrets: {my-token: t0p}\nssh: true\n").unwrap();
        case.name = "row".to_owned();
        let build = |way: Way| way.skaffold_yaml(&case, "kaniko:1")["build"].to_string();
        insta::assert_snapshot!(build(Way::Docker), @r#"{"tagPolicy":{"sha256":{}},"local":{"push":true,"useBuildkit":true},"artifacts":[{"image":"row","context":"context","docker":{"dockerfile":"Dockerfile","buildArgs":{"A":"b"},"target":"dev","secrets":[{"id":"my-token","env":"SECRET_MY_TOKEN"}],"ssh":"default"}}]}"#);
        insta::assert_snapshot!(build(Way::BuilderPod), @r#"{"tagPolicy":{"sha256":{}},"cluster":{},"artifacts":[{"image":"row","context":"context","docker":{"dockerfile":"Dockerfile","buildArgs":{"A":"b"},"target":"dev","secrets":[{"id":"my-token","env":"SECRET_MY_TOKEN"}],"ssh":"default"}}]}"#);
        insta::assert_snapshot!(build(Way::KanikoPod), @r#"{"tagPolicy":{"sha256":{}},"cluster":{},"artifacts":[{"image":"row","context":"context","kaniko":{"dockerfile":"Dockerfile","buildArgs":{"A":"b"},"target":"dev","image":"kaniko:1","initImage":"localhost:5000/busybox"}}]}"#);
    }
}
