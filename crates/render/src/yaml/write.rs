//! Objects to YAML text.

use devloop_model::ManifestSet;

use crate::RenderError;

/// Returns the objects as YAML documents with `---` between them, keys in the order in which they were read.
///
/// Texts that Kubernetes' reader would take for a number, a truth value or nothing are quoted.
///
/// # Errors
/// When an object cannot be written.
pub fn to_yaml(set: &ManifestSet) -> Result<String, RenderError> {
    let mut text = String::new();
    for manifest in &set.manifests {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        // Folding a long line makes it hard to search for; literal blocks are what people write for scripts.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        serde_saphyr::to_fmt_writer_with_options(&mut text, &manifest.object, options)
            .map_err(|error| RenderError::Write { object: manifest.key().to_string(), why: error.to_string() })?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use devloop_model::Manifest;
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::yaml;

    fn set(objects: Vec<Value>) -> ManifestSet {
        ManifestSet { manifests: objects.into_iter().map(|object| Manifest { object, source: String::new() }).collect() }
    }

    #[test]
    fn documents_read_as_kubectl_writes_them() {
        let set = set(vec![
            json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"mode": "0644", "on": "yes", "script": "a\nb\n", "empty": "", "n": "12", "d": "2001-01-01"}}),
            json!({"kind": "Pod", "spec": {"containers": [{"name": "web", "args": ["-x", "y"], "ports": []}], "nodeSelector": {}}}),
        ]);
        insta::assert_snapshot!(to_yaml(&set).unwrap(), @r#"
        kind: ConfigMap
        apiVersion: v1
        data:
          mode: "0644"
          "on": "yes"
          script: |
            a
            b
          empty: ""
          "n": "12"
          d: "2001-01-01"
        ---
        kind: Pod
        spec:
          containers:
          - name: web
            args:
            - -x
            - "y"
            ports: []
          nodeSelector: {}
        "#);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~]{0,12}",
            "[a-z\n \t:#'\"-]{0,40}",
            "[-+.0-9eExo_:]{1,8}",
            "\\PC{0,8}",
            proptest::sample::select(vec![
                "y", "No", "~", "null", "=", "<<", ".inf", "0b1", "1_0", "08", "---", "...", "? a", "- a", "a: b", "# c", "!x", "&a", "*a",
                "%a", "@a", "`a"
            ])
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((text.clone(), inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any_value()) {
            let object = json!({"apiVersion": "v1", "spec": value});
            let text = to_yaml(&set(vec![object.clone()])).unwrap();
            let read = yaml::read(&text).unwrap_or_else(|error| panic!("{error:?} in\n{text}"));
            prop_assert_eq!(&read[0].value, &object, "{}", text);
        }
    }
}
