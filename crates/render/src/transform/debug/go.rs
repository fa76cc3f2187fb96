//! Go, under Delve: the program is started by `dlv exec`, which clients of both of its protocols can attach to.
//!
//! Source: Skaffold's `pkg/skaffold/debug/transform_go.go`.

use super::container::Container;
use super::container::Debugged;

const DELVE: &str = "/dbg/go/bin/dlv";
const PORT: u16 = 56268;

/// Puts Delve before the program; one that is there already is kept.
///
/// # Errors
/// Why that cannot be done.
pub(super) fn debug(container: &mut Container<'_>) -> Result<Debugged, String> {
    if container.command.program() == "dlv" {
        let port = listens(container.command.words()).ok_or("its own `dlv` has no `--listen` with a port")?;
        container.expose("dlv", port);
        return Ok(Debugged { runtime: "go", port: Some(("dlv", port)), support: None });
    }
    if let Some(why) = container.command.is_no_program() {
        return Err(why);
    }
    let port = container.free_port(PORT);
    if container.command.len() > 1 {
        container.command.insert(1, ["--"]);
    }
    let listen = format!("--listen=:{port}");
    container.command.insert(0, [DELVE, "exec", "--headless", "--continue", "--accept-multiclient", &listen, "--api-version=2"]);
    container.set_command();
    container.expose("dlv", port);
    Ok(Debugged { runtime: "go", port: Some(("dlv", port)), support: Some("go") })
}

/// Returns the port that a Delve of the user's own listens at.
fn listens<'w>(words: impl Iterator<Item = &'w str> + Clone) -> Option<u16> {
    let own = words.take_while(|word| *word != "--");
    let after = own.clone().zip(own.clone().skip(1)).filter(|(flag, _)| matches!(*flag, "--listen" | "-l")).map(|(_, address)| address);
    let address = own.filter_map(|word| word.strip_prefix("--listen=").or_else(|| word.strip_prefix("-l="))).chain(after).next()?;
    address.rsplit(':').next()?.parse().ok()
}
