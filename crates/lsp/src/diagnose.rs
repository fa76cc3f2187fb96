//! What is wrong, as `devloop diagnose` tells it, at its place in the editor.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_config::ConfigSource;
use devloop_config::Options;
use devloop_model::Diagnostic;
use devloop_model::Severity;
use gen_lsp_types as lsp;
use serde_json::json;

use crate::Settings;
use crate::workspace::Workspace;

/// So many are told of one file.
const MAX_PER_FILE: usize = 500;

/// What is wrong, by file: one entry for each file that is open and a configuration, and for each other that has a fault.
pub(crate) type Faults = BTreeMap<PathBuf, Vec<lsp::Diagnostic>>;

/// Returns everything that is wrong with the configurations that are open and what they require.
pub(crate) fn diagnose(workspace: &Workspace, settings: &Settings, kube_context: Option<&str>) -> Faults {
    let open = workspace.all_open().filter(|document| document.is_configuration());
    let mut faults: Faults = open.map(|document| (document.path.clone(), Vec::new())).collect();
    let unsaved = Arc::new(workspace.unsaved());
    for root in workspace.roots() {
        let (Some(dir), Some(name)) = (root.parent(), root.file_name()) else { continue };
        let (env, mut found) = match devloop_config::load_env_file(dir) {
            // A variable that the environment has already keeps its value.
            Ok(more) => {
                let missing = more.into_iter().filter(|(name, _)| settings.env.get(name).is_none());
                (settings.env.with(missing), Vec::new())
            }
            Err(fault) => (settings.env.clone(), vec![fault]),
        };
        let mut options = Options::new("diagnose", dir, env);
        options.profiles.clone_from(&settings.profiles);
        options.kube_context = kube_context.map(str::to_owned);
        options.unsaved = Arc::clone(&unsaved);
        match devloop_config::load(&ConfigSource::File(name.into()), &options, &*settings.repos) {
            Ok(plan) => found.extend(plan.warnings),
            Err(error) => found.extend(error.diagnostics),
        }
        for fault in found {
            let path = fault.at.as_ref().map_or_else(|| root.clone(), |at| devloop_config::clean_path(&dir.join(&at.file)));
            let shown = shown(workspace, &path, &fault);
            let of_file = faults.entry(path).or_default();
            if of_file.len() < MAX_PER_FILE && !of_file.contains(&shown) {
                of_file.push(shown);
            }
        }
    }
    faults
}

/// Returns a fault as an editor shows it; a quick fix finds in `data` what it would write.
fn shown(workspace: &Workspace, path: &Path, fault: &Diagnostic) -> lsp::Diagnostic {
    let document = workspace.get(path);
    let range = fault.at.as_ref().map_or_else(lsp::Range::default, |at| match &document {
        Some(document) => document.text().range(document.text().of_columns(at.line, at.column, at.width)),
        None => lsp::Range::default(),
    });
    lsp::Diagnostic {
        range,
        severity: Some(match fault.severity {
            Severity::Error => lsp::DiagnosticSeverity::Error,
            Severity::Warning => lsp::DiagnosticSeverity::Warning,
        }),
        code: Some(lsp::Code::String(fault.code.clone().into_owned())),
        source: Some("devloop".to_owned()),
        message: lsp::Message::String(message(fault)),
        data: fault.suggestion().map(|word| json!({ "replaceBy": word })),
        ..lsp::Diagnostic::default()
    }
}

fn message(fault: &Diagnostic) -> String {
    let label = fault.at.as_ref().and_then(|at| at.label.as_ref());
    let mut lines = vec![fault.what.clone()];
    lines.extend(label.into_iter().chain(&fault.why).map(|line| line.trim_end().to_owned()));
    lines.extend(fault.help.iter().map(|help| format!("help: {help}")));
    lines.join("\n")
}
