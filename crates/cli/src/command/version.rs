//! `devloop version`.

use serde_json::Value;

use crate::output_template::JsonNames;
use crate::output_template::OutputTemplate;
use crate::output_template::OutputTemplateError;

/// Returns the text of a Go template over what Skaffold's `version` has (`pkg/skaffold/version`),
/// or all of it for the word `json`.
///
/// # Errors
/// When the template is wrong.
pub(crate) fn run(template: &str) -> Result<String, OutputTemplateError> {
    let template = if template == "json" { "{{json .}}\n" } else { template };
    OutputTemplate::parse(template, JsonNames::AsInGo)?.print(&info())
}

fn info() -> Value {
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    serde_json::json!({
        "Version": version,
        "ConfigVersion": devloop_config::NEWEST_OF_SKAFFOLD,
        "GitVersion": version,
        "GitCommit": option_env!("DEVLOOP_GIT_COMMIT").unwrap_or_default(),
        "BuildDate": option_env!("DEVLOOP_BUILD_DATE").unwrap_or_default(),
        "GoVersion": "",
        "Compiler": "rustc",
        "Platform": format!("{}/{}", std::env::consts::OS, architecture()),
        "User": "",
    })
}

/// Returns the architecture in Go's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_prints_by_template() {
        let version = concat!("v", env!("CARGO_PKG_VERSION"));
        assert_eq!(run("{{.Version}}\n").unwrap(), format!("{version}\n"));
        assert_eq!(run("{{.ConfigVersion}}").unwrap(), "skaffold/v4beta14");
        let all: Value = serde_json::from_str(&run("json").unwrap()).unwrap();
        assert_eq!(all["Version"], version);
        assert!(run("{{.Version").is_err());
    }
}
