//! The flags of `devloop init`.

use std::path::PathBuf;

use clap::Args;

use super::value::Switch;

/// `devloop init`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Files that git ignores, hidden ones, `vendor` and `node_modules` are not looked at.\n\
                        Exit codes: 101 nothing builds an image, 102 no manifest, 103 there is a configuration already,\n\
                        104 it is not clear which image is built by what, 105 no chart can be understood.")]
pub(crate) struct InitCommand {
    /// Write the configuration into this file; `-` is standard output [default: skaffold.yaml]
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub filename: Option<String>,
    /// Ask nothing, and replace a configuration that is there
    #[arg(long, default_value = "false")]
    pub force: Switch,
    /// Print what was found as JSON, and write nothing
    #[arg(long, default_value = "false")]
    pub analyze: Switch,
    /// Let this build an image: `path/of/Dockerfile=image`, or JSON: `{"builder":"Docker","payload":{"path":"web/Dockerfile"},"image":"web"}`
    #[arg(short, long, value_name = "ARTIFACT")]
    pub artifact: Vec<String>,
    /// Deploy these manifests, a path or a pattern, in place of what is found
    #[arg(short, long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    pub kubernetes_manifest: Vec<String>,
    /// Make a Deployment and a Service for what no manifest names
    #[arg(long, default_value = "false")]
    pub generate_manifests: Switch,
    /// Make manifests of this Compose file: by kompose where it is installed, else by devloop itself
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub compose_file: Option<PathBuf>,
    /// Use this kustomization without a profile, and others by profiles
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    pub default_kustomization: Option<String>,
    /// Write nothing about how images are built
    #[arg(long, default_value = "false")]
    pub skip_build: Switch,
    /// Write nothing about what is deployed
    #[arg(long, hide = true, default_value = "false")]
    pub skip_deploy: Switch,
    /// Leave out folders that cannot be read
    #[arg(long, default_value = "false")]
    pub skip_unreachable_dirs: Switch,
    /// Print the newer form of `--analyze`
    #[arg(long = "XXenableNewInitFormat", hide = true, default_value = "false")]
    pub new_format: Switch,
    /// Look for Jib in Maven's files
    #[arg(long = "XXenableJibInit", hide = true, default_value = "true")]
    pub jib: Switch,
    /// Look for Jib in Gradle's files
    #[arg(long = "XXenableJibGradleInit", hide = true, default_value = "false")]
    pub jib_gradle: Switch,
    /// Build Go programs by ko [default: unless --analyze]
    #[arg(long = "XXenableKoInit", hide = true)]
    pub ko: Option<Switch>,
    /// Build sources by buildpacks
    #[arg(long = "XXenableBuildpacksInit", hide = true, default_value = "true")]
    pub buildpacks: Switch,
    /// The image that builds by buildpacks
    #[arg(long = "XXdefaultBuildpacksBuilder", hide = true, value_name = "IMAGE", default_value = "gcr.io/buildpacks/builder:v1")]
    pub buildpacks_builder: String,
}
