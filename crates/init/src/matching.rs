//! Which image is built by what.
//!
//! Facts: Skaffold's `pkg/skaffold/initializer/build/{resolve,util}.go`. Unlike it, names of directories tell, too, where nobody is asked.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use devloop_model::Diagnostic;

use crate::artifact::Artifact;
use crate::builder::Builder;
use crate::builder::Kind;
use crate::deployment::Deployment;
use crate::likeness;
use crate::likeness::Names;
use crate::manifest;
use crate::options::Options;
use crate::project::Project;

/// The longest name of an image that is made up here.
const LONGEST: usize = 128;

/// What is decided, and what is open.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    /// Images and what builds them.
    pub artifacts: Vec<Artifact>,
    /// Builders of no image.
    pub builders: Vec<Builder>,
    /// Images of no builder, by name.
    pub images: Vec<String>,
    /// What is to be said of images.
    pub warnings: Vec<Diagnostic>,
    /// Images as manifests have them, tags and all.
    written: Vec<String>,
    /// What builders are called.
    names: Names,
    /// Whether anything was said by `--artifact`: then nothing else is decided.
    is_given: bool,
}

impl Matching {
    /// Returns what needs no decision: what `--artifact` says, and builders that name their image.
    ///
    /// # Errors
    /// When `--artifact` cannot be understood, or nothing here builds an image.
    pub fn of(project: &Project, deployment: &Deployment, options: &Options) -> Result<Self, Diagnostic> {
        let names = Names::of(&project.builders, project.name.as_deref().unwrap_or_default());
        let mut matching = Self { names, ..Self::default() };
        if options.skip_build {
            return Ok(matching);
        }
        if !options.artifacts.is_empty() {
            let exists = |path: &str| project.files.contains(path);
            matching.artifacts = options.artifacts.iter().map(|text| Artifact::parse(text, &exists)).collect::<Result<_, _>>()?;
            matching.builders.clone_from(&project.builders);
            matching.is_given = true;
            return Ok(matching);
        }
        if project.builders.is_empty() && deployment.built.is_empty() {
            return Err(nothing_builds());
        }
        matching.written.clone_from(&deployment.images);
        let (images, warnings) = manifest::repositories(&deployment.images);
        matching.warnings = warnings;
        matching.builders.clone_from(&project.builders);
        matching.artifacts.clone_from(&deployment.built);
        matching.builders.retain(|builder| !deployment.built.iter().any(|built| is_of(built, builder)));
        let built: BTreeSet<&String> = deployment.built.iter().map(|built| &built.image).collect();
        let foreign = |image: &String| built.contains(image) || deployment.foreign.contains(image);
        let images: Vec<String> = images.into_iter().filter(|image| !foreign(image)).collect();
        for image in images {
            let mut naming = matching.builders.iter().filter(|builder| builder.image.as_ref() == Some(&image));
            match (naming.next().cloned(), naming.next()) {
                (Some(builder), None) => matching.choose(&image, Some(&builder)),
                _ => matching.images.push(image),
            }
        }
        matching.images.sort();
        Ok(matching)
    }

    /// Decides what builds an image; none means that it is not built from here.
    pub fn choose(&mut self, image: &str, builder: Option<&Builder>) {
        if let Some(at) = self.images.iter().position(|open| open == image) {
            self.images.remove(at);
        }
        if let Some(builder) = builder {
            if let Some(at) = self.builders.iter().position(|other| other == builder) {
                self.builders.remove(at);
            }
            self.artifacts.push(Artifact::new(image, builder.clone()));
        }
    }

    /// Returns the builder that an open image is probably built by.
    pub fn guess(&self, image: &str) -> Option<&Builder> {
        let is_open = |builder: &Builder| self.builders.contains(builder);
        self.names.nearest(image, is_open)
    }

    /// Decides what has one answer only: one builder and at most one image. Returns whether nothing is open.
    pub fn settle(&mut self) -> bool {
        if let ([builder], [image]) = (self.builders.as_slice(), self.images.as_slice()) {
            let (builder, image) = (builder.clone(), image.clone());
            self.choose(&image, Some(&builder));
        }
        self.is_given || self.images.is_empty() || self.builders.is_empty()
    }

