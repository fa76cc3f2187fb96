//! What the tests of devloop against real parts share: images as they are in a registry, and the table of Dockerfiles.

pub mod image;
pub mod large_context;
pub mod table;
