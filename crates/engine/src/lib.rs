//! The loop: state, decide, run stages, shut down.
//!
//! [`decide`] is pure: what is known goes in, what to start and what waits comes out. [`run_session`] is
//! the one loop around it, whatever the [`Goal`].

mod decide;
mod goal;
mod images;
mod live;
mod session;
mod stages;

pub use decide::Decision;
pub use decide::Graph;
pub use decide::Node;
pub use decide::decide;
pub use goal::Goal;
pub use images::ImageSource;
pub use live::DeployGroup;
pub use live::LiveStages;
pub use live::Specs;
pub use session::Ended;
pub use session::run_session;
pub use stages::Stages;
