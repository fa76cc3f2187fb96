//! `devloop lint`: what could be better in configurations, Dockerfiles and manifests.
//!
//! Rules, their numbers and the shape of the output: Skaffold's `pkg/skaffold/lint`.

mod dockerfiles;
mod manifests;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_config::Node;
use devloop_config::Source;
use devloop_config::parse_documents;
use devloop_model::Diagnostic;
use serde_json::Value as Json;
use serde_json::json;

use crate::args::LintFormat;
use crate::exit::Exit;
use crate::output;
use crate::pipeline::Pipeline;

/// What a rule looks at, in Skaffold's words and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Yaml,
    Dockerfile,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Yaml => "YamlFieldLintRule",
            Self::Dockerfile => "DockerfileCommandLintRule",
        }
    }
}

/// A rule; `filter` is how Skaffold finds its places.
struct Rule {
    number: u32,
    kind: Kind,
    template: &'static str,
    filter: fn() -> Json,
}

/// The severity of all rules, in the numbers of the Language Server Protocol.
const WARNING: u32 = 2;

const OLD_VERSION: Rule = Rule {
    number: 1,
    kind: Kind::Yaml,
    template: "this is not the newest version of the schema, {{.Latest}}: let `devloop fix --overwrite` bring the file there",
    filter: || json!({ "Filter": { "Name": "apiVersion" }, "FieldMatch": "", "InvertMatch": false }),
};

/// A place where a rule was broken. Lines and columns are from 1.
struct Finding {
    rule: &'static Rule,
    file: PathBuf,
    explanation: String,
    line: usize,
    column: usize,
    /// The text of that line.
    text: String,
}

/// Looks at everything, and prints what was found.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn run(pipeline: &Pipeline, format: LintFormat) -> Result<Exit, Diagnostic> {
    let here = std::env::current_dir().unwrap_or_default();
    let mut found = configurations(pipeline, &here)?;
    found.extend(dockerfiles::look(pipeline)?);
    found.extend(manifests::labels(pipeline));
    let text = match format {
        LintFormat::PlainText => found.iter().map(|finding| finding.plain(&here)).collect(),
        LintFormat::Json => format!("{}\n", found.iter().map(|finding| finding.json(&here)).collect::<Json>()),
    };
    output::to_stdout(&text)?;
    Ok(Exit::Done)
}

/// Looks at the files of all modules.
fn configurations(pipeline: &Pipeline, here: &Path) -> Result<Vec<Finding>, Diagnostic> {
    let mut found = Vec::new();
    let mut seen: Vec<&Path> = Vec::new();
    // One that is devloop's own has no newer one.
    let latest = devloop_config::schema_versions().into_iter().rfind(|version| version.starts_with("skaffold/")).unwrap_or_default();
    for module in &pipeline.session.plan.modules {
        // Standard input is no file.
        let file = here.join(&module.file);
        if seen.contains(&module.file.as_path()) || !file.is_file() {
            continue;
        }
        seen.push(&module.file);
        let source = read(&file)?;
        for document in documents(&source) {
            if let Some(version) = document
                .get("apiVersion")
                .filter(|version| version.as_text().is_some_and(|text| text.starts_with("skaffold/") && text != latest))
            {
                let explanation = OLD_VERSION.template.replace("{{.Latest}}", &latest);
                found.push(Finding::at(&OLD_VERSION, &source, version.span.line, version.span.column, explanation));
            }
            found.extend(manifests::ports(pipeline, module, &document, &source));
        }
    }
    Ok(found)
}

fn read(file: &Path) -> Result<Arc<Source>, Diagnostic> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Diagnostic::error("lint/unreadable", format!("{} cannot be read", file.display())).because(error.to_string()))?;
    Ok(Source::new(file, text))
}

/// Returns the documents of a file; what is wrong with it is no matter here.
fn documents(source: &Arc<Source>) -> Vec<Node> {
    parse_documents(source).unwrap_or_default()
}

impl Finding {
    fn at(rule: &'static Rule, source: &Source, line: usize, column: usize, explanation: String) -> Self {
        let text = source.text.lines().nth(line - 1).unwrap_or_default().to_owned();
        Self { rule, file: source.file.clone(), explanation, line, column, text }
    }

    fn plain(&self, here: &Path) -> String {
        let Self { rule, explanation, line, column, text, .. } = self;
        let place = format!("{}:{line}:{column}", self.shown(here));
        let caret = " ".repeat(column - 1);
        format!("{place}: ID{:06}: {}: {explanation}\n{text}\n{caret}^\n", rule.number, rule.kind.name())
    }

    /// The whole line is meant: it ends where the next one begins.
    fn json(&self, here: &Path) -> Json {
        json!({
            "Rule": {
                "RuleID": self.rule.number,
                "RuleType": self.rule.kind as u32,
                "ExplanationTemplate": self.rule.template,
                "Severity": WARNING,
                "Filter": (self.rule.filter)(),
            },
            "AbsFilePath": self.file.display().to_string(),
            "RelFilePath": self.shown(here),
            "Explanation": self.explanation,
            "StartLine": self.line,
            "EndLine": self.line + 1,
            "StartColumn": self.column,
            "EndColumn": 0,
        })
    }

    fn shown(&self, here: &Path) -> String {
        self.file.strip_prefix(here).unwrap_or(&self.file).display().to_string()
    }
}
