//! What `devloop inspect` asks.

use super::CommandSettings;
use super::ConfigSettings;
use super::Settings;
use super::resolve::config_source;
use super::resolve::sync_policy;
use crate::args::InspectCommand;
use crate::args::List;

impl Settings {
    /// Takes over which configuration is asked. No profile activates itself, as in Skaffold: the answer is the same on every machine.
    pub(super) fn take_inspect(&mut self, command: InspectCommand) -> CommandSettings {
        let config = command.config;
        self.config = ConfigSettings {
            source: config_source(config.filename.as_deref()),
            modules: List::flatten(&config.module),
            profiles: List::flatten(&config.profile),
            profile_auto_activation: false,
            propagate_profiles: config.propagate_profiles.0,
            remote_cache: self.remote_cache(config.remote_cache_dir.as_deref()),
            sync_remote_cache: sync_policy(config.sync_remote_cache),
            ..ConfigSettings::none(&self.paths)
        };
        CommandSettings::Inspect(command.subject)
    }
}
