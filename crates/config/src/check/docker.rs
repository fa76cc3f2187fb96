//! `deploy.docker`: images that are none, and what two deployers run.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_model::Diagnostic;
use devloop_model::ImageRef;

use crate::loaded::Loaded;

/// Where a Compose file is asked for.
const COMPOSE: &str = "/deploy/docker/useCompose";

/// Returns the faults of `deploy.docker`.
pub(super) fn images(modules: &[Loaded]) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    let mut composed: BTreeMap<&Path, String> = BTreeMap::new();
    for module in modules {
        let Some(docker) = &module.config.deploy.docker else { continue };
        if docker.use_compose {
            let directory = module.module.file.parent().unwrap_or_else(|| Path::new(""));
            let place = module.location(COMPOSE).to_string();
            if let Some(first) = composed.get(directory) {
                let error = module.error("config/deployed-twice", COMPOSE, "the Compose file of this directory is deployed twice");
                faults.push(error.because(format!("first at {first}")).help("remove one of both"));
            } else {
                composed.insert(directory, place);
            }
        }
        if docker.images.is_empty() && !docker.use_compose {
            let error = module.key_span("/deploy/docker").error("config/no-image", "`deploy.docker` names no image");
            faults.push(error.help("name the artifacts that are to run in `deploy.docker.images`"));
        }
        for (index, image) in docker.images.iter().enumerate() {
            let pointer = format!("/deploy/docker/images/{index}");
            if let Err(error) = ImageRef::parse(image) {
                faults.push(module.error("config/image-name", &pointer, error.to_string()));
            }
            let place = module.location(&pointer).to_string();
            if let Some(first) = seen.get(image.as_str()) {
                let what = format!("`{image}` is deployed twice into the container daemon");
                faults.push(
                    module.error("config/deployed-twice", &pointer, what).because(format!("first at {first}")).help("remove one of both"),
                );
            } else {
                seen.insert(image, place);
            }
        }
    }
    faults
}
