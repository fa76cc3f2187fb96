//! The nouns that flow through devloop, its events, state, diagnostics and stage context; no I/O.
//!
//! A [`Plan`] is what the user's configuration means. Stages turn an [`Artifact`] into a
//! [`BuiltImage`], manifests into a [`ManifestSet`], and that into a [`Release`]. Everything that
//! happens on the way is an [`Event`].

mod cx;
mod default_repo;
mod diagnostic;
mod event;
mod forward;
mod image;
mod key;
mod plan;
mod product;
mod reason;
mod state;
mod step;
mod sync;
mod template;
mod trigger;

pub use cx::Cancelled;
pub use cx::Cx;
pub use cx::Env;
pub use cx::EventSink;
pub use default_repo::rewrite as rewrite_default_repo;
pub use diagnostic::Diagnostic;
pub use diagnostic::Location;
pub use diagnostic::Severity;
pub use event::CacheOutcome;
pub use event::Change;
pub use event::Event;
pub use event::EventKind;
pub use event::Outcome;
pub use event::Part;
pub use event::Stream;
pub use event::WatchMode;
pub use forward::ForwardSource;
pub use forward::ForwardState;
pub use image::Digest;
pub use image::ImageId;
pub use image::ImageName;
pub use image::ImageNameError;
pub use image::ImageRef;
pub use image::Platform;
pub use image::Tag;
pub use jiff::Timestamp;
pub use key::Key;
pub use plan::*;
pub use product::BuiltImage;
pub use product::Identity;
pub use product::Manifest;
pub use product::ManifestSet;
pub use product::Namespace;
pub use product::ObjectKey;
pub use product::Release;
pub use product::ReleasedObject;
pub use reason::Hold;
pub use reason::Reason;
pub use reason::RebuildCause;
pub use state::ArtifactState;
pub use state::Progress;
pub use state::State;
pub use step::Stage;
pub use step::StepId;
pub use sync::ChangedFile;
pub use sync::SyncMap;
pub use template::CommandRunner;
pub use template::MissingKey;
pub use template::Template;
pub use template::TemplateError;
pub use template::Vars;
pub use template::format_go_time;
pub use trigger::AutoStage;
pub use trigger::Command;
pub use trigger::Touched;
pub use trigger::TouchedArtifact;
pub use trigger::Trigger;
