//! What is in a project: what builds images, and what deploys them.
//!
//! Facts: Skaffold's `pkg/skaffold/initializer/analyze`, `pkg/skaffold/build/buildpacks/init.go` and `pkg/skaffold/build/ko/init`.

use std::collections::BTreeMap;
use std::collections::HashSet;

use devloop_model::Diagnostic;

use crate::builder::Builder;
use crate::builder::Kind;
use crate::chart;
use crate::chart::Chart;
use crate::go::Modules;
use crate::jib;
use crate::jib::JibFile;
use crate::kustomization;
use crate::manifest;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::options::ReadDockerfile;
use crate::tree::File;
use crate::tree::Tree;
use crate::tree::is_below;
use crate::tree::joined;

/// What was found in a project.
#[derive(Debug, Default)]
pub struct Project {
    /// The name of its folder.
    pub(crate) name: Option<String>,
    /// What builds images.
    pub builders: Vec<Builder>,
    /// Files that name Jib's plugins, which know more.
    pub jib: Vec<JibFile>,
    /// Helm charts.
    pub charts: Vec<Chart>,
    /// Files that were left out, and why.
    pub warnings: Vec<Diagnostic>,
    pub(crate) has_charts: bool,
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) overlays: Vec<String>,
    /// The names that kustomizations give to images of manifests.
    pub(crate) renamed: BTreeMap<String, String>,
    /// Every file, for what must not be overwritten.
    pub(crate) files: HashSet<String>,
}

impl Project {
    /// Returns what is in `tree`.
    pub fn of(tree: &Tree, options: &Options, dockerfile: ReadDockerfile<'_>) -> Self {
        let (charts, warnings) = chart::find(tree);
        let mut project = Self {
            name: tree.name(),
            has_charts: tree.files.iter().any(|file| file.name() == "Chart.yaml"),
            overlays: kustomization::overlays(tree.files.iter().filter(|file| kustomization::is_one(file))),
            renamed: kustomization::renamed(tree.files.iter()),
            files: tree.files.iter().map(|file| file.path.clone()).collect(),
            charts,
            warnings,
            ..Self::default()
        };
        project.take_manifests(tree);
        if !options.skip_build {
            project.take_builders(tree, options, dockerfile);
        }
        project
    }

    /// Puts what Jib's plugin says of a build file in the place of what the file says; what is in directories below it is a part of that build.
    pub fn asked(&mut self, file: &JibFile, builders: Vec<Builder>) {
        let Some(at) = self.builders.iter().position(|builder| builder.kind == file.kind && builder.path == file.path) else { return };
        if builders.is_empty() {
            return;
        }
        self.builders.splice(at..=at, builders);
        let directory = crate::tree::directory(&file.path);
        let is_part = |kind: Kind, path: &str| kind == file.kind && path != file.path && is_below(crate::tree::directory(path), directory);
        self.builders.retain(|builder| !is_part(builder.kind, &builder.path));
        self.jib.retain(|other| !is_part(other.kind, &other.path));
    }

    /// The templates of a chart are none of the project's own manifests, even where they are YAML.
    fn take_manifests(&mut self, tree: &Tree) {
        let charts = chart::directories(tree);
        let is_of_chart = |file: &&File| charts.iter().any(|chart| file.directory() == *chart || is_below(file.directory(), chart));
        for file in tree.files.iter().filter(|file| !kustomization::is_one(file)) {
            let Some(text) = file.text.as_deref().filter(|text| !text.is_empty()) else { continue };
            if is_of_chart(&file) {
                continue;
            }
            match manifest::images(&file.path, text) {
                Ok(Some(images)) => self.manifests.push(Manifest { path: file.path.clone(), images }),
                Ok(None) => {}
                Err(fault) => self.warnings.push(*fault),
            }
        }
    }

    fn take_builders(&mut self, tree: &Tree, options: &Options, dockerfile: ReadDockerfile<'_>) {
        let modules = Modules::of(tree);
        for file in &tree.files {
            let text = file.text.as_deref().unwrap_or_default();
            if let Some(found) = Some(file).filter(|_| options.jib).and_then(|file| jib::find(file, options.jib_gradle)) {
                self.builders.push(jib::unasked(&found, text));
                self.jib.push(found);
            }
            if let Some(ports) = Some(text).filter(|_| may_be_dockerfile(file)).and_then(dockerfile) {
                self.builders.push(Builder { ports, ..Builder::new(Kind::Docker, &file.path) });
            }
            if options.ko && file.name() == "go.mod" {
                self.builders.extend(modules.programs(file));
            }
            if options.buildpacks && is_for_buildpacks(file, tree) {
                let builder_image = options.buildpacks_builder.clone();
                self.builders.push(Builder { builder_image, ..Builder::new(Kind::Buildpacks, &file.path) });
            }
        }
    }
}

