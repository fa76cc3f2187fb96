//! What of a project is deployed.
//!
//! Facts: Skaffold's `pkg/skaffold/initializer/render`: manifests that are named win over kustomizations, those over charts, those over
//! the manifests that were found.

use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use globset::GlobBuilder;

use crate::artifact::Artifact;
use crate::chart::Chart;
use crate::compose::Converted;
use crate::compose::Forward;
use crate::kustomization;
use crate::options::Options;
use crate::outcome::Generated;
use crate::project::Project;
use crate::tree::joined;

/// What is deployed.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    /// Where manifests come from.
    pub(crate) source: Source,
    /// Whether its manifests were named by the user: then they need not be there yet.
    pub(crate) is_named: bool,
    /// The images that they name.
    pub(crate) images: Vec<String>,
    /// Images of which it is known already what builds them.
    pub(crate) built: Vec<Artifact>,
    /// Images that are known to be somebody else's.
    pub(crate) foreign: Vec<String>,
    /// Files that are written for it.
    pub(crate) files: Vec<Generated>,
    /// Ports that are forwarded.
    pub(crate) forwards: Vec<Forward>,
    /// What is to be said of what is left out.
    pub warnings: Vec<Diagnostic>,
}

/// Where manifests come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nothing is deployed.
    #[default]
    Nothing,
    /// Files, as they are named in the configuration.
    Files(Vec<String>),
    /// A kustomization, and others for profiles.
    Kustomize { default: String, others: Vec<String> },
    /// Charts.
    Charts(Vec<Chart>),
}

impl Deployment {
    /// Returns what of the project is deployed; with `compose`, what was made of a Compose file.
    ///
    /// # Errors
    /// When the kustomization that is asked for is not there.
    pub fn of(project: &Project, options: &Options, compose: Option<Converted>) -> Result<Self, Diagnostic> {
        let found = |source: Source| Self { source, images: all_images(project), ..Self::default() };
        if let Some(compose) = compose {
            let source = if options.skip_deploy {
                Source::Nothing
            } else {
                Source::Files(compose.files.iter().map(|file| file.path.clone()).collect())
            };
            return Ok(Self::of_compose(source, compose));
        }
        if options.skip_deploy {
            return Ok(Self::default());
        }
        if !options.manifests.is_empty() {
            let images = named_images(project, &options.manifests);
            return Ok(Self { source: Source::Files(options.manifests.clone()), is_named: true, images, ..Self::default() });
        }
        let wanted = options.default_kustomization.as_deref();
        if let Some(default) = kustomization::default(&project.overlays, wanted) {
            let others = project.overlays.iter().filter(|other| *other != default).cloned().collect();
            let mut deployment = found(Source::Kustomize { default: default.clone(), others });
            // What is deployed has the names that the kustomization gives.
            for image in &mut deployment.images {
                let Ok(mut reference) = ImageRef::parse(image) else { continue };
                if let Some(new) = project.renamed.get(reference.name.as_str()).and_then(|new| ImageName::parse(new).ok()) {
                    reference.name = new;
                    *image = reference.to_string();
                }
            }
            if project.overlays.len() > 1 && wanted.is_none() {
                let what = format!("several kustomizations were found, and `{default}` is used where no profile says another");
                let help = "name it by `--default-kustomization`";
                deployment.warnings.push(Diagnostic::warning("init/several-kustomizations", what).help(help));
            }
            deployment.leaves_out(project.charts.len(), "chart", "kustomizations");
            return Ok(deployment);
        }
        if let Some(wanted) = wanted {
            return Err(no_kustomization(wanted, &project.overlays));
        }
        if project.has_charts {
            let images = project.charts.iter().flat_map(|chart| chart.images.clone()).collect();
            let mut deployment = Self { source: Source::Charts(project.charts.clone()), images, ..Self::default() };
            deployment.leaves_out(project.manifests.len(), "manifest", "charts");
            return Ok(deployment);
        }
        Ok(found(Source::Files(project.manifests.iter().map(|manifest| manifest.path.clone()).collect())))
    }

    fn of_compose(source: Source, compose: Converted) -> Self {
        Self {
            source,
            is_named: false,
            images: compose.built.iter().map(|built| built.image.clone()).collect(),
            built: compose.built,
            foreign: compose.foreign,
            files: compose.files,
            forwards: compose.forwards,
            warnings: compose.warnings,
        }
    }

    fn leaves_out(&mut self, count: usize, what: &str, instead: &str) {
        if count > 0 {
            let what = format!(
                "{count} {what}{} outside the {instead} {} left out",
                if count == 1 { "" } else { "s" },
                if count == 1 { "is" } else { "are" }
            );
            self.warnings.push(Diagnostic::warning("init/left-out", what).help("add them to the configuration, or name manifests by `-k`"));
        }
    }
}

fn all_images(project: &Project) -> Vec<String> {
    project.manifests.iter().flat_map(|manifest| manifest.images.clone()).collect()
}

/// Returns the images of the manifests that paths and patterns name; files that are not there yet have none.
fn named_images(project: &Project, named: &[String]) -> Vec<String> {
    let matchers: Vec<_> = named
        .iter()
        .filter_map(|name| Some(GlobBuilder::new(&joined(".", name)).literal_separator(true).build().ok()?.compile_matcher()))
        .collect();
    let is_named = |path: &str| matchers.iter().any(|matcher| matcher.is_match(path));
    project.manifests.iter().filter(|manifest| is_named(&manifest.path)).flat_map(|manifest| manifest.images.clone()).collect()
}

fn no_kustomization(wanted: &str, overlays: &[String]) -> Diagnostic {
    let error = Diagnostic::error("init/no-kustomization", format!("there is no kustomization in `{wanted}`"));
    match overlays {
        [] => error.help("it needs a `kustomization.yaml`"),
        overlays => {
            error.help(format!("there is one in {}", overlays.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")))
        }
    }
}
