//! A release with its templates expanded: what helm is told of it.
//!
//! Facts: `ConstructOverrideArgs` in Skaffold's `pkg/skaffold/helm/args.go`, `ReleaseNamespace` in its `util.go`.

use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::HelmChart;
use devloop_model::HelmFile;
use devloop_model::HelmRelease;
use devloop_model::Location;
use devloop_model::MissingKey;
use devloop_model::Namespace;
use devloop_model::Template;
use devloop_model::Vars;

use super::Chart;
use super::HelmError;
use super::HelmSettings;

/// A release, ready for helm.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedRelease {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its chart.
    pub chart: ChartSource,
    /// Repository of the chart.
    pub repo: Option<String>,
    /// Version of the chart.
    pub version: Option<String>,
    /// Flags for its values, in the order that counts: `--set`, `--set-file`, `-f`, each with its text. Some may be secret.
    pub values: Vec<(&'static str, String)>,
    /// The files of this machine among them.
    pub files: Vec<PathBuf>,
    /// What the chart is packaged with, if it is.
    pub package: Option<Package>,
    /// What is to be said of it before helm runs.
    pub warnings: Vec<Diagnostic>,
    /// How it is configured.
    pub spec: HelmRelease,
}

/// The versions that a chart is packaged with; none leaves that of the chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Version of the chart.
    pub version: Option<String>,
    /// Version of the application.
    pub app_version: Option<String>,
}

/// Where the chart of a release is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartSource {
    /// On this machine.
    Local(Chart),
    /// In a repository.
    Remote(String),
}

/// Returns the release with its templates expanded by `vars`, which have the built images.
///
/// # Errors
/// When a template fails, or its chart or one of its files is missing.
pub fn resolve(spec: &HelmRelease, settings: &HelmSettings, vars: &Vars) -> Result<ResolvedRelease, HelmError> {
    let plain = Expanding { spec, vars: &settings.vars };
    let name = plain.strict("the name", &spec.name)?;
    let namespace = match &spec.namespace {
        Some(template) if !settings.namespace_is_forced => Namespace(plain.strict("the namespace", template)?),
        _ => settings.namespace.clone(),
    };
    let chart = match &spec.chart {
        HelmChart::Local(file) => ChartSource::Local(Chart { path: plain.path("`chartPath`", file)?, at: file.at.clone() }),
        HelmChart::Remote(name) => ChartSource::Remote(name.clone()),
    };
    let mut resolved = ResolvedRelease {
        name,
        namespace,
        chart,
        repo: spec.repo.as_ref().map(|repo| plain.strict("`repo`", repo)).transpose()?,
        version: spec.version.as_ref().map(|version| plain.strict("`version`", version)).transpose()?,
        values: Vec::new(),
        files: Vec::new(),
        package: plain.package()?,
        warnings: Vec::new(),
        spec: spec.clone(),
    };
    Expanding { spec, vars }.values(&mut resolved)?;
    Ok(resolved)
}

/// Returns the chart of a release, if it is on this machine, and its other files, those that are missing included; what cannot be
/// expanded is left out.
pub fn paths(spec: &HelmRelease, settings: &HelmSettings) -> (Option<Chart>, Vec<PathBuf>) {
    let expanding = Expanding { spec, vars: &settings.vars };
    let path = |file: &HelmFile| {
        let text = expanding.text("", file).ok().filter(|text| !text.contains("://"))?;
        Some(absolute(&file.dir.join(text)))
    };
    let chart = match &spec.chart {
        HelmChart::Local(file) => path(file).map(|path| Chart { path, at: file.at.clone() }),
        HelmChart::Remote(_) => None,
    };
    let files = spec.values_files.iter().chain(spec.set_files.iter().map(|(_, file)| file));
    (chart, files.filter_map(path).collect())
}

/// The templates of a release, and what they see.
#[derive(Clone, Copy)]
struct Expanding<'a> {
    spec: &'a HelmRelease,
    vars: &'a Vars,
}

