//! Tests against real parts: the API server, the kubelet, the container daemon, the registry.
//!
//! They run with `integration/test`. Without it they are reported as ignored, never as passed.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]

mod bad_input;
mod completion;
mod context;
mod custom;
mod deploy;
mod dev;
mod docker;
mod docker_deploy;
mod dockerignore;
mod examples;
mod forward;
mod ko;
mod load;
mod logs;
mod minikube;
mod outage;
mod ready;
mod registry;
mod remote;
mod render;
mod run;
mod schema;
mod session;
mod sessions;
mod sync;
mod tasks;
