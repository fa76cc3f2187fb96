//! Images from a Dockerfile, by kaniko in a pod.

mod arguments;
mod context;
mod inside;
mod lease;
mod log;
mod pod;
mod run;
mod secrets;
mod state;
mod upload;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use devloop_clients::Clients;
use devloop_clients::kube::Cluster;
use devloop_model::Artifact;
use devloop_model::ClusterBuild;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::ImageRef;
use devloop_model::KanikoBuild;
use devloop_model::Namespace;
use devloop_model::Platform;
use devloop_model::Stream;
use devloop_model::Template;

use self::arguments::Environment;
use self::arguments::Told;
use self::arguments::rendered;
use self::context::Sent;
use self::inside::Inside;
use self::lease::Lease;
use self::pod::Pod;
use self::run::Run;
use self::secrets::Secrets;
use self::secrets::Shelf;
use super::image_vars;
use crate::BuildError;
use crate::BuildOptions;

/// How long cleaning up may take.
const CLEAN_UP: Duration = Duration::from_secs(20);
/// What an archived project's images are called.
const ARCHIVED: &str = "gcr.io/kaniko-project/";

/// What is built besides what the configuration says of kaniko.
#[derive(Debug)]
pub(crate) struct KanikoJob<'a> {
    pub(crate) artifact: &'a Artifact,
    /// `build.cluster`.
    pub(crate) build: &'a ClusterBuild,
    /// The name and tag that the image gets.
    pub(crate) reference: &'a ImageRef,
    /// What to build for; none is what the node runs.
    pub(crate) platform: Option<Platform>,
    /// What of the context the Dockerfile uses, relative to it.
    pub(crate) files: Vec<PathBuf>,
    /// The Dockerfile, relative to the context or absolute.
    pub(crate) dockerfile: PathBuf,
    /// Build arguments, templates and required images resolved.
    pub(crate) build_args: &'a BTreeMap<String, String>,
    /// See [`variables`].
    pub(crate) variables: &'a BTreeMap<String, String>,
    pub(crate) options: &'a BuildOptions,
}

/// Returns the variables of `kaniko.env` that have a text, rendered.
///
/// # Errors
/// When a template fails.
pub(crate) fn variables(spec: &KanikoBuild, reference: &ImageRef, env: &Env) -> Result<BTreeMap<String, String>, BuildError> {
    let vars = image_vars(Some(reference), env);
    let texts = spec.env.iter().filter_map(|variable| Some((&variable.name, variable.value.as_ref()?)));
    texts.map(|(name, template)| Ok((name.clone(), rendered(template, &vars, &format!("env.{name}"))?))).collect()
}

/// What of kaniko's fields any builder of Dockerfiles understands, besides the Dockerfile's own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) labels: BTreeMap<String, String>,
    /// More names to push to.
    pub(crate) destinations: Vec<String>,
    /// The repository of cached steps.
    pub(crate) cache: Option<String>,
    /// Whether the registry of the image is spoken to without TLS.
    pub(crate) is_insecure: bool,
}

/// Returns those fields, rendered.
///
/// # Errors
/// When a template fails.
pub(crate) fn plain(spec: &KanikoBuild, reference: &ImageRef, env: &Env) -> Result<Plain, BuildError> {
    let vars = image_vars(Some(reference), env);
    let label = |(name, template): (&String, &Option<Template>)| {
        let value = template.as_ref().map(|template| rendered(template, &vars, &format!("label.{name}"))).transpose()?;
        Ok((name.clone(), value.unwrap_or_default()))
    };
    let destinations = spec.destinations.iter().map(|template| rendered(template, &vars, "destination"));
    Ok(Plain {
        labels: spec.labels.iter().map(label).collect::<Result<_, BuildError>>()?,
        destinations: destinations.collect::<Result<_, _>>()?,
        cache: spec.cache.as_ref().and_then(|cache| cache.repo.clone()),
        is_insecure: is_insecure(spec, reference),
    })
}

fn is_insecure(spec: &KanikoBuild, reference: &ImageRef) -> bool {
    let host = reference.name.domain();
    spec.flags.iter().any(|(name, value)| match name.as_str() {
        "insecure" => true,
        "insecure-registry" => value.as_deref() == host,
        _ => false,
    })
}

