//! kaniko's command line, on BuildKit: an image for `kaniko.image` that is kept up.

mod context;
mod flags;
mod mounts;
mod outputs;
mod request;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use devloop_clients::buildkit::Address;
use devloop_clients::buildkit::BuildKit;
use devloop_clients::docker::BuildRequest;
use devloop_clients::docker::DockerError;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::EventSink;
use devloop_model::Stage;
use devloop_model::StepId;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::flags::Flags;
use crate::ROOT;
use crate::START_LIMIT;
use crate::daemon;

/// What BuildKit says, below the root; nobody wants to read it as long as all is well.
const LOG: &str = "buildkitd.log";
/// The pause before a push is tried again; it doubles with each further one.
const PUSH_PAUSE: Duration = Duration::from_secs(1);
/// How often it is tried to connect to a BuildKit that is about to start.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Failure {
    why: String,
    code: u8,
}

impl Failure {
    fn new(why: String) -> Self {
        Self { why, code: 1 }
    }

    fn usage(why: String) -> Self {
        Self { why, code: 1 }
    }
}

impl From<DockerError> for Failure {
    /// A step that fails gives its own code to the program, as with kaniko.
    fn from(error: DockerError) -> Self {
        let code = match &error {
            DockerError::BuildFailed { message, .. } => message
                .rsplit_once("exit code: ")
                .and_then(|(_, code)| code.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u8>().ok().filter(|code| *code != 0)),
            _ => None,
        };
        Self { why: error.diagnostic().to_string(), code: code.unwrap_or(1) }
    }
}

/// Builds as the arguments say.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    let flags = match Flags::try_parse_from(std::iter::once(OsString::from("executor")).chain(arguments.iter().cloned())) {
        Ok(flags) => flags,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let env = Env::new(std::env::vars().collect());
    let mounts = mounts::for_steps(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(), Path::new(ROOT), &env);
    let built = launch(&flags, &mounts).and_then(|builder| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::new(error.to_string()))?;
        let built = runtime.block_on(build(&flags, env, builder));
        runtime.shutdown_background();
        built
    });
    match built {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.why);
            ExitCode::from(failure.code)
        }
    }
}

fn say(text: &str) {
    // Nobody reads any more: nothing is lost by that but the words.
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// BuildKit beside this process; it ends with this.
struct Builder(Child);

impl Drop for Builder {
    fn drop(&mut self) {
        if kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM).is_ok() {
            drop(self.0.wait());
        }
    }
}

fn launch(flags: &Flags, mounts: &[PathBuf]) -> Result<Builder, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("BuildKit cannot be started: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(["builder", "launch", "--idle=0s"]);
    let hub = flags.registry_mirror.iter().map(|mirror| format!("docker.io={mirror}"));
    let maps = flags.registry_map.iter().flat_map(|maps| maps.split(';')).filter(|map| !map.is_empty()).map(hub_as_docker_io);
    command.args(hub.chain(maps).map(|mirror| format!("--registry-mirror={mirror}")));
    command.args(flags.insecure_registry.iter().map(|registry| format!("--insecure-registry={registry}")));
    command.args(flags.skip_tls_verify_registry.iter().map(|registry| format!("--skip-tls-verify-registry={registry}")));
    command.args(flags.registry_certificate.iter().map(|certificate| format!("--registry-certificate={certificate}")));
    command.args(flags.registry_client_cert.iter().map(|certificate| format!("--registry-client-cert={certificate}")));
    command.args(mounts.iter().map(|directory| format!("--mount={}", directory.display())));
    let is_verbose = matches!(flags.verbosity.as_str(), "debug" | "trace");
    if is_verbose {
        say(&format!("{command:?}"));
    }
    if !is_verbose {
        let log = std::fs::File::create(Path::new(ROOT).join(LOG)).map_err(failed)?;
        command.stderr(log);
    }
    command.stdin(std::process::Stdio::null()).spawn().map(Builder).map_err(failed)
}

/// kaniko knows Docker Hub as `index.docker.io`.
fn hub_as_docker_io(map: &str) -> String {
    map.strip_prefix("index.").filter(|map| map.starts_with("docker.io=")).unwrap_or(map).to_owned()
}

async fn build(flags: &Flags, env: Env, mut builder: Builder) -> Result<(), Failure> {
    let (sender, facts) = mpsc::unbounded_channel();
    let cx = Cx::new(StepId::of(Stage::Build), env, EventSink::new(sender), CancellationToken::new());
    let printing = tokio::spawn(print(facts, flags.log_timestamp));
    let stop = cx.cancel.clone();
    tokio::spawn(async move {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        if let Ok(mut signal) = signal {
            signal.recv().await;
            stop.cancel();
        }
    });
    flags.notices().iter().for_each(|notice| say(&format!("notice: {notice}")));
    let built = to_the_end(flags, &mut builder, &cx).await;
    drop(cx);
    // The last lines are those that say why.
    drop(printing.await);
    built
}

