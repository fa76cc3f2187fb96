//! Builds: BuildKit where the daemon has it, else the classic builder.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::Path;

use bollard::body_try_stream;
use bollard::models::BuildInfoAux;
use bollard::query_parameters::BuildImageOptions;
use bollard::query_parameters::BuilderVersion;
use devloop_model::Cx;
use devloop_model::ImageId;
use devloop_model::Location;
use devloop_model::Stream as LogStream;
use futures::StreamExt as _;
use futures::TryStreamExt as _;

use super::BuildRequest;
use super::Docker;
use super::DockerError;
use super::context::Archive;
use super::transfer::for_daemon;
use crate::buildkit;
use crate::buildkit::Output;
use crate::registry::credentials;

/// How many of a failed step's last lines an error keeps.
pub(crate) const LAST_LINES: usize = 20;

impl Docker {
    /// Builds an image in the daemon and returns its ID.
    ///
    /// # Errors
    /// When a step fails, the Dockerfile does not parse, or a setting needs the other builder.
    pub async fn build(&self, request: BuildRequest, cx: &Cx) -> Result<ImageId, DockerError> {
        let with_buildkit = self.choose_buildkit(&request)?;
        for reference in &request.cache_from {
            self.make_cache_available(reference, with_buildkit, cx).await;
        }
        let tag = request.tag.to_string();
        if with_buildkit {
            Box::pin(self.build_with_buildkit(request, cx)).await?;
        } else {
            self.build_classic(request, cx).await?;
        }
        let id = self.image_id(&tag, cx).await?;
        id.ok_or_else(|| DockerError::Answer { what: format!("find image `{tag}`"), message: "it was built, and is not there".to_owned() })
    }

    fn choose_buildkit(&self, request: &BuildRequest) -> Result<bool, DockerError> {
        let unsupported = |setting: &str, needs, help| Err(DockerError::Unsupported { setting: setting.to_owned(), needs, help });
        let wanted = request.use_buildkit.unwrap_or(self.has_buildkit() && !request.squash);
        if wanted && !self.has_buildkit() {
            return unsupported(
                "`useBuildkit: true`",
                "a daemon with BuildKit",
                "use Docker Engine 18.09 or newer, or leave `useBuildkit` out",
            );
        }
        if wanted && request.squash {
            return unsupported(
                "`squash: true`",
                "the classic builder",
                "set `build.local.useBuildkit: false`, or use a multi-stage Dockerfile instead",
            );
        }
        if !wanted && !request.secrets.is_empty() {
            return unsupported("`secrets`", "BuildKit", "set `build.local.useBuildkit: true`");
        }
        if !wanted && !request.cache_to.is_empty() {
            return unsupported("`cacheTo`", "BuildKit", "set `build.local.useBuildkit: true`");
        }
        if !wanted && request.ssh.is_some() {
            return unsupported("`ssh`", "BuildKit", "set `build.local.useBuildkit: true`");
        }
        Ok(wanted)
    }

    /// The classic builder takes cached layers from images that the daemon has; a cache that is not there costs time, no build.
    async fn make_cache_available(&self, reference: &str, with_buildkit: bool, cx: &Cx) {
        let Ok(image) = reference.parse() else { return };
        if !with_buildkit
            && matches!(self.image_id(reference, cx).await, Ok(None))
            && let Err(error) = self.pull(&image, None, cx).await
        {
            cx.log(LogStream::Stderr, format!("cacheFrom image couldn't be pulled: {reference}: {error}"));
        }
    }

    /// Builds, and once more where the daemon gave up on our session: it waits five seconds for it, which a busy machine may
    /// take, and has built nothing by then.
    async fn build_with_buildkit(&self, request: BuildRequest, cx: &Cx) -> Result<(), DockerError> {
        match self.build_in_session(&request, cx).await {
            Err(error) if error.diagnostic().why.iter().any(|why| why.contains("no active session")) => {
                tracing::debug!("the daemon did not wait for the session: once more");
                self.build_in_session(&request, cx).await
            }
            built => built,
        }
    }

