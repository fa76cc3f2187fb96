//! Commands around stages.

use std::time::Duration;

use devloop_model::ContainerHook;
use devloop_model::GoDuration;
use devloop_model::Hook;
use devloop_model::Hooks;
use devloop_model::HostHook;
use devloop_model::ManifestHook;
use devloop_model::RenderHooks;

use super::convert::Converter;
use super::convert::set;
use crate::schema;

impl Converter<'_> {
    /// Returns the commands around builds, or around the build of one artifact.
    pub(super) fn host_hooks(&self, hooks: &schema::HostHooks) -> Hooks {
        let all = |hooks: &[schema::HostHook]| hooks.iter().map(|hook| Hook::Host(self.host_hook(hook))).collect();
        Hooks { before: all(&hooks.before), after: all(&hooks.after) }
    }

    /// Returns the commands around a sync.
    pub(super) fn sync_hooks(&self, hooks: &schema::SyncHooks) -> Hooks {
        let one = |item: &schema::SyncHookItem| {
            let container = item.container.as_ref().map(|hook| ContainerHook {
                command: hook.command.clone(),
                limit: limit(&hook.timeout),
                ..ContainerHook::default()
            });
            self.either(item.host.as_ref(), container)
        };
        Hooks { before: hooks.before.iter().filter_map(one).collect(), after: hooks.after.iter().filter_map(one).collect() }
    }

    /// Returns the commands around a deploy.
    pub(super) fn deploy_hooks(&self, hooks: &schema::DeployHooks) -> Hooks {
        let one = |item: &schema::DeployHookItem| {
            let container = item.container.as_ref().map(|hook| ContainerHook {
                command: hook.command.clone(),
                pod: set(&hook.pod_name),
                container: set(&hook.container_name),
                limit: limit(&hook.timeout),
            });
            self.either(item.host.as_ref(), container)
        };
        Hooks { before: hooks.before.iter().filter_map(one).collect(), after: hooks.after.iter().filter_map(one).collect() }
    }

    /// Returns the commands around rendering.
    pub(super) fn render_hooks(&self, hooks: &schema::RenderHooks) -> RenderHooks {
        let before = hooks.before.iter().filter_map(|item| item.host.as_ref()).map(|host| self.host_hook(host));
        let after = hooks.after.iter().filter_map(|item| item.host.as_ref()).map(|hook| {
            let host = schema::HostHook {
                command: hook.command.clone(),
                os: hook.os.clone(),
                dir: hook.dir.clone(),
                timeout: hook.timeout.clone(),
            };
            ManifestHook { host: self.host_hook(&host), with_change: hook.with_change }
        });
        RenderHooks { before: before.collect(), after: after.collect() }
    }

    fn either(&self, host: Option<&schema::HostHook>, container: Option<ContainerHook>) -> Option<Hook> {
        host.map(|host| Hook::Host(self.host_hook(host))).or_else(|| container.map(Hook::Container))
    }

    fn host_hook(&self, host: &schema::HostHook) -> HostHook {
        HostHook {
            command: host.command.clone(),
            os: host.os.clone(),
            dir: set(&host.dir).map(|dir| self.absolute(&dir)),
            limit: limit(&host.timeout),
        }
    }
}

/// Returns what a hook says that it may take; the schema takes nothing but durations.
fn limit(timeout: &str) -> Option<Duration> {
    timeout.parse::<GoDuration>().ok().map(|timeout| timeout.0)
}
