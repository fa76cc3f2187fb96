//! Which files of an artifact are synced, and what runs around it.

use std::collections::HashSet;

use devloop_model::Artifact;
use devloop_model::ImageName;
use devloop_model::SyncMode;
use devloop_model::SyncRule;
use devloop_model::SyncSpec;

use super::convert::Converter;
use crate::schema;

impl Converter<'_> {
    /// Returns what is synced; defaults have filled in a mode where none is written.
    pub(super) fn sync(&self, sync: &schema::Sync) -> Option<SyncSpec> {
        let rule = |rule: &schema::SyncRule| SyncRule { src: rule.src.clone(), dest: rule.dest.clone(), strip: rule.strip.clone() };
        let mode = if !sync.manual.is_empty() {
            SyncMode::Manual(sync.manual.iter().map(rule).collect())
        } else if !sync.infer.is_empty() {
            SyncMode::Infer(sync.infer.clone())
        } else if sync.auto == Some(true) {
            SyncMode::Auto
        } else {
            return None;
        };
        Some(SyncSpec { mode, hooks: self.sync_hooks(&sync.hooks) })
    }
}

/// Takes sync away from artifacts that others are built from: their files are in other images too, so that every change is built
/// (skaffold `pkg/skaffold/runner/v1/dev.go`).
pub(super) fn only_of_leaves(artifacts: &mut [Artifact]) {
    let required: HashSet<ImageName> =
        artifacts.iter().flat_map(|artifact| &artifact.requires).map(|requirement| requirement.image.clone()).collect();
    for artifact in artifacts.iter_mut().filter(|artifact| required.contains(&artifact.image)) {
        artifact.sync = None;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use devloop_model::ContainerHook;
    use devloop_model::Hook;
    use devloop_model::HostHook;

    use super::super::tests::plan_of;
    use super::*;

    fn modes(body: &str) -> Vec<Option<SyncMode>> {
        plan_of(body).artifacts.into_iter().map(|artifact| artifact.sync.map(|sync| sync.mode)).collect()
    }

    #[test]
    fn modes_come_with_their_defaults() {
        let all = SyncMode::Infer(vec!["**/*".into()]);
        for (sync, expected) in [
            ("", None),
            ("sync: {}", Some(all.clone())),
            ("sync: {manual: [], hooks: {before: [{host: {command: [a]}}]}}", Some(all)),
            ("sync: {infer: [a, b]}", Some(SyncMode::Infer(vec!["a".into(), "b".into()]))),
            ("sync: {auto: true}", Some(SyncMode::Auto)),
            ("sync: {auto: false}", None),
            (
                "sync: {manual: [{src: 's/*', dest: ., strip: s/}]}",
                Some(SyncMode::Manual(vec![SyncRule { src: "s/*".into(), dest: ".".into(), strip: "s/".into() }])),
            ),
        ] {
            let separator = if sync.is_empty() { "" } else { ", " };
            assert_eq!(modes(&format!("build: {{artifacts: [{{image: web{separator}{sync}}}]}}\n")), [expected], "{sync}");
        }
    }

    #[test]
    fn hooks_keep_their_order() {
        let plan = plan_of(
            "build: {artifacts: [{image: web, sync: {hooks: {before: [{container: {command: [a, b]}}, {host: {command: [c], os: [linux], dir: sub}}], after: [{host: {command: [d]}}]}}}]}\n",
        );
        let sync = plan.artifacts[0].sync.as_ref().unwrap();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            sync.hooks.before,
            [
                Hook::Container(ContainerHook { command: words(&["a", "b"]), ..ContainerHook::default() }),
                Hook::Host(HostHook {
                    command: words(&["c"]),
                    os: words(&["linux"]),
                    dir: Some(PathBuf::from("/project/sub")),
                    limit: None
                })
            ]
        );
        assert_eq!(sync.hooks.after, [Hook::Host(HostHook { command: words(&["d"]), ..HostHook::default() })]);
    }

    #[test]
    fn what_others_are_built_from_is_not_synced() {
        let body = "build: {artifacts: [{image: base, sync: {}}, {image: web, sync: {}, requires: [{image: base}]}]}\n";
        assert_eq!(modes(body).iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn what_runs_in_the_daemon_is_synced() {
        let body = "build: {artifacts: [{image: web, sync: {}}]}\ndeploy: {docker: {images: [web]}}\n";
        assert_eq!(modes(body), [Some(SyncMode::Infer(vec!["**/*".into()]))]);
    }
}
