//! Commands in containers of an image, and what has to come of them (container-structure-test's
//! `pkg/types/v2/command.go` and `pkg/drivers/docker_driver.go`).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use devloop_clients::docker::CommandSpec;
use devloop_clients::docker::Docker;
use devloop_clients::docker::DockerError;
use devloop_clients::docker::Ended;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageId;
use devloop_model::Stream;

use super::expand::expand;
use super::file::CommandTest;
use super::file::RunOptions;
use super::file::StructureFile;
use super::file::Variable;
use super::files::unmatched;

/// How long a command may take.
const LIMIT: Duration = Duration::from_mins(10);

/// What the commands of a file share.
#[derive(Debug)]
pub(super) struct Commands<'a> {
    docker: &'a Docker,
    image: &'a str,
    options: &'a RunOptions,
    /// What the image sets, and the file for all tests.
    variables: BTreeMap<String, String>,
    /// `NAME=value`: what the file sets beyond the image.
    set: Vec<String>,
    /// The same, of `containerRunOptions`.
    passed: Vec<String>,
}

impl<'a> Commands<'a> {
    /// Returns what the commands of `file` share; `env` is what the image sets.
    pub(super) fn of(
        file: &'a StructureFile,
        image: &'a str,
        env: &BTreeMap<String, String>,
        docker: &'a Docker,
        working_dir: &Path,
        cx: &Cx,
    ) -> Self {
        let mut variables = env.clone();
        let set = assignments(&file.global_env_vars, env);
        variables.extend(set.iter().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())));
        let options = &file.container_run_options;
        let own = options.env_vars.iter().filter_map(|name| Some(format!("{name}={}", cx.env.get(name)?)));
        let passed = from_file(options, working_dir, cx).into_iter().chain(own).collect();
        Self { docker, image, options, variables, set, passed }
    }

    /// Returns what is wrong with what comes of a command.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(super) async fn faults(&self, test: &CommandTest, cx: &Cx) -> Result<Vec<String>, DockerError> {
        let mut images = Vec::new();
        let ended = self.run(test, &mut images, cx).await;
        // Each was made of the one before it.
        for image in images.iter().rev() {
            let removed = self.docker.remove_image(image.as_str(), &Cx::silent(cx.step.clone())).await;
            if let Err(error) = removed {
                tracing::debug!("image {} is left behind: {error}", image.as_str());
            }
        }
        ended.map(|ended| test.wrong(&ended))
    }

    /// Runs what sets the command up, each on what the one before left behind, and then the command.
    async fn run(&self, test: &CommandTest, images: &mut Vec<ImageId>, cx: &Cx) -> Result<Ended, DockerError> {
        let mut variables = self.variables.clone();
        let own = assignments(&test.env_vars, &variables);
        for command in &test.setup {
            let image = images.last().map_or(self.image, ImageId::as_str).to_owned();
            let env = self.set.iter().chain(&own).cloned().collect();
            let spec = CommandSpec { image, command: command.clone(), env, ..self.spec() };
            let (ended, left) = self.docker.run_and_keep(&CommandSpec { tty: false, ..spec }, LIMIT, cx).await?;
            if ended.code != 0 {
                cx.log(Stream::Stderr, format!("setup `{}` of {} ended with exit code {}", command.join(" "), test.name.value, ended.code));
            }
            images.push(left);
        }
        if !test.setup.is_empty() {
            // What was set up knows them.
            variables.extend(own.iter().filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let command = std::iter::once(&test.command).chain(&test.args).map(|word| expand(word, &variables)).collect();
        let written = test.env_vars.iter().map(|Variable { key, value, .. }| format!("{key}={value}"));
        let env = self.set.iter().chain(&self.passed).cloned().chain(written).collect();
        let image = images.last().map_or(self.image, ImageId::as_str).to_owned();
        self.docker.run_once(&CommandSpec { image, command, env, ..self.spec() }, LIMIT, cx).await
    }

    fn spec(&self) -> CommandSpec {
        let RunOptions { user, privileged, allocate_tty, capabilities, bind_mounts, .. } = self.options;
        CommandSpec {
            user: (!user.is_empty()).then(|| user.clone()),
            tty: *allocate_tty,
            privileged: *privileged,
            capabilities: capabilities.clone(),
            binds: bind_mounts.clone(),
            ..CommandSpec::default()
        }
    }
}

/// Returns variables as a container is given them, with those of `known` replaced in their values.
fn assignments(variables: &[Variable], known: &BTreeMap<String, String>) -> Vec<String> {
    variables.iter().map(|Variable { key, value, .. }| format!("{key}={}", expand(value, known))).collect()
}

/// Returns the variables of `envFile`; one that cannot be read is told, as there.
fn from_file(options: &RunOptions, working_dir: &Path, cx: &Cx) -> Vec<String> {
    let Some(file) = &options.env_file else { return Vec::new() };
    match std::fs::read_to_string(working_dir.join(file)) {
        Ok(text) => text.lines().filter_map(assignment).collect(),
        Err(error) => {
            let what = format!("`envFile` of structure tests cannot be read: {}", file.display());
            cx.warn(Diagnostic::warning("test/env-file", what).because(error.to_string()));
            Vec::new()
        }
    }
}

/// Returns the variable of a line of such a file; none for a comment or an empty line.
fn assignment(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches("export ");
    let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    let value = value.trim();
    let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    Some(format!("{}={}", name.trim(), unquoted.unwrap_or(value)))
}

impl CommandTest {
    /// Returns what is wrong with how it ended.
    fn wrong(&self, ended: &Ended) -> Vec<String> {
        let mut faults = unmatched("its standard error", &ended.stderr, &self.expected_error, &self.excluded_error);
        faults.extend(unmatched("its output", &ended.stdout, &self.expected_output, &self.excluded_output));
        if ended.code != self.exit_code {
            let said = if ended.stderr.is_empty() { &ended.stdout } else { &ended.stderr };
            let last = said.trim_end().lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
            faults.push(format!("it ended with exit code {}, not {}{last}", ended.code, self.exit_code));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(test: &str) -> String {
        let test: CommandTest = serde_saphyr::from_str(&format!("{{name: a, command: a{test}}}")).unwrap();
        test.wrong(&Ended { code: 3, stdout: "out\n".into(), stderr: "bad\nworse\n".into() }).join("; ")
    }

    #[test]
    fn what_a_command_did_is_compared() {
        for (test, expected) in [
            (", exitCode: 3, expectedOutput: ['^out'], excludedOutput: [bad], expectedError: [bad], excludedError: [out]", ""),
            ("", "it ended with exit code 3, not 0: worse"),
            (", exitCode: 3, expectedOutput: [bad]", r#"`bad` does not match its output, which is "out""#),
            (", exitCode: 3, excludedError: [worse]", r#"`worse` matches its standard error, which is "bad\nworse""#),
        ] {
            assert_eq!(faults(test), expected, "{test}");
        }
    }

    #[test]
    fn files_of_variables_are_read_as_usual() {
        for (line, expected) in [
            ("A=b", Some("A=b")),
            ("export A = 'b c'", Some("A=b c")),
            ("A=\"b=c\"", Some("A=b=c")),
            ("A='b", Some("A='b")),
            ("# A=b", None),
            ("", None),
        ] {
            assert_eq!(assignment(line).as_deref(), expected, "{line}");
        }
    }
}
