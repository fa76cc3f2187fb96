//! BuildKit over any pair of byte streams: a session that serves the build, and the build itself.

mod filesync;
mod frontend;
mod progress;
mod session;
mod ssh;

use bollard::moby::buildkit::v1::StatusRequest;
use bollard::moby::buildkit::v1::control_client::ControlClient;
use devloop_model::Cx;
use futures::StreamExt as _;
use hyper_util::rt::TokioIo;
use tonic::transport::Channel;
use tonic::transport::Endpoint;

use crate::docker::BuildRequest;
use crate::docker::DockerError;
use crate::docker::Wire;
use crate::docker::build_error;
use progress::Trace;
pub(crate) use session::Session;

/// The largest message, by containerd's default for both directions.
const LARGEST_MESSAGE: usize = 16 << 20;

/// Builds an image into the daemon that `control` leads to; the session must be served to that same daemon.
pub(crate) async fn solve(control: Box<dyn Wire>, session: &Session, request: &BuildRequest, cx: &Cx) -> Result<(), DockerError> {
    let channel = channel_over(control).await?;
    let mut client = ControlClient::new(channel).max_decoding_message_size(LARGEST_MESSAGE).max_encoding_message_size(LARGEST_MESSAGE);
    let solve = frontend::solve_request(request, session.id())?;
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
        (Ok(_), _) => Ok(()),
        // A file or secret that we could not give is what BuildKit only repeats.
        (Err(_), Some(fault)) => Err(fault),
        (Err(status), None) => {
            let (step, last_lines) = trace.into_failure();
            Err(build_error(&request.tag.to_string(), &request.dockerfile, step, last_lines, progress::plain_message(status.message())))
        }
    }
}

async fn channel_over(wire: Box<dyn Wire>) -> Result<Channel, DockerError> {
    let mut wire = Some(TokioIo::new(wire));
    let connector = tower::service_fn(move |_| {
        let wire = wire.take().ok_or_else(|| std::io::Error::other("a taken-over connection cannot be opened again"));
        async move { wire }
    });
    let endpoint = Endpoint::from_static("http://buildkit");
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| DockerError::Answer { what: "open BuildKit".to_owned(), message: error.to_string() })
}
