//! What has to be in an image: by container-structure-test where it is installed, else by looking ourselves.

mod command;
mod expand;
mod file;
mod files;
mod metadata;
mod pattern;

use std::path::Path;
use std::path::PathBuf;

use devloop_clients::Clients;
use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_clients::docker::FileRequest;
use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Identity;
use devloop_model::Location;
use devloop_model::Stream;
use devloop_model::StructureTest;
use devloop_model::Test;

use self::command::Commands;
use self::file::Read;
use self::metadata::ImageConfig;
use super::TestJob;
use crate::BuildError;
use crate::Inputs;

/// The program that the files are made for.
const PROGRAM: &str = "container-structure-test";

/// Runs the checks of all files of a test against an image that the daemon has, or pulls.
///
/// # Errors
/// When one fails, or there is no such image or daemon.
pub(super) async fn run(
    job: &TestJob<'_>,
    test: &Test,
    structure: &StructureTest,
    inputs: &Inputs,
    clients: &Clients,
    cx: &Cx,
) -> Result<(), BuildError> {
    let docker = clients.docker(cx).await?;
    let image = present(job.image, docker, cx).await?;
    let files: Vec<PathBuf> = inputs.files.iter().map(|file| inputs.absolute(file)).collect();
    match by_program(structure, &files, &image, docker, cx).await {
        Err(ProcessError::NotFound { .. }) => {}
        Err(ProcessError::Cancelled) => return Err(ProcessError::Cancelled.into()),
        Err(ProcessError::Failed { last_lines, .. }) => {
            let error = failed(test, "failed".to_owned());
            return Err(if last_lines.is_empty() { error } else { error.because(last_lines.join("\n")) }.into());
        }
        Err(error) => return Err(failed(test, "could not be run".to_owned()).caused_by(error.diagnostic()).into()),
        Ok(()) => return Ok(()),
    }
    if !structure.args.is_empty() {
        let what = format!("`structureTestsArgs` of the tests of `{}` have no effect: {PROGRAM} is not on PATH", test.image);
        cx.warn(Diagnostic::warning("test/no-program", what));
    }
    by_ourselves(job, test, &files, &image, docker, cx).await
}

/// Returns the name under which the daemon has the image, once it has it.
async fn present(image: &BuiltImage, docker: &Docker, cx: &Cx) -> Result<String, BuildError> {
    let name = image.deployed();
    if docker.image_id(&name, cx).await?.is_some() {
        return Ok(name);
    }
    let error = || Diagnostic::error("test/no-image", format!("the container daemon has no image `{name}` to be tested"));
    if matches!(image.identity, Identity::Id(_)) {
        return Err(error().help("build it again with `devloop build`").into());
    }
    let reference = name.parse().map_err(|wrong: devloop_model::ImageNameError| error().because(wrong.to_string()))?;
    match docker.pull(&reference, None, cx).await {
        Ok(()) => Ok(name),
        Err(DockerError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(wrong) => Err(error().caused_by(wrong.diagnostic()).into()),
    }
}

/// Runs the program as Skaffold does (`pkg/skaffold/test/structure/structure.go`).
async fn by_program(structure: &StructureTest, files: &[PathBuf], image: &str, docker: &Docker, cx: &Cx) -> Result<(), ProcessError> {
    let command = Command::new(PROGRAM).args(["test", "-v", "warn", "--image", image]);
    let command = files.iter().fold(command, |command, file| command.arg("--config").arg(file));
    let command = docker.command_env().into_iter().fold(command.args(&structure.args), |command, (name, value)| command.env(name, value));
    command.run(cx).await
}

fn failed(test: &Test, how: String) -> Diagnostic {
    Diagnostic::error("test/structure", format!("the structure tests of `{}` {how}", test.image)).at(test.at.clone())
}

/// What came of one check.
struct Checked {
    name: String,
    at: Option<Location>,
    faults: Vec<String>,
}

async fn by_ourselves(job: &TestJob<'_>, test: &Test, files: &[PathBuf], image: &str, docker: &Docker, cx: &Cx) -> Result<(), BuildError> {
    let name = |file: &Path| file.strip_prefix(&job.options.working_dir).unwrap_or(file).to_owned();
    let read = files.iter().map(|file| file::read(file, name(file))).collect::<Result<Vec<Read>, Diagnostic>>()?;
    let config = docker.image_config(image, cx).await?.unwrap_or_default();
    let looking = Looking { image, config: ImageConfig::of(&config), docker, working_dir: &job.options.working_dir };
    let mut checked = Vec::new();
    for read in &read {
        checked.extend(looking.file(read, cx).await?);
    }
    let wrong: Vec<&Checked> = checked.iter().filter(|checked| !checked.faults.is_empty()).collect();
    let Some(first) = wrong.first() else {
        return if checked.is_empty() { Err(failed(test, "check nothing".to_owned()).into()) } else { Ok(()) };
    };
    let mut error = failed(test, format!("failed: {} of {}", wrong.len(), checked.len()));
    error.at = first.at.clone().or(error.at);
    let told = wrong.iter().map(|checked| format!("{}: {}", checked.name, checked.faults.join("; ")));
    Err(told.fold(error, Diagnostic::because).into())
}

/// An image that is looked at.
struct Looking<'a> {
    image: &'a str,
    config: ImageConfig,
    docker: &'a Docker,
    working_dir: &'a Path,
}