async fn to_the_end(flags: &Flags, builder: &mut Builder, cx: &Cx) -> Result<(), Failure> {
    let scratch = tempfile::tempdir_in(ROOT).map_err(|error| Failure::new(format!("{ROOT}: {error}")))?;
    let outputs = outputs::outputs(flags, scratch.path())?;
    let context = context::open(&flags.context, &flags.context_sub_path, &flags.git, scratch.path(), cx).await?;
    let request = request::request(flags, &context, &cx.env)?;
    let buildkit = connect(builder, cx).await?;
    let mut digest: Option<Digest> = None;
    for output in &outputs {
        let built = build_one(&buildkit, &request, output, flags, cx).await?;
        digest = built.or(digest);
    }
    outputs::write(flags, digest.as_ref(), scratch.path())
}

/// Builds to one output; what was built for another is not built again.
async fn build_one(
    buildkit: &BuildKit,
    request: &BuildRequest,
    output: &devloop_clients::buildkit::Output,
    flags: &Flags,
    cx: &Cx,
) -> Result<Option<Digest>, Failure> {
    let mut pause = PUSH_PAUSE;
    let mut retries = flags.push_retry;
    loop {
        let error = match buildkit.build(request, output, &cx.env, cx).await {
            Ok(digest) => return Ok(digest),
            Err(error) => error,
        };
        let DockerError::BuildFailed { step, message, .. } = &error else { return Err(error.into()) };
        let is_of_push = step.as_deref().is_some_and(|step| step.starts_with("exporting")) || message.contains("failed to push");
        if is_of_push && flags.push_ignore_immutable_tag_errors && is_immutable(message) {
            say(&format!("the tag is there already, and cannot be changed: {message}"));
            return Ok(None);
        }
        if !is_of_push || retries == 0 {
            return Err(error.into());
        }
        retries -= 1;
        say(&format!("pushing failed, once more in {} s: {message}", pause.as_secs()));
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Returns whether a registry says that a tag is for ever (those of Amazon's and Google's registries that kaniko knows).
fn is_immutable(message: &str) -> bool {
    ["tag is immutable", "cannot be overwritten because the repository is immutable", "configured with tag immutability"]
        .iter()
        .any(|words| message.to_lowercase().contains(words))
}

async fn connect(builder: &mut Builder, cx: &Cx) -> Result<BuildKit, Failure> {
    let socket = daemon::socket(Path::new(ROOT));
    let address = Address::Unix(socket.clone());
    let give_up = tokio::time::Instant::now() + START_LIMIT;
    loop {
        if let Ok(Some(status)) = builder.0.try_wait() {
            let log = std::fs::read_to_string(Path::new(ROOT).join(LOG)).unwrap_or_default();
            return Err(Failure::new(format!("{log}BuildKit cannot run here: it ended with {status}")));
        }
        // The socket is there a moment before anybody listens.
        match if socket.exists() { address.connect(cx).await.map(Some) } else { Ok(None) } {
            Ok(Some(buildkit)) => return Ok(buildkit),
            Err(error) if tokio::time::Instant::now() > give_up => return Err(error.into()),
            Ok(None) if tokio::time::Instant::now() > give_up => return Err(Failure::new("BuildKit does not start".to_owned())),
            Ok(None) | Err(_) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}

async fn print(mut facts: mpsc::UnboundedReceiver<EventKind>, with_time: bool) {
    while let Some(fact) = facts.recv().await {
        match fact {
            EventKind::StepLog { line, .. } if with_time => say(&format!("{} {line}", devloop_model::Timestamp::now())),
            EventKind::StepLog { line, .. } => say(&line),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_gives_its_code() {
        let failed = |message: &str| {
            let error = DockerError::BuildFailed { tag: "a".to_owned(), step: None, last_lines: Vec::new(), message: message.to_owned() };
            Failure::from(error).code
        };
        assert_eq!(failed("process \"/bin/sh -c exit 42\" did not complete successfully: exit code: 42"), 42);
        assert_eq!(failed("failed to push"), 1);
    }

    #[test]
    fn kanikos_command_line_is_understood() {
        let line = "executor --destination a --dockerfile D --context dir:///kaniko/buildcontext --single-snapshot --use-new-run \
                    --whitelist-var-run --skip-unused-stages --registry-mirror mirror.gcr.io --reproducible --cache-ttl 6h --snapshotMode full \
                    --ignore-path /product_uuid --force --verbosity debug --log-format text --image-fs-extract-retry 2 --cleanup=true";
        let flags = Flags::try_parse_from(line.split_whitespace()).unwrap();
        insta::assert_snapshot!(flags.notices().join("\n"), @r"
        --single-snapshot: BuildKit makes a layer of each step; stages that are only copied from leave none
        --snapshot-mode: BuildKit asks the file system what a step changed, in every mode
        --use-new-run: BuildKit asks the file system what a step changed
        --ignore-path: steps run in a file system of their own, where the pod's paths are not
        ");
        assert_eq!(hub_as_docker_io("index.docker.io=m"), "docker.io=m");
    }
}
