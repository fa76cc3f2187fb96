//! A builder pod that runs: found, or made.

use std::sync::Arc;
use std::time::Duration;

use devloop_clients::Clients;
use devloop_clients::buildkit::BuildKit;
use devloop_clients::buildkit::compressed;
use devloop_clients::buildkit::counted;
use devloop_clients::docker::DockerError;
use devloop_clients::kube::ApplyOptions;
use devloop_clients::kube::Cluster;
use devloop_clients::kube::ContainerRef;
use devloop_clients::kube::DeleteOptions;
use devloop_clients::kube::Detail;
use devloop_clients::kube::Selection;
use devloop_clients::kube::WatchEvent;
use devloop_clients::kube::built_in_kind;
use devloop_clients::kube::target::LocalRegistry;
use devloop_model::ClusterBuild;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use devloop_model::Stream;
use futures::StreamExt as _;
use serde_json::Value;

use super::Place;
use super::object::BUILDER_LABEL;
use super::object::CONTAINER;
use super::object::Spec;
use super::object::user_in_names;
use super::state::State;
use crate::BuildError;

const JOBS: &str = "batch/v1";
/// How long a pod may take until it runs: its image is pulled first.
const START_LIMIT: Duration = Duration::from_mins(3);
/// How long one may take to end whose connection is lost.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long a builder that was deleted may take to go.
const GONE_LIMIT: Duration = Duration::from_secs(30);
/// How long a pod may find no node: the cluster may be making one.
const UNSCHEDULABLE_LIMIT: Duration = Duration::from_mins(1);

/// What is asked once for a builder.
struct Asked {
    image: String,
    namespace: Namespace,
    user: String,
    registry: Option<LocalRegistry>,
}

impl Asked {
    async fn of(place: Place<'_>, cluster: &Cluster, clients: &Clients, cx: &Cx) -> Result<Self, BuildError> {
        if let Some(id) = place.cluster.run_as_user.filter(|id| *id != 0) {
            let what = format!("`runAsUser: {id}` of `build.cluster` is not root, which the builder has to be in its pod");
            return Err(Diagnostic::error("build/builder-user", what).help("leave it out: the pod has no privilege all the same").into());
        }
        let no_image = || {
            let fault = Diagnostic::error("build/builder-image", "there is no image to make a builder of");
            fault
                .help("push one with `builder-image/build IMAGE`, and name it: `--builder-image IMAGE`, `builder-image` of the settings, or `build.cluster.builderImage` of a devloop/v1 file")
        };
        let namespace = place.cluster.namespace.clone();
        Ok(Self {
            image: clients.pinned(super::image(place.cluster, place.options).ok_or_else(no_image)?, cx).await,
            namespace: namespace.unwrap_or_else(|| place.options.target.namespace.clone()),
            user: user_in_names(cx.env.get("USER").or(cx.env.get("LOGNAME")).unwrap_or_default()),
            registry: cluster.local_registry(cx).await?,
        })
    }

    fn spec<'a>(&'a self, place: Place<'a>) -> Spec<'a> {
        Spec {
            image: &self.image,
            namespace: &self.namespace,
            user: &self.user,
            // Of several platforms all but the node's own are emulated, wherever that is.
            platform: if let [platform] = place.platforms { Some(platform) } else { None },
            cluster: place.cluster,
            insecure: &place.options.builder.insecure,
            registry: self.registry.as_ref(),
            idle: place.options.builder.idle,
            unconfined: false,
        }
    }
}

/// Returns the builder for this place, which runs.
///
/// # Errors
/// When none can be made.
pub(super) async fn builder(place: Place<'_>, clients: &Clients, cx: &Cx) -> Result<BuildKit, BuildError> {
    let cluster = clients.cluster(cx).await?;
    let asked = Asked::of(place, cluster, clients, cx).await?;
    let spec = asked.spec(place);
    let key = format!("{}/{}", asked.namespace, spec.name());
    let open = || async {
        let buildkit = open(spec, cluster, cx).await?;
        for warning in unused_secrets(place.cluster) {
            cx.warn(warning);
        }
        Ok(buildkit)
    };
    clients.builder(&key, open).await
}

/// Returns what can be said of the builder of this place without starting one.
///
/// # Errors
/// Why there can be none: no image, no rights, a rule of the namespace.
pub(super) async fn examine(place: Place<'_>, clients: &Clients, cx: &Cx) -> Result<String, BuildError> {
    let cluster = clients.cluster(cx).await?;
    let asked = Asked::of(place, cluster, clients, cx).await?;
    let spec = asked.spec(place);
    for spec in [spec, Spec { unconfined: true, ..spec }] {
        let job = spec.job();
        if cluster.get(JOBS, &ObjectKey::of(&job), cx).await?.is_some_and(|job| !has_ended(&job)) {
            let profile = if spec.unconfined { ", with seccomp and AppArmor switched off" } else { "" };
            return Ok(format!("runs in namespace {} as {}{profile}", asked.namespace, spec.name()));
        }
    }
    let options = ApplyOptions { dry_run: true, ..ApplyOptions::default() };
    cluster.apply_over(&spec.job(), None, options, cx).await?;
    Ok(format!(
        "none runs yet in namespace {}, which would take one; whether a node lets it make user namespaces and overlays is seen by the first build",
        asked.namespace
    ))
}

