//! What an artifact is built for where nobody says: the builder's own platform.

use std::sync::Arc;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::Platform;

use crate::BuildOptions;

/// Returns what Go builds for: `GOOS` and `GOARCH`, else Linux on this machine's architecture.
pub(crate) fn of_go(env: &Env) -> Platform {
    let text = format!("{}/{}", env.get("GOOS").unwrap_or("linux"), env.get("GOARCH").unwrap_or(Platform::host_architecture()));
    Platform::parse(&text).unwrap_or_else(|_| Platform::parse("linux/amd64").expect("a platform"))
}

/// Returns what the container daemon builds for, if an artifact is left to it; a daemon that cannot be asked is the builder's to tell.
pub(crate) async fn of_daemon(artifacts: &[Arc<Artifact>], options: &BuildOptions, clients: &Clients, cx: &Cx) -> Option<Platform> {
    let is_left = |artifact: &Arc<Artifact>| {
        matches!(artifact.builder, Builder::Docker(_)) && artifact.cluster().is_none() && options.platforms_of(artifact).is_empty()
    };
    if !artifacts.iter().any(is_left) {
        return None;
    }
    clients.docker(cx).await.ok()?.version().platform.clone()
}

/// Returns what `artifact` is really built for, so that naming the builder's own platform makes no other image than leaving it out.
pub(crate) fn built_for(artifact: &Artifact, options: &BuildOptions, daemon: Option<&Platform>, env: &Env) -> Vec<Platform> {
    let named = options.platforms_of(artifact);
    if !named.is_empty() {
        return named.to_vec();
    }
    vec![match artifact.builder {
        // In the cluster, the nodes decide: they were asked, or are taken to be as this machine.
        Builder::Docker(_) => daemon.cloned().unwrap_or_else(Platform::host),
        Builder::Ko(_) => of_go(env),
        _ => Platform::host(),
    }]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::testing;

    #[test]
    fn an_empty_list_is_the_builders_own_platform() {
        let parse = |text: &str| Platform::parse(text).unwrap();
        let own = BuildOptions::without_cluster("/nowhere".into(), "/".into(), "build");
        let mut nodes = own.clone();
        let host = format!("linux/{}", Platform::host_architecture());
        nodes.target.node_platforms = vec![parse(&host)];
        for artifact in [testing::docker("web", Path::new("/work")), testing::custom("web", Path::new("/work"))] {
            let built = |options| built_for(&artifact, options, None, &Env::default());
            assert_eq!(built(&own), [parse(&host)]);
            assert_eq!(built(&own), built(&nodes));
        }
        let docker = testing::docker("web", Path::new("/work"));
        let daemon = parse("linux/riscv64");
        assert_eq!(built_for(&docker, &own, Some(&daemon), &Env::default()), std::slice::from_ref(&daemon));
        assert_eq!(built_for(&docker, &nodes, Some(&daemon), &Env::default()), [parse(&host)], "what is named wins");
    }

    #[test]
    fn go_is_told_by_its_variables() {
        let env = Env::new([("GOARCH".to_owned(), "arm64".to_owned())].into());
        assert_eq!(of_go(&env).as_str(), "linux/arm64");
        assert_eq!(of_go(&Env::default()).as_str(), format!("linux/{}", Platform::host_architecture()));
    }
}
