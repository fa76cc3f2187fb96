//! Why helm did not do its work, in the user's words and at the user's line.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Cancelled;
use devloop_model::Diagnostic;
use devloop_model::Location;
use devloop_model::TemplateError;

use crate::kube::KubeError;
use crate::process::ProcessError;

/// Why helm did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum HelmError {
    /// A template in the configuration of a release failed.
    #[error("{what} of release `{release}` cannot be expanded")]
    Template {
        /// What it is of.
        what: String,
        /// The release.
        release: String,
        /// Where the release stands.
        at: Box<Location>,
        /// Why.
        source: TemplateError,
    },
    /// There is no chart.
    #[error("there is no chart at `{}`", path.display())]
    NoChart {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with what is there.
        why: String,
        /// Where it stands in skaffold.yaml.
        at: Box<Location>,
    },
    /// A file that a release names is missing.
    #[error("{kind} `{}` of release `{release}` is missing", path.display())]
    NoFile {
        /// What it is: `values file`.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The release.
        release: String,
        /// Where it stands in skaffold.yaml.
        at: Box<Location>,
    },
    /// helm is not there.
    #[error("helm is not installed")]
    NotInstalled {
        /// Where a release that needs it stands.
        at: Option<Box<Location>>,
    },
    /// helm failed.
    #[error("helm {verb} of release `{release}` failed")]
    Failed {
        /// What it was to do.
        verb: &'static str,
        /// The release.
        release: String,
        /// What it said.
        said: String,
        /// Where in the chart it failed.
        in_chart: Option<Box<Location>>,
        /// Where the release stands in skaffold.yaml.
        at: Option<Box<Location>>,
    },
    /// helm could not be run, or ran too long.
    #[error("helm {verb} of release `{release}` did not end well")]
    Process {
        /// What it was to do.
        verb: &'static str,
        /// The release.
        release: String,
        /// How it ended.
        error: ProcessError,
    },
    /// helm said something else than it was asked for.
    #[error("helm did not say what release `{release}` is to be")]
    NoAnswer {
        /// The release.
        release: String,
        /// Where it stands in skaffold.yaml.
        at: Box<Location>,
    },
    /// A file could not be read or written.
    #[error("{} could not be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// `HELM_DRIVER` keeps records where they are not read from.
    #[error("releases that helm keeps with the driver `{driver}` are not read")]
    Driver {
        /// The driver.
        driver: String,
    },
    /// A record of helm is not as it should be.
    #[error("helm's record `{name}` cannot be read")]
    Record {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The cluster did not give or take a record.
    #[error(transparent)]
    Kube(#[from] KubeError),
    /// The step was cancelled.
    #[error("interrupted")]
    Cancelled,
}

impl From<Cancelled> for HelmError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Where relative paths start (Skaffold's `pkg/skaffold/parser/config.go`).
const PATHS_START: &str = "paths start from the working directory; those of a required configuration from its own";

impl HelmError {
    /// Returns why a call of helm failed; `chart` is the directory of its chart.
    pub(super) fn of_process(error: ProcessError, verb: &'static str, release: &str, chart: Option<&Path>, at: Option<&Location>) -> Self {
        let at = at.map(|at| Box::new(at.clone()));
        match error {
            ProcessError::Cancelled => Self::Cancelled,
            ProcessError::NotFound { .. } => Self::NotInstalled { at },
            ProcessError::Failed { last_lines, .. } => {
                let said = bare(&last_lines);
                let in_chart = chart.and_then(|chart| in_chart(&said, chart)).map(Box::new);
                Self::Failed { verb, release: release.to_owned(), said, in_chart, at }
            }
            error => Self::Process { verb, release: release.to_owned(), error },
        }
    }

    /// Returns whether the step was cancelled, so that this is no failure.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Kube(KubeError::Cancelled))
    }

    /// Returns this error in the user's words.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = self.to_string();
        match self {
            Self::Template { source, at, .. } => Diagnostic::error("helm/template", what).because(&*source.why).at((**at).clone()),
            Self::NoChart { why, at, .. } => {
                let error = Diagnostic::error("helm/no-chart", what).help(PATHS_START).at((**at).clone());
                if why.is_empty() { error } else { error.because(&**why) }
            }
            Self::NoFile { at, .. } => Diagnostic::error("helm/no-file", what).help(PATHS_START).at((**at).clone()),
            Self::NotInstalled { at } => {
                let help = "install helm 3.13 or newer, or helm 4: https://helm.sh/docs/intro/install/; `helm version` has to work";
                placed(Diagnostic::error("helm/not-installed", what).help(help), at.as_deref())
            }
            Self::Failed { verb, release, said, in_chart, at } => failed(verb, release, said, in_chart.as_deref(), at.as_deref()),
            Self::Process { error, .. } => Diagnostic::error("helm/process", what).caused_by(error.diagnostic()),
            Self::NoAnswer { at, .. } => Diagnostic::error("helm/no-answer", what)
                .help("helm 3.13 or newer is needed, and no flag may change its output")
                .at((**at).clone()),
            Self::Io { source, .. } => Diagnostic::error("helm/io", what).because(source.to_string()),
            Self::Driver { .. } => Diagnostic::error("helm/driver", what).help("unset `HELM_DRIVER`, or set it to `secret` or `configmap`"),
            Self::Record { why, .. } => Diagnostic::error("helm/record", what).because(&**why),
            Self::Kube(error) => error.diagnostic(),
            Self::Cancelled => Diagnostic::error("helm/interrupted", what),
        }
    }
}

