//! The command line: commands, their flags, and the environment variables that stand for flags.

mod client;
mod dev;
mod environment;
mod fix;
mod flags;
mod inert;
mod init;
mod inspect;
mod lsp;
mod machine;
pub(crate) mod value;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::Args;
use clap::CommandFactory;
use clap::FromArgMatches;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use devloop_model::Diagnostic;
use devloop_model::Env;

pub(crate) use self::client::LogsCommand;
pub(crate) use self::client::SessionArgs;
pub(crate) use self::client::StatusCommand;
pub(crate) use self::client::WhyCommand;
pub(crate) use self::dev::DebugArgs;
pub(crate) use self::dev::TriggerMode;
pub(crate) use self::dev::WatchArgs;
pub(crate) use self::fix::FixCommand;
pub(crate) use self::flags::ApiArgs;
pub(crate) use self::flags::BuildArgs;
pub(crate) use self::flags::ConfigArgs;
pub(crate) use self::flags::ConsoleArgs;
pub(crate) use self::flags::DeployArgs;
pub(crate) use self::flags::DigestFrom;
pub(crate) use self::flags::EventFormat;
pub(crate) use self::flags::GlobalArgs;
pub(crate) use self::flags::Level;
pub(crate) use self::flags::ManifestArgs;
pub(crate) use self::flags::OnlyArgs;
pub(crate) use self::flags::PlacementArgs;
pub(crate) use self::flags::PrebuiltArgs;
pub(crate) use self::flags::SyncRemote;
pub(crate) use self::flags::TargetArgs;
pub(crate) use self::init::InitCommand;
pub(crate) use self::inspect::*;
pub(crate) use self::lsp::LspCommand;
pub(crate) use self::machine::*;
pub(crate) use self::value::List;
pub(crate) use self::value::Switch;

/// Build, deploy and watch applications on Kubernetes.
#[derive(Debug, Clone, Parser)]
#[command(name = "devloop", version, propagate_version = false, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Every flag can be given by the environment: --kube-context is DEVLOOP_KUBE_CONTEXT or SKAFFOLD_KUBE_CONTEXT.\n\
                        The command line wins over DEVLOOP_, and that over SKAFFOLD_. Variables in a file `skaffold.env` count too.")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command has.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Build, deploy, and do so again for every file that you save
    Dev(Box<DevCommand>),
    /// The same with every container under the debugger of its language, and what an IDE attaches to
    Debug(Box<DebugCommand>),
    /// Build, test, deploy and wait until ready, once
    Run(Box<RunCommand>),
    /// Build and push images
    Build(Box<BuildCommand>),
    /// Test images that were built before
    Test(Box<TestCommand>),
    /// Deploy images that were built before
    Deploy(Box<DeployCommand>),
    /// Apply manifests that are rendered already, and wait until ready
    Apply(Box<ApplyCommand>),
    /// Print the manifests that would be deployed
    Render(Box<RenderCommand>),
    /// Delete what was deployed
    Delete(Box<DeleteCommand>),
    /// Run the containers that test a deployment
    Verify(Box<VerifyCommand>),
    /// Run a custom action
    Exec(Box<ExecCommand>),
    /// Write a skaffold.yaml for what is in this folder
    Init(Box<InitCommand>),
    /// Print the effective configuration, and what is wrong with it
    Diagnose(Box<DiagnoseCommand>),
    /// Upgrade skaffold.yaml to a newer version of its schema
    Fix(FixCommand),
    /// Answer what editors ask of a configuration, as JSON, and change it for them
    #[command(hide = true)]
    Inspect(Box<InspectCommand>),
    /// Put images, labels and debuggers into manifests of standard input
    #[command(hide = true)]
    Filter(Box<FilterCommand>),
    /// Print what could be better in skaffold.yaml, Dockerfiles and manifests
    Lint(Box<LintCommand>),
    /// Print the configurations below a directory, and their versions
    FindConfigs(FindConfigsCommand),
    /// Set, unset and print settings of this machine, by Kubernetes context
    Config(ConfigCommand),
    /// Write launch configurations with which an editor debugs what `devloop debug` runs
    Ide(Box<IdeCommand>),
    /// Tell an editor what is wrong with a skaffold.yaml, what could be written, and what it means
    Lsp(LspCommand),
    /// Print what a running session does, has and waits for
    Status(StatusCommand),
    /// Print why a running session built, synced and deployed what it did, or waits
    Why(WhyCommand),
    /// Print the logs of the containers of a running session
    Logs(LogsCommand),
    /// Print the JSON schemas of skaffold.yaml and of events
    Schema(SchemaCommand),
    /// Print the version
    Version(VersionCommand),
    /// Print a script that completes commands, flags, profiles, modules and artifacts in your shell
    Completion(CompletionCommand),
}

