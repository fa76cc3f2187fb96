//! Variables in a Compose file: `$NAME`, `${NAME:-default}`, and `$$` for a dollar.

use std::collections::BTreeMap;
use std::path::Path;

use devloop_config::Node;
use devloop_config::read_env_file;
use devloop_model::Diagnostic;
use devloop_model::Env;

/// What variables are.
#[derive(Debug)]
pub(super) struct Variables {
    values: BTreeMap<String, String>,
    /// Variables that were asked for and are not there.
    pub(super) warnings: Vec<Diagnostic>,
}

impl Variables {
    /// Returns the variables of the environment, and of `.env` beside the file where the environment has none.
    ///
    /// # Errors
    /// When `.env` cannot be understood.
    pub(super) fn read(directory: &Path, env: &Env) -> Result<Self, Diagnostic> {
        let file = directory.join(".env");
        let own = if file.is_file() { read_env_file(&file)? } else { Vec::new() };
        let mut values: BTreeMap<String, String> = own.into_iter().collect();
        values.extend(env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(Self { values, warnings: Vec::new() })
    }

    /// Returns a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Returns the text of a scalar with its variables put in.
    ///
    /// # Errors
    /// When it is no scalar, or needs a variable that is not there.
    pub(super) fn text(&mut self, node: &Node) -> Result<String, Diagnostic> {
        let text = node.as_text().ok_or_else(|| node.span.error("init/compose", format!("text is expected here, not {}", node.kind())))?;
        let (mut done, mut rest) = (String::new(), text.as_ref());
        while let Some((before, after)) = rest.split_once('$') {
            done.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                done.push('$');
                rest = after;
            } else if let Some((inner, after)) = rest.strip_prefix('{').and_then(braced) {
                let value = self.substituted(inner).map_err(|why| node.span.error("init/compose", why))?;
                done.push_str(&value);
                rest = after;
            } else {
                let (name, after) = rest.split_at(name_length(rest));
                done.push_str(&self.value(name));
                rest = after;
            }
        }
        done.push_str(rest);
        Ok(done)
    }

    /// Returns what `NAME`, `NAME:-default`, `NAME-default`, `NAME:+other` and `NAME:?why` come to.
    fn substituted(&mut self, inner: &str) -> Result<String, String> {
        let (name, operator) = inner.split_at(name_length(inner));
        let (counts_empty, operator) = operator.strip_prefix(':').map_or((true, operator), |rest| (false, rest));
        let value = self.get(name).filter(|value| counts_empty || !value.is_empty()).map(str::to_owned);
        let (kind, word) = operator.split_at(operator.chars().next().map_or(0, char::len_utf8));
        match (kind, value) {
            ("-" | "?", Some(value)) => Ok(value),
            ("-", None) => Ok(word.to_owned()),
            ("+", value) => Ok(value.map(|_| word.to_owned()).unwrap_or_default()),
            ("?", None) => Err(format!("the variable `{name}` is needed: {word}")),
            ("", _) => Ok(self.value(name)),
            _ => Err(format!("`${{{inner}}}` is no variable")),
        }
    }

    fn value(&mut self, name: &str) -> String {
        if let Some(value) = self.get(name) {
            return value.to_owned();
        }
        let what = format!("the variable `{name}` of the Compose file is not set, and is taken as empty");
        if !self.warnings.iter().any(|warning| warning.what == what) {
            self.warnings.push(Diagnostic::warning("init/compose-variable", what));
        }
        String::new()
    }
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Returns what is before the brace that closes, and what is behind it.
fn braced(text: &str) -> Option<(&str, &str)> {
    text.split_once('}')
}