    async fn build_in_session(&self, request: &BuildRequest, cx: &Cx) -> Result<(), DockerError> {
        let session = buildkit::Session::new(request, &Output::Daemon, &self.env, cx).await?;
        let headers = session.headers();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let work = async {
            let _serving = session.serve(self.endpoint.upgrade("/session", &headers).await?);
            let control = self.endpoint.upgrade("/grpc", &[]).await?;
            buildkit::solve_in_daemon(control, &session, request, cx).await
        };
        cx.unless_cancelled(work).await?
    }

    async fn build_classic(&self, request: BuildRequest, cx: &Cx) -> Result<(), DockerError> {
        let (dockerfile, outside) = dockerfile_in_archive(&request);
        let options = classic_options(&request, dockerfile);
        let mut files = request.files;
        if outside.is_none() {
            files.push(options.dockerfile.clone().into());
        }
        let archive = Archive::of(request.context.clone(), files, outside, cx.clone());
        let body = body_try_stream(archive.into_stream().map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error)));
        let auth = credentials::all(&self.env, cx).await.into_iter().map(|(host, credentials)| (host, for_daemon(&credentials))).collect();
        let mut lines = self.client.build_image(options, Some(auth), Some(body));
        let mut shown = ClassicLog::default();
        while let Some(line) = cx.unless_cancelled(lines.next()).await? {
            match line {
                Ok(line) => {
                    shown.take(line.stream.as_deref().unwrap_or_default(), cx);
                    if let (Some(BuildInfoAux::Default(_)), true) = (&line.aux, shown.total > 0) {
                        cx.progress("build", shown.total, Some(shown.total), false);
                    }
                }
                Err(error) => return Err(classic_error(&request.tag.to_string(), &request.dockerfile, shown, &error)),
            }
        }
        Ok(())
    }
}

/// Returns the name of the Dockerfile in the archive, and where it comes from if it is not in the context.
fn dockerfile_in_archive(request: &BuildRequest) -> (String, Option<(std::path::PathBuf, String)>) {
    if let Ok(inside) = request.dockerfile.strip_prefix(&request.context) {
        return (inside.to_string_lossy().into_owned(), None);
    }
    let name = format!(".dockerfile.{}", uuid::Uuid::new_v4().simple());
    (name.clone(), Some((request.dockerfile.clone(), name)))
}

fn classic_options(request: &BuildRequest, dockerfile: String) -> BuildImageOptions {
    BuildImageOptions {
        dockerfile,
        t: Some(request.tag.to_string()),
        extrahosts: (!request.add_hosts.is_empty()).then(|| request.add_hosts.join(",")),
        nocache: request.no_cache,
        cachefrom: (!request.cache_from.is_empty()).then(|| request.cache_from.clone()),
        pull: request.pull.then(|| "1".to_owned()),
        rm: true,
        forcerm: true,
        buildargs: (!request.build_args.is_empty()).then(|| request.build_args.clone().into_iter().collect::<HashMap<_, _>>()),
        squash: request.squash.then_some(true),
        networkmode: request.network.clone(),
        platform: request.platforms.first().map(ToString::to_string).unwrap_or_default(),
        target: request.target.clone().unwrap_or_default(),
        version: BuilderVersion::BuilderV1,
        ..BuildImageOptions::default()
    }
}

/// What a classic build has said.
#[derive(Debug, Default)]
struct ClassicLog {
    partial: String,
    step: Option<String>,
    last_lines: VecDeque<String>,
    total: u64,
}

impl ClassicLog {
    /// Takes a piece of output, which may be less or more than a line.
    fn take(&mut self, text: &str, cx: &Cx) {
        self.partial.push_str(text);
        while let Some(end) = self.partial.find('\n') {
            let line: String = self.partial.drain(..=end).collect();
            self.take_line(line.trim_end_matches(['\n', '\r']), cx);
        }
    }

