//! Events to console and JSON lines.
