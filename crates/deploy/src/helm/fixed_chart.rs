//! A chart without templates: what helm rendered, with images and labels put in, and all else as the chart has it.
//!
//! Installed in place of the chart, it leaves a release of the same name, version and values: `helm history`, `rollback`, `get` and
//! `uninstall` work as ever. Definitions (`crds`) and what a subchart needs to be switched on or off stay, so that helm itself
//! decides about them.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use devloop_clients::helm::HelmError;
use devloop_clients::helm::unpack;
use devloop_model::Diagnostic;
use devloop_model::Manifest;
use devloop_model::ManifestSet;
use serde_json::Value;

use super::Rendering;
use crate::DeployError;

/// Returns the chart, written to `target`; none if nothing in the rendered manifests is to be changed.
pub(super) fn write(rendered: &Value, source: Option<&Path>, target: &Path, rendering: &Rendering) -> Result<Option<PathBuf>, DeployError> {
    let Some(source) = source else { return Ok(None) };
    let manifests = changed(rendered["manifest"].as_str().unwrap_or_default(), rendering)?;
    let hooks: Vec<&str> = rendered["hooks"].as_array().into_iter().flatten().filter_map(|hook| hook["manifest"].as_str()).collect();
    let hooks = changed(&hooks.join("\n---\n"), rendering)?;
    if !manifests.differs && !hooks.differs {
        return Ok(None);
    }
    let failed = |source| DeployError::Helm(HelmError::Io { path: target.to_owned(), source });
    bare(source, target).map_err(failed)?;
    let notes = rendered["info"]["notes"].as_str().unwrap_or_default();
    let templates = target.join("templates");
    fs::create_dir_all(&templates).map_err(failed)?;
    for (name, text) in [("manifests.yaml", &*manifests.text), ("hooks.yaml", &*hooks.text), ("NOTES.txt", notes)] {
        fs::write(templates.join(name), literal(text)).map_err(failed)?;
    }
    Ok(Some(target.to_owned()))
}

struct Changed {
    text: String,
    differs: bool,
}

fn changed(text: &str, rendering: &Rendering) -> Result<Changed, DeployError> {
    let failed = |diagnostic: Diagnostic| DeployError::Release(Box::new(diagnostic));
    let before = (rendering.read)(text, "rendered manifests").map_err(failed)?;
    let mut after: Vec<Manifest> = before.clone();
    (rendering.change)(&mut after);
    let differs = before != after;
    let text = (rendering.write)(&ManifestSet { manifests: after }).map_err(failed)?;
    Ok(Changed { text, differs })
}

/// Returns a template that renders to `text`.
fn literal(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// Copies a chart without its templates, and so for the charts in it; an archive is unpacked.
fn bare(source: &Path, target: &Path) -> io::Result<()> {
    if source.is_dir() {
        copy(source, target)?;
    } else {
        unpack(source, target)?;
    }
    without_templates(target)
}

fn copy(source: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if from.is_dir() {
            if name != "templates" && name != ".git" {
                copy(&from, &target.join(name))?;
            }
        } else {
            fs::copy(&from, target.join(name))?;
        }
    }
    Ok(())
}

fn without_templates(chart: &Path) -> io::Result<()> {
    let templates = chart.join("templates");
    if templates.is_dir() {
        fs::remove_dir_all(&templates)?;
    }
    let charts = chart.join("charts");
    if !charts.is_dir() {
        return Ok(());
    }
    let entries: Vec<PathBuf> = fs::read_dir(&charts)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    for entry in entries {
        if entry.is_dir() {
            without_templates(&entry)?;
        } else if entry.extension().is_some_and(|extension| extension == "tgz") {
            let unpacked = entry.with_extension("");
            unpack(&entry, &unpacked)?;
            fs::remove_file(&entry)?;
            without_templates(&unpacked)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    /// Reads and writes JSON, a document per line, and marks every document whose name is `web`.
    fn rendering() -> Rendering {
        let read = |text: &str, _: &str| {
            let documents = text.split("---\n").filter(|document| !document.trim().is_empty());
            Ok(documents.map(|document| Manifest { object: serde_json::from_str(document).unwrap(), source: String::new() }).collect())
        };
        let write = |set: &ManifestSet| {
            let documents: Vec<String> = set.manifests.iter().map(|manifest| manifest.object.to_string()).collect();
            Ok(documents.join("\n---\n"))
        };
        let change = |manifests: &mut [Manifest]| {
            for manifest in manifests.iter_mut().filter(|manifest| manifest.object["name"] == "web") {
                manifest.object["marked"] = true.into();
            }
        };
        Rendering { images: Vec::new(), read, change: Arc::new(change), write }
    }

    fn source(dir: &Path) -> PathBuf {
        for (path, text) in [
            ("Chart.yaml", "name: web\n"),
            ("values.yaml", "a: 1\n"),
            ("crds/widget.yaml", "{}"),
            ("templates/a.yaml", "{{ .Values.a }}"),
            ("charts/db/Chart.yaml", "name: db\n"),
            ("charts/db/templates/b.yaml", ""),
        ] {
            let path = dir.join("chart").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir.join("chart")
    }

    #[test]
    fn only_templates_are_others() {
        let dir = tempfile::tempdir().unwrap();
        let rendered = json!({
            "manifest": "---\n{\"name\": \"web\", \"text\": \"{{ x }}\"}\n",
            "hooks": [{"manifest": "{\"name\": \"hook\"}"}],
            "info": {"notes": "Use {{it}}"},
        });
        let chart = write(&rendered, Some(&source(dir.path())), &dir.path().join("fixed"), &rendering()).unwrap().unwrap();
        let read = |path: &str| fs::read_to_string(chart.join(path)).unwrap();
        assert_eq!(read("templates/manifests.yaml"), "{\"name\":\"web\",\"text\":\"{{ \"{{\" }} x }}\",\"marked\":true}");
        assert_eq!(read("templates/hooks.yaml"), "{\"name\":\"hook\"}");
        assert_eq!(read("templates/NOTES.txt"), "Use {{ \"{{\" }}it}}");
        assert_eq!((read("values.yaml").as_str(), read("crds/widget.yaml").as_str()), ("a: 1\n", "{}"));
        assert!(chart.join("charts/db/Chart.yaml").exists() && !chart.join("charts/db/templates").exists());
        assert!(!chart.join("templates/a.yaml").exists());
    }

    #[test]
    fn what_is_not_changed_needs_no_other_chart() {
        let dir = tempfile::tempdir().unwrap();
        let rendered = json!({"manifest": "---\n{\"name\": \"other\"}\n", "hooks": []});
        assert_eq!(write(&rendered, Some(&source(dir.path())), &dir.path().join("fixed"), &rendering()).unwrap(), None);
    }
}
