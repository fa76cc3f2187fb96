//! Go templates over text variables, as skaffold.yaml uses them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::Env;

/// The text of a Go template, known to parse; most have no `{{` at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Template(String);

/// Why a template does not parse or render.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}`: {why}")]
pub struct TemplateError {
    /// The template.
    pub template: String,
    /// What Go's text/template would say.
    pub why: String,
}

/// What a variable that is not set renders as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingKey {
    /// `<no value>`, as Skaffold's `ExpandEnvTemplate` does.
    NoValue,
    /// An error that names it, as `ExpandEnvTemplateOrFail` does.
    Error,
}

/// Runs the command of a `{{ cmd "name" "argument" }}` and returns its trimmed standard output.
pub type CommandRunner = Arc<dyn Fn(&[String]) -> Result<String, String> + Send + Sync>;

/// The variables that a template sees.
#[derive(Clone, Default)]
pub struct Vars {
    values: BTreeMap<String, String>,
    commands: Option<CommandRunner>,
}

impl Vars {
    /// Returns the environment as variables.
    pub fn from_env(env: &Env) -> Self {
        Self { values: env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), commands: None }
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// Lets `{{ cmd … }}` run commands through `runner`.
    #[must_use]
    pub fn with_commands(mut self, runner: CommandRunner) -> Self {
        self.commands = Some(runner);
        self
    }

    /// Returns the value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Vars {
    /// Names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Template {
    /// Returns the template if its syntax is right.
    ///
    /// # Errors
    /// When it does not parse.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self(text.to_owned());
        if !template.is_literal() {
            template.compiled(&Vars::default(), MissingKey::NoValue)?;
        }
        Ok(template)
    }

    /// Returns whether the text has no template action, so that it renders to itself.
    pub fn is_literal(&self) -> bool {
        !self.0.contains("{{")
    }

    /// Returns the text as written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// Returns the rendered text.
    ///
    /// # Errors
    /// When a function fails, or a variable is missing and `missing` is [`MissingKey::Error`].
    pub fn render(&self, vars: &Vars, missing: MissingKey) -> Result<String, TemplateError> {
        if self.is_literal() {
            return Ok(self.0.clone());
        }
        let data = gotmpl::Value::Map(Arc::new(
            vars.values.iter().map(|(name, value)| (name.as_str().into(), gotmpl::Value::String(value.as_str().into()))).collect(),
        ));
        self.compiled(vars, missing)?.execute_to_string(&data).map_err(|error| self.error(&error))
    }

    fn compiled(&self, vars: &Vars, missing: MissingKey) -> Result<gotmpl::Template, TemplateError> {
        let commands = vars.commands.clone();
        gotmpl::Template::new("template")
            .missing_key(match missing {
                MissingKey::NoValue => gotmpl::MissingKey::default(),
                MissingKey::Error => gotmpl::MissingKey::Error,
            })
            .func("cmd", move |arguments| {
                let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
                let run = commands.as_ref().ok_or_else(|| gotmpl::TemplateError::Exec("cmd is not available here".into()))?;
                run(&arguments).map(|output| gotmpl::Value::String(output.as_str().into())).map_err(|e| gotmpl::TemplateError::Exec(e.into()))
            })
            .parse(&self.0)
            .map_err(|error| self.error(&error))
    }

    fn error(&self, error: &gotmpl::TemplateError) -> TemplateError {
        TemplateError { template: self.0.clone(), why: error.to_string() }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
