//! The only crate that opens sockets or starts processes: Kubernetes, container daemon, registry, git, child processes.
