//! What artifacts are built for, once the command line, the configuration and the nodes are known.
//!
//! Source: Skaffold's `pkg/skaffold/platform/resolver.go`.

use devloop_model::Artifact;
use devloop_model::Diagnostic;
use devloop_model::Platform;
use devloop_model::Target;
use devloop_render::Placement;

use crate::session::Session;
use crate::settings::DeploySettings;

/// Settles the platforms of all artifacts: of those that they name, those that nodes run, where any do, and one where only one is wanted.
/// Artifacts that name none are built for [`of_nodes`].
pub(crate) fn settle(session: &mut Session, target: &Target) {
    let build = &session.settings.build;
    let mut unmet: Vec<Diagnostic> = Vec::new();
    for artifact in &mut session.plan.artifacts {
        let mut platforms = std::mem::take(&mut artifact.platforms);
        let on_nodes = Platform::common(&platforms, &target.node_platforms);
        if !on_nodes.is_empty() {
            platforms = on_nodes;
        } else if !platforms.is_empty() && !target.node_platforms.is_empty() {
            let warning = no_node(&platforms, &target.node_platforms);
            unmet.extend((!unmet.contains(&warning)).then_some(warning));
        }
        artifact.platforms = if build.one_platform { one_of(platforms) } else { platforms };
    }
    session.plan.warnings.extend(unmet);
}

/// Returns what artifacts are built for that name no platform; none is the builder's own.
pub(crate) fn of_nodes(session: &Session, target: &Target) -> Vec<Platform> {
    let nodes = target.node_platforms.clone();
    if session.settings.build.one_platform { one_of(nodes) } else { nodes }
}

/// Returns which nodes the images of settled artifacts run on.
pub(crate) fn placement(session: &Session, target: &Target) -> Placement {
    let DeploySettings { node_affinity, arm_toleration, .. } = session.settings.deploy;
    let of_nodes = of_nodes(session, target);
    let built_for = |artifact: &Artifact| if artifact.platforms.is_empty() { of_nodes.clone() } else { artifact.platforms.clone() };
    Placement {
        images: session.plan.artifacts.iter().map(|artifact| (artifact.image.clone(), built_for(artifact))).collect(),
        nodes: target.node_platforms.clone(),
        affinity: node_affinity,
        tolerates_arm: arm_toleration && target.context.as_ref().is_some_and(|context| context.starts_with("gke_")),
    }
}

/// Returns this machine's platform, if it is among several, else the first.
fn one_of(mut platforms: Vec<Platform>) -> Vec<Platform> {
    let own = platforms.iter().position(|platform| (platform.os(), platform.arch()) == ("linux", Platform::host_architecture()));
    platforms.drain(..own.unwrap_or_default());
    platforms.truncate(1);
    platforms
}

fn no_node(platforms: &[Platform], nodes: &[Platform]) -> Diagnostic {
    let what = format!("images are built for {}, but the nodes of the cluster are {}", listed(platforms), listed(nodes));
    Diagnostic::warning("cli/platform", what).help("they will not run there: change `platforms`, or `--platform`")
}

fn listed(platforms: &[Platform]) -> String {
    platforms.iter().map(|platform| format!("`{platform}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platforms(texts: &[&str]) -> Vec<Platform> {
        texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
    }

    #[test]
    fn one_of_several_is_that_of_this_machine() {
        let host = format!("linux/{}", Platform::host_architecture());
        assert_eq!(one_of(platforms(&["linux/riscv64", &host, "linux/s390x"])), platforms(&[&host]));
        assert_eq!(one_of(platforms(&["linux/riscv64", "linux/s390x"])), platforms(&["linux/riscv64"]));
        assert_eq!(one_of(Vec::new()), []);
    }
}
