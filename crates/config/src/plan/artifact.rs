//! Artifacts and their builders.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Artifact;
use devloop_model::BuildPlace;
use devloop_model::BuildSecret;
use devloop_model::Builder;
use devloop_model::CustomBuild;
use devloop_model::CustomDependencies;
use devloop_model::DockerBuild;
use devloop_model::ImageName;
use devloop_model::KoBuild;
use devloop_model::LocalBuild;
use devloop_model::PathList;
use devloop_model::Platform;
use devloop_model::Requirement;
use devloop_model::Runtime;
use devloop_model::SecretSource;
use devloop_model::Tagger;

use super::builders::jib_build;
use super::convert::Converter;
use super::convert::set;
use crate::loaded::join;
use crate::schema;

impl Converter<'_> {
    /// Returns what an artifact is built for: `--platform`, else `build.platforms`, as far as the artifact's own list allows; that list,
    /// where nothing else is said (Skaffold's `pkg/skaffold/platform/resolver.go`).
    fn platforms_of(&mut self, artifact: &str, own: &[String]) -> Vec<Platform> {
        let (module, pointer) = (self.module, format!("{artifact}/platforms"));
        let own = self.platforms(&pointer, own);
        let wanted =
            if self.wanted.is_empty() { self.platforms("/build/platforms", &module.config.build.platforms) } else { self.wanted.to_vec() };
        if own.is_empty() || wanted.is_empty() {
            return if own.is_empty() { wanted } else { own };
        }
        let both = Platform::common(&wanted, &own);
        if both.is_empty() {
            let names: Vec<String> = wanted.iter().map(|platform| format!("`{platform}`")).collect();
            let fault = module.error("config/platforms", &pointer, "this artifact is not for any platform that is built for");
            let named = if self.wanted.is_empty() { "`build.platforms` names" } else { "`--platform` names" };
            self.faults.push(fault.because(format!("{named} {}", names.join(", "))));
        }
        both
    }

    /// Returns an artifact; none if this version has no builder for it, which was reported before.
    pub(super) fn artifact(&mut self, index: usize, tagger: &Tagger) -> Option<Artifact> {
        let module = self.module;
        let config = &module.config.build.artifacts[index];
        let pointer = format!("/build/artifacts/{index}");
        let mut context = self.absolute(&config.context);
        if let Some(kaniko) = &config.kaniko {
            context = self.built_context(&format!("{pointer}/kaniko"), context, kaniko);
        }
        let builder = self.builder(&pointer, &context, config)?;
        let place = match &module.config.build.cluster {
            Some(cluster) => BuildPlace::Cluster(self.cluster_build(cluster)),
            None => BuildPlace::Local(self.local()),
        };
        let platforms = self.platforms_of(&pointer, &config.platforms);
        Some(Artifact {
            image: ImageName::parse(&config.image).ok()?,
            context,
            builder,
            tagger: tagger.clone(),
            requires: config.requires.iter().filter_map(requirement).collect(),
            platforms,
            runtime: runtime(&config.runtime_type),
            sync: config.sync.as_ref().and_then(|sync| self.sync(sync)),
            hooks: self.host_hooks(&config.hooks),
            place,
            at: module.location(&format!("{pointer}/image")),
        })
    }

    fn local(&mut self) -> LocalBuild {
        let Some(local) = &self.module.config.build.local else { return LocalBuild::default() };
        if local.concurrency.is_some_and(|limit| limit < 0) {
            let fault = self.module.error("config/negative", "/build/local/concurrency", "`build.local.concurrency` cannot be negative");
            if !self.faults.contains(&fault) {
                self.faults.push(fault.help("0 builds everything at once"));
            }
        }
        LocalBuild {
            push: local.push,
            try_import_missing: local.try_import_missing,
            use_docker_cli: local.use_docker_cli,
            use_buildkit: local.use_buildkit,
            concurrency: local.concurrency.map(|limit| limit.max(0) as usize),
        }
    }

    fn builder(&mut self, pointer: &str, context: &Path, artifact: &schema::Artifact) -> Option<Builder> {
        if let Some(docker) = &artifact.docker {
            return Some(Builder::Docker(self.docker(&format!("{pointer}/docker"), context, docker)));
        }
        if let Some(kaniko) = &artifact.kaniko {
            return Some(Builder::Kaniko(Box::new(self.kaniko(&format!("{pointer}/kaniko"), context, kaniko))));
        }
        if let Some(ko) = &artifact.ko {
            return Some(Builder::Ko(self.ko(&format!("{pointer}/ko"), ko)));
        }
        if let Some(jib) = &artifact.jib {
            return Some(Builder::Jib(jib_build(jib)));
        }
        if let Some(bazel) = &artifact.bazel {
            return Some(Builder::Bazel(self.bazel(&format!("{pointer}/bazel"), bazel)));
        }
        if let Some(buildpacks) = &artifact.buildpacks {
            return Some(Builder::Buildpacks(Box::new(self.buildpacks(&format!("{pointer}/buildpacks"), buildpacks))));
        }
        let custom = artifact.custom.as_ref()?;
        self.custom(&format!("{pointer}/custom"), custom).map(Builder::Custom)
    }

    fn docker(&mut self, pointer: &str, context: &Path, docker: &schema::DockerArtifact) -> DockerBuild {
        DockerBuild {
            dockerfile: self.dockerfile(context, &docker.dockerfile),
            target: set(&docker.target),
            build_args: self.build_args(&format!("{pointer}/buildArgs"), &docker.build_args),
            network: set(&docker.network),
            add_hosts: docker.add_host.clone(),
            cache_from: docker.cache_from.iter().map(|cache| self.kept_steps(cache)).collect(),
            cache_to: docker.cache_to.iter().map(|cache| self.kept_steps(cache)).collect(),
            cli_flags: self.templates(&format!("{pointer}/cliFlags"), &docker.cli_flags),
            pull_parent: docker.pull_parent,
            no_cache: docker.no_cache,
            squash: docker.squash,
            secrets: docker.secrets.iter().map(|secret| self.secret(secret)).collect(),
            ssh: set(&docker.ssh),
        }
    }

    /// Returns a cache, with its directory as a path from the root if it is one of this machine.
    fn kept_steps(&self, cache: &str) -> String {
        if !cache.split(',').any(|field| field == "type=local") {
            return cache.to_owned();
        }
        let absolute = |field: &str| match field.split_once('=') {
            Some((name @ ("src" | "dest"), path)) => format!("{name}={}", self.absolute(path).display()),
            _ => field.to_owned(),
        };
        cache.split(',').map(absolute).collect::<Vec<_>>().join(",")
    }

    /// A Dockerfile that the context does not have may stand beside skaffold.yaml (as in Skaffold's `NormalizeDockerfilePath`).
    pub(super) fn dockerfile(&self, context: &Path, dockerfile: &str) -> PathBuf {
        let beside = self.absolute(dockerfile);
        if !context.join(dockerfile).exists() && beside.exists() { beside } else { PathBuf::from(dockerfile) }
    }

    /// A secret that says only its name is a variable of that name if there is one, else a file of that name (as in `docker build`).
    fn secret(&self, secret: &schema::DockerSecret) -> BuildSecret {
        let source = if !secret.env.is_empty() {
            SecretSource::Env(secret.env.clone())
        } else if !secret.src.is_empty() {
            SecretSource::File(self.absolute(&secret.src))
        } else if self.env.get(&secret.id).is_some() {
            SecretSource::Env(secret.id.clone())
        } else {
            SecretSource::File(self.absolute(&secret.id))
        };
        BuildSecret { id: secret.id.clone(), source }
    }

    fn ko(&mut self, pointer: &str, ko: &schema::KoArtifact) -> KoBuild {
        let labels = ko.labels.iter().map(|(name, text)| (name.clone(), self.template(&join(&format!("{pointer}/labels"), name), text)));
        KoBuild {
            labels: labels.collect(),
            from_image: set(&ko.from_image),
            dir: set(&ko.dir).map(PathBuf::from),
            env: self.templates(&format!("{pointer}/env"), &ko.env),
            flags: self.templates(&format!("{pointer}/flags"), &ko.flags),
            ldflags: self.templates(&format!("{pointer}/ldflags"), &ko.ldflags),
            main: set(&ko.main),
            dependencies: ko.dependencies.as_ref().map(|list| PathList { paths: list.paths.clone(), ignore: list.ignore.clone() }),
        }
    }

    fn custom(&mut self, pointer: &str, custom: &schema::CustomArtifact) -> Option<CustomBuild> {
        if custom.build_command.trim().is_empty() {
            let what = format!("{} has no `buildCommand`", self.module.subject(pointer));
            self.faults.push(self.module.error("config/missing-field", pointer, what));
            return None;
        }
        let dependencies = custom.dependencies.clone().unwrap_or_default();
        let dependencies = if let Some(dockerfile) = &dependencies.dockerfile {
            let build_args = self.build_args(&format!("{pointer}/dependencies/dockerfile/buildArgs"), &dockerfile.build_args);
            CustomDependencies::Dockerfile {
                path: PathBuf::from(set(&dockerfile.path).unwrap_or_else(|| "Dockerfile".to_owned())),
                build_args,
            }
        } else if !dependencies.command.is_empty() {
            CustomDependencies::Command(dependencies.command)
        } else {
            CustomDependencies::Paths(PathList { paths: dependencies.paths, ignore: dependencies.ignore })
        };
        let command = self.template(&format!("{pointer}/buildCommand"), &custom.build_command);
        Some(CustomBuild { command, dependencies })
    }
}

/// Names that are none were reported by the checks.
fn requirement(requirement: &schema::ArtifactDependency) -> Option<Requirement> {
    Some(Requirement { image: ImageName::parse(&requirement.image).ok()?, alias: requirement.alias.clone() })
}

fn runtime(name: &str) -> Option<Runtime> {
    match name {
        "go" => Some(Runtime::Go),
        "nodejs" => Some(Runtime::NodeJs),
        "jvm" => Some(Runtime::Jvm),
        "python" => Some(Runtime::Python),
        "netcore" => Some(Runtime::NetCore),
        _ => None,
    }
}
