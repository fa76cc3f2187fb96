//! Python: a launcher of the support image starts the program under debugpy, or under pydevd.
//!
//! Source: Skaffold's `pkg/skaffold/debug/transform_python.go`.

use super::container::Container;
use super::container::Debugged;

const LAUNCHER: &str = "/dbg/python/launcher";
const PORT: u16 = 5678;

/// Returns whether a program is Python: `python`, `python3`, `python3.12`.
pub(super) fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// Puts the launcher before the program; a debugger that is there already is kept.
///
/// # Errors
/// Why that cannot be done.
pub(super) fn debug(container: &mut Container<'_>) -> Result<Debugged, String> {
    let words: Vec<String> = container.command.words().map(str::to_owned).collect();
    if let Some(port) = listens(&words) {
        container.expose("dap", port);
        return Ok(Debugged { runtime: "python", port: Some(("dap", port)), support: None });
    }
    if let Some(why) = container.command.is_no_program() {
        return Err(why);
    }
    let wants_pydevd = container.protocols.iter().find(|protocol| matches!(protocol.as_str(), "dap" | "pydevd")).map(String::as_str);
    let (mode, name) = if wants_pydevd == Some("pydevd") { ("pydevd", "pydevd") } else { ("debugpy", "dap") };
    let port = container.free_port(PORT);
    container.command.insert(0, [LAUNCHER, "--mode", mode, "--port", &port.to_string(), "--"]);
    container.set_command();
    container.expose(name, port);
    Ok(Debugged { runtime: "python", port: Some((name, port)), support: Some("python") })
}

/// Returns the port of `python -m debugpy --listen 0.0.0.0:5678 …`, or of its predecessor's `--port`.
fn listens(words: &[String]) -> Option<u16> {
    let has_module = |module: &str| {
        words.iter().any(|word| word.strip_prefix("-m") == Some(module)) || words.windows(2).any(|two| two[0] == "-m" && two[1] == module)
    };
    let after = |flag: &str| words.windows(2).find(|two| two[0] == flag).map(|two| two[1].as_str());
    if has_module("debugpy") {
        return after("--listen")?.rsplit(':').next()?.parse().ok();
    }
    has_module("ptvsd").then(|| after("--port").map_or(Some(PORT), |port| port.parse().ok()))?
}
