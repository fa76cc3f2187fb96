//! The cluster, in process.
