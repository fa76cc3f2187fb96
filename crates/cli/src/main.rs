//! The `devloop` command.
fn main() {}
