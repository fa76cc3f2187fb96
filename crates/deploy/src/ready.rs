//! Waiting until a release is ready.
