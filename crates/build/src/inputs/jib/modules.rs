//! What of Maven's one answer for several modules is whose: it names the files of all together.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::Listing;

/// Places of a pom.xml that name artifacts without bringing them in.
const ONLY_NAMED: [&str; 3] = ["dependencyManagement", "pluginManagement", "exclusions"];
/// Words by which a module takes files of another directory.
const ELSEWHERE: [&str; 4] = ["..", "parent.basedir", "multiModuleProjectDirectory", "executionRootDirectory"];

/// What a pom.xml says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pom {
    group: String,
    artifact: String,
    packaging: String,
    /// Artifacts that it may bring in: parent, dependencies, plugins.
    brings: BTreeSet<String>,
    /// Whether it says things that only Maven understands.
    is_vague: bool,
}

/// Returns what of `all` each of `projects` is built from: its own modules and those that they bring in. Where that is not plain
/// from the files, it is all, which builds once too often and never too seldom.
pub(super) fn split(all: &Listing, context: &Path, projects: &[&str]) -> Vec<Listing> {
    let poms: BTreeMap<&Path, Pom> =
        all.build.iter().filter_map(|file| Some((file.as_path(), Pom::parse(&fs::read_to_string(file).ok()?)))).collect();
    projects.iter().map(|project| of_project(all, context, project, &poms).unwrap_or_else(|| all.clone())).collect()
}

fn of_project(all: &Listing, context: &Path, project: &str, poms: &BTreeMap<&Path, Pom>) -> Option<Listing> {
    let (first, _) = poms.iter().find(|(file, pom)| pom.is(project, file, context))?;
    let (mut modules, mut to_do) = (BTreeSet::new(), vec![*first]);
    while let Some(file) = to_do.pop() {
        let pom = poms.get(file).filter(|pom| !pom.is_vague)?;
        if modules.insert(file) {
            to_do.extend(poms.iter().filter(|(_, other)| pom.brings.contains(&other.artifact)).map(|(file, _)| *file));
        }
    }
    // Parents and lists of versions are everybody's.
    let is_own = |file: &Path| modules.contains(file) || poms.get(file).is_none_or(|pom| pom.packaging == "pom");
    let is_used = |input: &PathBuf| {
        let owners = poms.keys().filter(|file| file.parent().is_some_and(|directory| input.starts_with(directory)));
        owners.max_by_key(|file| file.components().count()).is_none_or(|owner| is_own(owner))
    };
    Some(Listing {
        build: all.build.iter().filter(|file| is_own(file)).cloned().collect(),
        inputs: all.inputs.iter().filter(|input| is_used(input)).cloned().collect(),
        results: all.results.clone(),
    })
}

impl Pom {
    fn parse(text: &str) -> Self {
        let mut pom = Self::default();
        for (place, text) in elements(text) {
            match place.as_str() {
                "project/groupId" => text.clone_into(&mut pom.group),
                "project/artifactId" => text.clone_into(&mut pom.artifact),
                "project/packaging" => text.clone_into(&mut pom.packaging),
                "project/parent/groupId" if pom.group.is_empty() => text.clone_into(&mut pom.group),
                _ => {}
            }
            let is_only_named = place.split('/').any(|part| ONLY_NAMED.contains(&part));
            if place.ends_with("/artifactId") && place != "project/artifactId" && !is_only_named {
                pom.is_vague |= text.contains("${");
                pom.brings.insert(text.to_owned());
            }
            pom.is_vague |= place != "project/parent/relativePath" && ELSEWHERE.iter().any(|word| text.contains(word));
        }
        pom
    }

    /// Returns whether `--projects` calls it so: by its directory or file, `group:artifact` or `:artifact`.
    fn is(&self, project: &str, file: &Path, context: &Path) -> bool {
        if let Some((group, artifact)) = project.split_once(':') {
            return artifact == self.artifact && (group.is_empty() || group == self.group);
        }
        let path: PathBuf = context.join(project).components().collect();
        path == file || Some(path.as_path()) == file.parent()
    }
}

