//! Manifest set to release: apply, inventory, prune, wait until ready, delete.
