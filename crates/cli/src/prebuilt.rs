//! Images built before: from a file that `build --file-output` wrote, from names, from one tag.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use devloop_model::BuiltImage;
use devloop_model::Diagnostic;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Tag;
use devloop_model::Target;
use devloop_model::rewrite_default_repo;
use serde::Deserialize;

use crate::pipeline::images_error;
use crate::session::Session;
use crate::settings::Prebuilt;

/// The structure that `build` prints.
#[derive(Deserialize)]
struct Builds {
    #[serde(default)]
    builds: Vec<Build>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Build {
    image_name: String,
    tag: String,
}

/// Returns the images that the command line names: those of the file win over names, one tag over both, and the default
/// repository counts for all of them (Skaffold's `cmd/skaffold/app/cmd/util.go`).
///
/// # Errors
/// When the file cannot be read, or an image is none.
pub(crate) fn images(prebuilt: &Prebuilt, session: &Session, target: &Target) -> Result<Vec<BuiltImage>, Diagnostic> {
    let mut references: BTreeMap<ImageName, ImageRef> = prebuilt.images.iter().cloned().collect();
    references.extend(prebuilt.file.as_deref().map(read).transpose()?.into_iter().flatten());
    if let Some(tag) = &prebuilt.tag {
        let tag = Tag::parse(tag).map_err(|error| images_error(error.to_string(), "give another `--tag`"))?;
        for artifact in &session.plan.artifacts {
            references.entry(artifact.image.clone()).or_insert_with(|| ImageRef::tagged(artifact.image.clone(), tag.clone()));
        }
        for reference in references.values_mut() {
            reference.tag = Some(tag.clone());
        }
    }
    let rewritten = references.into_iter().map(|(artifact, reference)| {
        let name = rewrite_default_repo(&reference.name, target.default_repo.as_deref(), target.multi_level_repo)
            .map_err(|error| images_error(error.to_string(), "give another `--default-repo`"))?;
        Ok(image(session, artifact, ImageRef { name, ..reference }))
    });
    rewritten.collect()
}

/// The same, for a deploy: every artifact has to have an image.
///
/// # Errors
/// When one has none.
pub(crate) fn images_of_all(prebuilt: &Prebuilt, session: &Session, target: &Target) -> Result<Vec<BuiltImage>, Diagnostic> {
    let images = images(prebuilt, session, target)?;
    let missing: Vec<String> = session
        .plan
        .artifacts
        .iter()
        .filter(|artifact| !images.iter().any(|image| image.artifact == artifact.image))
        .map(|artifact| format!("`{}`", artifact.image))
        .collect();
    if missing.is_empty() {
        return Ok(images);
    }
    let help = "name them with `--images NAME=IMAGE`, `--build-artifacts FILE` from `devloop build --file-output FILE`, or `--tag`; `devloop run` builds them";
    Err(images_error(format!("no image is given for {}", missing.join(", ")), help))
}

fn image(session: &Session, artifact: ImageName, reference: ImageRef) -> BuiltImage {
    let runtime = session.plan.artifacts.iter().find(|known| known.image == artifact).and_then(|known| known.runtime);
    let identity = reference.digest.map_or(Identity::AsNamed, Identity::Digest);
    BuiltImage { artifact, name: reference.name, tag: reference.tag, identity, runtime }
}

fn read(file: &Path) -> Result<Vec<(ImageName, ImageRef)>, Diagnostic> {
    let help = "it is what `devloop build --file-output FILE` writes";
    let wrong = |why: String| images_error(format!("{} is no list of built images", file.display()), help).because(why);
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    } else {
        text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    }
    let builds: Builds = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let parsed = builds.builds.iter().map(|build| Ok((build.image_name.parse()?, build.tag.parse()?)));
    parsed.collect::<Result<_, devloop_model::ImageNameError>>().map_err(|error| wrong(error.to_string()))
}
