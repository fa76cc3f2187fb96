//! Tests against real parts: the API server, the kubelet, the container daemon, the registry.
//!
//! They run with `integration/test`. Without it they are reported as ignored, never as passed.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]

mod bad_input;
mod builder;
mod builders;
mod completion;
mod context;
mod custom;
mod debug;
mod deploy;
mod deployers;
mod dev;
mod docker;
mod docker_compose;
mod docker_deploy;
mod dockerfiles;
mod dockerignore;
mod examples;
mod forward;
mod golden;
mod helm;
mod hooks;
mod ide;
mod init;
mod inspect;
mod kaniko;
mod ko;
mod kustomize;
mod load;
mod logs;
mod lsp;
mod minikube;
mod outage;
mod private_base;
mod ready;
mod registry;
mod remote;
mod render;
mod run;
mod schema;
mod session;
mod sessions;
mod structure_tests;
mod sync;
mod tasks;
mod tests_stage;
