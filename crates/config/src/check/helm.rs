//! Releases of helm: each has a chart and a name of its own, and what it comes after is there.
//!
//! Facts: `NewDependencyGraph` in Skaffold's `pkg/skaffold/deploy/helm/dependencygraph.go`.

use std::collections::BTreeSet;

use devloop_model::Diagnostic;
use devloop_model::nearest;

use super::circle::circles;
use crate::loaded::Loaded;
use crate::schema::HelmRelease;

/// Returns every fault of the module's releases.
pub(super) fn releases(module: &Loaded) -> Vec<Diagnostic> {
    let rendered = module.config.manifests.helm.iter().map(|helm| ("/manifests/helm/releases", helm.releases.as_slice()));
    let deployed = module.config.deploy.helm.iter().map(|helm| ("/deploy/helm/releases", helm.releases.as_slice()));
    let lists: Vec<(&str, &[HelmRelease])> = rendered.chain(deployed).collect();
    let all: Vec<&HelmRelease> = lists.iter().flat_map(|(_, releases)| *releases).collect();
    let names: BTreeSet<&str> = all.iter().map(|release| release.name.as_str()).collect();
    let mut faults = Vec::new();
    for (pointer, releases) in &lists {
        for (index, release) in releases.iter().enumerate() {
            let pointer = format!("{pointer}/{index}");
            faults.extend(no_chart(module, &pointer, release));
            faults.extend(twice(module, &pointer, release, &releases[..index]));
            faults.extend(unknown(module, &pointer, release, &names));
        }
    }
    if faults.is_empty() {
        faults.extend(lists.iter().find_map(|(pointer, releases)| circle(module, pointer, releases, &all)));
    }
    faults
}

fn no_chart(module: &Loaded, pointer: &str, release: &HelmRelease) -> Option<Diagnostic> {
    (release.chart_path.is_empty() && release.remote_chart.is_empty()).then(|| {
        let error = module.error("config/no-chart", &format!("{pointer}/name"), format!("release `{}` has no chart", release.name));
        error.help("add `chartPath` with its directory, or `remoteChart` with its name in a repository")
    })
}

/// A name may come back in another namespace, unless `dependsOn` could mean either.
fn twice(module: &Loaded, pointer: &str, release: &HelmRelease, before: &[HelmRelease]) -> Option<Diagnostic> {
    let same = |other: &&HelmRelease| other.name == release.name && other.namespace == release.namespace;
    before.iter().find(same).map(|_| {
        let what = format!("there are two releases `{}`", release.name);
        module.error("config/duplicate-release", &format!("{pointer}/name"), what).help("give each a name, or a namespace, of its own")
    })
}

fn unknown(module: &Loaded, pointer: &str, release: &HelmRelease, known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let entries = release.depends_on.iter().enumerate().filter(|(_, name)| !known.contains(name.as_str()));
    let told = entries.map(|(index, name)| {
        let what = format!("release `{}` depends on `{name}`, which is none of the releases", release.name);
        let error = module.error("config/unknown-release", &format!("{pointer}/dependsOn/{index}"), what);
        let names: Vec<&str> = known.iter().copied().collect();
        match nearest(name, &names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("there are: {}", names.join(", "))),
        }
    });
    told.collect()
}

/// Returns the first circle that is met from this list.
fn circle(module: &Loaded, pointer: &str, releases: &[HelmRelease], all: &[&HelmRelease]) -> Option<Diagnostic> {
    let needs = all.iter().map(|release| (release.name.as_str(), release.depends_on.iter().map(String::as_str).collect())).collect();
    let starts: Vec<&str> = releases.iter().map(|release| release.name.as_str()).collect();
    circles(&starts, &needs).into_iter().find_map(|circle| {
        let index = releases.iter().position(|release| release.name == circle.names[0])?;
        let what = format!("releases depend on each other in a circle: {}", circle.names.join(" → "));
        Some(module.error("config/release-circle", &format!("{pointer}/{index}/dependsOn"), what))
    })
}
