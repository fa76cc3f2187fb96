//! How releases stand in the cluster, and what follows for each.

use std::collections::BTreeMap;

use devloop_clients::helm::ChartSource;
use devloop_clients::helm::HelmRecord;
use devloop_clients::helm::Verb;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Manifest;
use devloop_model::ObjectKey;
use devloop_model::ReleasedObject;

use super::BEGUN;
use super::Tools;
use super::objects;
use super::wanted::Wanted;
use crate::DeployError;
use crate::inventory::Entry;

/// How a release stands.
#[derive(Debug)]
pub(super) struct Standing {
    /// Its last revision.
    pub(super) last: Option<HelmRecord>,
    /// The objects of that.
    pub(super) manifests: Vec<Manifest>,
    pub(super) next: Next,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// Nothing: it is as it is to be, or is left as it is.
    Keep {
        /// Whether it is as it is to be.
        current: bool,
        /// Its objects.
        objects: Vec<ReleasedObject>,
    },
    /// Something else first.
    Make {
        /// What comes first.
        first: Option<First>,
        /// How it gets into the cluster then.
        verb: Verb,
    },
    /// Nothing that we may decide.
    Refuse(Box<Diagnostic>),
}

/// What comes before an install or upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// Uninstall: its first install did not come to its end, and hooks of an install run in no upgrade.
    Uninstall,
    /// Take back the revision that helm did not come to an end with.
    TakeBack,
}

impl Standing {
    /// Returns whether helm is to run.
    pub(super) fn changes(&self) -> bool {
        matches!(self.next, Next::Make { .. })
    }

    /// Returns whether there is no such release.
    pub(super) fn is_new(&self) -> bool {
        self.last.as_ref().is_none_or(|last| last.status == "uninstalled")
    }

    /// Returns the last revision, or 0.
    pub(super) fn revision(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.revision)
    }
}

/// Returns how each release stands; a release that is as it is to be, but misses objects, is made anew.
pub(super) async fn all(
    tools: &Tools<'_>,
    wanted: &[Wanted],
    records: &BTreeMap<ObjectKey, Vec<HelmRecord>>,
    entries: &BTreeMap<ObjectKey, Entry>,
) -> Result<Vec<Standing>, DeployError> {
    let each = wanted.iter().map(|wanted| {
        let records = records.get(&wanted.key).map(Vec::as_slice).unwrap_or_default();
        one(tools, wanted, records, entries.get(&wanted.key))
    });
    futures::future::try_join_all(each).await
}

async fn one(tools: &Tools<'_>, wanted: &Wanted, records: &[HelmRecord], entry: Option<&Entry>) -> Result<Standing, DeployError> {
    let Some(last) = records.last() else {
        return Ok(Standing { last: None, manifests: Vec::new(), next: Next::Make { first: None, verb: Verb::Install } });
    };
    let manifests = objects::of_record(last, tools.rendering)?;
    let mut next = decide(wanted, records, last, entry, tools.job.force);
    if let Next::Keep { current, objects } = &mut next {
        let (live, missing) = objects::live(&manifests, &last.namespace, tools.cluster, tools.cx).await?;
        *objects = live;
        if *current && !missing.is_empty() {
            next = Next::Make { first: None, verb: Verb::Upgrade };
        }
    }
    if entry.is_none() && matches!(next, Next::Make { .. }) && last.status != "uninstalled" {
        warn_of_takeover(wanted, tools.cx);
    }
    Ok(Standing { last: Some(last.clone()), manifests, next })
}