/// Returns a connection to a builder that is found or made; where its defaults forbid it to run, one without them is tried.
async fn open(spec: Spec<'_>, cluster: &Cluster, cx: &Cx) -> Result<BuildKit, BuildError> {
    let why = match run(spec, cluster, cx).await? {
        Ok(buildkit) => return Ok(buildkit),
        Err(why) => why,
    };
    cx.log(Stream::Stderr, format!("{why}\nOnce more, with seccomp and AppArmor switched off for the builder"));
    match run(Spec { unconfined: true, ..spec }, cluster, cx).await {
        Ok(Ok(buildkit)) => Ok(buildkit),
        Err(BuildError::Cancelled(cancelled)) => Err(cancelled.into()),
        Ok(Err(_)) | Err(_) => Err(cannot_run(&why).into()),
    }
}

/// Returns a connection to a builder, or what it said when it ended at once.
async fn run(spec: Spec<'_>, cluster: &Cluster, cx: &Cx) -> Result<Result<BuildKit, String>, BuildError> {
    loop {
        let pod = match start(spec, cluster, cx).await? {
            Started::Runs(pod) => pod,
            Started::Ended(why) => return Ok(Err(why)),
            Started::Gone => continue,
        };
        match connect(spec, &pod, cluster, cx).await {
            Ok(buildkit) => return Ok(Ok(buildkit)),
            // One that was about to end makes room for the next.
            Err(error) if !ends(&pod, spec.namespace, cluster, cx).await? => return Err(error),
            Err(error) => tracing::debug!("builder {pod} has ended: {error}"),
        }
    }
}

