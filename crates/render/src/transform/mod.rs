//! What is put into manifests: images, labels, a namespace.

mod fields;
mod image;
mod label;
mod namespace;

pub(crate) use fields::Fields;
pub(crate) use image::Images;
pub(crate) use label::set_labels;
pub(crate) use namespace::set_namespace;
