//! The loop: state, decide, run stages, shut down.
