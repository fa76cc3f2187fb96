//! Build arguments and the variables that templates of a build see.

use std::collections::BTreeMap;

use devloop_model::BuiltImage;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::ImageRef;
use devloop_model::MissingKey;
use devloop_model::Template;
use devloop_model::Vars;

use crate::BuildError;

/// Returns the environment and, once the image has a name, its parts: `gcr.io/p/web:v1` is `gcr.io/p`,
/// `web` and `v1`. Source: skaffold `pkg/skaffold/docker/build_args.go` (`EnvTags`).
pub(crate) fn image_vars(reference: Option<&ImageRef>, env: &Env) -> Vars {
    let vars = Vars::from_env(env);
    let Some(reference) = reference else { return vars };
    let name = reference.name.import_path().map_or_else(|| reference.name.to_string(), str::to_lowercase);
    let (repo, name) = name.rsplit_once('/').unwrap_or(("", &name));
    let tag = reference.tag.as_ref().map_or("latest", |tag| tag.as_str());
    vars.with("IMAGE_REPO", repo).with("IMAGE_NAME", name).with("IMAGE_TAG", tag)
}

/// Returns the build arguments of a Dockerfile: the mode and the required images where it declares
/// them, then what is configured; an argument without a value has that of the environment, or is
/// left out. Source: skaffold `pkg/skaffold/docker/build_args.go` (`evalBuildArgs`).
///
/// # Errors
/// When a template fails.
pub(crate) fn build_args(
    configured: &BTreeMap<String, Option<Template>>,
    dockerfile: &str,
    reference: &ImageRef,
    required: &[(String, BuiltImage)],
    mode: &str,
    env: &Env,
) -> Result<BTreeMap<String, String>, BuildError> {
    let mut offered = BTreeMap::from([("SKAFFOLD_RUN_MODE".to_owned(), mode.to_owned())]);
    if mode == "debug" {
        offered.insert("SKAFFOLD_GO_GCFLAGS".to_owned(), "all=-N -l".to_owned());
    }
    offered.extend(required.iter().map(|(alias, image)| (alias.clone(), image.deployed())));
    let mut arguments: BTreeMap<String, String> = offered.into_iter().filter(|(name, _)| declares(dockerfile, name)).collect();
    let vars = image_vars(Some(reference), env);
    for (name, value) in configured {
        let value = match value {
            Some(template) => Some(template.render(&vars, MissingKey::NoValue).map_err(|error| {
                BuildError::from(
                    Diagnostic::error("build/template", format!("build argument `{name}` cannot be rendered")).because(error.to_string()),
                )
            })?),
            None => env.get(name).map(str::to_owned),
        };
        match value {
            Some(value) => arguments.insert(name.clone(), value),
            None => arguments.remove(name),
        };
    }
    Ok(arguments)
}

/// Returns whether a Dockerfile has `ARG name`; one that it does not have is a warning of BuildKit's
/// and an error of the classic builder's.
fn declares(dockerfile: &str, name: &str) -> bool {
    dockerfile.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|first| first.eq_ignore_ascii_case("ARG")) && words.any(|word| word.split('=').next() == Some(name))
    })
}

#[cfg(test)]
mod tests {
    use devloop_model::Identity;
    use devloop_model::ImageName;

    use super::*;

    fn env() -> Env {
        Env::new(BTreeMap::from([("HOST".to_owned(), "h".to_owned())]))
    }

    fn required() -> Vec<(String, BuiltImage)> {
        let name = ImageName::parse("localhost:5000/base").unwrap();
        vec![(
            "BASE".to_owned(),
            BuiltImage { artifact: name.clone(), name, tag: Some("v1".parse().unwrap()), identity: Identity::AsNamed, runtime: None },
        )]
    }

    fn shown(dockerfile: &str, configured: &[(&str, Option<&str>)], mode: &str) -> String {
        let configured =
            configured.iter().map(|(name, value)| ((*name).to_owned(), value.map(|text| Template::parse(text).unwrap()))).collect();
        let reference = ImageRef::parse("gcr.io/p/web:v1").unwrap();
        let arguments = build_args(&configured, dockerfile, &reference, &required(), mode, &env()).unwrap();
        arguments.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_a_dockerfile_declares_it_gets() {
        for (dockerfile, mode, expected) in [
            ("FROM a\n", "run", ""),
            ("ARG BASE\nFROM $BASE\n", "run", "BASE=localhost:5000/base:v1"),
            ("arg BASE=x OTHER\nFROM a\n  ARG SKAFFOLD_RUN_MODE\n", "run", "BASE=localhost:5000/base:v1 SKAFFOLD_RUN_MODE=run"),
            ("FROM a\nARG SKAFFOLD_GO_GCFLAGS\n", "run", ""),
            ("FROM a\nARG SKAFFOLD_GO_GCFLAGS\n", "debug", "SKAFFOLD_GO_GCFLAGS=all=-N -l"),
        ] {
            assert_eq!(shown(dockerfile, &[], mode), expected, "{dockerfile}");
        }
    }

    #[test]
    fn configured_arguments_are_always_given() {
        let configured = [
            ("A", Some("{{.IMAGE_REPO}} {{.IMAGE_NAME}} {{.IMAGE_TAG}} {{.HOST}} {{.NONE}}")),
            ("BASE", Some("mine")),
            ("HOST", None),
            ("NONE", None),
        ];
        assert_eq!(shown("ARG BASE\n", &configured, "run"), "A=gcr.io/p web v1 h <no value> BASE=mine HOST=h");
    }
}
