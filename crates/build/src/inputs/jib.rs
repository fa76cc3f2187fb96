//! The inputs of Java projects: what Jib says of them, remembered until a file that builds them changes.
//! Source: skaffold `pkg/skaffold/build/jib/jib.go`.

mod modules;
pub(crate) mod sync;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use devloop_model::Artifact;
use devloop_model::Builder;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::JibKind;
use futures::future::join_all;
use serde::Deserialize;
use serde::Serialize;

use super::memory;
use super::memory::Memory;
use super::memory::Part;
use crate::BuildError;
use crate::builder::jib::MINIMUM;
use crate::builder::jib::Project;
use crate::builder::jib::gradle_task;

/// The line before an answer.
const MARK: &str = "BEGIN JIB JSON";
/// The goal, and the task, that answers.
const GOAL: &str = "jib:_skaffold-files-v2";
const TASK: &str = "_jibSkaffoldFilesV2";
/// Variables that are arguments as well.
const VARIABLES: [&str; 5] = ["MAVEN_ARGS", "MAVEN_OPTS", "GRADLE_OPTS", "GRADLE_USER_HOME", "JAVA_HOME"];

/// What Jib says of a project. Directories count with all that is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    /// Files that say how the project is built.
    pub(crate) build: Vec<PathBuf>,
    /// Files and directories that it is built from.
    pub(crate) inputs: Vec<PathBuf>,
    /// What of them is the result of a build.
    #[serde(rename = "ignore")]
    pub(crate) results: Vec<PathBuf>,
}

/// Returns the files that each of `artifacts` is built from, of those that Jib builds. Modules of one project are asked for together.
///
/// # Errors
/// When a project is none, or its build does not answer.
pub(crate) async fn list_all(artifacts: &[&Artifact], cache_dir: &Path, cx: &Cx) -> Result<BTreeMap<ImageName, Vec<PathBuf>>, BuildError> {
    let found = listings(artifacts, cache_dir, cx).await?;
    Ok(found.into_iter().map(|(image, listing)| (image, files(&listing))).collect())
}

/// Returns what Jib says of each of `artifacts`.
async fn listings(artifacts: &[&Artifact], cache_dir: &Path, cx: &Cx) -> Result<BTreeMap<ImageName, Listing>, BuildError> {
    let mut projects = Vec::new();
    for artifact in artifacts {
        if let Builder::Jib(spec) = &artifact.builder {
            projects.push(Project::of(artifact, spec)?);
        }
    }
    let place = |project: &Project<'_>| cache_dir.join("jib").join(format!("{}.json", key(project, cx)));
    let recalled = join_all(projects.iter().map(|project| memory::recall::<Listing>(place(project)))).await;
    let mut found = BTreeMap::new();
    let mut unknown: BTreeMap<Vec<String>, Vec<Project<'_>>> = BTreeMap::new();
    for (project, listing) in projects.iter().zip(recalled) {
        match listing {
            Some(listing) => drop(found.insert(project.artifact.image.clone(), listing)),
            None => unknown.entry(together(project)).or_default().push(*project),
        }
    }
    for projects in unknown.into_values() {
        let asked = SystemTime::now();
        for (project, (listing, watched)) in projects.iter().zip(ask(&projects, cx).await?) {
            let files = watched.into_iter().map(|file| (file, Part::Whole)).collect();
            if let Ok(Some(memory)) = Memory::of(listing.clone(), files, BTreeSet::new(), asked) {
                memory::store(memory, place(project)).await;
            }
            found.insert(project.artifact.image.clone(), listing);
        }
    }
    Ok(found)
}

/// Returns what has to be equal for projects to be asked for together.
fn together(project: &Project<'_>) -> Vec<String> {
    let mut words = vec![format!("{:?}", project.kind), project.artifact.context.display().to_string()];
    words.push(project.spec.project.is_some().to_string());
    words.extend(project.spec.args.iter().cloned());
    words
}

