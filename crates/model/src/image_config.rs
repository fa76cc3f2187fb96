//! What an image says of how it is run.

use std::collections::BTreeMap;

use serde_json::Value;

/// What an image says of how it is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// Who made it.
    pub author: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// What always starts.
    pub entrypoint: Vec<String>,
    /// What starts, or what the entrypoint is given, where a container says nothing else.
    pub command: Vec<String>,
    /// Where it starts; `/` where the image does not say.
    pub working_dir: String,
}

impl ImageConfig {
    /// Returns what a configuration says, in the shape of a registry (`config` within the OCI image configuration), of the container
    /// daemon (`Config`), or bare.
    pub fn of(document: &Value) -> Self {
        let config = document.get("config").or_else(|| document.get("Config")).unwrap_or(document);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let words = |name: &str| config[name].as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
        let pair = |entry: String| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let author = document.get("author").or_else(|| document.get("Author")).unwrap_or(&Value::Null);
        Self {
            author: text(author),
            labels: config["Labels"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect(),
            env: words("Env").into_iter().filter_map(pair).collect(),
            entrypoint: words("Entrypoint"),
            command: words("Cmd"),
            working_dir: config["WorkingDir"].as_str().filter(|dir| !dir.is_empty()).unwrap_or("/").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_comes_in_several_shapes() {
        for (config, expected) in [
            (json!({"config": {"WorkingDir": "/app"}}), "/app"),
            (json!({"Config": {"WorkingDir": "/app"}}), "/app"),
            (json!({"WorkingDir": "/app"}), "/app"),
            (json!({"config": {"WorkingDir": ""}}), "/"),
            (json!({"config": null}), "/"),
        ] {
            assert_eq!(ImageConfig::of(&config).working_dir, expected, "{config}");
        }
    }

    #[test]
    fn what_starts_and_with_what_is_read() {
        let config = json!({
            "author": "github.com/google/ko",
            "config": {"Env": ["PATH=/bin", "A=b=c", "none"], "Entrypoint": ["/app"], "Cmd": ["-v"], "Labels": {"x": "y"}},
        });
        let env = [("PATH", "/bin"), ("A", "b=c")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = ImageConfig {
            author: "github.com/google/ko".into(),
            labels: [("x".to_owned(), "y".to_owned())].into(),
            env: env.into(),
            entrypoint: vec!["/app".into()],
            command: vec!["-v".into()],
            working_dir: "/".into(),
        };
        assert_eq!(ImageConfig::of(&config), expected);
    }
}
