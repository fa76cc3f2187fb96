//! `devloop find-configs`: the configurations below a directory.

use std::path::Path;

use devloop_model::Diagnostic;
use serde_json::Map;
use serde_json::Value as Json;
use serde_json::ser::PrettyFormatter;

use crate::args::FoundFormat;

/// Returns what is printed: the path of each configuration, and the version that it is written for.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn run(directory: &Path, format: FoundFormat) -> Result<String, Diagnostic> {
    let found = devloop_config::find_configs(directory)?;
    let rows = found.iter().map(|(path, version)| (path.display().to_string(), version));
    Ok(match format {
        // The widths are Skaffold's: scripts cut by them.
        FoundFormat::Table => rows.map(|(path, version)| format!("{path:<70}\t{version:<30}\n")).collect::<Vec<_>>().concat(),
        FoundFormat::Json => {
            let fields: Map<String, Json> = rows.map(|(path, version)| (path, version.as_str().into())).collect();
            with_tabs(&Json::Object(fields)) + "\n"
        }
    })
}

/// Returns JSON indented by tabs, as Skaffold prints it.
fn with_tabs(json: &Json) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"\t"));
    // Text in memory can always be written.
    drop(serde::Serialize::serialize(json, &mut serializer));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_those_of_skaffold() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("skaffold.yaml"), "apiVersion: skaffold/v2beta29\nkind: Config\n").unwrap();
        std::fs::write(dir.path().join("other.yml"), "apiVersion: skaffold/v4beta1\nkind: Config\n").unwrap();
        let said = |format| run(dir.path(), format).unwrap().replace(&dir.path().display().to_string(), "D");
        insta::assert_snapshot!(said(FoundFormat::Json).replace('\t', "<tab>"), @r#"
        {
        <tab>"D/other.yml": "skaffold/v4beta1",
        <tab>"D/skaffold.yaml": "skaffold/v2beta29"
        }
        "#);
        let table = said(FoundFormat::Table);
        let columns: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').map(str::trim_end).collect()).collect();
        assert_eq!(columns, [["D/other.yml", "skaffold/v4beta1"], ["D/skaffold.yaml", "skaffold/v2beta29"]]);
    }
}
