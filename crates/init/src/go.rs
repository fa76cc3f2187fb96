//! Go programs.

use crate::builder::Builder;
use crate::builder::Kind;
use crate::tree::File;
use crate::tree::Tree;
use crate::tree::is_below;
use crate::tree::joined;

/// The Go modules of a project.
#[derive(Debug)]
pub(crate) struct Modules<'t> {
    tree: &'t Tree,
    /// The directories of modules.
    directories: Vec<&'t str>,
    /// The directories that have sources.
    packages: Vec<&'t str>,
}

impl<'t> Modules<'t> {
    /// Returns the modules of a project.
    pub(crate) fn of(tree: &'t Tree) -> Self {
        let directories = tree.files.iter().filter(|file| file.name() == "go.mod").map(File::directory).collect();
        let mut packages: Vec<&str> = tree.files.iter().filter(|file| is_source(file)).map(File::directory).collect();
        packages.dedup();
        Self { tree, directories, packages }
    }

    /// Returns a builder for each program of a module: the package beside its `go.mod`, and those below `cmd`.
    pub(crate) fn programs(&self, module: &File) -> Vec<Builder> {
        let (root, commands) = (module.directory(), joined(module.directory(), "cmd"));
        let name = module_name(module.text.as_deref().unwrap_or_default());
        let is_looked_at = |dir: &str| dir == root || dir == commands || is_below(dir, &commands);
        let packages = self.packages.iter().filter(|dir| is_looked_at(dir) && self.module_of(dir) == Some(root));
        let builder = |dir: &&str| {
            let inner = if root == "." { dir } else { dir.strip_prefix(root).unwrap_or_default().trim_start_matches('/') };
            let (main, path) = if *dir == root { (String::new(), String::new()) } else { (format!("./{inner}"), format!("/{inner}")) };
            Builder { main, image: name.as_ref().map(|name| format!("ko://{name}{path}")), ..Builder::new(Kind::Ko, &module.path) }
        };
        packages.filter(|dir| self.is_program(dir)).map(builder).collect()
    }

    /// Returns the directory of the innermost module around a package.
    fn module_of(&self, package: &str) -> Option<&str> {
        let around = self.directories.iter().filter(|dir| package == **dir || is_below(package, dir));
        around.copied().max_by_key(|dir| if *dir == "." { 0 } else { dir.len() })
    }

    fn is_program(&self, dir: &str) -> bool {
        let mut sources = self.tree.directly_in(dir).filter(|file| is_source(file));
        sources.any(|file| self.tree.text_of(&file.path).is_some_and(|text| is_main(&text)))
    }
}

fn is_source(file: &File) -> bool {
    file.path.strip_suffix(".go").is_some_and(|name| !name.ends_with("_test"))
}

/// Returns whether a source is of a package `main` that is not only for `go run`.
fn is_main(source: &str) -> bool {
    let mut lines = source.lines().map(str::trim);
    let clause = lines.by_ref().take_while(|line| !line.starts_with("import")).collect::<Vec<_>>();
    let ignored = clause.iter().any(|line| line.starts_with("//go:build ignore"));
    !ignored && clause.iter().any(|line| line.strip_prefix("package ").is_some_and(|name| name.split_whitespace().next() == Some("main")))
}

fn module_name(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.trim().strip_prefix("module ")).map(|name| name.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn programs_of(files: &[(&str, &str)], module: &str) -> Vec<(String, Option<String>)> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let tree = Tree::read(folder.path(), false).unwrap();
        let module = tree.files.iter().find(|file| file.path == module).unwrap();
        Modules::of(&tree).programs(module).into_iter().map(|builder| (builder.main, builder.image)).collect()
    }

    #[test]
    fn programs_are_beside_the_module_and_below_cmd() {
        let files = [
            ("go.mod", "module example.com/shop\n"),
            ("main.go", "// Package main.\npackage main // x\n\nimport \"fmt\"\n"),
            ("gen.go", "//go:build ignore\n\npackage main\n"),
            ("cmd/web/web.go", "package main\n"),
            ("cmd/lib/lib.go", "package lib\n"),
            ("cmd/web/web_test.go", "package main\n"),
            ("inner/go.mod", "module other\n"),
            ("inner/main.go", "package main\n"),
            ("inner/cmd/x/main.go", "package main\n"),
            ("pkg/x.go", "package main\n"),
        ];
        let name = |name: &str| Some(format!("ko://{name}"));
        assert_eq!(
            programs_of(&files, "go.mod"),
            [(String::new(), name("example.com/shop")), ("./cmd/web".into(), name("example.com/shop/cmd/web"))]
        );
        assert_eq!(programs_of(&files, "inner/go.mod"), [(String::new(), name("other")), ("./cmd/x".into(), name("other/cmd/x"))]);
        assert_eq!(programs_of(&[("go.mod", "module lib\n"), ("lib.go", "package lib\n")], "go.mod"), []);
    }
}
