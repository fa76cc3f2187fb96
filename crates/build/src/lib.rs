//! Artifact to built image: inputs, tag, cache, graph order, builders, push or load.