/// `devloop dev`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DevCommand {
    /// Print progress as `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub build: BuildArgs,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub placement: PlacementArgs,
    #[command(flatten)]
    pub deploy: DeployArgs,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// `devloop debug`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DebugCommand {
    #[command(flatten)]
    pub dev: DevCommand,
    #[command(flatten)]
    pub debug: DebugArgs,
}

/// `devloop run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunCommand {
    /// Print progress as `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    /// Take the digests of images from here instead of building: remote, local, tag or none
    #[arg(long, value_name = "SOURCE", hide = true)]
    pub digest_source: Option<DigestFrom>,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub build: BuildArgs,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub placement: PlacementArgs,
    #[command(flatten)]
    pub deploy: DeployArgs,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// `devloop build`.
#[derive(Debug, Clone, Args)]
pub(crate) struct BuildCommand {
    /// Print nothing but the images that were built, by `--output`
    #[arg(short, long, default_value = "false")]
    pub quiet: Switch,
    /// Print images by this Go template with --quiet, and into --file-output; the word `json` prints events instead, one per line
    #[arg(short, long, value_name = "TEMPLATE", default_value = "{{json .}}")]
    pub output: String,
    /// Write the images that were built into this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file_output: Option<PathBuf>,
    /// Make the tags, and build nothing
    #[arg(long, default_value = "false")]
    pub dry_run: Switch,
    /// Push images [default: unless the cluster is local]
    #[arg(long)]
    pub push: Option<Switch>,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub only: OnlyArgs,
    #[command(flatten)]
    pub build: BuildArgs,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// `devloop test`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TestCommand {
    /// Print progress as `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    #[command(flatten)]
    pub images: PrebuiltArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// `devloop deploy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployCommand {
    /// Print progress as `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    /// Use this tag for images that name none
    #[arg(short, long)]
    pub tag: Option<String>,
    /// Load images into the local cluster even where they were not built here
    #[arg(long, default_value = "false")]
    pub load_images: Switch,
    #[command(flatten)]
    pub images: PrebuiltArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub deploy: DeployArgs,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// `devloop apply`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApplyCommand {
    /// Files, directories, patterns or URLs of manifests, or `-` for standard input
    #[arg(required = true, value_name = "MANIFEST", value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<String>,
    /// Print progress as `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub deploy: DeployArgs,
    #[command(flatten)]
    pub api: ApiArgs,
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// `devloop render`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RenderCommand {
    /// Write manifests into FILE instead of printing them; the word `json` prints events instead, and may stand beside a FILE
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Vec<String>,
    /// Do not speak to the cluster; namespaces are then left as they are
    #[arg(long, default_value = "false")]
    pub offline: Switch,
    /// Show how images are built, on standard error
    #[arg(long, default_value = "false")]
    pub loud: Switch,
    /// Take the digests of images from here: remote, local, tag or none [default: remote, or tag where the cluster is local]
    #[arg(long, value_name = "SOURCE")]
    pub digest_source: Option<DigestFrom>,
    #[command(flatten)]
    pub images: PrebuiltArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub build: BuildArgs,
    #[command(flatten)]
    pub manifests: ManifestArgs,
    #[command(flatten)]
    pub placement: PlacementArgs,
}