impl Looking<'_> {
    /// Returns what came of each check of a file, in the order of container-structure-test; each is said at once.
    async fn file(&self, read: &Read, cx: &Cx) -> Result<Vec<Checked>, BuildError> {
        let file = &read.file;
        let mut all = Vec::new();
        let mut say = |kind: &str, name: &str, at: Option<Location>, faults: Vec<String>| {
            let name = if name.is_empty() { kind.to_owned() } else { format!("{kind}: {name}") };
            cx.log(Stream::Stdout, format!("{name}: {}", if faults.is_empty() { "passed" } else { "failed" }));
            all.push(Checked { name, at, faults });
        };
        let commands = Commands::of(file, self.image, &self.config.env, self.docker, self.working_dir, cx);
        for test in &file.command_tests {
            let faults = commands.faults(test, cx).await.or_else(told)?;
            say("Command Test", &test.name.value, Some(read.at(test.name.referenced)), faults);
        }
        let contents = file.file_content_tests.iter().map(|test| FileRequest { path: test.path.clone(), content: true });
        let existing =
            file.file_existence_tests.iter().map(|test| FileRequest { path: expand::expand(&test.path, &self.config.env), content: false });
        let requests: Vec<FileRequest> = contents.chain(existing).collect();
        let found = if requests.is_empty() { Vec::new() } else { self.docker.image_files(self.image, &requests, cx).await? };
        let (contents, existing) = found.split_at(file.file_content_tests.len());
        for (test, found) in file.file_content_tests.iter().zip(contents) {
            say("File Content Test", &test.name.value, Some(read.at(test.name.referenced)), test.faults(found.as_ref()));
        }
        for (test, found) in file.file_existence_tests.iter().zip(existing) {
            say("File Existence Test", &test.name.value, Some(read.at(test.name.referenced)), test.faults(found.as_ref()));
        }
        if let Some(licenses) = file.license_tests.first() {
            let what = "licences are not looked at: `licenseTests` are left out".to_owned();
            cx.warn(Diagnostic::warning("test/licences", what).at(read.at(licenses.referenced)).help(format!("install {PROGRAM}")));
        }
        if let Some(test) = file.metadata_test.as_ref().filter(|test| !test.is_empty()) {
            say("Metadata Test", "", None, test.faults(&self.config));
        }
        Ok(all)
    }
}

/// A command that cannot be started, or does not end, fails its check and not the others.
fn told(error: DockerError) -> Result<Vec<String>, BuildError> {
    match error {
        DockerError::NotFound { message, .. } | DockerError::Answer { message, .. } => Ok(vec![message]),
        DockerError::Overran { .. } => Ok(vec![error.to_string()]),
        other => Err(other.into()),
    }
}
