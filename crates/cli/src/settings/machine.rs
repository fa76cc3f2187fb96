//! What `devloop filter` is told.

use devloop_ui::Progress;

use super::CommandSettings;
use super::DebugSettings;
use super::Prebuilt;
use super::Settings;
use super::TargetSettings;
use crate::args::ArgsError;
use crate::args::FilterCommand;
use crate::args::List;
use devloop_clients::git::SyncPolicy;

impl Settings {
    /// Takes over what the flags of `filter` say, and returns the command.
    pub(super) fn take_filter(&mut self, filter: FilterCommand) -> Result<CommandSettings, ArgsError> {
        let target = TargetSettings {
            context: filter.kube_context.filter(|text| !text.is_empty()),
            kubeconfig: filter.kubeconfig.filter(|path| !path.as_os_str().is_empty()),
            ..TargetSettings::default()
        };
        self.take_config(&filter.config, SyncPolicy::Missing);
        self.target = target;
        self.take_manifests(&filter.manifests)?;
        self.console.progress = Progress::Nowhere;
        let debug = DebugSettings { protocols: List::flatten(&filter.protocols), helpers: None };
        Ok(CommandSettings::Filter {
            images: Prebuilt { file: filter.build_artifacts, ..Prebuilt::default() },
            debug: filter.debugging.0.then_some(debug),
        })
    }
}
