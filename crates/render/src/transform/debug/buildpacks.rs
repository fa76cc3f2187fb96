//! Images of Cloud Native Buildpacks, whose programs are named by a label.
//!
//! Source: the lifecycle's launcher (`buildpacks/lifecycle`, `launch/`), and Skaffold's `pkg/skaffold/debug/cnb.go`.

use devloop_model::ImageConfig;
use serde_json::Value;

/// The program that starts every process of such an image.
pub(super) const LAUNCHER: &str = "/cnb/lifecycle/launcher";
/// The folder of links to it, named after the process that each starts.
const PROCESSES: &str = "/cnb/process/";

/// Returns the words that start what `words` mean, the launcher first; none for an image of another kind.
pub(super) fn launched(image: &ImageConfig, words: &[String]) -> Option<Vec<String>> {
    image.labels.get("io.buildpacks.stack.id")?;
    let (first, arguments) = words.split_first()?;
    let metadata: Value = serde_json::from_str(image.labels.get("io.buildpacks.build.metadata")?).ok()?;
    let process = |name: &str| metadata["processes"].as_array().into_iter().flatten().find(|process| process["type"] == *name);
    let (process, given) = if let Some(name) = first.strip_prefix(PROCESSES) {
        (process(name)?, arguments)
    } else if first != LAUNCHER {
        return None;
    } else {
        match arguments {
            [] => (process(image.env.get("CNB_PROCESS_TYPE").map_or("web", String::as_str))?, arguments),
            [name] if process(name).is_some() => (process(name)?, &[][..]),
            _ => return Some(words.to_vec()),
        }
    };
    let texts = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        other => other.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let started = texts(&process["command"]).into_iter().chain(texts(&process["args"])).chain(given.iter().cloned());
    // What is not started directly is a script.
    let direct = (process["direct"] == true).then(|| "--".to_owned());
    Some([LAUNCHER.to_owned()].into_iter().chain(direct).chain(started).collect())
}

/// Returns where the launcher starts programs; none for an image of another kind.
pub(super) fn working_dir(image: &ImageConfig) -> Option<String> {
    image.labels.get("io.buildpacks.stack.id")?;
    Some(image.env.get("CNB_APP_DIR").cloned().unwrap_or_else(|| "/workspace".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_what_the_label_says() {
        let metadata = r#"{"processes": [
            {"type": "web", "command": "node", "args": ["server.js"], "direct": true},
            {"type": "worker", "command": ["node work.js"], "args": ["fast"], "direct": false}
        ]}"#;
        let labels = [("io.buildpacks.stack.id", "x"), ("io.buildpacks.build.metadata", metadata)];
        let image =
            ImageConfig { labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), ..ImageConfig::default() };
        let launched = |words: &[&str]| launched(&image, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        for (words, expected) in [
            (&["/cnb/process/web", "-v"][..], Some(&["/cnb/lifecycle/launcher", "--", "node", "server.js", "-v"][..])),
            (&["/cnb/lifecycle/launcher"], Some(&["/cnb/lifecycle/launcher", "--", "node", "server.js"])),
            (&["/cnb/lifecycle/launcher", "worker"], Some(&["/cnb/lifecycle/launcher", "node work.js", "fast"])),
            (&["/cnb/lifecycle/launcher", "--", "sh"], Some(&["/cnb/lifecycle/launcher", "--", "sh"])),
            (&["/cnb/process/gone"], None),
            (&["/app"], None),
        ] {
            assert_eq!(launched(words), expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect()), "{words:?}");
        }
    }
}
