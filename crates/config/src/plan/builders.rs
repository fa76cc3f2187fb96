//! Builders that are programs of others: Jib, Bazel and Cloud Native Buildpacks.

use devloop_model::BazelBuild;
use devloop_model::BazelPlatform;
use devloop_model::BuildpacksBuild;
use devloop_model::JibBuild;
use devloop_model::JibKind;
use devloop_model::PathList;
use devloop_model::Template;

use super::convert::Converter;
use super::convert::set;
use crate::schema;

/// Returns a build by Jib; words that are none of its kinds were reported by the checks.
pub(super) fn jib_build(jib: &schema::JibArtifact) -> JibBuild {
    JibBuild {
        project: set(&jib.project),
        args: jib.args.clone(),
        kind: match jib.kind.to_lowercase().as_str() {
            "maven" => Some(JibKind::Maven),
            "gradle" => Some(JibKind::Gradle),
            _ => None,
        },
        from_image: set(&jib.from_image),
    }
}

impl Converter<'_> {
    /// Returns a build by Bazel.
    pub(super) fn bazel(&mut self, pointer: &str, bazel: &schema::BazelArtifact) -> BazelBuild {
        let mut platforms = Vec::new();
        for (index, mapping) in bazel.platforms.iter().enumerate() {
            let platform = self.platform(&format!("{pointer}/platforms/{index}/platform"), &mapping.platform);
            platforms.extend(platform.map(|platform| BazelPlatform { platform, target: mapping.target.clone() }));
        }
        BazelBuild { target: bazel.target.clone(), args: bazel.args.clone(), platforms }
    }

    /// Returns a build by Cloud Native Buildpacks.
    pub(super) fn buildpacks(&mut self, pointer: &str, buildpacks: &schema::BuildpackArtifact) -> BuildpacksBuild {
        let dependencies = buildpacks.dependencies.clone().unwrap_or_default();
        let volume = |volume: &schema::BuildpackVolume| {
            let parts = [&volume.host, &volume.target, &volume.options];
            parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(":")
        };
        BuildpacksBuild {
            builder: set(&buildpacks.builder),
            run_image: set(&buildpacks.run_image),
            env: self.variables(&format!("{pointer}/env"), &buildpacks.env),
            buildpacks: buildpacks.buildpacks.clone(),
            trust_builder: buildpacks.trust_builder,
            clear_cache: buildpacks.clear_cache,
            project_descriptor: buildpacks.project_descriptor.clone(),
            dependencies: PathList { paths: dependencies.paths, ignore: dependencies.ignore },
            volumes: buildpacks.volumes.iter().map(volume).collect(),
            build_args: buildpacks.build_args.clone(),
        }
    }

    /// Returns variables with the templates of their values.
    fn variables(&mut self, pointer: &str, variables: &[String]) -> Vec<(String, Template)> {
        let mut found = Vec::new();
        for (index, variable) in variables.iter().enumerate() {
            let pointer = format!("{pointer}/{index}");
            match variable.split_once('=') {
                Some((name, value)) if !name.is_empty() => found.push((name.to_owned(), self.template(&pointer, value))),
                _ => {
                    let fault = self.module.error("config/variable", &pointer, format!("`{variable}` is no variable with a value"));
                    self.faults.push(fault.help("write `NAME=value`"));
                }
            }
        }
        found
    }
}