    fn take_line(&mut self, line: &str, cx: &Cx) {
        // The classic builder marks what a step writes to standard error by colouring it red.
        let (stream, line) = match line.strip_prefix("\u{1b}[91m") {
            Some(line) => (LogStream::Stderr, line),
            None => (LogStream::Stdout, line.trim_start_matches("\u{1b}[0m")),
        };
        let line = line.trim_end_matches("\u{1b}[0m");
        cx.log(stream, line);
        if let Some((done, total, step)) = parse_step(line) {
            self.step = Some(step.to_owned());
            self.total = total;
            self.last_lines.clear();
            cx.progress(format!("{done}/{total} {step}"), done - 1, Some(total), false);
        } else if !line.is_empty() && !line.starts_with(" ---> ") && !line.starts_with("Removing intermediate container ") {
            self.last_lines.push_back(line.to_owned());
            if self.last_lines.len() > LAST_LINES {
                self.last_lines.pop_front();
            }
        }
    }
}

/// Reads `Step 2/7 : RUN make`.
fn parse_step(line: &str) -> Option<(u64, u64, &str)> {
    let (numbers, step) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (done, total) = numbers.split_once('/')?;
    Some((done.parse().ok().filter(|done| *done > 0)?, total.parse().ok()?, step))
}

fn classic_error(tag: &str, dockerfile: &Path, log: ClassicLog, error: &bollard::errors::Error) -> DockerError {
    let message = match error {
        bollard::errors::Error::DockerStreamError { error } => error.clone(),
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        // A file that cannot be read ends the body; its own words are the cause.
        other => super::error::root_cause(other),
    };
    build_error(tag, dockerfile, log.step, log.last_lines.into(), message)
}

/// Returns what a builder's message means: a Dockerfile that does not parse, or a step that failed.
pub(crate) fn build_error(tag: &str, dockerfile: &Path, step: Option<String>, last_lines: Vec<String>, message: String) -> DockerError {
    let Some((_, after)) = message.split_once("parse error") else {
        return DockerError::BuildFailed { tag: tag.to_owned(), step, last_lines, message };
    };
    let line = after.split_once("line ").and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok());
    let said = after.split_once(": ").map_or(message.as_str(), |(_, rest)| rest).trim().to_owned();
    let at = line.and_then(|line| {
        let text = std::fs::read_to_string(dockerfile).ok()?.lines().nth(line.checked_sub(1)?)?.to_owned();
        let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let width = text.trim().chars().count().max(1);
        Some(Box::new(Location { file: dockerfile.to_owned(), line, column, text, width, label: None }))
    });
    DockerError::Dockerfile { dockerfile: dockerfile.to_owned(), at, message: said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_classic_output() {
        assert_eq!(parse_step("Step 2/7 : RUN make : all"), Some((2, 7, "RUN make : all")));
        for line in ["Step x/7 : RUN", "Stepping", " ---> 1234", "Step 0/1 : X"] {
            assert_eq!(parse_step(line), None, "{line}");
        }
    }

    #[test]
    fn a_broken_dockerfile_is_shown_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let dockerfile = dir.path().join("Dockerfile");
        std::fs::write(&dockerfile, "FROM scratch\n  FOO bar\n").unwrap();
        for message in [
            "dockerfile parse error line 2: unknown instruction: FOO",
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error on line 2: unknown instruction: FOO",
        ] {
            let error = build_error("web", &dockerfile, None, Vec::new(), message.to_owned())
                .diagnostic()
                .to_string()
                .replace(&dir.path().display().to_string(), "DIR");
            insta::allow_duplicates! { insta::assert_snapshot!(error, @r"
            error[docker/dockerfile]: `DIR/Dockerfile` is not a valid Dockerfile
             --> DIR/Dockerfile:2:3
              |
            2 |   FOO bar
              |   ^^^^^^^
              unknown instruction: FOO
            "); }
        }
    }

    #[test]
    fn a_failed_step_is_shown_with_its_last_lines() {
        let error = build_error(
            "web:v1",
            Path::new("Dockerfile"),
            Some("RUN make".to_owned()),
            vec!["cc x.c".to_owned(), "x.c:1: oops".to_owned()],
            "exit code: 2".to_owned(),
        );
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[docker/build-failed]: build of `web:v1` failed at `RUN make`
          cc x.c
          x.c:1: oops
          exit code: 2
        ");
    }
}