fn placed(diagnostic: Diagnostic, at: Option<&Location>) -> Diagnostic {
    match at {
        Some(at) => diagnostic.at(at.clone()),
        None => diagnostic,
    }
}

/// A chart that does not render is told at its own line; what has a known way out, with that.
fn failed(verb: &str, release: &str, said: &str, in_chart: Option<&Location>, at: Option<&Location>) -> Diagnostic {
    if let Some(place) = in_chart {
        return Diagnostic::error("helm/render", format!("the chart of release `{release}` does not render"))
            .because(said)
            .at(place.clone());
    }
    let error = Diagnostic::error("helm/failed", format!("helm {verb} of release `{release}` failed")).because(said);
    let help = if said.contains("namespaces \"") && said.contains("not found") {
        Some("create the namespace, or set `createNamespace: true` for the release")
    } else if said.contains("invalid ownership metadata") {
        Some("something else made that object: delete it, or leave it out of the chart")
    } else if said.contains("no repository definition for") {
        Some("add the repository with `helm repo add`")
    } else if said.contains("is out of sync") {
        Some("bring `Chart.lock` up to date with `helm dependency update`")
    } else if said.contains("unknown command \"secrets\"") {
        Some("install the plugin helm-secrets, or leave out `useHelmSecrets`")
    } else {
        None
    };
    placed(if let Some(help) = help { error.help(help) } else { error }, at)
}

/// Returns what helm said without the words that say no more than that it failed.
fn bare(lines: &[String]) -> String {
    let said = lines.iter().skip_while(|line| !line.starts_with("Error: ")).cloned().collect::<Vec<_>>();
    let said = if said.is_empty() { lines.to_vec() } else { said };
    let text = said.join("\n");
    let mut text = text.trim();
    for words in ["Error: ", "INSTALLATION FAILED: ", "UPGRADE FAILED: "] {
        text = text.strip_prefix(words).unwrap_or(text);
    }
    text.strip_suffix("Use --debug flag to render out invalid YAML").unwrap_or(text).trim_end().to_owned()
}

