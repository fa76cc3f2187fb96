//! `artifactOverrides` and `imageStrategy` of releases in `skaffold/v2beta29` and older, as the templates that took their place.
//!
//! Facts: `upgradeOnePipeline` in Skaffold's `pkg/skaffold/schema/v2beta29/upgrade.go`. The schemas that have these fields are not read
//! yet; the step that upgrades them calls this.

use std::collections::BTreeMap;

/// `imageStrategy`: the values that a chart takes an image by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageStrategy {
    /// `fqn`, the default: one value.
    FullyQualified,
    /// `helm`: a repository and a tag.
    Helm,
    /// `helm` with `explicitRegistry`: a registry, a repository and a tag.
    ExplicitRegistry,
}

/// Returns the `setValueTemplates` that say what `overrides` did: values of the chart by the artifacts whose image they are.
pub(crate) fn value_templates(overrides: &BTreeMap<String, String>, strategy: ImageStrategy) -> BTreeMap<String, String> {
    let mut templates = BTreeMap::new();
    for (key, artifact) in overrides {
        let name = artifact.replace(['.', '-', '/', ':'], "_");
        let variable = |variable: &str| format!("{{{{.IMAGE_{variable}_{name}}}}}");
        if strategy == ImageStrategy::FullyQualified {
            templates.insert(key.clone(), variable("FULLY_QUALIFIED"));
            continue;
        }
        templates.insert(format!("{key}.tag"), format!("{}@{}", variable("TAG"), variable("DIGEST")));
        let repository = if strategy == ImageStrategy::Helm { "REPO" } else { "REPO_NO_DOMAIN" };
        templates.insert(format!("{key}.repository"), variable(repository));
        if strategy == ImageStrategy::ExplicitRegistry {
            templates.insert(format!("{key}.registry"), variable("DOMAIN"));
        }
    }
    templates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_has_values_of_its_own() {
        let overrides = BTreeMap::from([("image".to_owned(), "gcr.io/p/my-app".to_owned())]);
        for (strategy, expected) in [
            (ImageStrategy::FullyQualified, &[("image", "{{.IMAGE_FULLY_QUALIFIED_gcr_io_p_my_app}}")][..]),
            (
                ImageStrategy::Helm,
                &[
                    ("image.repository", "{{.IMAGE_REPO_gcr_io_p_my_app}}"),
                    ("image.tag", "{{.IMAGE_TAG_gcr_io_p_my_app}}@{{.IMAGE_DIGEST_gcr_io_p_my_app}}"),
                ],
            ),
            (
                ImageStrategy::ExplicitRegistry,
                &[
                    ("image.registry", "{{.IMAGE_DOMAIN_gcr_io_p_my_app}}"),
                    ("image.repository", "{{.IMAGE_REPO_NO_DOMAIN_gcr_io_p_my_app}}"),
                    ("image.tag", "{{.IMAGE_TAG_gcr_io_p_my_app}}@{{.IMAGE_DIGEST_gcr_io_p_my_app}}"),
                ],
            ),
        ] {
            let templates = value_templates(&overrides, strategy);
            let templates: Vec<(&str, &str)> = templates.iter().map(|(key, template)| (key.as_str(), template.as_str())).collect();
            assert_eq!(templates, expected, "{strategy:?}");
        }
    }
}