fn may_be_dockerfile(file: &File) -> bool {
    let name = file.name().to_lowercase();
    name.contains("dockerfile") && !name.ends_with(".dockerignore")
}

/// A project of Python is one with a `Procfile` beside its requirements.
fn is_for_buildpacks(file: &File, tree: &Tree) -> bool {
    match file.name() {
        "project.toml" | "package.json" | "go.mod" | "pom.xml" | "build.gradle" | "build.gradle.kts" => true,
        "requirements.txt" => tree.has(&joined(file.directory(), "Procfile")),
        name => name.ends_with(".csproj"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { jib: true, ko: true, buildpacks: true, buildpacks_builder: "b:v1".into(), ..Options::default() }
    }

    fn project(files: &[(&str, &str)]) -> Project {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(path), text).unwrap();
        }
        let tree = Tree::read(folder.path(), false).unwrap();
        Project::of(&tree, &options(), &|text| text.starts_with("FROM").then(|| vec![80]))
    }

    #[test]
    fn every_kind_of_builder_is_found() {
        let found = project(&[
            ("Dockerfile", "FROM scratch"),
            ("web/Dockerfile.dev", "FROM scratch"),
            ("web/Dockerfile.dev.dockerignore", "FROM"),
            ("doc/dockerfile.md", "# About"),
            ("go.mod", "module m"),
            ("main.go", "package main"),
            ("java/pom.xml", "<artifactId>jib-maven-plugin</artifactId>"),
            ("node/package.json", "{}"),
            ("python/requirements.txt", ""),
            ("python/Procfile", ""),
            ("script/requirements.txt", ""),
            ("net/App.csproj", ""),
            ("toml/project.toml", ""),
        ]);
        let described: Vec<String> = found.builders.iter().map(Builder::describe).collect();
        insta::assert_snapshot!(described.join("\n"), @r"
        Docker (Dockerfile)
        Ko (go.mod)
        Buildpacks (go.mod)
        Jib Maven Plugin (java/pom.xml)
        Buildpacks (java/pom.xml)
        Buildpacks (net/App.csproj)
        Buildpacks (node/package.json)
        Buildpacks (python/requirements.txt)
        Buildpacks (toml/project.toml)
        Docker (web/Dockerfile.dev)
        ");
        assert_eq!(found.builders[0].ports, [80]);
        assert_eq!(found.jib.len(), 1);
    }

    #[test]
    fn the_plugin_knows_more_than_its_file() {
        let pom = "<artifactId>jib-maven-plugin</artifactId>";
        let mut found = project(&[("pom.xml", pom), ("web/pom.xml", pom), ("api/pom.xml", pom)]);
        let file = found.jib[0].clone();
        found.asked(&file, Vec::new());
        assert_eq!(found.jib.len(), 3);
        found.asked(
            &file,
            file.builders("BEGIN JIB JSON\n{\"image\":\"w\",\"project\":\"g:web\"}\nBEGIN JIB JSON\n{\"project\":\"g:api\"}"),
        );
        let jib: Vec<String> = found.builders.iter().filter(|builder| builder.kind == Kind::JibMaven).map(Builder::describe).collect();
        assert_eq!(jib, ["Jib Maven Plugin (g:web, pom.xml)", "Jib Maven Plugin (g:api, pom.xml)"]);
        assert_eq!(found.jib.len(), 1);
    }

    #[test]
    fn broken_manifests_have_a_word_and_templates_of_charts_none() {
        let broken = "apiVersion: v1\nkind: Pod\nmetadata: {{ x\n";
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{image: a}]}\n";
        let found = project(&[
            ("a.yaml", pod),
            ("b.yaml", broken),
            ("chart/Chart.yaml", "name: c"),
            ("chart/templates/pod.yaml", broken),
            ("chart/templates/plain.yaml", pod),
            ("kustomization.yaml", "kind: Kustomization"),
        ]);
        assert_eq!(found.manifests, [Manifest { path: "a.yaml".into(), images: vec!["a".into()] }]);
        assert_eq!(found.warnings.len(), 1);
        assert!(found.warnings[0].what.starts_with("`b.yaml` is left out"));
        assert_eq!((found.overlays, found.charts.len()), (vec![".".to_owned()], 1));
    }
}
