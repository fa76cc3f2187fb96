//! Where a built image goes.

use std::collections::HashMap;
use std::path::PathBuf;

/// Where a built image goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Into the container daemon whose BuildKit it is, under the name of the request.
    Daemon,
    /// To registries.
    Push {
        /// The names that it is pushed under: whole references.
        names: Vec<String>,
        /// Whether they are spoken to without TLS, or without checking it.
        insecure: bool,
    },
    /// Into a file of this machine, under the names given.
    Archive {
        /// What kind.
        format: ArchiveFormat,
        /// The file.
        path: PathBuf,
        /// The names in it.
        names: Vec<String>,
    },
    /// Nowhere: only whether it can be built is of interest.
    Nowhere,
}

/// What an image is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// What `docker load` takes.
    Docker,
    /// An OCI image layout.
    Oci,
}

impl Output {
    /// Returns the exporter and its attributes (`docs/build/exporters` of BuildKit).
    pub(super) fn exporter(&self, tag: &str) -> (String, HashMap<String, String>) {
        let attributes = |pairs: &[(&str, String)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        match self {
            Self::Daemon => ("moby".to_owned(), attributes(&[("name", tag.to_owned())])),
            Self::Push { names, insecure } => {
                let mut all = vec![("name", names.join(",")), ("push", "true".to_owned())];
                if *insecure {
                    all.push(("registry.insecure", "true".to_owned()));
                }
                ("image".to_owned(), attributes(&all))
            }
            Self::Archive { format, names, .. } => {
                let kind = if *format == ArchiveFormat::Docker { "docker" } else { "oci" };
                (kind.to_owned(), attributes(&[("name", names.join(","))]))
            }
            Self::Nowhere => (String::new(), HashMap::new()),
        }
    }
}
