//! Images: where a manifest names an artifact, the image that was built from it.
//!
//! Facts: `pkg/skaffold/kubernetes/manifest/images.go` and `pkg/skaffold/docker/reference.go` of Skaffold.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::HashMap;

use devloop_model::BuiltImage;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Manifest;

use super::Fields;

/// The images of a session, by the names that manifests use for them.
#[derive(Debug)]
pub(crate) struct Images<'a> {
    by_artifact: HashMap<String, (&'a BuiltImage, String)>,
    used: RefCell<BTreeSet<&'a ImageName>>,
}

impl<'a> Images<'a> {
    /// Returns the images, ready to be put in.
    pub(crate) fn new(images: &'a [BuiltImage]) -> Self {
        let by_artifact = images.iter().map(|image| (plain(image.artifact.as_str()), (image, image.deployed()))).collect();
        Self { by_artifact, used: RefCell::default() }
    }

    /// Puts images in where a name without a digest is that of an artifact.
    pub(crate) fn replace(&self, manifests: &mut [Manifest], fields: &Fields) {
        self.each(
            manifests,
            fields,
            |reference| {
                if reference.digest.is_some() { None } else { self.by_artifact.get(reference.name.as_str()) }
            },
        );
    }

    /// Puts images in where an object that is already in the cluster runs one: under its artifact's name, in any
    /// registry, by digest or not, for that is what an earlier deploy left there.
    pub(crate) fn replace_live(&self, manifests: &mut [Manifest], fields: &Fields) {
        self.each(manifests, fields, |reference| {
            let name = reference.name.as_str();
            self.by_artifact
                .get(name)
                .or_else(|| self.by_artifact.values().find(|(image, _)| image.name == reference.name))
                .or_else(|| self.by_artifact.get(name.rsplit('/').next()?))
        });
    }

    fn each<'s>(&'s self, manifests: &mut [Manifest], fields: &Fields, find: impl Fn(&ImageRef) -> Option<&'s (&'a BuiltImage, String)>)
    where
        'a: 's,
    {
        for manifest in manifests {
            let Some(fields) = fields.of(&manifest.object) else { continue };
            fields.images(&mut manifest.object, &mut |image| {
                // What a chart was given by its values is there already.
                if let Some((built, _)) = self.by_artifact.values().find(|(_, deployed)| deployed == image) {
                    self.used.borrow_mut().insert(&built.artifact);
                }
                if let Ok(reference) = ImageRef::parse(&plain(image))
                    && let Some((built, deployed)) = find(&reference)
                {
                    self.used.borrow_mut().insert(&built.artifact);
                    image.clone_from(deployed);
                }
            });
        }
    }

    /// Returns a warning that names the artifacts that nothing used, but for `bases`.
    pub(crate) fn unused(&self, bases: &BTreeSet<ImageName>) -> Option<Diagnostic> {
        let used = self.used.borrow();
        let mut unused: Vec<&str> = self
            .by_artifact
            .values()
            .map(|(image, _)| &image.artifact)
            .filter(|name| !used.contains(name) && !bases.contains(*name))
            .map(ImageName::as_str)
            .collect();
        unused.sort_unstable();
        let what = match unused.as_slice() {
            [] => return None,
            [one] => format!("image `{one}` is used by no manifest"),
            several => format!("images `{}` are used by no manifest", several.join("`, `")),
        };
        Some(Diagnostic::warning("render/unused-image", what).help("an `image:` field names an artifact exactly as skaffold.yaml does"))
    }
}

/// Returns `image` without `ko://` and with its name in lower case; a tag keeps its case.
fn plain(image: &str) -> String {
    let image = image.strip_prefix("ko://").unwrap_or(image);
    let (rest, digest) = image.split_at(image.find('@').unwrap_or(image.len()));
    let last = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = rest.split_at(rest[last..].find(':').map_or(rest.len(), |at| last + at));
    format!("{}{tag}{digest}", name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_are_in_lower_case_and_tags_as_they_are() {
        for (image, expected) in [
            ("gcr.io/k8s-skaffold/Example:Tag", "gcr.io/k8s-skaffold/example:Tag"),
            ("ko://example.com/cmd/App", "example.com/cmd/app"),
            ("Example:Tag@sha256:AB", "example:Tag@sha256:AB"),
            ("localhost:5000/Web", "localhost:5000/web"),
            ("!!invalid!!", "!!invalid!!"),
        ] {
            assert_eq!(plain(image), expected);
        }
    }
}
