//! BuildKit over any pair of byte streams: a session that serves the build, and the build itself.

mod address;
mod compressed;
mod content;
mod filesync;
mod frontend;
mod local_cache;
mod output;
mod progress;
mod receive;
mod session;
mod ssh;
mod tunnel;

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bollard::moby::buildkit::v1::ListWorkersRequest;
use bollard::moby::buildkit::v1::StatusRequest;
use bollard::moby::buildkit::v1::control_client::ControlClient;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::Platform;
use futures::StreamExt as _;
use hyper_util::rt::TokioIo;
use tonic::transport::Channel;
use tonic::transport::Endpoint;

pub use self::address::Address;
pub use self::compressed::compressed;
pub use self::compressed::counted;
pub use self::output::ArchiveFormat;
pub use self::output::Output;
use self::progress::Trace;
pub(crate) use self::session::Session;
use crate::docker::BuildRequest;
use crate::docker::DockerError;
use crate::docker::Wire;
use crate::docker::build_error;
use crate::docker::root_cause;

/// The largest message, by containerd's default for both directions.
const LARGEST_MESSAGE: usize = 16 << 20;
/// How long a question may take that needs no work.
const QUESTION: Duration = Duration::from_secs(40);
/// How often it is asked in the middle of a build whether it is there.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// A BuildKit daemon; clones share its connection.
#[derive(Debug, Clone)]
pub struct BuildKit {
    client: ControlClient<Channel>,
    platforms: Vec<Platform>,
    sent_bytes: Arc<AtomicU64>,
}

impl BuildKit {
    /// Returns the daemon at the other end of a connection, once it has answered.
    ///
    /// # Errors
    /// When it does not answer within 40 s.
    pub async fn over(wire: impl Wire + 'static, cx: &Cx) -> Result<Self, DockerError> {
        let mut client = client_over(Box::new(wire)).await?;
        let platforms = cx.unless_cancelled(ask_platforms(&mut client)).await??;
        Ok(Self { client, platforms, sent_bytes: Arc::default() })
    }

    /// Returns this with a count of what is sent, for whoever wonders about a slow line.
    #[must_use]
    pub fn counted(self, sent_bytes: Arc<AtomicU64>) -> Self {
        Self { sent_bytes, ..self }
    }

    /// Returns whether it still answers.
    pub async fn answers(&self) -> bool {
        ask_platforms(&mut self.client.clone()).await.is_ok()
    }

    /// Returns what it builds for, its own platform first.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// Returns once it does not answer any more. That it is asked also tells it that it is in use, however long a step is silent.
    async fn falls_silent(&self) -> DockerError {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            if let Err(error) = ask_platforms(&mut self.client.clone()).await {
                return error;
            }
        }
    }

    /// Returns the digest of the image that was built, where it goes somewhere that gives it one.
    ///
    /// # Errors
    /// When a step fails, the Dockerfile does not parse, or what the build asks for is not there.
    pub async fn build(&self, request: &BuildRequest, output: &Output, env: &Env, cx: &Cx) -> Result<Option<Digest>, DockerError> {
        let before = self.sent_bytes.load(Ordering::Relaxed);
        let work = Box::pin(async {
            let session = Session::new(request, output, env, cx).await?;
            let _serving = session.serve(tunnel::open(&mut self.client.clone(), &session).await?);
            solve(self.client.clone(), &session, request, output, cx).await
        });
        let built = cx.unless_cancelled(async {
            tokio::select! {
                built = work => built,
                error = self.falls_silent() => Err(error),
            }
        });
        let built = built.await?;
        tracing::debug!("{} bytes were sent to the builder", self.sent_bytes.load(Ordering::Relaxed) - before);
        built
    }
}

/// Returns what a status says, and why where it is about the connection.
fn words(status: &tonic::Status) -> String {
    if status.source().is_some() { format!("{}: {}", status.message(), root_cause(status)) } else { status.message().to_owned() }
}

async fn ask_platforms(client: &mut ControlClient<Channel>) -> Result<Vec<Platform>, DockerError> {
    let failed = |message: String| DockerError::BuildKit { what: "tell what it builds for".to_owned(), message };
    let asked = tokio::time::timeout(QUESTION, client.list_workers(ListWorkersRequest::default())).await;
    let answer = asked.map_err(|_| failed(format!("no answer in {} s", QUESTION.as_secs())))?;
    let workers = answer.map_err(|status| failed(words(&status)))?.into_inner().record;
    let platforms = workers.into_iter().flat_map(|worker| worker.platforms);
    let names = platforms.map(|platform| {
        let variant = if platform.variant.is_empty() { String::new() } else { format!("/{}", platform.variant) };
        format!("{}/{}{variant}", platform.os, platform.architecture)
    });
    Ok(names.filter_map(|name| Platform::parse(&name).ok()).collect())
}

/// Builds an image into the container daemon that `control` leads to; the session must be served to that same daemon.
pub(crate) async fn solve_in_daemon(control: Box<dyn Wire>, session: &Session, request: &BuildRequest, cx: &Cx) -> Result<(), DockerError> {
    solve(client_over(control).await?, session, request, &Output::Daemon, cx).await.map(|_| ())
}

/// Returns the digest of what was built, if there is one.
async fn solve(
    mut client: ControlClient<Channel>,
    session: &Session,
    request: &BuildRequest,
    output: &Output,
    cx: &Cx,
) -> Result<Option<Digest>, DockerError> {
    let solve = frontend::solve_request(request, output, session.caches(), session.id())?;
    let status = StatusRequest { r#ref: solve.r#ref.clone() };
    let mut watcher = client.clone();
    let mut trace = Trace::default();
    let watching = async {
        // Without its progress a build is still a build.
        let mut updates = match watcher.status(status).await {
            Ok(response) => response.into_inner(),
            Err(error) => return tracing::debug!("no progress of the build: {error}"),
        };
        while let Some(Ok(update)) = updates.next().await {
            trace.apply(&update, cx);
        }
    };
    let (result, ()) = tokio::join!(client.solve(solve), watching);
    match (result, session.fault()) {
        (Ok(answer), _) => {
            let mut said = answer.into_inner().exporter_response;
            if let Some(manifest) = said.remove("cache.manifest") {
                session.caches().exported(&manifest)?;
            }
            let digest = said.remove("containerimage.digest");
            Ok(digest.and_then(|digest| digest.parse().ok()))
        }
        // A file or secret that we could not give is what BuildKit only repeats.
        (Err(_), Some(fault)) => Err(fault),
        (Err(status), None) => {
            let (step, last_lines) = trace.into_failure();
            Err(build_error(&request.tag.to_string(), &request.dockerfile, step, last_lines, progress::plain_message(status.message())))
        }
    }
}

async fn client_over(wire: Box<dyn Wire>) -> Result<ControlClient<Channel>, DockerError> {
    let mut wire = Some(TokioIo::new(wire));
    let connector = tower::service_fn(move |_| {
        let wire = wire.take().ok_or_else(|| std::io::Error::other("a taken-over connection cannot be opened again"));
        async move { wire }
    });
    let endpoint = Endpoint::from_static("http://buildkit");
    let channel = endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| DockerError::BuildKit { what: "be reached".to_owned(), message: root_cause(&error) })?;
    Ok(ControlClient::new(channel).max_decoding_message_size(LARGEST_MESSAGE).max_encoding_message_size(LARGEST_MESSAGE))
}