/// Returns what a pod has to build for: kaniko builds for what it runs on. Of the platforms of the cluster's own nodes, any will do.
///
/// # Errors
/// When the configuration asks for several.
pub(crate) fn platform(artifact: &Artifact, options: &BuildOptions) -> Result<Option<Platform>, BuildError> {
    match options.asked_platforms_of(artifact) {
        [] => Ok(options.target.node_platforms.first().cloned()),
        [platform] => Ok(Some(platform.clone())),
        several => {
            let names: Vec<&str> = several.iter().map(Platform::as_str).collect();
            let what = format!("a kaniko pod builds for one platform, and `{}` is for {}", artifact.image, names.join(", "));
            Err(Diagnostic::error("build/kaniko-platforms", what)
                .help("name one platform, or use `docker` or `ko` instead of `kaniko`")
                .into())
        }
    }
}

/// Builds and pushes the image, and returns its digest. Whatever comes of it, neither the pod nor what was made for it stays.
///
/// # Errors
/// When the build fails, or the cluster does not let it run.
pub(crate) async fn build(spec: &KanikoBuild, job: KanikoJob<'_>, clients: &Clients, cx: &Cx) -> Result<Digest, BuildError> {
    let cluster = clients.cluster(cx).await?;
    let namespace = self::namespace(job.build, clients, cx).await?;
    for line in announcement(spec) {
        cx.log(Stream::Stdout, line);
    }
    let inside = Inside::new(cluster.local_registry(cx).await?);
    // What cannot be is told before anything is made.
    let sent = Sent {
        root: job.artifact.context.clone(),
        files: job.files.clone(),
        dockerfile: job.dockerfile.clone(),
        level: spec.compression_level,
    };
    let arguments = arguments(spec, &job, &sent, &inside, cx)?;
    let built = with_shelf(job.build, &namespace, cluster, cx, async |shelf| {
        let name = format!("kaniko-{}", shelf.suffix);
        let built = Building { spec, job: &job, shelf, inside: &inside, name: &name, arguments: &arguments }.run(sent, cx).await;
        tokio::time::timeout(CLEAN_UP, run::remove(&name, &namespace, cluster, &cx.for_clean_up())).await.ok();
        built
    });
    match built.await? {
        Some(digest) => Ok(digest),
        // Another kaniko may leave no digest.
        None => in_registry(job.reference, clients, cx).await,
    }
}

/// Returns the namespace of pods that build: that of the Kubernetes context, unless the configuration names one.
///
/// # Errors
/// When there is no context.
pub(crate) async fn namespace(build: &ClusterBuild, clients: &Clients, cx: &Cx) -> Result<Namespace, BuildError> {
    match &build.namespace {
        Some(namespace) => Ok(namespace.clone()),
        None => Ok(Namespace(clients.cluster(cx).await?.default_namespace().to_owned())),
    }
}

/// Returns what `work` gives, with the names of the secrets that a command of the user's may mount in pods of its own; those that are made
/// for it go afterwards. They are of a Google service account key, and of a docker configuration.
///
/// # Errors
/// When a secret cannot be had, or `work` fails.
pub(crate) async fn with_secrets<T>(
    build: &ClusterBuild,
    namespace: &Namespace,
    clients: &Clients,
    cx: &Cx,
    work: impl AsyncFnOnce([Option<String>; 2]) -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    if build.pull_secret.is_none() && build.docker_config.is_none() {
        return work([None, None]).await;
    }
    let cluster = clients.cluster(cx).await?;
    let work = async |shelf: &Shelf<'_>| {
        let Secrets { pull, docker_config } = shelf.provide(build, cx).await?;
        work([pull, docker_config].map(|secret| secret.map(|secret| secret.name))).await
    };
    with_shelf(build, namespace, cluster, cx, work).await
}

