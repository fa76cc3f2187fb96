//! Where manifests come from.

mod glob;
mod helm;
mod kustomize;
mod objects;
mod raw;
mod remote;
mod there;
mod watched;

pub(crate) use helm::helm;
pub(crate) use kustomize::kustomize;
pub(crate) use objects::objects;
pub(crate) use raw::raw;
pub(crate) use remote::remote;
pub use there::are_there;
pub use watched::Contents;
pub use watched::Sources;
pub use watched::sources;
