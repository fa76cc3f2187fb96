//! Logs of pods: whose line it is, in which colour, and the fields of JSON lines.

use devloop_model::ImageName;
use devloop_model::LogPrefix;
use devloop_model::LogSettings;
use serde_json::Value;

use super::paint::Line;
use super::paint::Paint;

/// How logs of pods are shown, and which artifact has which colour.
#[derive(Debug, Default)]
pub(crate) struct PodLogs {
    pub(crate) settings: LogSettings,
    artifacts: Vec<ImageName>,
}

impl PodLogs {
    pub(crate) fn new(settings: LogSettings) -> Self {
        Self { settings, artifacts: Vec::new() }
    }

    /// Gives colours to artifacts, in order; those that have one keep it.
    pub(crate) fn know(&mut self, artifact: &ImageName) {
        if !self.artifacts.contains(artifact) {
            self.artifacts.push(artifact.clone());
        }
    }

    /// Returns one line of a container.
    pub(crate) fn line(&self, pod: &str, container: &str, artifact: Option<&ImageName>, text: &str) -> Line {
        let prefix = match self.settings.prefix {
            LogPrefix::Container => format!("[{container}]"),
            LogPrefix::PodAndContainer if pod.is_empty() => format!("[{container}]"),
            LogPrefix::Auto if pod.is_empty() || pod == container => format!("[{container}]"),
            LogPrefix::Auto | LogPrefix::PodAndContainer => format!("[{pod} {container}]"),
            LogPrefix::None => String::new(),
        };
        let known = artifact.and_then(|artifact| self.artifacts.iter().position(|known| known == artifact));
        let text = fields(text, &self.settings.json_fields);
        if prefix.is_empty() {
            return Line::new(Paint::Plain, text);
        }
        Line::new(known.map_or(Paint::Plain, Paint::Nth), prefix).and(Paint::Plain, format!(" {text}"))
    }
}

/// Returns `key: value, key: value` of a JSON line, or the line as it is where it is none or has
/// none of the keys (`pkg/skaffold/log/formatter.go`).
fn fields(line: &str, keys: &[String]) -> String {
    if keys.is_empty() {
        return line.to_owned();
    }
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let shown: Vec<String> = keys
        .iter()
        .filter_map(|key| match object.get(key)? {
            Value::String(text) => Some(format!("{key}: {text}")),
            other => Some(format!("{key}: {other}")),
        })
        .collect();
    if shown.is_empty() { line.to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::paint::Colours;
    use super::*;

    #[test]
    fn prefixes_say_whose_line_it_is() {
        for (prefix, pod, text) in [
            (LogPrefix::Container, "web-1", "[app] hello"),
            (LogPrefix::PodAndContainer, "web-1", "[web-1 app] hello"),
            (LogPrefix::PodAndContainer, "app", "[app app] hello"),
            (LogPrefix::Auto, "web-1", "[web-1 app] hello"),
            (LogPrefix::Auto, "app", "[app] hello"),
            (LogPrefix::None, "web-1", "hello"),
        ] {
            let logs = PodLogs::new(LogSettings { prefix, json_fields: Vec::new() });
            assert_eq!(logs.line(pod, "app", None, "hello").painted(Colours::Off), text);
        }
    }

    #[test]
    fn json_lines_are_cut_down_to_their_fields() {
        let keys = ["message".to_owned(), "level".to_owned()];
        for (line, shown) in [
            (r#"{"level":30,"message":"up","time":1}"#, "message: up, level: 30"),
            (r#"{"time":1}"#, r#"{"time":1}"#),
            ("[1]", "[1]"),
            ("not json", "not json"),
        ] {
            assert_eq!(fields(line, &keys), shown);
        }
        assert_eq!(fields(r#"{"message":"up"}"#, &[]), r#"{"message":"up"}"#);
    }

    #[test]
    fn each_artifact_has_its_colour() {
        let mut logs = PodLogs::default();
        let (web, api): (ImageName, ImageName) = ("web".parse().unwrap(), "api".parse().unwrap());
        logs.know(&web);
        logs.know(&api);
        logs.know(&web);
        let on = Colours::On { main: 34 };
        assert_eq!(logs.line("p", "app", Some(&web), "x").painted(on), "\x1b[91m[app]\x1b[0m x");
        assert_eq!(logs.line("p", "app", Some(&api), "x").painted(on), "\x1b[92m[app]\x1b[0m x");
        assert_eq!(logs.line("p", "app", None, "x").painted(on), "[app] x");
    }
}
