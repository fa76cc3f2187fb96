//! `artifactOverrides` and `imageStrategy` of releases in `skaffold/v2beta29` and older, as the templates that took their place.
//!
//! Facts: `upgradeOnePipeline` in Skaffold's `pkg/skaffold/schema/v2beta29/upgrade.go`.

/// `imageStrategy`: the values that a chart takes an image by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageStrategy {
    /// `fqn`, the default: one value.
    FullyQualified,
    /// `helm`: a repository and a tag.
    Helm,
    /// `helm` with `explicitRegistry`: a registry, a repository and a tag.
    ExplicitRegistry,
}

/// Returns the entries of `setValueTemplates` that say what an entry of `artifactOverrides` did: a value of the chart, and an artifact.
pub(super) fn value_templates(key: &str, artifact: &str, strategy: ImageStrategy) -> Vec<(String, String)> {
    let name = artifact.replace(['.', '-', '/', ':'], "_");
    let variable = |variable: &str| format!("{{{{.IMAGE_{variable}_{name}}}}}");
    if strategy == ImageStrategy::FullyQualified {
        return vec![(key.to_owned(), variable("FULLY_QUALIFIED"))];
    }
    let repository = if strategy == ImageStrategy::Helm { "REPO" } else { "REPO_NO_DOMAIN" };
    let tag = format!("{}@{}", variable("TAG"), variable("DIGEST"));
    let mut templates = vec![(format!("{key}.repository"), variable(repository)), (format!("{key}.tag"), tag)];
    if strategy == ImageStrategy::ExplicitRegistry {
        templates.push((format!("{key}.registry"), variable("DOMAIN")));
    }
    templates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_has_values_of_its_own() {
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
                    ("image.repository", "{{.IMAGE_REPO_NO_DOMAIN_gcr_io_p_my_app}}"),
                    ("image.tag", "{{.IMAGE_TAG_gcr_io_p_my_app}}@{{.IMAGE_DIGEST_gcr_io_p_my_app}}"),
                    ("image.registry", "{{.IMAGE_DOMAIN_gcr_io_p_my_app}}"),
                ],
            ),
        ] {
            let templates = value_templates("image", "gcr.io/p/my-app", strategy);
            let templates: Vec<(&str, &str)> = templates.iter().map(|(key, template)| (key.as_str(), template.as_str())).collect();
            assert_eq!(templates, expected, "{strategy:?}");
        }
    }
}
