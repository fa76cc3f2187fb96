//! Node.js: its inspector, switched on by a flag, or by a variable where a package manager or a script starts it.
//!
//! Source: Skaffold's `pkg/skaffold/debug/transform_nodejs.go`.

use super::container::Container;
use super::container::Debugged;

const PORT: u16 = 9229;
const OPTIONS: &str = "NODE_OPTIONS";
/// Where a `node` lies that gives the inspector to the program, and not to the package manager that starts it.
const WRAPPER: &str = "/dbg/nodejs/bin";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Switches the inspector on; one that is on already is kept.
pub(super) fn debug(container: &mut Container<'_>) -> Debugged {
    let given = container.env.get(OPTIONS).cloned();
    let own = container.command.words().chain(given.iter().flat_map(|given| given.split_whitespace())).find_map(inspects);
    if let Some(port) = own {
        container.expose("devtools", port);
        return Debugged { runtime: "nodejs", port: Some(("devtools", port)), support: None };
    }
    let port = container.free_port(PORT);
    let inspect = format!("--inspect=0.0.0.0:{port}");
    container.expose("devtools", port);
    let support = match container.command.program() {
        "node" | "nodemon" => {
            container.command.insert(1, [inspect]);
            container.set_command();
            None
        }
        "npm" => {
            // What follows `--` is the script's own.
            let at = container.command.words().position(|word| word == "--").unwrap_or(container.command.len());
            container.command.insert(at, [format!("--node-options={inspect}")]);
            container.set_command();
            Some("nodejs")
        }
        _ => {
            container.set_env(OPTIONS, &given.map_or_else(|| inspect.clone(), |given| format!("{given} {inspect}")));
            Some("nodejs")
        }
    };
    if support.is_some() {
        let path = container.env.get("PATH").map_or(PATH, String::as_str);
        container.set_env("PATH", &format!("{WRAPPER}:{path}"));
    }
    Debugged { runtime: "nodejs", port: Some(("devtools", port)), support }
}

/// Returns the port of `--inspect`, `--inspect-brk=9230`, `--inspect=0.0.0.0:9230`.
fn inspects(word: &str) -> Option<u16> {
    let rest = word.strip_prefix("--inspect-brk").or_else(|| word.strip_prefix("--inspect"))?;
    match rest.strip_prefix('=') {
        Some(address) => address.rsplit(':').next()?.parse().ok(),
        None => rest.is_empty().then_some(PORT),
    }
}
