//! `customTemplate`: a Go template over other taggers.

use devloop_model::GitVariant;
use devloop_model::MissingKey;
use devloop_model::Tagger;
use devloop_model::Template;
use devloop_model::Vars;
use regex::Regex;

use super::TagError;

/// Returns the rendered template; `tag` makes the tag of one component. Only components that the
/// template names are asked, so that one that would fail does no harm elsewhere.
///
/// # Errors
/// When a component is not known, is a template itself, or has no tag.
pub(super) fn render(
    template: &Template,
    components: &[(String, Tagger)],
    tag: &mut dyn FnMut(&Tagger) -> Result<String, TagError>,
) -> Result<String, TagError> {
    let mut vars = Vars::plain();
    for name in fields(template.source()) {
        let tagger = match components.iter().find(|(component, _)| *component == name) {
            Some((_, Tagger::CustomTemplate { .. })) => return Err(TagError::NestedTemplate { name }),
            Some((_, tagger)) => tagger.clone(),
            None => built_in(&name)?,
        };
        vars = vars.with(name, tag(&tagger)?);
    }
    Ok(template.render(&vars, MissingKey::Error)?)
}

fn built_in(name: &str) -> Result<Tagger, TagError> {
    match name {
        "GIT" => Ok(Tagger::GitCommit { variant: GitVariant::Tags, prefix: String::new(), ignore_changes: false }),
        "DATE" => Ok(Tagger::DateTime { format: None, timezone: None }),
        "SHA" => Ok(Tagger::Sha256),
        "INPUT_DIGEST" => Ok(Tagger::InputDigest),
        _ => Err(TagError::NoComponent { name: name.to_owned() }),
    }
}

/// Returns the fields that the template's actions name, each once; a text in quotes is no field.
fn fields(template: &str) -> Vec<String> {
    let token = Regex::new(r#""(?:[^"\\]|\\.)*"|`[^`]*`|(?:^|[\s(|{])\.([A-Za-z_][A-Za-z0-9_]*)"#).expect("it is a constant");
    let mut names = Vec::new();
    for action in template.split("{{").skip(1) {
        let action = action.split("}}").next().unwrap_or_default();
        for found in token.captures_iter(action) {
            if let Some(name) = found.get(1).map(|name| name.as_str().to_owned()).filter(|name| !names.contains(name)) {
                names.push(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        for (template, expected) in [
            ("{{.GIT}}-{{ .DATE }}_{{.GIT}}", vec!["GIT", "DATE"]),
            ("plain .NOT", vec![]),
            ("{{ printf \"%s.X\" .A }}{{- if (.B) -}}{{ end }}{{ .C|len }}", vec!["A", "B", "C"]),
        ] {
            assert_eq!(fields(template), expected, "{template}");
        }
    }
}
