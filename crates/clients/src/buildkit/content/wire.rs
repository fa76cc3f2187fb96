//! The messages and the routes of containerd's content service (`api/services/content/v1/content.proto`), as far as BuildKit uses it.

use std::convert::Infallible;
use std::task::Context;
use std::task::Poll;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tonic::Request;
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::server::NamedService;
use tonic_prost::ProstCodec;
use tower::Service;
use tower::service_fn;

use super::Stores;
use crate::buildkit::LARGEST_MESSAGE;

/// Everything that the service answers to, for the headers of a session.
pub(in crate::buildkit) const METHODS: [&str; 3] = [INFO, READ, WRITE];

const INFO: &str = "/containerd.services.content.v1.Content/Info";
const READ: &str = "/containerd.services.content.v1.Content/Read";
const WRITE: &str = "/containerd.services.content.v1.Content/Write";

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InfoRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) info: Option<Info>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Info {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(int64, tag = "2")]
    pub(super) size: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(int64, tag = "2")]
    pub(super) offset: i64,
    /// Zero is all that is left.
    #[prost(int64, tag = "3")]
    pub(super) size: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadResponse {
    #[prost(int64, tag = "1")]
    pub(super) offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
pub(super) enum WriteAction {
    Stat = 0,
    Write = 1,
    Commit = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteRequest {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub(super) action: i32,
    #[prost(int64, tag = "3")]
    pub(super) total: i64,
    #[prost(string, tag = "4")]
    pub(super) expected: String,
    #[prost(int64, tag = "5")]
    pub(super) offset: i64,
    #[prost(bytes = "vec", tag = "6")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WriteResponse {
    #[prost(enumeration = "WriteAction", tag = "1")]
    pub(super) action: i32,
    #[prost(int64, tag = "4")]
    pub(super) offset: i64,
    #[prost(int64, tag = "5")]
    pub(super) total: i64,
    #[prost(string, tag = "6")]
    pub(super) digest: String,
}

/// The service, over the stores of one build.
#[derive(Debug, Clone)]
pub(in crate::buildkit) struct ContentServer(pub(in crate::buildkit) Stores);

impl NamedService for ContentServer {
    const NAME: &'static str = "containerd.services.content.v1.Content";
}

impl Service<http::Request<Body>> for ContentServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let stores = self.0.clone();
        let answer = async move {
            match request.uri().path() {
                INFO => {
                    let info = service_fn(move |asked: Request<InfoRequest>| stores.clone().info(asked));
                    grpc::<_, InfoRequest>().unary(info, request).await
                }
                READ => {
                    let read = service_fn(move |asked: Request<ReadRequest>| stores.clone().read(asked));
                    grpc::<_, ReadRequest>().server_streaming(read, request).await
                }
                WRITE => {
                    let write = service_fn(move |asked| std::future::ready(stores.clone().write(asked)));
                    grpc::<_, WriteRequest>().streaming(write, request).await
                }
                other => Status::unimplemented(other.to_owned()).into_http(),
            }
        };
        answer.map(Ok).boxed()
    }
}

fn grpc<Answer, Asked>() -> Grpc<ProstCodec<Answer, Asked>>
where
    Answer: prost::Message + Send + 'static,
    Asked: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(LARGEST_MESSAGE).max_encoding_message_size(LARGEST_MESSAGE)
}