impl Expanding<'_> {
    fn render(&self, what: &str, template: &Template, missing: MissingKey) -> Result<String, HelmError> {
        template.render(self.vars, missing).map_err(|source| HelmError::Template {
            what: what.to_owned(),
            release: self.spec.name.source().to_owned(),
            at: Box::new(self.spec.at.clone()),
            source,
        })
    }

    fn strict(&self, what: &str, template: &Template) -> Result<String, HelmError> {
        self.render(what, template, MissingKey::Error)
    }

    fn package(&self) -> Result<Option<Package>, HelmError> {
        let Some(package) = &self.spec.packaged else { return Ok(None) };
        let expand = |what: &str, template: &Option<Template>| {
            template.as_ref().map(|template| self.render(what, template, MissingKey::NoValue)).transpose()
        };
        let version = expand("`packaged.version`", &package.version)?;
        Ok(Some(Package { version, app_version: expand("`packaged.appVersion`", &package.app_version)? }))
    }

    fn text(&self, what: &str, file: &HelmFile) -> Result<String, HelmError> {
        let text = self.render(what, &file.path, MissingKey::NoValue)?;
        let home = self.vars.get("HOME").filter(|home| !home.is_empty());
        Ok(match (text.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => format!("{home}/{rest}"),
            _ => text,
        })
    }

    /// Returns the absolute path of a file.
    fn path(&self, what: &str, file: &HelmFile) -> Result<PathBuf, HelmError> {
        Ok(absolute(&file.dir.join(self.text(what, file)?)))
    }

    fn values(&self, resolved: &mut ResolvedRelease) -> Result<(), HelmError> {
        resolved.values.extend(self.spec.set_values.iter().map(|(key, value)| ("--set", format!("{key}={value}"))));
        for (key, file) in &self.spec.set_files {
            let path = self.path("`setFiles`", file)?;
            resolved.values.push(("--set-file", format!("{key}={}", escaped(&path))));
            resolved.files.push(self.existing("file", path, &file.at)?);
        }
        for (key, value) in &self.spec.set_value_templates {
            let key = self.render("a key of `setValueTemplates`", key, MissingKey::NoValue)?;
            let value = self.render("`setValueTemplates`", value, MissingKey::NoValue)?;
            if value.contains("<no value>") {
                resolved.warnings.push(self.no_value(&key));
            }
            // What `imageStrategy` of older schemas became ends with `@` where an image has no digest.
            resolved.values.push(("--set", format!("{key}={}", value.strip_suffix('@').unwrap_or(&value))));
        }
        for file in &self.spec.values_files {
            let text = self.text("`valuesFiles`", file)?;
            // helm itself downloads, and helm-secrets decrypts.
            if text.contains("://") {
                resolved.values.push(("-f", text));
                continue;
            }
            let path = self.existing("values file", absolute(&file.dir.join(text)), &file.at)?;
            resolved.values.push(("-f", path.display().to_string()));
            resolved.files.push(path);
        }
        Ok(())
    }

    fn no_value(&self, key: &str) -> Diagnostic {
        let what = format!("value `{key}` of release `{}` uses a variable that is not set", self.spec.name);
        let help =
            "the variables of images are `IMAGE_REPO_name`, `IMAGE_TAG_name` and their like, with `_` for `/`, `-` and `.` in the name";
        Diagnostic::warning("helm/no-value", what).at(self.spec.at.clone()).help(help)
    }

    fn existing(&self, kind: &'static str, path: PathBuf, at: &Location) -> Result<PathBuf, HelmError> {
        if path.is_file() {
            return Ok(path);
        }
        Err(HelmError::NoFile { kind, path, release: self.spec.name.source().to_owned(), at: Box::new(at.clone()) })
    }
}

/// Returns a path as `--set-file` takes it: there, a comma ends a value.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace(',', "\\,")
}

