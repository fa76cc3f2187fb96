//! The directory that rules start from.

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Identity;
use devloop_model::ImageRef;
use devloop_model::SyncMode;
use serde_json::Value;

use crate::AttachError;

/// Returns the working directory of an image, from which relative destinations of rules start; `/` without a look where no rule has
/// one.
///
/// # Errors
/// When neither the registry nor the daemon can tell.
pub async fn working_dir(artifact: &Artifact, image: &BuiltImage, clients: &Clients, cx: &Cx) -> Result<String, AttachError> {
    let is_needed = artifact.sync.as_ref().is_some_and(|spec| match &spec.mode {
        SyncMode::Manual(rules) => rules.iter().any(|rule| !rule.dest.starts_with('/')),
        _ => false,
    });
    if !is_needed {
        return Ok("/".to_owned());
    }
    let unknown = || Diagnostic::error("attach/sync-working-dir", format!("the working directory of `{}` is not known", artifact.image));
    let config = if let Identity::Id(id) = &image.identity {
        let docker = clients.docker(cx).await.map_err(|error| unknown().because_of(&error))?;
        docker.image_config(id.as_str(), cx).await.map_err(|error| unknown().because_of(&error))?.unwrap_or_default()
    } else {
        let reference = ImageRef::parse(&image.deployed()).map_err(|error| unknown().because_of(&error))?;
        clients.registry().image(&reference, None, cx).await.map_err(|error| unknown().because_of(&error))?.config
    };
    Ok(of_config(&config))
}

/// A registry has the configuration in an object; the daemon as it is.
fn of_config(config: &Value) -> String {
    let config = config.get("config").or_else(|| config.get("Config")).unwrap_or(config);
    config["WorkingDir"].as_str().filter(|dir| !dir.is_empty()).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_configuration_comes_in_two_shapes() {
        for (config, expected) in [
            (json!({"config": {"WorkingDir": "/app"}}), "/app"),
            (json!({"WorkingDir": "/app"}), "/app"),
            (json!({"config": {"WorkingDir": ""}}), "/"),
            (json!({"config": null}), "/"),
        ] {
            assert_eq!(of_config(&config), expected, "{config}");
        }
    }
}
