//! What `devloop init` is asked for.

use std::path::PathBuf;

use devloop_init::Options;

use crate::args::InitCommand;

/// What `init` is asked for.
#[derive(Debug, Clone)]
pub(crate) struct InitSettings {
    /// What is looked for, and what is made of it.
    pub options: Options,
    /// The Compose file that manifests are made of.
    pub compose_file: Option<PathBuf>,
    /// Whether nothing is asked, and what is there replaced.
    pub force: bool,
    /// Whether what was found is printed instead.
    pub analyze: bool,
    /// Whether it is printed as it was before there was more than Dockerfiles.
    pub old_format: bool,
    /// Whether folders that cannot be read are left out.
    pub skip_unreachable: bool,
}

impl InitSettings {
    /// Returns what the arguments mean.
    pub(super) fn from_args(args: InitCommand) -> Self {
        // IDE plug-ins that read the analysis know no ko, unless they ask for it.
        let ko = args.ko.map_or(!args.analyze.0, |ko| ko.0);
        Self {
            old_format: !(args.new_format.0 || args.jib.0 || args.buildpacks.0 || ko),
            force: args.force.0,
            analyze: args.analyze.0,
            skip_unreachable: args.skip_unreachable_dirs.0,
            compose_file: args.compose_file.filter(|file| !file.as_os_str().is_empty()),
            options: Options {
                skip_build: args.skip_build.0,
                skip_deploy: args.skip_deploy.0,
                jib: args.jib.0,
                jib_gradle: args.jib_gradle.0,
                ko,
                buildpacks: args.buildpacks.0,
                buildpacks_builder: args.buildpacks_builder,
                artifacts: args.artifact,
                manifests: args.kubernetes_manifest,
                default_kustomization: args.default_kustomization.filter(|path| !path.is_empty()),
                generate_manifests: args.generate_manifests.0,
            },
        }
    }
}
