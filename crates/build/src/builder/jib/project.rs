//! A project that Jib builds, and the program that runs Jib: `mvn` or `gradle`, or the project's own wrapper of it.

use std::path::Path;

use devloop_clients::process::Command;
use devloop_clients::process::Output;
use devloop_clients::process::ProcessError;
use devloop_model::Artifact;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::JibBuild;
use devloop_model::JibKind;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;

use crate::BuildError;

/// Files that tell of Gradle; they are looked for before those of Maven.
const GRADLE_FILES: [&str; 5] = ["build.gradle", "build.gradle.kts", "gradle.properties", "settings.gradle", "gradlew"];
/// What Maven says at the end of every failure.
const MAVEN_ADVICE: [&str; 5] =
    ["To see the full stack trace", "Re-run Maven", "For more information about the errors", "[Help ", "After correcting"];

/// Modules of a project share their output, and all projects the local repository, which two programs at once would fill
/// with half of each other's downloads (<https://github.com/GoogleContainerTools/skaffold/issues/7409>).
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A project that Jib builds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Project<'a> {
    /// The artifact.
    pub(crate) artifact: &'a Artifact,
    /// Its settings.
    pub(crate) spec: &'a JibBuild,
    /// What Jib is a plugin of.
    pub(crate) kind: JibKind,
}

impl<'a> Project<'a> {
    /// Returns the project of `artifact`. Source: skaffold `pkg/skaffold/build/jib/jib.go` (`DeterminePluginType`).
    ///
    /// # Errors
    /// When its files are neither those of Maven nor of Gradle.
    pub(crate) fn of(artifact: &'a Artifact, spec: &'a JibBuild) -> Result<Self, BuildError> {
        let context = &artifact.context;
        let kind = if let Some(kind) = spec.kind {
            kind
        } else if GRADLE_FILES.iter().any(|file| context.join(file).is_file()) {
            JibKind::Gradle
        } else if context.join("pom.xml").is_file() || context.join(".mvn").is_dir() {
            JibKind::Maven
        } else {
            return Err(Diagnostic::error("build/jib-project", format!("`{}` is no project of Maven or Gradle", context.display()))
                .at(artifact.at.clone())
                .because("it has neither a `pom.xml` nor a `build.gradle`")
                .help("set `context` to the directory of the project, or `jib.type` to `maven` or `gradle`")
                .into());
        };
        Ok(Self { artifact, spec, kind })
    }

