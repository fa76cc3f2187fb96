//! Stat key to content hash.
