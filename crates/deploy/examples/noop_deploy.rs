//! Prints how long deploying 100 Deployments takes: the first time, and when there is nothing to write.
//!
//! `cargo run --release -p devloop-deploy --example noop_deploy -- NAMESPACE [COUNT]`; the namespace has to be there, and
//! what is deployed is deleted at the end.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::time::Instant;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::KubeSettings;
use devloop_deploy::DeployJob;
use devloop_deploy::WaitForDeletions;
use devloop_model::Cx;
use devloop_model::Delivery;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::KubectlDeploy;
use devloop_model::Manifest;
use devloop_model::ManifestSet;
use devloop_model::Namespace;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Target;
use serde_json::json;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [namespace, rest @ ..] = arguments.as_slice() else { return Err("usage: noop_deploy NAMESPACE [COUNT]".into()) };
    let count: usize = rest.first().map_or(Ok(100), |text| text.parse())?;
    let env = Env::new(std::env::vars().collect::<BTreeMap<_, _>>());
    let cx = Cx::new(StepId::of(Stage::Deploy), env.clone(), EventSink::none(), CancellationToken::new());
    let job = job(namespace);
    let manifests = ManifestSet { manifests: (0..count).map(deployment).collect() };
    for round in ["first", "second", "third"] {
        let start = Instant::now();
        let cluster = Cluster::connect(&KubeSettings { env: env.clone(), ..KubeSettings::default() }, &cx).await?;
        devloop_deploy::deploy(&job, &manifests, &cluster, &cx).await?;
        println!("{round} deploy of {count}: {:.3} s, {}", start.elapsed().as_secs_f64(), memory());
    }
    let start = Instant::now();
    let cluster = Cluster::connect(&KubeSettings { env, ..KubeSettings::default() }, &cx).await?;
    devloop_deploy::delete(&job, &manifests, false, &cluster, &cx).await?;
    println!("delete: {:.3} s, {}", start.elapsed().as_secs_f64(), memory());
    Ok(())
}

/// Returns the most memory that this process had so far, as Linux tells it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    format!("peak memory {}", peak.trim())
}

fn job(namespace: &str) -> DeployJob {
    let target = Target {
        context: None,
        namespace: Namespace(namespace.to_owned()),
        namespace_is_forced: false,
        delivery: Delivery::Push,
        default_repo: None,
        multi_level_repo: false,
        node_platforms: Vec::new(),
    };
    DeployJob {
        kubectl: KubectlDeploy::default(),
        target,
        kubeconfig: None,
        inventory: "noop".to_owned(),
        force: false,
        prune: true,
        may_be_empty: false,
        passing: false,
        wait_for_deletions: WaitForDeletions::default(),
    }
}

fn deployment(number: usize) -> Manifest {
    let name = format!("web-{number}");
    let labels = json!({"app": name});
    let container = json!({"name": "app", "image": "localhost:5000/busybox", "command": ["sleep", "1000"], "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "b"}]});
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    });
    Manifest { object, source: "generated".to_owned() }
}
