//! Java: the virtual machine has a debugger of its own, switched on by a variable that every launcher hands on.
//!
//! Source: Skaffold's `pkg/skaffold/debug/transform_jvm.go`; the JDWP connection options of the JDK.

use super::container::Container;
use super::container::Debugged;

const PORT: u16 = 5005;
const OPTIONS: &str = "JAVA_TOOL_OPTIONS";

/// Switches the debugger on; one that is on already is kept.
///
/// # Errors
/// Why that cannot be done.
pub(super) fn debug(container: &mut Container<'_>) -> Result<Debugged, String> {
    let given = container.env.get(OPTIONS).cloned();
    let own = container.command.words().chain(given.iter().flat_map(|given| given.split_whitespace())).find_map(agent).map(str::to_owned);
    let port = if let Some(own) = own {
        listens(&own).ok_or_else(|| format!("its own debugger, `{own}`, listens at no port that is known"))?
    } else {
        let port = container.free_port(PORT);
        // From Java 9 on, a port alone would be one of the loopback, which is where port forwards come out.
        let option = format!("-agentlib:jdwp=transport=dt_socket,server=y,address={port},suspend=n,quiet=y");
        let options = given.map_or_else(|| option.clone(), |given| format!("{given} {option}"));
        container.set_env(OPTIONS, &options);
        port
    };
    container.expose("jdwp", port);
    Ok(Debugged { runtime: "jvm", port: Some(("jdwp", port)), support: None })
}

/// Returns the options of a debugger.
fn agent(word: &str) -> Option<&str> {
    word.strip_prefix("-agentlib:jdwp=").or_else(|| word.strip_prefix("-Xrunjdwp:"))
}

/// Returns the port in such options: `address=5005`, `address=*:5005`.
fn listens(options: &str) -> Option<u16> {
    let address = options.split(',').find_map(|option| option.strip_prefix("address="))?;
    address.rsplit(':').next()?.parse().ok().filter(|port| *port > 0)
}