/// Returns whether a pod ends, or is gone, within a moment.
async fn ends(pod: &str, namespace: &Namespace, cluster: &Cluster, cx: &Cx) -> Result<bool, BuildError> {
    let pods = built_in_kind("v1", "Pod").expect("pods are in the table");
    let selection = Selection::of(pods, Some(namespace.clone())).fields(format!("metadata.name={pod}"));
    let mut events = std::pin::pin!(cluster.watch(&selection, cx));
    let ended = async {
        let mut is_there = false;
        loop {
            match events.next().await {
                None => return Err(devloop_model::Cancelled.into()),
                Some(Ok(WatchEvent::Applied(pod))) if matches!(State::of(&pod), State::Runs) => is_there = true,
                Some(Ok(WatchEvent::Listed)) if is_there => {}
                Some(Ok(WatchEvent::Listing)) => {}
                Some(Ok(_)) => return Ok(true),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    };
    tokio::time::timeout(END_LIMIT, ended).await.unwrap_or(Ok(false))
}

/// Returns a warning for each secret of the configuration that a builder does not look at: sessions bring their own credentials.
fn unused_secrets(cluster: &ClusterBuild) -> Vec<Diagnostic> {
    let fields = [("pullSecretName", cluster.pull_secret.is_some()), ("dockerConfig", cluster.docker_config.is_some())];
    let fields = fields.into_iter().filter(|(_, is_set)| *is_set);
    let warning = |(field, _)| {
        Diagnostic::warning("build/no-effect", format!("`build.cluster.{field}` has no effect on a builder pod"))
            .because("a builder signs in to registries with the docker configuration of this machine, and keeps no secret in the cluster")
            .help(
                "sign in here with `docker login`, or let a kaniko pod build, which mounts the secret: set `kaniko.image` of the artifact",
            )
    };
    fields.map(warning).collect()
}

fn cannot_run(why: &str) -> Diagnostic {
    let fault = Diagnostic::error("build/builder", "no builder can run in this cluster");
    let fault = why.lines().fold(fault, |fault, line| fault.because(line.to_owned()));
    fault.help(
        "change what it says, choose other nodes by `build.cluster.nodeSelector`, or build by kaniko: set `kaniko.image` of the artifact",
    )
}

/// What became of a builder.
enum Started {
    /// It runs, in this pod.
    Runs(String),
    /// It ended at once: what it said.
    Ended(String),
    /// It was about to go.
    Gone,
}

async fn start(spec: Spec<'_>, cluster: &Cluster, cx: &Cx) -> Result<Started, BuildError> {
    let job = spec.job();
    let key = ObjectKey::of(&job);
    if let Some(old) = cluster.get(JOBS, &key, cx).await? {
        if !has_ended(&old) {
            cx.log(Stream::Stdout, format!("Builder: BuildKit in a warm pod of namespace {} ({})", spec.namespace, key.name));
            return wait(&key, &old, cluster, cx).await;
        }
        let options = DeleteOptions { uid: old["metadata"]["uid"].as_str().map(str::to_owned), ..DeleteOptions::default() };
        cluster.delete(JOBS, &key, &options, cx).await?;
        cluster.wait_gone(JOBS, &key, options.uid.as_deref(), GONE_LIMIT, cx).await?;
    }
    cx.log(Stream::Stdout, format!("Builder: a new pod of namespace {} ({})", spec.namespace, key.name));
    let made = cluster.apply_over(&job, None, ApplyOptions::default(), cx).await?.object;
    wait(&key, &made, cluster, cx).await
}

fn has_ended(job: &Value) -> bool {
    let ended = |condition: &Value| condition["status"] == "True" && (condition["type"] == "Failed" || condition["type"] == "Complete");
    job["status"]["conditions"].as_array().is_some_and(|conditions| conditions.iter().any(ended))
        || !job["metadata"]["deletionTimestamp"].is_null()
}

/// Waits until the pod of a Job runs.
async fn wait(key: &ObjectKey, job: &Value, cluster: &Cluster, cx: &Cx) -> Result<Started, BuildError> {
    let pods = built_in_kind("v1", "Pod").expect("pods are in the table");
    let selection = Selection::of(pods, key.namespace.clone()).labels(format!("job-name={}", key.name));
    let jobs = built_in_kind(JOBS, "Job").expect("jobs are in the table");
    let own = Selection::of(jobs, key.namespace.clone()).fields(format!("metadata.name={}", key.name));
    let mut events = futures::stream::select(cluster.watch(&selection, cx), cluster.watch(&own, cx));
    let mut stuck: Option<(tokio::time::Instant, Diagnostic)> = None;
    let mut ended = None;
    let give_up = tokio::time::Instant::now() + START_LIMIT;
    loop {
        let until = stuck.as_ref().map_or(give_up, |(at, _)| *at).min(give_up);
        let event = match tokio::time::timeout_at(until, events.next()).await {
            Err(_) => {
                let slow =
                    || Diagnostic::error("build/builder", format!("the builder {} did not start in {} s", key.name, START_LIMIT.as_secs()));
                return Err(stuck.map_or_else(slow, |(_, why)| why).into());
            }
            Ok(None) => return Err(devloop_model::Cancelled.into()),
            Ok(Some(event)) => event?,
        };
        let WatchEvent::Applied(pod) = event else { continue };
        if pod["kind"] == "Job" {
            // Its pod, which says more, is told first where there is one.
            if pod["metadata"]["uid"] == job["metadata"]["uid"]
                && has_ended(&pod)
                && pod["status"]["active"].as_i64().unwrap_or_default() == 0
            {
                return Ok(ended.map_or(Started::Gone, Started::Ended));
            }
            continue;
        }
        if pod["metadata"]["ownerReferences"][0]["uid"] != job["metadata"]["uid"] || !pod["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        match State::of(&pod) {
            State::Runs => return Ok(Started::Runs(pod["metadata"]["name"].as_str().unwrap_or_default().to_owned())),
            State::Ended(why) => ended = Some(why),
            State::Hopeless(fault) => return Err(fault.into()),
            State::Stuck(fault) => stuck = Some((tokio::time::Instant::now() + UNSCHEDULABLE_LIMIT, fault)),
            State::Starts => stuck = None,
        }
    }
}

async fn connect(spec: Spec<'_>, pod: &str, cluster: &Cluster, cx: &Cx) -> Result<BuildKit, BuildError> {
    let container = ContainerRef { namespace: spec.namespace.clone(), pod: pod.to_owned(), container: CONTAINER.to_owned() };
    let command = ["/bin/devloop", "builder", "dial", "--compressed"].map(str::to_owned);
    let dialled = cluster.exec(&container, &command, cx).await?;
    let sent_bytes = Arc::default();
    let dialled = compressed(counted(dialled, Arc::clone(&sent_bytes)));
    Ok(BuildKit::over(dialled, cx).await.map(|buildkit| buildkit.counted(sent_bytes)).map_err(|error: DockerError| {
        let fault = Diagnostic::error("build/builder", format!("the builder in pod/{pod} does not answer"));
        fault.caused_by(error.diagnostic()).help(format!("see `kubectl logs --namespace {} {pod}`", spec.namespace))
    })?)
}

/// Returns the names of the builders in a namespace that were deleted.
///
/// # Errors
/// When the cluster does not let them be listed or deleted.
pub async fn remove_builders(namespace: &Namespace, clients: &Clients, cx: &Cx) -> Result<Vec<String>, BuildError> {
    let cluster = clients.cluster(cx).await?;
    let kind = built_in_kind(JOBS, "Job").expect("jobs are in the table");
    let selection = Selection::of(kind, Some(namespace.clone())).labels(format!("{BUILDER_LABEL}=buildkit"));
    let mut removed = Vec::new();
    for job in cluster.list(&selection, Detail::Metadata, cx).await? {
        let name = job["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = ObjectKey { kind: "Job".to_owned(), name: name.clone(), namespace: Some(namespace.clone()), ..ObjectKey::of(&job) };
        if cluster.delete(JOBS, &key, &DeleteOptions::default(), cx).await? {
            removed.push(name);
        }
    }
    Ok(removed)
}
