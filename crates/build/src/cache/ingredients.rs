//! What goes into an image: settings, arguments, bases, required images, files.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use devloop_model::Artifact;
use devloop_model::BazelBuild;
use devloop_model::BuildSecret;
use devloop_model::Builder;
use devloop_model::BuildpacksBuild;
use devloop_model::Cx;
use devloop_model::DockerBuild;
use devloop_model::ImageRef;
use devloop_model::JibBuild;
use devloop_model::KanikoBuild;
use devloop_model::KoBuild;
use devloop_model::MissingKey;
use devloop_model::Platform;
use devloop_model::RebuildCause;
use devloop_model::Template;
use serde::Deserialize;
use serde::Serialize;

use super::CacheKey;
use crate::BuildError;
use crate::BuildOptions;
use crate::InputFile;
use crate::Inputs;
use crate::builder;
use crate::inputs::dockerfile_of;
use crate::platforms;

/// What goes into an image besides files. Values may be secret, so only their hashes are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingredients {
    /// The builder's settings.
    settings: BTreeMap<String, String>,
    /// Build arguments, variables and labels.
    arguments: BTreeMap<String, String>,
    /// What is built for, sorted.
    platforms: Vec<String>,
    /// Digests of base images, where the build asks for the newest one.
    bases: BTreeMap<String, String>,
    /// The keys of the images that it requires.
    required: BTreeMap<String, String>,
}

/// What went into a build, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    #[serde(flatten)]
    ingredients: Ingredients,
    /// Path to a hash of kind, mode and content.
    files: BTreeMap<String, String>,
}

impl Ingredients {
    /// Returns what goes into the image of `artifact`, but for the images that it requires; `daemon` is what the daemon builds for.
    ///
    /// # Errors
    /// When a template fails.
    pub(crate) fn of(
        artifact: &Artifact,
        reference: &ImageRef,
        dockerfile: Option<&str>,
        options: &BuildOptions,
        daemon: Option<&Platform>,
        cx: &Cx,
    ) -> Result<Self, BuildError> {
        let platforms = platforms::built_for(artifact, options, daemon, &cx.env);
        let mut own = Self { platforms: platforms.iter().map(ToString::to_string).collect(), ..Self::default() };
        own.platforms.sort_unstable();
        match &artifact.builder {
            Builder::Docker(spec) => own.docker(spec),
            Builder::Kaniko(spec) => own.kaniko(spec),
            Builder::Ko(spec) => own.ko(spec, reference, options, cx),
            Builder::Jib(spec) => own.jib(spec),
            Builder::Bazel(spec) => own.bazel(spec),
            Builder::Buildpacks(spec) => own.buildpacks(artifact, spec, options, cx),
            Builder::Custom(spec) => {
                own.set("builder", "custom");
                own.set("custom.buildCommand", spec.command.source());
            }
        }
        for required in &artifact.requires {
            own.set(&format!("alias of {}", required.image), &required.alias);
        }
        if let (Some((_, configured)), Some(text)) = (dockerfile_of(artifact), dockerfile) {
            let arguments = builder::build_args(configured, text, reference, &[], &options.mode, &cx.env)?;
            own.arguments.extend(arguments.iter().map(|(name, value)| (name.clone(), digest(value))));
        }
        Ok(own)
    }

    fn set(&mut self, setting: &str, value: &str) {
        self.settings.insert(setting.to_owned(), digest(value));
    }

    fn docker(&mut self, spec: &DockerBuild) {
        self.set("builder", "docker");
        self.set("docker.dockerfile", &spec.dockerfile.to_string_lossy());
        self.set("docker.target", spec.target.as_deref().unwrap_or_default());
        self.set("docker.network", spec.network.as_deref().unwrap_or_default());
        self.set("docker.addHost", &spec.add_hosts.join("\n"));
        self.set("docker.cliFlags", &sources(&spec.cli_flags));
        self.set("docker.pullParent", bool_text(spec.pull_parent));
        self.set("docker.noCache", bool_text(spec.no_cache));
        self.set("docker.squash", bool_text(spec.squash));
        self.set(
            "docker.secrets",
            &spec.secrets.iter().map(|BuildSecret { id, source }| format!("{id} {source:?}")).collect::<Vec<_>>().join("\n"),
        );
        self.set("docker.ssh", spec.ssh.as_deref().unwrap_or_default());
    }

    /// What only says how the build goes on, and not what comes of it, is left out.
    fn kaniko(&mut self, spec: &KanikoBuild) {
        self.docker(&spec.dockerfile);
        self.set("builder", "kaniko");
        self.set("kaniko.image", spec.image.as_deref().unwrap_or_default());
        self.set("kaniko.destination", &sources(&spec.destinations));
        self.set("kaniko.label", &format!("{:?}", spec.labels));
        self.set("kaniko.flags", &spec.flags.iter().map(|(name, value)| format!("{name} {value:?}")).collect::<Vec<_>>().join("\n"));
        self.set("kaniko.env", &spec.env.iter().map(|variable| format!("{variable:?}")).collect::<Vec<_>>().join("\n"));
    }