/// Returns the last place of the chart that helm names with a line: `web/templates/a.yaml:12:20`. In a chain of templates that call
/// one another, it is where the fault is. Lines count from 1, columns of Go's templates from 0.
fn in_chart(said: &str, chart: &Path) -> Option<Location> {
    let is_path = |c: char| !c.is_whitespace() && !"\"()<>:,".contains(c);
    let words = said.split(|c: char| !is_path(c) && c != ':');
    let mut places = words.filter_map(|word| {
        let mut parts = word.split(':');
        let (path, line) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
        let column = parts.next().and_then(|column| column.parse::<usize>().ok()).map_or(1, |column| column + 1);
        // The first part is the chart's name, whatever its directory is called.
        let file = chart.join(path.split_once('/')?.1);
        let text = fs::read_to_string(&file).ok()?.lines().nth(line.checked_sub(1)?)?.to_owned();
        let width = text.chars().skip(column.saturating_sub(1)).take_while(|c| !c.is_whitespace() && *c != '}').count().max(1);
        let file = std::env::current_dir().ok().and_then(|here| file.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or(file);
        Some(Location { file, line, column, text, width, label: None })
    });
    places.next_back()
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::chart;
    use super::*;

    fn error(said: &str, dir: &Path) -> String {
        use std::os::unix::process::ExitStatusExt as _;
        let files = [
            ("chart/Chart.yaml", "name: web\n"),
            ("chart/templates/_helpers.tpl", "{{- define \"x\" }}\n{{ .Values.deep.port }}\n{{- end }}\n"),
            ("chart/templates/deployment.yaml", "a: b\nport: {{ include \"x\" . }}\n"),
        ];
        let chart = chart(dir, &files);
        let last_lines = said.lines().map(str::to_owned).collect();
        let status = std::process::ExitStatus::from_raw(256);
        let failed = ProcessError::Failed { program: "helm".into(), status, last_lines };
        let error = HelmError::of_process(failed, "upgrade", "web", Some(&chart.path), Some(&chart.at));
        error.diagnostic().to_string().replace(&dir.display().to_string(), "DIR")
    }

    #[test]
    fn a_chart_that_does_not_render_is_told_at_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let nested = "Error: UPGRADE FAILED: web/templates/deployment.yaml:2:9\n  executing \"web/templates/deployment.yaml\" at <include \"x\" .>:\n    error calling include:\nweb/templates/_helpers.tpl:2:10\n  executing \"x\" at <.Values.deep.port>:\n    nil pointer evaluating interface {}.port";
        insta::assert_snapshot!(error(nested, dir.path()), @r#"
        error[helm/render]: the chart of release `web` does not render
         --> DIR/chart/templates/_helpers.tpl:2:11
          |
        2 | {{ .Values.deep.port }}
          |           ^^^^^^^^^^
          web/templates/deployment.yaml:2:9
            executing "web/templates/deployment.yaml" at <include "x" .>:
              error calling include:
          web/templates/_helpers.tpl:2:10
            executing "x" at <.Values.deep.port>:
              nil pointer evaluating interface {}.port
        "#);
        insta::assert_snapshot!(error("Error: INSTALLATION FAILED: parse error at (web/templates/deployment.yaml:2): unclosed action", dir.path()), @r#"
        error[helm/render]: the chart of release `web` does not render
         --> DIR/chart/templates/deployment.yaml:2:1
          |
        2 | port: {{ include "x" . }}
          | ^^^^^
          parse error at (web/templates/deployment.yaml:2): unclosed action
        "#);
    }

    #[test]
    fn what_has_a_way_out_is_told_with_it() {
        let dir = tempfile::tempdir().unwrap();
        insta::assert_snapshot!(error("level=WARN msg=x\nError: INSTALLATION FAILED: create: failed to create: namespaces \"shop\" not found", dir.path()), @r#"
        error[helm/failed]: helm upgrade of release `web` failed
         --> skaffold.yaml:1:1
          |
        1 | chartPath: chart
          | ^
          create: failed to create: namespaces "shop" not found
        help: create the namespace, or set `createNamespace: true` for the release
        "#);
    }

    #[test]
    fn helm_that_is_not_there_is_told_how_to_get() {
        let missing = HelmError::of_process(ProcessError::NotFound { program: "helm".into() }, "upgrade", "web", None, None);
        insta::assert_snapshot!(missing.diagnostic(), @r"
        error[helm/not-installed]: helm is not installed
        help: install helm 3.13 or newer, or helm 4: https://helm.sh/docs/intro/install/; `helm version` has to work
        ");
    }
}
