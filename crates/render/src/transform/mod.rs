//! What is put into manifests: images, debuggers, labels, a namespace, the nodes that images are built for.

mod debug;
mod fields;
mod image;
mod label;
mod namespace;
mod placement;
mod template;

pub use debug::DebugImage;
pub use debug::DebugSpec;
pub(crate) use debug::set_debuggers;
pub(crate) use fields::Fields;
pub(crate) use image::Images;
pub(crate) use label::set_labels;
pub(crate) use namespace::set_namespace;
pub use placement::Placement;
pub(crate) use placement::place;