/// Returns what `work` gives; the secrets that it makes on its shelf go afterwards, or when the next build finds that we crashed.
async fn with_shelf<T>(
    build: &ClusterBuild,
    namespace: &Namespace,
    cluster: &Cluster,
    cx: &Cx,
    work: impl AsyncFnOnce(&Shelf<'_>) -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    let own = uuid::Uuid::new_v4().simple().to_string();
    let suffix = &own[..10];
    let mut lease = Lease::take(&format!("devloop-build-{suffix}"), namespace, cluster, cx).await?;
    let owner = lease.as_ref().map(|lease| lease.owner.clone());
    let shelf = Shelf { cluster, namespace, owner: owner.as_ref(), suffix };
    let done = tokio::select! {
        done = work(&shelf) => done,
        never = kept(lease.as_mut(), cx) => match never {},
    };
    let cleaning = async {
        let cx = &cx.for_clean_up();
        shelf.clear(build, cx).await;
        if let Some(lease) = lease {
            lease.end(cx).await;
        }
    };
    if tokio::time::timeout(CLEAN_UP, cleaning).await.is_err() {
        tracing::debug!(lease = suffix, "not cleaned up in time");
    }
    done
}

async fn kept(lease: Option<&mut Lease<'_>>, cx: &Cx) -> Infallible {
    match lease {
        Some(lease) => lease.keep(cx).await,
        None => std::future::pending().await,
    }
}

/// Returns what is said first: that a pod builds, and why.
pub(super) fn announcement(spec: &KanikoBuild) -> Vec<String> {
    let image = spec.image.as_deref().unwrap_or(KanikoBuild::IMAGE);
    let asked = match (&spec.only_kaniko, &spec.image) {
        (None, None) => ": there is no image of a builder pod (`--builder-image`)".to_owned(),
        (None, Some(image)) => format!(": `image: {image}` asks for it"),
        _ => String::new(),
    };
    let why = spec.only_kaniko.as_ref().map_or(asked, |field| format!(": `{field}` is for kaniko alone"));
    let mut lines = vec![format!("kaniko pod{why}")];
    if image.starts_with(ARCHIVED) {
        lines.push(format!(
            "`{image}` is archived: set `kaniko.image` to one that is looked after: what `builder-image/build` pushes has its command line"
        ));
    }
    lines
}

fn arguments(spec: &KanikoBuild, job: &KanikoJob<'_>, sent: &Sent, inside: &Inside, cx: &Cx) -> Result<Vec<String>, BuildError> {
    let vars = image_vars(Some(job.reference), &cx.env);
    let told = Told {
        spec,
        reference: job.reference,
        dockerfile: &sent.dockerfile_inside(),
        build_args: job.build_args,
        vars: &vars,
        insecure_registries: &job.options.settings.insecure_registries,
        inside,
        is_kind: is_kind(job.options.target.context.as_deref()),
    };
    told.arguments()
}

/// Returns whether the nodes are containers of kind, as the names that kind gives to contexts say.
fn is_kind(context: Option<&str>) -> bool {
    context.is_some_and(|context| context.starts_with("kind-") || context.ends_with("@kind"))
}

async fn in_registry(reference: &ImageRef, clients: &Clients, cx: &Cx) -> Result<Digest, BuildError> {
    let missing = || {
        let what = format!("kaniko says that it pushed `{reference}`, and the registry has no such image");
        BuildError::from(Diagnostic::error("build/kaniko-no-image", what))
    };
    clients.registry().digest(reference, cx).await?.ok_or_else(missing)
}

/// A build that has a name in its cluster.
struct Building<'a> {
    spec: &'a KanikoBuild,
    job: &'a KanikoJob<'a>,
    shelf: &'a Shelf<'a>,
    inside: &'a Inside,
    name: &'a str,
    arguments: &'a [String],
}

impl Building<'_> {
    /// Returns the digest that kaniko left, if it did.
    async fn run(&self, sent: Sent, cx: &Cx) -> Result<Option<Digest>, BuildError> {
        let Self { spec, job, shelf, .. } = self;
        let cluster: &Cluster = shelf.cluster;
        let secrets = shelf.provide(job.build, cx).await?;
        let pull_secret = job.build.pull_secret.as_ref().zip(secrets.pull.as_ref());
        let vars = image_vars(Some(job.reference), &cx.env);
        let image = ["IMAGE_REPO", "IMAGE_NAME", "IMAGE_TAG"].map(|name| (name.to_owned(), vars.get(name).unwrap_or_default().to_owned()));
        let environment = Environment {
            spec,
            cluster: job.build,
            rendered: job.variables,
            image: &image,
            pull_secret: pull_secret.map(|(pull, secret)| format!("{}/{}", pull.mount_path.trim_end_matches('/'), secret.key)),
            inside: self.inside,
        };
        let pod = Pod {
            spec,
            cluster: job.build,
            name: self.name,
            namespace: shelf.namespace,
            owner: shelf.owner,
            platform: job.platform.as_ref(),
            arguments: self.arguments,
            environment: environment.variables(),
            pull_secret: secrets.pull.as_ref(),
            docker_config: secrets.docker_config.as_ref(),
        };
        let run =
            Run { spec, timeout: job.build.timeout, artifact: job.artifact, namespace: shelf.namespace, name: self.name, cluster, cx };
        run.to_its_end(&pod.object(), sent).await
    }
}

#[cfg(test)]
mod tests;
