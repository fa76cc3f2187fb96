//! Go templates over text variables, as skaffold.yaml uses them.

mod go_time;
mod sprig;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

pub use self::go_time::format as format_go_time;
pub use self::sprig::parse_go_duration;
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

/// The variables and functions that a template sees.
#[derive(Clone, Default)]
pub struct Vars {
    values: Arc<BTreeMap<String, String>>,
    commands: Option<CommandRunner>,
    is_plain: bool,
}

impl Vars {
    /// Returns the environment as variables, with its way to run commands.
    pub fn from_env(env: &Env) -> Self {
        let values = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { values: Arc::new(values), commands: env.commands().cloned(), ..Self::default() }
    }

    /// Returns no variables, and only the functions of Go itself: neither those of Sprig nor `cmd`, as in `customTemplate`.
    pub fn plain() -> Self {
        Self { is_plain: true, ..Self::default() }
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.values).insert(name.into(), value.into());
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
            template.compiled(&Vars::default(), MissingKey::NoValue, &Arc::default())?;
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
        let data: Arc<Data> = Arc::new(
            vars.values.iter().map(|(name, value)| (name.as_str().into(), gotmpl::Value::String(value.as_str().into()))).collect(),
        );
        let template = self.compiled(vars, missing, &data)?;
        template.execute_template_to_string(NAME, &gotmpl::Value::Map(data)).map_err(|error| self.error(&error))
    }

    fn compiled(&self, vars: &Vars, missing: MissingKey, data: &Arc<Data>) -> Result<gotmpl::Template, TemplateError> {
        let mut template = gotmpl::Template::new(NAME).missing_key(match missing {
            MissingKey::NoValue => gotmpl::MissingKey::default(),
            MissingKey::Error => gotmpl::MissingKey::Error,
        });
        let data = Arc::clone(data);
        template = template.func("index", move |arguments| index(&data, arguments));
        if !vars.is_plain {
            for (name, function) in sprig::functions(&self.0, &vars.values) {
                template = template.func(name, move |arguments| function(arguments));
            }
            let commands = vars.commands.clone();
            template = template.func("cmd", move |arguments| run(commands.as_ref(), arguments));
        }
        let is_known = |name: &str| !vars.is_plain && (name == "cmd" || sprig::has(name));
        tree::compile(template, NAME, &self.0, &is_known).map_err(|error| self.error(&error))
    }

    fn error(&self, error: &gotmpl::TemplateError) -> TemplateError {
        let why = match error {
            gotmpl::TemplateError::Exec(why) => why.clone(),
            gotmpl::TemplateError::Parse { line, col, message, .. } | gotmpl::TemplateError::Lex { line, col, message, .. } => {
                format!("{message} (line {line}, column {col})")
            }
            other => other.to_string(),
        };
        TemplateError { template: self.0.clone(), why }
    }
}

/// What gotmpl calls the data.
type Data = BTreeMap<Arc<str>, gotmpl::Value>;

/// What the template is called; Go shows it in messages, which name the text itself here.
const NAME: &str = "template";

/// Go's `index`, to which the data is a mapping of texts, where what is missing is the empty text.
fn index(data: &Arc<Data>, arguments: &[gotmpl::Value]) -> gotmpl::Result<gotmpl::Value> {
    let (first, keys) = arguments.split_first().ok_or_else(|| gotmpl::TemplateError::Exec("index needs a value".into()))?;
    let found = keys.iter().try_fold(first.clone(), |value, key| value.index(key))?;
    let is_missing = matches!((first, &found), (gotmpl::Value::Map(map), gotmpl::Value::Nil) if Arc::ptr_eq(map, data));
    Ok(if is_missing { gotmpl::Value::String("".into()) } else { found })
}

fn run(commands: Option<&CommandRunner>, arguments: &[gotmpl::Value]) -> gotmpl::Result<gotmpl::Value> {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let run = commands.ok_or_else(|| gotmpl::TemplateError::Exec("`cmd` is not available here".into()))?;
    run(&arguments).map(|output| gotmpl::Value::String(output.into())).map_err(gotmpl::TemplateError::Exec)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
