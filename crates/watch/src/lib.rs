//! What wakes a watching session: files, keys and signals.
//!
//! [`FileWatcher`] gathers changes of files into a [`Batch`] per save. The operating system tells about
//! directories, never about single files, because editors rename over them; one thread keeps what is watched in
//! step with what is made and removed, and sleeps while nothing happens.

mod change;
mod claims;
mod debounce;
mod files;
mod git_lock;
mod ignore;
mod inbox;
mod keys;
mod limits;
mod links;
mod listing;
mod signals;
mod source;
mod sweep;
#[cfg(test)]
mod tests;
mod watched;
mod watches;
mod worker;

pub use files::Batch;
pub use files::FileWatcher;
pub use files::WatchError;
pub use files::WatchReport;
pub use files::WatchSet;
pub use files::WatchSettings;
pub use keys::Keys;
pub use keys::restore_terminal;
pub use signals::stop_on_signals;
