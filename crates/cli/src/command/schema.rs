//! `devloop schema list` and `devloop schema get`.

use devloop_model::Diagnostic;

use crate::args::ListFormat;
use crate::args::SchemaAction;

/// The name of the schema of `--output json`, beside those of skaffold.yaml.
const EVENTS: &str = "devloop/event/v1";

/// Returns what the action prints.
///
/// # Errors
/// When the version is not one that `list` prints.
pub(crate) fn run(action: &SchemaAction) -> Result<String, Diagnostic> {
    match action {
        SchemaAction::List { output: ListFormat::Plain } => Ok(versions().join("\n") + "\n"),
        SchemaAction::List { output: ListFormat::Json } => Ok(format!("{}\n", serde_json::json!({ "versions": versions() }))),
        SchemaAction::Get { version } if version == EVENTS => Ok(format!("{:#}\n", devloop_ui::event_schema())),
        SchemaAction::Get { version } => devloop_config::json_schema(version).ok_or_else(|| unknown(version)),
    }
}

fn versions() -> Vec<String> {
    let mut versions = devloop_config::schema_versions();
    versions.push(EVENTS.to_owned());
    versions
}

fn unknown(version: &str) -> Diagnostic {
    let help = match versions().iter().map(|known| (strsim::jaro_winkler(known, version), known)).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((similar, known)) if similar > 0.8 => format!("did you mean `{known}`?"),
        _ => "`devloop schema list` prints all of them".to_owned(),
    };
    Diagnostic::error("cli/unknown-schema", format!("there is no schema called `{version}`")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_that_is_listed_has_a_schema() {
        let list = run(&SchemaAction::List { output: ListFormat::Plain }).unwrap();
        assert!(list.contains("skaffold/v4beta14\n") && list.ends_with("devloop/event/v1\n"), "{list}");
        for version in list.lines() {
            let text = run(&SchemaAction::Get { version: version.to_owned() }).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap().get("$schema").is_some(), "{version}");
        }
        let json: serde_json::Value = serde_json::from_str(&run(&SchemaAction::List { output: ListFormat::Json }).unwrap()).unwrap();
        assert_eq!(json["versions"].as_array().unwrap().len(), list.lines().count());
    }

    #[test]
    fn an_unknown_version_has_a_neighbour() {
        let error = run(&SchemaAction::Get { version: "skaffold/v4beta41".to_owned() }).unwrap_err();
        insta::assert_snapshot!(error, @r"
        error[cli/unknown-schema]: there is no schema called `skaffold/v4beta41`
        help: did you mean `skaffold/v4beta14`?
        ");
    }
}