/// Returns what is to be done with a release that is there, as far as its records say.
fn decide(wanted: &Wanted, records: &[HelmRecord], last: &HelmRecord, entry: Option<&Entry>, force: bool) -> Next {
    // What we announced and nobody ended is ours to clear away.
    let is_left_by_us = entry.is_some_and(|entry| entry.live == BEGUN && entry.uid == last.revision.saturating_sub(1).to_string());
    let may_clear = force || is_left_by_us;
    let make = |first, verb| Next::Make { first, verb };
    match last.status.as_str() {
        "uninstalled" => make(None, Verb::Reinstall),
        "pending-install" | "uninstalling" if may_clear => make(Some(First::Uninstall), Verb::Install),
        "pending-upgrade" | "pending-rollback" if may_clear => make(Some(First::TakeBack), Verb::Upgrade),
        status if last.is_pending() || status == "uninstalling" => Next::Refuse(Box::new(pending(wanted, last))),
        _ if entry.is_none() && is_of_another_chart(wanted, last) && !force => Next::Refuse(Box::new(taken(wanted, last))),
        "failed" if !records.iter().any(|record| record.status == "deployed") && (entry.is_some() || force) => {
            make(Some(First::Uninstall), Verb::Install)
        }
        "deployed" if is_current(wanted, last, entry) => Next::Keep { current: true, objects: Vec::new() },
        "deployed" if !wanted.release.spec.upgrades() => Next::Keep { current: false, objects: Vec::new() },
        _ => make(None, Verb::Upgrade),
    }
}

fn is_current(wanted: &Wanted, last: &HelmRecord, entry: Option<&Entry>) -> bool {
    entry.is_some_and(|entry| entry.manifest == wanted.digest && entry.uid == last.revision.to_string())
}

/// Returns whether the release was made from another chart than it is to be; where that cannot be told, it was not.
fn is_of_another_chart(wanted: &Wanted, last: &HelmRecord) -> bool {
    let name = match &wanted.release.chart {
        ChartSource::Local(chart) => chart.metadata().map(|metadata| metadata.name).ok(),
        // The name of an archive has its version in it.
        ChartSource::Remote(name) => name.rsplit('/').next().filter(|last| !last.contains(".tgz")).map(str::to_owned),
    };
    name.is_some_and(|name| name != last.chart)
}

fn warn_of_takeover(wanted: &Wanted, cx: &Cx) {
    let what = format!("release `{}` is taken over: this configuration did not install it", wanted.release.name);
    let help = "`devloop delete` will uninstall it; give the release another name to leave that one alone";
    cx.warn(Diagnostic::warning("deploy/release-taken-over", what).at(wanted.release.spec.at.clone()).help(help));
}

fn pending(wanted: &Wanted, last: &HelmRecord) -> Diagnostic {
    let name = &wanted.release.name;
    Diagnostic::error("deploy/release-pending", format!("release `{name}` is in the state `{}`", last.status))
        .because(format!("another helm works on revision {} since {}, or was killed at it", last.revision, last.updated))
        .help("wait for it, or run with `--force`, which clears away what it left")
        .at(wanted.release.spec.at.clone())
}

fn taken(wanted: &Wanted, last: &HelmRecord) -> Diagnostic {
    let (name, namespace) = (&wanted.release.name, &last.namespace);
    Diagnostic::error("deploy/release-taken", format!("there is a release `{name}` of another chart in namespace `{namespace}`"))
        .because(format!("it was made from the chart `{}`, and not by this configuration", last.chart))
        .help("give the release another name or namespace, or run with `--force`, which replaces it")
        .at(wanted.release.spec.at.clone())
}

#[cfg(test)]
mod tests {
    use devloop_clients::helm::HelmSettings;
    use devloop_model::HelmChart;
    use devloop_model::HelmRelease;
    use devloop_model::Location;
    use devloop_model::Namespace;
    use devloop_model::Template;
    use devloop_model::Vars;

    use super::*;

    fn wanted(upgrade_on_change: Option<bool>) -> Wanted {
        let at = Location { file: "skaffold.yaml".into(), line: 6, column: 15, text: "      - name: web".into(), width: 3, label: None };
        let spec = HelmRelease {
            upgrade_on_change,
            ..HelmRelease::new(Template::parse("web").unwrap(), HelmChart::Remote("bitnami/app".into()), at)
        };
        let release = devloop_clients::helm::resolve(&spec, &HelmSettings::default(), &Vars::default()).unwrap();
        Wanted { key: super::super::key("web", &release.namespace), release, digest: "d".into(), needs_changes: false }
    }

    fn record(revision: u64, status: &str, chart: &str) -> HelmRecord {
        HelmRecord {
            name: "web".into(),
            namespace: Namespace("default".into()),
            revision,
            status: status.into(),
            chart: chart.into(),
            manifest: String::new(),
            notes: String::new(),
            updated: "2026-01-02T03:04:05Z".into(),
        }
    }

