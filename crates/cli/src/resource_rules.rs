//! `--resource-selector-rules-file`: rules beside those of `resourceSelector`.

use std::path::Path;

use devloop_model::Diagnostic;
use devloop_model::ResourceRule;
use devloop_model::ResourceSelector;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(default)]
    allow: Vec<Rule>,
    #[serde(default)]
    deny: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    group_kind: String,
    #[serde(default)]
    image: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    pod_spec: Vec<String>,
}

impl From<Rule> for ResourceRule {
    fn from(rule: Rule) -> Self {
        Self { group_kind: rule.group_kind, image: rule.image, labels: rule.labels, pod_spec: rule.pod_spec }
    }
}

/// Adds the rules of a JSON file to a selector.
///
/// # Errors
/// When the file cannot be read, or has something else in it.
pub(crate) fn read(file: &Path, selector: &mut ResourceSelector) -> Result<(), Diagnostic> {
    let wrong = |why: String| {
        Diagnostic::error("cli/resource-rules", format!("{} is no file of resource selector rules", file.display()))
            .because(why)
            .help("it is JSON: {\"allow\": [{\"groupKind\": \"Kind.group\", \"image\": [\".*\"], \"labels\": [\".*\"]}], \"deny\": []}")
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let rules: Rules = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    selector.allow.extend(rules.allow.into_iter().map(ResourceRule::from));
    selector.deny.extend(rules.deny.into_iter().map(ResourceRule::from));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_added_and_faults_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.json");
        std::fs::write(&file, r#"{"deny": [{"groupKind": "Deployment.apps", "image": [".*"]}]}"#).unwrap();
        let mut selector = ResourceSelector::default();
        read(&file, &mut selector).unwrap();
        assert_eq!(
            selector.deny,
            [ResourceRule { group_kind: "Deployment.apps".to_owned(), image: vec![".*".to_owned()], ..ResourceRule::default() }]
        );
        std::fs::write(&file, r#"{"deny": [{"groupkind": "x"}]}"#).unwrap();
        assert!(read(&file, &mut selector).unwrap_err().why[0].contains("groupkind"));
    }
}