/// `devloop delete`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeleteCommand {
    /// Print progress as `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    /// Delete the builders in the cluster, with their caches, and nothing else
    #[arg(long, default_value = "false")]
    pub builders: Switch,
    /// Print what would be deleted
    #[arg(long, default_value = "false")]
    pub dry_run: Switch,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `devloop verify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyCommand {
    #[command(flatten)]
    pub run: TaskArgs,
}

/// `devloop exec`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExecCommand {
    /// The action, by its name in `customActions`
    pub action: String,
    #[command(flatten)]
    pub run: TaskArgs,
}

/// What `verify` and `exec` have in common.
#[derive(Debug, Clone, Args)]
pub(crate) struct TaskArgs {
    /// Print progress as `text`, or events as `json`, one per line
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: EventFormat,
    /// Give every container the variables of this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub env_file: Option<PathBuf>,
    /// Put containers of the container daemon onto this network [default: the project's own, else one of their own]
    #[arg(long, value_name = "NETWORK")]
    pub docker_network: Option<String>,
    #[command(flatten)]
    pub images: PrebuiltArgs,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub api: ApiArgs,
}

/// `devloop diagnose`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DiagnoseCommand {
    /// Write the result into FILE instead of printing it; the word `json` prints events instead, and may stand beside a FILE
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Vec<String>,
    /// Print nothing but the effective skaffold.yaml
    #[arg(long, default_value = "false")]
    pub yaml_only: Switch,
    /// Render the fields that are Go templates
    #[arg(long, default_value = "false")]
    pub enable_templating: Switch,
    /// Say of each artifact whether `run` would build it, and because of what
    #[arg(long, default_value = "false")]
    pub explain: Switch,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub only: OnlyArgs,
    #[command(flatten)]
    pub build: BuildArgs,
}

/// Which editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Editor {
    /// Visual Studio Code: .vscode/launch.json and tasks.json
    Vscode,
    /// GoLand: .run/*.run.xml
    Goland,
    /// IntelliJ IDEA: .run/*.run.xml
    Idea,
}

/// `devloop ide`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Entries that are called `devloop` are replaced, or removed; all others stay as they are, with their comments.\n\
                        A launch configuration of Cloud Code says which skaffold.yaml, which settings, and where the sources are.")]
pub(crate) struct IdeCommand {
    /// The editor
    #[arg(value_name = "EDITOR")]
    pub editor: Editor,
    /// The folder that the editor opens
    #[arg(long, value_name = "FOLDER", default_value = ".", value_hint = clap::ValueHint::DirPath)]
    pub workspace: PathBuf,
    /// Print the files instead of writing them
    #[arg(long, default_value = "false")]
    pub dry_run: Switch,
    #[command(flatten)]
    pub config: ConfigArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `devloop schema`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SchemaCommand {
    /// Which schema.
    #[command(subcommand)]
    pub action: SchemaAction,
}

/// What `devloop schema` does.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SchemaAction {
    /// List the versions that have a schema
    List {
        /// Print them `plain`, one per line, or as `json`
        #[arg(short, long, value_name = "FORMAT", default_value = "plain")]
        output: ListFormat,
    },
    /// Print the schema of one version
    Get {
        /// A version that `list` prints
        version: String,
    },
}

/// How `schema list` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// One per line.
    Plain,
    /// A JSON object.
    Json,
}

/// `devloop version`.
#[derive(Debug, Clone, Args)]
pub(crate) struct VersionCommand {
    /// Print by this Go template; the word `json` prints all that is known as one JSON object
    #[arg(short, long, value_name = "TEMPLATE", default_value = "{{.Version}}\n", hide_default_value = true)]
    pub output: String,
}

/// `devloop completion`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionCommand {
    /// For which shell
    pub shell: CompletionShell,
}

/// The shells that can be completed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    /// Bash.
    Bash,
    /// Fish.
    Fish,
    /// Zsh.
    Zsh,
}

/// Why a command line is not one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgsError {
    /// Wrong usage, or help and version, which end the program as well.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// A variable that stands for a flag has a value that the flag does not take.
    #[error("the environment variable `{variable}` is not right for `--{flag}`")]
    Variable {
        /// The variable.
        variable: String,
        /// The flag that it stands for.
        flag: String,
        /// What the flag says of the value.
        why: String,
    },
    /// A flag of Skaffold's that this version cannot act on.
    #[error("this version of devloop does not {action}")]
    Unsupported {
        /// The flag with its value.
        flag: String,
        /// What devloop would have to do.
        action: &'static str,
        /// What to do instead.
        help: String,
    },
    /// A part of a list that its flag does not take.
    #[error("`{value}` is no value of `--{flag}`")]
    Value {
        /// The flag.
        flag: &'static str,
        /// The part.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// `SKAFFOLD_CMDLINE` is no command line.
    #[error("`SKAFFOLD_CMDLINE` has a quote that is not closed")]
    CommandLine,
}

impl ArgsError {
    /// Returns the diagnostic; none where clap says it better: usage errors, help, version.
    pub(crate) fn diagnostic(&self) -> Option<Diagnostic> {
        let what = self.to_string();
        match self {
            Self::Usage(_) => None,
            Self::Variable { variable, why, .. } => {
                Some(Diagnostic::error("cli/invalid-variable", what).because(why).help(format!("correct `{variable}`, or unset it")))
            }
            Self::Unsupported { flag, help, .. } => {
                Some(Diagnostic::error("cli/unsupported-flag", what).because(format!("`{flag}` asks for it")).help(help))
            }
            Self::Value { why, .. } => Some(Diagnostic::error("cli/invalid-value", what).because(why)),
            Self::CommandLine => Some(Diagnostic::error("cli/invalid-variable", what).help("close it, or unset the variable")),
        }
    }
}

/// A command line that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    /// What it says.
    pub cli: Cli,
    /// Flags that were accepted and change nothing.
    pub warnings: Vec<Diagnostic>,
}

/// Returns the whole command line as clap sees it, for parsing, help and completion.
pub(crate) fn definition() -> clap::Command {
    let watches = |command: clap::Command| {
        let on = ["tail", "disable_multi_platform_build"];
        command.mut_args(move |argument| if on.contains(&argument.get_id().as_str()) { argument.default_value("true") } else { argument })
    };
    let asked = ["auto_build", "auto_sync", "auto_deploy"];
    let waits = move |argument: clap::Arg| {
        // What stands at a breakpoint must not go because of a save.
        if asked.contains(&argument.get_id().as_str()) { argument.default_value("false") } else { argument }
    };
    let definition = like_go(inert::declare(Cli::command())).mut_subcommand("dev", watches);
    definition.mut_subcommand("debug", |command| watches(command).mut_args(waits))
}

/// Returns whether a flag is a [`Switch`].
fn is_switch(argument: &clap::Arg) -> bool {
    argument.get_value_parser().type_id() == std::any::TypeId::of::<Switch>()
}

/// Makes flags behave as Go's: the last of several counts, and every [`Switch`] stands alone or with `=value`.
fn like_go(command: clap::Command) -> clap::Command {
    let command = command.args_override_self(true).mut_args(|argument| {
        if is_switch(&argument) {
            argument.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
        } else {
            argument
        }
    });
    command.mut_subcommands(like_go)
}

/// Returns what the command line and the environment ask for; the command line wins.
///
/// # Errors
/// When they are wrong, ask for help, or ask for something that this version cannot do.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>, env: &Env) -> Result<Parsed, ArgsError> {
    let arguments = command_line(arguments.into_iter().collect(), env)?;
    let mut definition = definition();
    let matches = environment::matches(&mut definition, &arguments, env)?;
    let mut warnings = environment::warnings(env);
    warnings.extend(inert::check(&definition, &matches)?);
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))?;
    Ok(Parsed { cli, warnings })
}

/// Returns the arguments, or those in `SKAFFOLD_CMDLINE` where there are none
/// (`cmd/skaffold/app/skaffold.go`).
fn command_line(arguments: Vec<OsString>, env: &Env) -> Result<Vec<OsString>, ArgsError> {
    let Some(line) = env.get("DEVLOOP_CMDLINE").or_else(|| env.get("SKAFFOLD_CMDLINE")).filter(|_| arguments.len() <= 1) else {
        return Ok(arguments);
    };
    let words = shlex::split(line).ok_or(ArgsError::CommandLine)?;
    Ok(arguments.into_iter().chain(words.into_iter().map(OsString::from)).collect())
}

/// Returns the definition and the matches of the innermost command that was named.
fn innermost<'a>(definition: &'a clap::Command, matches: &'a ArgMatches) -> (&'a clap::Command, &'a ArgMatches) {
    match matches.subcommand() {
        Some((name, inner)) => match definition.find_subcommand(name) {
            Some(command) => innermost(command, inner),
            None => (definition, matches),
        },
        None => (definition, matches),
    }
}

#[cfg(test)]
mod tests;
