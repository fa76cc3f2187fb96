//! The loop: state, decide, run stages, shut down.
//!
//! [`decide`] is pure: what is known goes in, what to start and what waits comes out. [`Session::run`] is
//! the one loop around it, whatever the [`Goal`].

mod decide;
mod goal;
mod graph;
mod images;
mod live;
mod session;
mod stages;

pub use decide::Decision;
pub use decide::Work;
pub use decide::decide;
pub use goal::Goal;
pub use graph::Graph;
pub use graph::Node;
pub use images::ImageSource;
pub use live::DeployGroup;
pub use live::Deployer;
pub use live::LiveStages;
pub use live::Pruning;
pub use live::Reload;
pub use live::Reloaded;
pub use live::Specs;
pub use session::Ended;
pub use session::Leaving;
pub use session::Session;
pub use session::Wake;
pub use stages::Stages;