    fn ko(&mut self, spec: &KoBuild, reference: &ImageRef, options: &BuildOptions, cx: &Cx) {
        let vars = builder::image_vars(Some(reference), &cx.env);
        // What does not render here is told by the builder, which knows more variables.
        let rendered = |template: &Template| template.render(&vars, MissingKey::NoValue).unwrap_or_else(|_| template.source().to_owned());
        let path = |path: &Option<std::path::PathBuf>| path.as_deref().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        self.set("builder", "ko");
        self.set("ko.fromImage", spec.from_image.as_deref().unwrap_or_default());
        self.set("ko.dir", &path(&spec.dir));
        self.set("ko.main", spec.main.as_deref().unwrap_or_default());
        self.set("ko.flags", &spec.flags.iter().map(rendered).collect::<Vec<_>>().join("\n"));
        self.set("ko.ldflags", &spec.ldflags.iter().map(rendered).collect::<Vec<_>>().join("\n"));
        self.set("debug", bool_text(options.mode == "debug"));
        for variable in spec.env.iter().map(rendered) {
            let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
            self.arguments.insert(name.to_owned(), digest(value));
        }
        for (name, value) in &spec.labels {
            self.arguments.insert(format!("label {name}"), digest(&rendered(value)));
        }
        for (name, value) in builder::ko::environment(&cx.env) {
            self.arguments.insert(name.to_owned(), digest(value));
        }
    }

    fn jib(&mut self, spec: &JibBuild) {
        self.set("builder", "jib");
        self.set("jib.project", spec.project.as_deref().unwrap_or_default());
        self.set("jib.args", &spec.args.join("\n"));
        self.set("jib.type", &format!("{:?}", spec.kind));
        self.set("jib.fromImage", spec.from_image.as_deref().unwrap_or_default());
    }

    fn bazel(&mut self, spec: &BazelBuild) {
        self.set("builder", "bazel");
        self.set("bazel.target", &spec.target);
        self.set("bazel.args", &spec.args.join("\n"));
        self.set("bazel.platforms", &format!("{:?}", spec.platforms));
    }

    /// Where caches are is left out.
    fn buildpacks(&mut self, artifact: &Artifact, spec: &BuildpacksBuild, options: &BuildOptions, cx: &Cx) {
        self.set("builder", "buildpacks");
        self.set("buildpacks.builder", spec.builder.as_deref().unwrap_or_default());
        self.set("buildpacks.runImage", spec.run_image.as_deref().unwrap_or_default());
        self.set("buildpacks.buildpacks", &spec.buildpacks.join("\n"));
        self.set("buildpacks.projectDescriptor", &spec.project_descriptor);
        self.set("buildpacks.volumes", &spec.volumes.join("\n"));
        self.set("buildpacks.buildArgs", &spec.build_args.join("\n"));
        let env = builder::buildpacks::counted(artifact, spec, &options.mode, cx);
        self.arguments.extend(env.into_iter().map(|(name, value)| (name, digest(&value))));
    }

    /// Adds an image that is required.
    pub(crate) fn require(&mut self, image: &str, key: CacheKey) {
        self.required.insert(image.to_owned(), key.to_string());
    }

    /// Adds the digest of a base image.
    pub(crate) fn base(&mut self, image: &str, digest: &str) {
        self.bases.insert(image.to_owned(), digest.to_owned());
    }

    /// Returns the key of an image that has these ingredients and `inputs`.
    pub(crate) fn key(&self, inputs: &Inputs) -> CacheKey {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"devloop image 1\n").update(&serde_json::to_vec(self).expect("maps of text are always JSON"));
        for file in &*inputs.files {
            hasher.update(b"\0").update(file.path.as_bytes()).update(b"\0").update(&fingerprint(file));
        }
        CacheKey(*hasher.finalize().as_bytes())
    }
}

/// Kind, mode and content of a file.
fn fingerprint(file: &InputFile) -> [u8; 37] {
    let mut bytes = [0; 37];
    bytes[0] = file.kind as u8;
    bytes[1..5].copy_from_slice(&file.mode.to_le_bytes());
    bytes[5..].copy_from_slice(&file.hash);
    bytes
}

fn digest(value: &str) -> String {
    blake3::hash(value.as_bytes()).to_hex()[..32].to_owned()
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn sources(templates: &[Template]) -> String {
    templates.iter().map(Template::source).collect::<Vec<_>>().join("\n")
}

impl Remembered {
    pub(super) fn of(ingredients: &Ingredients, inputs: &Inputs) -> Self {
        let files =
            inputs.files.iter().map(|file| (file.path.to_string(), blake3::hash(&fingerprint(file)).to_hex()[..32].to_owned())).collect();
        Self { ingredients: ingredients.clone(), files }
    }

    /// Returns what is different in `now`, what the user did first: files, then arguments, then the rest.
    pub(super) fn differences(&self, now: &Self) -> Vec<RebuildCause> {
        let (old, new) = (&self.ingredients, &now.ingredients);
        let mut causes: Vec<RebuildCause> =
            changed(&self.files, &now.files).map(|(path, change)| RebuildCause::File { path, change: change.to_owned() }).collect();
        causes.extend(changed(&old.arguments, &new.arguments).map(|(name, _)| RebuildCause::Argument { name }));
        causes.extend(changed(&old.settings, &new.settings).map(|(setting, _)| RebuildCause::Builder { setting }));
        causes.extend(changed(&old.bases, &new.bases).map(|(image, _)| RebuildCause::Base { image }));
        if old.platforms != new.platforms {
            causes.push(RebuildCause::Platforms);
        }
        causes.extend(changed(&old.required, &new.required).map(|(artifact, _)| RebuildCause::Required { artifact }));
        causes
    }
}

fn changed<'a>(old: &'a BTreeMap<String, String>, new: &'a BTreeMap<String, String>) -> impl Iterator<Item = (String, &'static str)> + 'a {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter_map(|name| {
        let change = match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) if before == after => return None,
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "removed",
            (None, _) => "added",
        };
        Some((name.clone(), change))
    })
}