/// Returns the texts of a document, each with the names of the elements around it, joined by `/`.
fn elements(document: &str) -> Vec<(String, &str)> {
    let (mut around, mut found, mut rest) = (Vec::new(), Vec::new(), document);
    while let Some(at) = rest.find('<') {
        let text = rest[..at].trim();
        if !text.is_empty() {
            found.push((around.join("/"), text));
        }
        rest = &rest[at..];
        let end = if rest.starts_with("<!--") { "-->" } else { ">" };
        let Some(length) = rest.find(end) else { break };
        let tag = &rest[1..length];
        rest = &rest[length + end.len()..];
        if tag.starts_with('/') {
            around.pop();
        } else if !tag.starts_with(['!', '?']) && !tag.ends_with('/') {
            around.push(tag.split_whitespace().next().unwrap_or_default());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(directory: &Path, modules: &[(&str, &str)]) -> Listing {
        let mut listing = Listing::default();
        for (module, body) in modules {
            let own = directory.join(module);
            fs::create_dir_all(&own).unwrap();
            let file = if module.is_empty() { directory.join("pom.xml") } else { own.join("pom.xml") };
            fs::write(&file, format!("<project xmlns=\"x\">{body}</project>")).unwrap();
            listing.build.push(file);
            listing.inputs.push(own.join("src/main/java"));
        }
        listing.inputs.push(PathBuf::from("/home/me/.m2/some-SNAPSHOT.jar"));
        listing
    }

    fn shown(listing: &Listing, directory: &Path) -> String {
        let paths = listing.build.iter().chain(&listing.inputs);
        paths.map(|path| path.strip_prefix(directory).unwrap_or(path).display().to_string()).collect::<Vec<_>>().join(" ")
    }

    const ROOT: &str = "<groupId>g</groupId><artifactId>all</artifactId><packaging>pom</packaging>\
        <dependencyManagement><dependencies><dependency><artifactId>a</artifactId></dependency></dependencies></dependencyManagement>";

    fn module(name: &str, brings: &str) -> String {
        let bring = |name| format!("<dependency><groupId>g</groupId><artifactId>{name}</artifactId></dependency>");
        let brings: String = brings.split_whitespace().map(bring).collect();
        format!(
            "<!-- <artifactId>c</artifactId> --><parent><groupId>g</groupId><artifactId>all</artifactId><relativePath>../pom.xml</relativePath></parent>\
             <dependencies>{brings}</dependencies><artifactId>{name}</artifactId>"
        )
    }

    #[test]
    fn each_module_has_its_own_files_and_those_that_it_brings_in() {
        let directory = tempfile::tempdir().unwrap();
        let (a, b, c) = (module("a", ""), module("b", "a other"), module("c", ""));
        let all = project(directory.path(), &[("", ROOT), ("a", &a), ("b", &b), ("c", &c)]);
        let found = split(&all, directory.path(), &["a", ":b", "g:c", "./c"]);
        let found: Vec<String> = found.iter().map(|listing| shown(listing, directory.path())).collect();
        insta::assert_snapshot!(found.join("\n"), @r"
        pom.xml a/pom.xml src/main/java a/src/main/java /home/me/.m2/some-SNAPSHOT.jar
        pom.xml a/pom.xml b/pom.xml src/main/java a/src/main/java b/src/main/java /home/me/.m2/some-SNAPSHOT.jar
        pom.xml c/pom.xml src/main/java c/src/main/java /home/me/.m2/some-SNAPSHOT.jar
        pom.xml c/pom.xml src/main/java c/src/main/java /home/me/.m2/some-SNAPSHOT.jar
        ");
    }

    #[test]
    fn what_only_maven_understands_is_everything() {
        for a in [
            module("a", "${other}"),
            module("a", "") + "<build><resources><resource><directory>../shared</directory></resource></resources></build>",
            module("a", "") + "<build><sourceDirectory>${project.parent.basedir}/src</sourceDirectory></build>",
        ] {
            let directory = tempfile::tempdir().unwrap();
            let b = module("b", "");
            let all = project(directory.path(), &[("", ROOT), ("a", &a), ("b", &b)]);
            let found = split(&all, directory.path(), &["a", "b", "unknown"]);
            assert_eq!((&found[0], &found[2]), (&all, &all), "{a}");
            assert_eq!(shown(&found[1], directory.path()).matches("b/").count(), 2);
        }
    }
}
