//! Repositories of required modules: what the configuration asks for, fetched as the command line allows.

use std::path::PathBuf;

use devloop_clients::git::CheckoutSettings;
use devloop_clients::git::Checkouts;
use devloop_clients::git::RepoWanted;
use devloop_config::FetchRepo;
use devloop_config::GitSource;
use devloop_model::Diagnostic;
use devloop_model::Env;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// The repositories of a process; all clones know what was fetched, so that a configuration that is read again fetches nothing twice.
#[derive(Debug, Clone)]
pub(crate) struct Repos(Checkouts);

impl Repos {
    /// Returns repositories that are fetched when a configuration needs them, until `cancel`.
    pub(crate) fn new(settings: &Settings, env: &Env, cancel: &CancellationToken) -> Self {
        Self(Checkouts::new(CheckoutSettings {
            dir: settings.config.remote_cache.clone(),
            policy: settings.config.sync_remote_cache,
            env: env.clone(),
            cancel: cancel.clone(),
        }))
    }
}

impl FetchRepo for Repos {
    fn fetch(&self, repo: &GitSource) -> Result<PathBuf, Diagnostic> {
        let wanted = RepoWanted { repo: repo.repo.clone(), reference: repo.reference.clone(), sync: repo.sync.unwrap_or(true) };
        self.0.get(&wanted).map_err(|error| error.diagnostic())
    }
}