fn key(project: &Project<'_>, cx: &Cx) -> String {
    let mut hasher = blake3::Hasher::new();
    let variables = VARIABLES.iter().map(|name| cx.env.get(name).unwrap_or_default().to_owned());
    for word in together(project).into_iter().chain(project.spec.project.clone()).chain(variables) {
        hasher.update(word.as_bytes()).update(b"\0");
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Returns what is said of each of `projects`, which are alike but for their modules, and the files that the answer stands on.
async fn ask(projects: &[Project<'_>], cx: &Cx) -> Result<Vec<(Listing, BTreeSet<PathBuf>)>, BuildError> {
    let Some(first) = projects.first() else { return Ok(Vec::new()) };
    let modules: Vec<&str> = projects.iter().filter_map(|project| project.spec.project.as_deref()).collect();
    let arguments = match first.kind {
        JibKind::Maven => first.maven(&modules, MINIMUM).into_iter().chain([GOAL, "--quiet", "--batch-mode"].map(str::to_owned)).collect(),
        JibKind::Gradle => {
            let mut arguments = first.gradle(&modules, TASK, MINIMUM);
            // Only with its headers it is known whose answer is whose.
            arguments.push(if modules.len() > 1 { "--no-parallel" } else { "-q" }.to_owned());
            arguments.push("--console=plain".to_owned());
            arguments
        }
    };
    let output = first.output(first.command().args(arguments), "name the inputs of", cx).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let listings = match (first.kind, modules.len()) {
        (JibKind::Gradle, 2..) => of_tasks(&text, &modules),
        (JibKind::Maven, 2..) => answer(&text).map(|all| modules::split(&all, &first.artifact.context, &modules)),
        _ => answer(&text).map(|one| vec![one]),
    };
    let listings = listings.ok_or_else(|| no_answer(first, &text))?;
    let watched = watched(first, &listings, cx);
    Ok(listings.into_iter().map(|listing| (listing, watched.clone())).collect())
}

/// Returns the one answer in what Maven or Gradle says.
fn answer(text: &str) -> Option<Listing> {
    let mut lines = text.lines();
    lines.find(|line| line.trim_end() == MARK)?;
    serde_json::from_str(lines.next()?).ok()
}

/// Returns the answer of each subproject, by the header that Gradle puts before what a task says.
fn of_tasks(text: &str, projects: &[&str]) -> Option<Vec<Listing>> {
    let mut found = BTreeMap::new();
    let (mut task, mut lines) = (String::new(), text.lines());
    while let Some(line) = lines.next() {
        if let Some(header) = line.strip_prefix("> Task ") {
            header.split(' ').next().unwrap_or_default().clone_into(&mut task);
        } else if line.trim_end() == MARK {
            found.insert(task.clone(), serde_json::from_str(lines.next()?).ok()?);
        }
    }
    projects.iter().map(|project| found.get(&gradle_task(project, TASK)).cloned()).collect()
}

fn no_answer(project: &Project<'_>, text: &str) -> BuildError {
    let lines: Vec<&str> = text.lines().collect();
    Diagnostic::error("build/inputs-not-listed", format!("Jib does not say what `{}` is built from", project.artifact.image))
        .at(project.artifact.at.clone())
        .because(lines[lines.len().saturating_sub(5)..].join("\n"))
        .help(format!("`{}` must have the Jib plugin {MINIMUM} or newer", project.artifact.context.display()))
        .into()
}

/// Returns the files whose change makes an answer stale: what builds any of the modules, and settings that lie beside.
fn watched(project: &Project<'_>, listings: &[Listing], cx: &Cx) -> BTreeSet<PathBuf> {
    let context = &project.artifact.context;
    let home = |name: &str| cx.env.get("HOME").map(|home| Path::new(home).join(name));
    let beside: Vec<PathBuf> = match project.kind {
        JibKind::Maven => {
            let own = ["pom.xml", ".mvn/maven.config", ".mvn/extensions.xml", ".mvn/jvm.config", ".mvn/wrapper/maven-wrapper.properties"];
            own.iter().map(|name| context.join(name)).chain(home(".m2/settings.xml")).collect()
        }
        JibKind::Gradle => {
            let own = ["settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts", "gradle.properties"];
            let wrapper = ["gradle/wrapper/gradle-wrapper.properties", "gradle/libs.versions.toml"];
            own.iter().chain(&wrapper).map(|name| context.join(name)).chain(home(".gradle/gradle.properties")).collect()
        }
    };
    listings.iter().flat_map(|listing| listing.build.iter().cloned()).filter(|path| !path.is_dir()).chain(beside).collect()
}

/// Returns every file of a listing that is there.
fn files(listing: &Listing) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in listing.build.iter().chain(&listing.inputs) {
        below(path, &listing.results, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// What cannot be read is left out, as what is not there.
fn below(path: &Path, results: &[PathBuf], found: &mut Vec<PathBuf>) {
    if results.iter().any(|result| path.starts_with(result)) {
        return;
    }
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| below(&entry.path(), results, found)),
        Err(_) if path.exists() => found.push(path.to_owned()),
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests;