    /// Returns the name of the program.
    pub(crate) fn program(&self) -> &'static str {
        match self.kind {
            JibKind::Maven => "mvn",
            JibKind::Gradle => "gradle",
        }
    }

    /// Returns the program in the directory of the project: its wrapper where it has one.
    pub(crate) fn command(&self) -> Command {
        let context = &self.artifact.context;
        let wrapper = context.join(format!("{}w", self.program()));
        let command = if wrapper.is_file() { Command::new(&wrapper) } else { Command::new(self.program()) };
        command.dir(context)
    }

    /// Returns the arguments with which Maven checks the version of Jib and takes the modules of `projects`; none is the whole project.
    pub(crate) fn maven(&self, projects: &[&str], minimum: &str) -> Vec<String> {
        let mut arguments = vec!["jib:_skaffold-fail-if-jib-out-of-date".to_owned(), format!("-Djib.requiredVersion={minimum}")];
        arguments.extend(self.spec.args.iter().cloned());
        if projects.is_empty() {
            arguments.push("--non-recursive".to_owned());
        } else {
            arguments.extend(["--projects".to_owned(), projects.join(","), "--also-make".to_owned()]);
        }
        arguments
    }

    /// Returns the arguments with which Gradle checks the version of Jib and runs a task of each of `projects`; none is the root.
    pub(crate) fn gradle(&self, projects: &[&str], task: &str, minimum: &str) -> Vec<String> {
        let check = ["_skaffoldFailIfJibOutOfDate".to_owned(), format!("-Djib.requiredVersion={minimum}")];
        let root = projects.is_empty().then(|| format!(":{task}"));
        let tasks = projects.iter().map(|project| gradle_task(project, task));
        check.into_iter().chain(root).chain(tasks).collect()
    }

    /// Returns the arguments that compile the project and then run a goal of Jib, or its task.
    pub(crate) fn compiling(&self, goal: &str, task: &str, minimum: &str, skips_tests: bool) -> Vec<String> {
        let projects: Vec<&str> = self.spec.project.as_deref().into_iter().collect();
        match self.kind {
            JibKind::Maven => {
                let mut arguments = vec!["--batch-mode".to_owned()];
                arguments.extend(self.maven(&projects, minimum));
                arguments.extend(skips_tests.then(|| "-DskipTests=true".to_owned()));
                // Of several modules, the others have to be packed to be in it.
                arguments.push(if projects.is_empty() { "prepare-package" } else { "package" }.to_owned());
                arguments.push(format!("jib:{goal}"));
                arguments.extend(self.spec.project.as_ref().map(|project| format!("-Djib.containerize={project}")));
                arguments
            }
            JibKind::Gradle => {
                let mut arguments = vec!["--console=plain".to_owned()];
                arguments.extend(self.gradle(&projects, task, minimum));
                arguments.extend(skips_tests.then(|| ["-x", "test"].map(str::to_owned)).into_iter().flatten());
                arguments.extend(self.spec.args.iter().cloned());
                arguments
            }
        }
    }

    /// Runs the program and sends what it says to the step's log.
    ///
    /// # Errors
    /// When there is no Java or no such program, or it fails.
    pub(crate) async fn run(&self, command: Command, doing: &str, cx: &Cx) -> Result<(), BuildError> {
        let _turn = self.turn(cx).await?;
        command.run(cx).await.map_err(|error| self.failed(error, doing))
    }

    /// Runs the program and returns what it says.
    ///
    /// # Errors
    /// When there is no Java or no such program, or it fails.
    pub(crate) async fn output(&self, command: Command, doing: &str, cx: &Cx) -> Result<Output, BuildError> {
        let _turn = self.turn(cx).await?;
        command.output(cx).await.map_err(|error| self.failed(error, doing))
    }

    async fn turn(&self, cx: &Cx) -> Result<MutexGuard<'static, ()>, BuildError> {
        self.needs_java(cx)?;
        Ok(cx.unless_cancelled(ONE_AT_A_TIME.lock()).await?)
    }

    fn needs_java(&self, cx: &Cx) -> Result<(), BuildError> {
        let is_there = |directory: &Path| directory.join("java").is_file();
        let home = cx.env.get("JAVA_HOME").is_some_and(|home| is_there(&Path::new(home).join("bin")));
        if home || std::env::split_paths(cx.env.get("PATH").unwrap_or_default()).any(|directory| is_there(&directory)) {
            return Ok(());
        }
        Err(Diagnostic::error("build/no-java", format!("there is no Java to build `{}` with", self.artifact.image))
            .at(self.artifact.at.clone())
            .help("install a JDK, or set JAVA_HOME to one")
            .into())
    }

    fn failed(&self, error: ProcessError, doing: &str) -> BuildError {
        let fault = |code: &'static str, what: String| Diagnostic::error(code, what).at(self.artifact.at.clone());
        match error {
            ProcessError::Failed { status, last_lines, .. } => {
                let said = self.faults_in(&last_lines);
                let code = match self.kind {
                    JibKind::Maven => "build/maven-failed",
                    JibKind::Gradle => "build/gradle-failed",
                };
                let told = fault(code, format!("{} could not {doing} `{}`: it ended with {status}", self.name(), self.artifact.image));
                let told = if said.is_empty() { told } else { told.because(said.join("\n")) };
                match self.advice(&said) {
                    Some(advice) => told.help(advice).into(),
                    None => told.into(),
                }
            }
            ProcessError::NotFound { program } => {
                fault("build/no-jib-program", format!("there is no `{program}` to {doing} `{}` with", self.artifact.image))
                    .help(format!("install {}, or add its wrapper `{}w` to the project", self.name(), self.program()))
                    .into()
            }
            other => other.into(),
        }
    }

    fn name(&self) -> &'static str {
        match self.kind {
            JibKind::Maven => "Maven",
            JibKind::Gradle => "Gradle",
        }
    }

    /// Returns the lines that say what is wrong, each once, with paths as the user knows them.
    fn faults_in(&self, lines: &[String]) -> Vec<String> {
        let mut faults: Vec<String> = Vec::new();
        for line in lines {
            let fault = match self.kind {
                JibKind::Maven => line.strip_prefix("[ERROR]").map(str::trim),
                JibKind::Gradle => Some(line.trim_end()).filter(|line| !line.trim().is_empty()),
            };
            let fault = fault.map(|fault| fault.split(" -> [Help ").next().unwrap_or(fault));
            let Some(fault) = fault.filter(|fault| !fault.is_empty() && !fault.starts_with("->") && !is_advice(fault)) else { continue };
            let fault = fault.replace(&format!("{}/", self.artifact.context.display()), "");
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }

    fn advice(&self, faults: &[String]) -> Option<String> {
        let says = |text: &str| faults.iter().any(|fault| fault.contains(text));
        if says("No plugin found for prefix 'jib'") {
            return Some("add `com.google.cloud.tools:jib-maven-plugin` to the plugins of the pom.xml".to_owned());
        }
        if says("_skaffoldFailIfJibOutOfDate' not found") {
            return Some("apply the plugin `com.google.cloud.tools.jib` in the build.gradle".to_owned());
        }
        let is_old = says("Jib plugin version is") || says("but is required to be");
        is_old.then(|| "raise the version of the Jib plugin in the project".to_owned())
    }
}

/// Returns the name of a task of a subproject.
pub(crate) fn gradle_task(project: &str, task: &str) -> String {
    format!(":{project}:{task}")
}

fn is_advice(line: &str) -> bool {
    MAVEN_ADVICE.iter().any(|advice| line.starts_with(advice))
}

#[cfg(test)]
mod tests;
