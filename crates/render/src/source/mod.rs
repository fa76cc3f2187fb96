//! Where manifests come from.

mod glob;
mod objects;
mod raw;
mod remote;

pub(crate) use raw::raw;
pub(crate) use remote::remote;
