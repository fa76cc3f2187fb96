//! `devloop lsp`: a language server on standard input and output.

use std::io;

use devloop_clients::kube::KubeSettings;
use devloop_clients::kube::current_context;
use devloop_clients::process::is_running;
use devloop_lsp::Ended;
use devloop_model::Diagnostic;
use devloop_model::Env;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::modules::Repos;
use crate::output;
use crate::settings::Settings;

/// Serves an editor until it says `exit`, closes standard input, or is gone.
///
/// # Errors
/// When standard output cannot be written though the editor still reads it.
pub(crate) fn run(settings: &Settings, env: &Env) -> Result<Exit, Diagnostic> {
    let kube = KubeSettings { kubeconfig: settings.target.kubeconfig.clone(), context: settings.target.context.clone(), env: env.clone() };
    let server = devloop_lsp::Settings {
        // A template runs no command here: nobody asked for it by opening a file.
        env: Env::new(env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        profiles: settings.config.profiles.clone(),
        repos: Box::new(Repos::new(settings, env, &CancellationToken::new())),
        // A broken kubeconfig is told by the commands that need it.
        kube_context: Box::new(move || current_context(&kube).ok().flatten()),
        is_running: Box::new(is_running),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    match devloop_lsp::serve(io::stdin(), &mut io::stdout().lock(), &server) {
        Ok(Ended::Done) => Ok(Exit::Done),
        Ok(Ended::Abrupt) => Ok(Exit::Failed),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(output::unwritable("standard output", &error)),
    }
}
