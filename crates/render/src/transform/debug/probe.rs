//! Probes: a program that stands at a breakpoint answers none, and must not be killed for it.

use std::time::Duration;

use devloop_model::parse_go_duration;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// How long a probe is waited for, unless its pod says otherwise.
const TIMEOUT: Duration = Duration::from_mins(10);
/// Where a pod says `skip`, or how long.
const ANNOTATION: &str = "debug.cloud.google.com/probe-timeouts";
/// What is answered by the program itself; a TCP probe is answered by its system.
const ANSWERED: [&str; 3] = ["httpGet", "grpc", "exec"];

/// Stretches the time that probes of the `debugged` containers of a pod wait for an answer.
pub(super) fn stretch(template: &mut Value, debugged: &Map<String, Value>) {
    let asked = template["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default();
    if asked == "skip" {
        return;
    }
    let seconds = parse_go_duration(asked).and_then(|asked| u64::try_from(asked.as_secs()).ok()).unwrap_or(TIMEOUT.as_secs());
    let containers = template["spec"]["containers"].as_array_mut().into_iter().flatten();
    for container in containers.filter(|container| container["name"].as_str().is_some_and(|name| debugged.contains_key(name))) {
        for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
            let Some(probe) = container.get_mut(name) else { continue };
            let is_answered = ANSWERED.iter().any(|kind| probe[kind].is_object());
            if is_answered && probe["timeoutSeconds"].as_u64().unwrap_or(1) < seconds {
                probe["timeoutSeconds"] = json!(seconds);
            }
        }
    }
}
