//! Texts of the schema to the nouns of the plan, with a fault at its place where that fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Platform;
use devloop_model::Template;

use crate::loaded::Loaded;
use crate::loaded::join;
use crate::modules::clean;

/// One module on its way into the plan.
pub(super) struct Converter<'m> {
    pub(super) module: &'m Loaded,
    pub(super) env: &'m Env,
    /// The command that runs: `run`, `render`.
    pub(super) command: &'m str,
    /// `--platform`.
    pub(super) wanted: &'m [Platform],
    pub(super) faults: Vec<Diagnostic>,
}

impl Converter<'_> {
    /// Returns the template at `pointer`; one that does not parse is a fault, and empty.
    pub(super) fn template(&mut self, pointer: &str, text: &str) -> Template {
        Template::parse(text).unwrap_or_else(|error| {
            let what = format!("the template of {} does not parse", self.module.subject(pointer));
            self.faults.push(self.module.error("config/template", pointer, what).because(error.why));
            Template::parse("").expect("text without an action is a template")
        })
    }

    /// Returns the templates of a list.
    pub(super) fn templates(&mut self, pointer: &str, texts: &[String]) -> Vec<Template> {
        texts.iter().enumerate().map(|(index, text)| self.template(&format!("{pointer}/{index}"), text)).collect()
    }

    /// Returns the templates of build arguments; one without a value is taken from the environment.
    pub(super) fn build_args(&mut self, pointer: &str, arguments: &BTreeMap<String, Option<String>>) -> BTreeMap<String, Option<Template>> {
        let convert = |(name, text): (&String, &Option<String>)| {
            let template = text.as_ref().map(|text| self.template(&join(pointer, name), text));
            (name.clone(), template)
        };
        arguments.iter().map(convert).collect()
    }

    /// Returns the platforms of a list.
    pub(super) fn platforms(&mut self, pointer: &str, texts: &[String]) -> Vec<Platform> {
        texts.iter().enumerate().filter_map(|(index, text)| self.platform(&format!("{pointer}/{index}"), text)).collect()
    }

    /// Returns a platform.
    pub(super) fn platform(&mut self, pointer: &str, text: &str) -> Option<Platform> {
        let platform = Platform::parse(text);
        platform.map_err(|error| self.faults.push(self.module.error("config/platform", pointer, error.to_string()))).ok()
    }

    /// Returns `path` as an absolute path from the directory of the module.
    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        let home = self.env.get("HOME").filter(|home| !home.is_empty());
        let path = match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => PathBuf::from(path),
        };
        clean(&self.module.module.dir.join(path))
    }
}

/// Returns the text unless it is empty, which is how the schema says that a field is not set.
pub(super) fn set(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