    fn entry(uid: &str, digest: &str) -> Entry {
        let key = super::super::key("web", &Namespace("default".into()));
        Entry { uid: uid.into(), manifest: digest.into(), ..Entry::named(key, "helm.sh/v1".into(), false) }
    }

    fn begun(uid: &str) -> Entry {
        Entry { live: BEGUN.into(), ..entry(uid, "") }
    }

    fn said(next: &Next) -> String {
        match next {
            Next::Keep { current: true, .. } => "current".into(),
            Next::Keep { current: false, .. } => "left".into(),
            Next::Make { first: None, verb } => format!("{verb:?}"),
            Next::Make { first: Some(first), verb } => format!("{first:?}, {verb:?}"),
            Next::Refuse(diagnostic) => diagnostic.code.to_string(),
        }
    }

    #[test]
    fn what_follows_from_how_a_release_stands() {
        let ours = || Some(entry("3", "d"));
        for (records, entry, force, expected) in [
            (vec![record(3, "deployed", "app")], ours(), false, "current"),
            (vec![record(3, "deployed", "app")], ours(), true, "current"),
            // Its chart or values are others, or somebody upgraded it since.
            (vec![record(3, "deployed", "app")], Some(entry("3", "old")), false, "Upgrade"),
            (vec![record(4, "deployed", "app")], ours(), false, "Upgrade"),
            (vec![record(3, "deployed", "app"), record(4, "failed", "app")], ours(), false, "Upgrade"),
            (vec![record(1, "failed", "app")], Some(begun("0")), false, "Uninstall, Install"),
            (vec![record(1, "failed", "app")], None, false, "Upgrade"),
            (vec![record(2, "uninstalled", "app")], None, false, "Reinstall"),
            (vec![record(3, "deployed", "app"), record(4, "pending-upgrade", "app")], ours(), false, "deploy/release-pending"),
            (vec![record(3, "deployed", "app"), record(4, "pending-upgrade", "app")], ours(), true, "TakeBack, Upgrade"),
            // Announced, and killed at it.
            (vec![record(3, "deployed", "app"), record(4, "pending-upgrade", "app")], Some(begun("3")), false, "TakeBack, Upgrade"),
            (vec![record(1, "pending-install", "app")], Some(begun("0")), false, "Uninstall, Install"),
            // It failed before there was another revision, and what was changed was changed back.
            (vec![record(3, "deployed", "app")], Some(Entry { manifest: "d".into(), ..begun("3") }), false, "current"),
            (vec![record(1, "pending-install", "app")], None, false, "deploy/release-pending"),
            (vec![record(1, "pending-install", "app")], None, true, "Uninstall, Install"),
            // Somebody else's.
            (vec![record(1, "deployed", "app")], None, false, "Upgrade"),
            (vec![record(1, "deployed", "other")], None, false, "deploy/release-taken"),
            (vec![record(1, "deployed", "other")], None, true, "Upgrade"),
        ] {
            let next = decide(&wanted(Some(true)), &records, records.last().unwrap(), entry.as_ref(), force);
            assert_eq!(said(&next), expected, "{records:?} {entry:?} {force}");
        }
        // A remote chart is not upgraded, unless that is asked for.
        let records = [record(3, "deployed", "app")];
        assert_eq!(said(&decide(&wanted(None), &records, &records[0], Some(&entry("3", "old")), false)), "left");
    }

    #[test]
    fn states_that_need_a_decision_are_told() {
        let wanted = wanted(None);
        insta::assert_snapshot!(pending(&wanted, &record(4, "pending-upgrade", "app")), @r"
        error[deploy/release-pending]: release `web` is in the state `pending-upgrade`
         --> skaffold.yaml:6:15
          |
        6 |       - name: web
          |               ^^^
          another helm works on revision 4 since 2026-01-02T03:04:05Z, or was killed at it
        help: wait for it, or run with `--force`, which clears away what it left
        ");
        insta::assert_snapshot!(taken(&wanted, &record(4, "deployed", "other")), @r"
        error[deploy/release-taken]: there is a release `web` of another chart in namespace `default`
         --> skaffold.yaml:6:15
          |
        6 |       - name: web
          |               ^^^
          it was made from the chart `other`, and not by this configuration
        help: give the release another name or namespace, or run with `--force`, which replaces it
        ");
    }
}
