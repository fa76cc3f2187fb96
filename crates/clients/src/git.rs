//! Facts from a git repository, read in process.
