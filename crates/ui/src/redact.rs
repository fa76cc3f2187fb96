//! Secrets taken out of whatever is shown.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;

use regex::Regex;
use serde_json::Value;

/// What stands where a secret was.
const MASK: &str = "***";

/// Shorter secrets are left: they would tear holes into ordinary words, and protect nothing.
const SHORTEST: usize = 4;

/// Takes known secrets, and what looks like one, out of texts; its clones learn with it.
#[derive(Clone)]
pub struct Redactor {
    /// The longest first, so that a secret which holds another goes as a whole.
    secrets: Arc<RwLock<Vec<String>>>,
    patterns: Vec<Regex>,
}

/// What is a secret by its look; the group `keep` stays.
const PATTERNS: &[&str] = &[
    // HTTP headers, as debug output of registries and clusters has them.
    r"(?i)(?P<keep>\b(?:proxy-)?authorization\b[\x22']?\s*[:=]\s*[\x22']?(?:(?:basic|bearer|token|negotiate)\s+)?)[^\s\x22',]+",
    r"(?P<keep>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{16,}",
    // Docker's config.json.
    r#"(?i)(?P<keep>"(?:auth|identitytoken|registrytoken|password|secret)"\s*:\s*")[^"]+"#,
    // Command lines, URLs' queries, dotenv files.
    r"(?i)(?P<keep>\b[a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)=[\x22']?)[^\s\x22'&,;]+",
    r"(?i)(?P<keep>--(?:password|token)\s+)[^\s-]\S*",
    // Credentials of a URL.
    r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?P<at>@)",
];

impl Redactor {
    /// Returns a redactor of these values and of what looks like a secret.
    ///
    /// A value of several lines is also found line by line, as logs show it.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let patterns =
            PATTERNS.iter().map(|pattern| Regex::new(pattern).expect("the patterns are constants, and a test compiles them")).collect();
        let redactor = Self { secrets: Arc::default(), patterns };
        redactor.learn(values);
        redactor
    }

    /// Takes these values out from now on, here and in all clones, beside those known before.
    pub fn learn(&self, values: impl IntoIterator<Item = String>) {
        // A panic elsewhere leaves a whole list behind: it is written in one go.
        let mut known = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let mut secrets = known.clone();
        for value in values {
            let value = value.trim();
            let lines = value.lines().map(str::trim).filter(|line| line.len() >= 2 * SHORTEST);
            secrets.extend(lines.map(str::to_owned));
            secrets.push(value.to_owned());
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        *known = secrets;
    }

    fn known(&self) -> RwLockReadGuard<'_, Vec<String>> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the text without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for secret in self.known().iter() {
            if clean.contains(secret.as_str()) {
                clean = Cow::Owned(clean.replace(secret.as_str(), MASK));
            }
        }
        for pattern in &self.patterns {
            if pattern.is_match(&clean) {
                let has_tail = pattern.capture_names().flatten().any(|name| name == "at");
                let replacement = if has_tail { "${keep}***${at}" } else { "${keep}***" };
                clean = Cow::Owned(pattern.replace_all(&clean, replacement).into_owned());
            }
        }
        clean
    }

    /// Takes secrets out of every text of a JSON value.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.json(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.json(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new([])
    }
}

impl fmt::Debug for Redactor {
    /// How many, never which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("secrets", &self.known().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_by_value() {
        let redactor = Redactor::new([
            "hunter2".to_owned(),
            "hunter2-long".to_owned(),
            "abc".to_owned(),
            "first line of it\nsecond line of it\n".to_owned(),
            String::new(),
        ]);
        for (text, clean) in [
            ("the word is hunter2.", "the word is ***."),
            ("hunter2-long", "***"),
            ("abc stays: too short", "abc stays: too short"),
            ("> second line of it", "> ***"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(redactor.text(text), clean);
        }
    }

    #[test]
    fn clones_learn_what_comes_later_and_forget_nothing() {
        let redactor = Redactor::new(["hunter2".to_owned()]);
        let shown = redactor.clone();
        assert_eq!(shown.text("hunter2 and correct-horse"), "*** and correct-horse");
        redactor.learn(["correct-horse".to_owned(), "hunter2".to_owned()]);
        assert_eq!(shown.text("hunter2 and correct-horse"), "*** and ***");
        redactor.learn([]);
        assert_eq!(shown.text("hunter2 and correct-horse"), "*** and ***");
    }

    #[test]
    fn secrets_go_by_look() {
        let redactor = Redactor::default();
        for (text, clean) in [
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            (r#"{"authorization":"Basic dTpw"}"#, r#"{"authorization":"Basic ***"}"#),
            ("sent Bearer eyJhbGciOiJIUzI1NiJ9.x.y to it", "sent Bearer *** to it"),
            (r#""auth": "dXNlcjpwYXNz","#, r#""auth": "***","#),
            ("DB_PASSWORD=s3cret USER=me", "DB_PASSWORD=*** USER=me"),
            ("docker login --password s3cret -u me", "docker login --password *** -u me"),
            ("https://me:s3cret@example.com/a?token=1&b=2", "https://me:***@example.com/a?token=***&b=2"),
            ("--mount=type=secret,id=npm", "--mount=type=secret,id=npm"),
            ("https://example.com:8080/a@b", "https://example.com:8080/a@b"),
            ("the password is wrong", "the password is wrong"),
        ] {
            assert_eq!(redactor.text(text), clean, "{text}");
        }
    }

    #[test]
    fn every_text_of_a_json_value_is_cleaned() {
        let mut value = serde_json::json!({"a": ["hunter2", 1, {"b": "x hunter2 y"}], "c": null});
        Redactor::new(["hunter2".to_owned()]).json(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["***", 1, {"b": "x *** y"}], "c": null}));
        assert_eq!(format!("{:?}", Redactor::new(["hunter2".to_owned()])), "Redactor { secrets: 1, .. }");
    }
}