    /// Decides what is open without asking: by names, then what is left.
    ///
    /// # Errors
    /// When several images or several builders are left.
    pub fn settle_by_force(&mut self) -> Result<(), Diagnostic> {
        if self.settle() {
            return Ok(());
        }
        let is_only = self.images.len() == 1 && self.artifacts.is_empty();
        for image in self.images.clone() {
            if let Some(builder) = self.guess(&image).cloned() {
                self.choose(&image, Some(&builder));
            }
        }
        self.drop_alternatives();
        if self.images.is_empty() || self.builders.is_empty() {
            return Ok(());
        }
        if let (true, Some(best)) = (is_only, self.builders.iter().min_by_key(|builder| builder.kind).cloned()) {
            let image = self.images[0].clone();
            self.choose(&image, Some(&best));
            return Ok(());
        }
        let open: Vec<String> = self.images.iter().filter(|image| !self.is_foreign(image)).cloned().collect();
        let builders: Vec<&Builder> = self.builders.iter().collect();
        match (open.as_slice(), likeness::one(&builders).cloned()) {
            ([], _) => Ok(()),
            ([image], Some(builder)) => {
                self.choose(image, Some(&builder));
                Ok(())
            }
            _ => Err(self.ambiguous(&open)),
        }
    }

    /// Returns artifacts for builders of no image; they are called by their directories.
    pub fn made_up(&self, builders: &[Builder]) -> Vec<Artifact> {
        builders.iter().map(|builder| Artifact::new(made_up_name(builder), builder.clone())).collect()
    }

    /// Returns the builders of no image that a project would have manifests for: the best of each directory.
    pub fn unused(&self) -> Vec<Builder> {
        let mut best: BTreeMap<&str, &Builder> = BTreeMap::new();
        for builder in self.builders.iter().filter(|_| !self.is_given) {
            let known = best.entry(builder.directory()).or_insert(builder);
            if builder.kind < known.kind {
                *known = builder;
            }
        }
        best.into_values().cloned().collect()
    }

    /// Builders of another kind beside one that is used are other ways to the same image.
    fn drop_alternatives(&mut self) {
        let used = self.artifacts.iter().filter_map(|artifact| artifact.builder.as_ref());
        let used: BTreeSet<(&str, Kind)> = used.map(|builder| (builder.directory(), builder.kind)).collect();
        let is_of_used =
            |builder: &Builder| Kind::ALL.into_iter().any(|kind| kind != builder.kind && used.contains(&(builder.directory(), kind)));
        self.builders.retain(|other| !is_of_used(other));
    }

    /// An image of a library in a version, `postgres:17`, is somebody else's.
    fn is_foreign(&self, image: &str) -> bool {
        let version = |written: &String| {
            let tag = written.strip_prefix(image)?.strip_prefix(':')?;
            Some(tag.starts_with(|c: char| c.is_ascii_digit()))
        };
        !image.contains('/') && self.written.iter().filter_map(version).any(|is_number| is_number)
    }

    fn ambiguous(&self, open: &[String]) -> Diagnostic {
        let images = open.iter().map(|image| format!("`{image}`")).collect::<Vec<_>>().join(", ");
        let builders = self.builders.iter().map(Builder::describe).collect::<Vec<_>>().join(", ");
        let help = format!(
            "say it by `--artifact {}={}`, or run `devloop init` without `--force`, which asks",
            self.builders.first().map_or("path/of/Dockerfile", |builder| builder.path.as_str()),
            open.first().map_or("image", String::as_str),
        );
        Diagnostic::error("init/ambiguous", "it is not clear which image is built by what")
            .because(format!("images: {images}"))
            .because(format!("builders: {builders}"))
            .help(help)
    }
}

fn is_of(artifact: &Artifact, builder: &Builder) -> bool {
    artifact
        .builder
        .as_ref()
        .is_some_and(|own| own.path == builder.path || (own.directory() == builder.directory() && own.kind != builder.kind))
}

fn nothing_builds() -> Diagnostic {
    Diagnostic::error("init/no-builder", "nothing in this folder says how an image is built")
        .because("looked for Dockerfiles, Go programs, Jib in Maven and Gradle files, and what buildpacks build")
        .help("please provide at least one build config, or run `devloop init --skip-build`")
}

/// Returns the image that is called by the builder's directory, or by its file.
fn made_up_name(builder: &Builder) -> String {
    let name = match builder.directory() {
        "." => format!("{}-image", builder.path),
        directory => directory.to_owned(),
    };
    let name: String =
        name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' }).collect();
    name.chars().take(LONGEST).collect::<String>().trim_matches(['-', '_']).to_owned()
}