fn absolute(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match component {
            std::path::Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {

    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    fn at() -> Location {
        Location { file: "skaffold.yaml".into(), line: 7, column: 9, text: "      - name: web".into(), width: 4, label: None }
    }

    fn file(dir: &Path, path: &str) -> HelmFile {
        HelmFile { path: template(path), dir: dir.to_owned(), at: at() }
    }

    fn release(dir: &Path) -> HelmRelease {
        HelmRelease {
            version: Some(template("1.{{.STAGE}}")),
            values_files: vec![file(dir, "values-{{.STAGE}}.yaml"), file(dir, "https://example.com/v.yaml")],
            namespace: Some(template("ns-{{.STAGE}}")),
            set_values: vec![("a".into(), "1,b=2".into())],
            set_value_templates: vec![
                (template("{{.KEY}}.tag"), template("{{.IMAGE_TAG}}@{{.IMAGE_DIGEST}}")),
                (template("typo"), template("{{.IMAGE_TGA}}")),
            ],
            set_files: vec![("script".into(), file(dir, "a,b.sh"))],
            ..HelmRelease::new(template("web-{{.STAGE}}"), HelmChart::Local(file(dir, "chart")), at())
        }
    }

    fn settings() -> HelmSettings {
        HelmSettings { vars: Vars::default().with("STAGE", "dev").with("KEY", "image"), ..HelmSettings::default() }
    }

    fn with_images(settings: &HelmSettings) -> Vars {
        settings.vars.clone().with("IMAGE_TAG", "v1").with("IMAGE_DIGEST", "")
    }

    #[test]
    fn values_come_in_the_order_that_counts() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["values-dev.yaml", "a,b.sh"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let settings = settings();
        let resolved = resolve(&release(dir.path()), &settings, &with_images(&settings)).unwrap();
        assert_eq!(
            (resolved.name.as_str(), resolved.namespace.as_str(), resolved.version.as_deref()),
            ("web-dev", "ns-dev", Some("1.dev"))
        );
        let dir = dir.path().display();
        let values: Vec<String> = resolved.values.iter().map(|(flag, text)| format!("{flag} {text}")).collect();
        assert_eq!(
            values,
            [
                "--set a=1,b=2".to_owned(),
                format!("--set-file script={dir}/a\\,b.sh"),
                "--set image.tag=v1".to_owned(),
                "--set typo=<no value>".to_owned(),
                format!("-f {dir}/values-dev.yaml"),
                "-f https://example.com/v.yaml".to_owned(),
            ]
        );
        assert_eq!(resolved.files.len(), 2);
        insta::assert_snapshot!(resolved.warnings[0], @r"
        warning[helm/no-value]: value `typo` of release `web-{{.STAGE}}` uses a variable that is not set
         --> skaffold.yaml:7:9
          |
        7 |       - name: web
          |         ^^^^
        help: the variables of images are `IMAGE_REPO_name`, `IMAGE_TAG_name` and their like, with `_` for `/`, `-` and `.` in the name
        ");
    }

    #[test]
    fn the_namespace_of_the_command_line_wins() {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = release(dir.path());
        (spec.values_files, spec.set_files) = (Vec::new(), Vec::new());
        let settings = HelmSettings { namespace_is_forced: true, ..settings() };
        assert_eq!(resolve(&spec, &settings, &settings.vars).unwrap().namespace.as_str(), "default");
    }

    #[test]
    fn what_is_missing_is_shown_at_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings();
        let error = resolve(&release(dir.path()), &settings, &settings.vars).unwrap_err();
        insta::assert_snapshot!(error.diagnostic().to_string().replace(&dir.path().display().to_string(), "DIR"), @r"
        error[helm/no-file]: file `DIR/a,b.sh` of release `web-{{.STAGE}}` is missing
         --> skaffold.yaml:7:9
          |
        7 |       - name: web
          |         ^^^^
        help: paths start from the working directory; those of a required configuration from its own
        ");
        let unset = HelmSettings::default();
        insta::assert_snapshot!(resolve(&release(dir.path()), &unset, &unset.vars).unwrap_err().diagnostic(), @r"
        error[helm/template]: the name of release `web-{{.STAGE}}` cannot be expanded
         --> skaffold.yaml:7:9
          |
        7 |       - name: web
          |         ^^^^
          map has no entry for key: STAGE
        ");
    }
}
