//! The table of Dockerfiles that every builder is held to: `integration/dockerfiles`.
//!
//! A row is a folder: a Dockerfile, its context, and in `case.yaml` what files cannot say ([`Case`]). What has to come of
//! it is what the container daemon's BuildKit makes of it, or, where that is too old, an image written down there.

mod bases;
mod case;
mod expected;
mod way;

pub use self::bases::push_bases;
pub use self::case::Case;
pub use self::case::cases;
pub use self::expected::Expected;
pub use self::way::Way;
pub use self::way::secret_variable;
