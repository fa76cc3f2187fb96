//! helm, the program: what it is told of a release, what it needs of a chart, and the records that it keeps in the cluster.
//!
//! Its records are read in process, so that helm itself runs only where it has something to do.

mod chart;
mod command;
mod dependencies;
mod error;
mod records;
mod release;
mod variables;

use std::path::PathBuf;

use devloop_model::Namespace;
use devloop_model::Vars;

pub use self::chart::Chart;
pub use self::chart::ChartMetadata;
pub use self::chart::digest;
pub use self::chart::hex;
pub use self::chart::unpack;
pub use self::command::Call;
pub use self::command::Verb;
pub use self::command::dry_run;
pub use self::command::package;
pub use self::command::pull;
pub use self::command::run;
pub use self::command::template;
pub use self::command::uninstall;
pub use self::command::version;
pub use self::dependencies::build_dependencies;
pub use self::error::HelmError;
pub use self::records::HelmRecord;
pub use self::records::Storage;
pub use self::release::ChartSource;
pub use self::release::Package;
pub use self::release::ResolvedRelease;
pub use self::release::paths;
pub use self::release::resolve;
pub use self::variables::image_variables;

/// What holds for every release.
#[derive(Debug, Clone)]
pub struct HelmSettings {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// Kubernetes context; none where no cluster is asked.
    pub context: Option<String>,
    /// Namespace of releases that name none.
    pub namespace: Namespace,
    /// Whether it is that of all releases, whatever they name.
    pub namespace_is_forced: bool,
    /// Whether what is rendered is applied, and has to name the namespace of its release.
    pub writes_namespace: bool,
    /// Where it is remembered what the dependencies of charts were built from.
    pub cache_dir: PathBuf,
    /// Variables for templates.
    pub vars: Vars,
}

impl Default for HelmSettings {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            namespace: Namespace("default".to_owned()),
            namespace_is_forced: false,
            writes_namespace: false,
            cache_dir: PathBuf::new(),
            vars: Vars::default(),
        }
    }
}
