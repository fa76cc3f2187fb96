//! The inputs of a target of Bazel: what `bazel query` names, remembered until something that it stands on changes.
//! Source: skaffold `pkg/skaffold/build/bazel/dependencies.go`.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use devloop_model::Artifact;
use devloop_model::BazelBuild;
use devloop_model::Cx;

use super::memory;
use super::memory::Memory;
use super::memory::Names;
use super::memory::Part;
use crate::BuildError;
use crate::builder::bazel;

/// Files of a workspace that say how all of it is built.
const WORKSPACE_FILES: [&str; 5] = ["WORKSPACE", "WORKSPACE.bazel", "MODULE.bazel", ".bazelrc", ".bazelversion"];

/// Returns the absolute paths of the files that the target of `artifact` is built from.
///
/// # Errors
/// When there is no Bazel, or it does not know the target.
pub(crate) async fn list(artifact: &Artifact, spec: &BazelBuild, cache_dir: &Path, cx: &Cx) -> Result<Vec<PathBuf>, BuildError> {
    let key = blake3::hash(format!("{}\0{}", artifact.context.display(), spec.target).as_bytes());
    let at = cache_dir.join("bazel-query").join(format!("{}.json", &key.to_hex()[..32]));
    if let Some(files) = memory::recall(at.clone()).await {
        return Ok(files);
    }
    let asked = SystemTime::now();
    let workspace = PathBuf::from(bazel::ask(artifact, &["info", "workspace"], cx).await?.trim());
    let query = format!("kind('source file', deps('{0}')) union buildfiles(deps('{0}'))", spec.target);
    let labels = bazel::ask(artifact, &["query", &query, "--noimplicit_deps", "--order_output=no", "--output=label"], cx).await?;
    let mut files = files_of(&labels, &workspace);
    files.extend(WORKSPACE_FILES.iter().map(|name| workspace.join(name)).filter(|file| file.is_file()));
    let conditions = WORKSPACE_FILES.iter().map(|name| workspace.join(name)).chain(files.iter().filter(|file| says_how(file)).cloned());
    let watched: BTreeSet<(PathBuf, Part)> = conditions.map(|file| (file, Part::Whole)).collect();
    // Patterns of build files take what is added beside the sources.
    let above = files.iter().flat_map(|file| file.ancestors().skip(1)).filter(|directory| directory.starts_with(&workspace));
    let directories = above.filter(|directory| directory.is_dir()).map(|directory| (directory.to_owned(), Names::Bazel)).collect();
    if let Ok(Some(memory)) = Memory::of(files.clone(), watched, directories, asked) {
        memory::store(memory, at).await;
    }
    Ok(files)
}

/// Returns the files of labels; what other repositories have is not watched.
fn files_of(labels: &str, workspace: &Path) -> Vec<PathBuf> {
    let own = labels.lines().map(str::trim).filter_map(|label| label.strip_prefix("//")).filter(|label| !label.starts_with("external"));
    own.map(|label| workspace.join(label.replacen(':', "/", 1).trim_start_matches('/'))).collect()
}

fn says_how(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    matches!(&*name, "BUILD" | "BUILD.bazel") || name.ends_with(".bzl") || name.ends_with(".MODULE.bazel")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use devloop_model::Builder;

    use super::*;
    use crate::testing;

    /// A workspace, and a program in place of Bazel that writes down each query.
    fn workspace() -> (tempfile::TempDir, Artifact, Cx) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for (file, text) in [("work/MODULE.bazel", ""), ("work/app/BUILD", ""), ("work/app/main.go", ""), ("work/defs.bzl", "")] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), text).unwrap();
        }
        let script = format!(
            "#!/bin/sh\ncase $1 in\ninfo) echo {root}/work;;\nquery) echo \"$@\" >>{root}/asked; printf '//app:main.go\\n//app:BUILD\\n//:defs.bzl\\n@rules//a:b\\n@@go//:c\\n//external:x\\n';;\nesac\n",
            root = root.display()
        );
        let program = root.join("bin/bazel");
        fs::create_dir(root.join("bin")).unwrap();
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let spec = BazelBuild { target: "//app:image.tar".to_owned(), ..BazelBuild::default() };
        let artifact = testing::artifact("web", &root.join("work"), Builder::Bazel(spec));
        let cx = testing::cx_with_path(&format!("{}:/bin:/usr/bin", root.join("bin").display()));
        (directory, artifact, cx)
    }

    async fn listed(artifact: &Artifact, root: &Path, cx: &Cx) -> Vec<String> {
        let Builder::Bazel(spec) = &artifact.builder else { panic!("{:?}", artifact.builder) };
        let files = list(artifact, spec, &root.join("cache"), cx).await.unwrap();
        files.iter().map(|file| file.strip_prefix(&artifact.context).unwrap().display().to_string()).collect()
    }

    #[tokio::test]
    async fn a_query_is_asked_again_only_when_what_it_stands_on_changes() {
        let (directory, artifact, cx) = workspace();
        let root = directory.path().canonicalize().unwrap();
        let asked = || fs::read_to_string(root.join("asked")).unwrap().lines().count();
        let expected = ["app/main.go", "app/BUILD", "defs.bzl", "MODULE.bazel"];
        assert_eq!(listed(&artifact, &root, &cx).await, expected);
        insta::assert_snapshot!(fs::read_to_string(root.join("asked")).unwrap(), @"query kind('source file', deps('//app:image.tar')) union buildfiles(deps('//app:image.tar')) --noimplicit_deps --order_output=no --output=label");
        // An answer that is as young as its files is not remembered: they are made older.
        for file in ["MODULE.bazel", "app/BUILD", "defs.bzl", "app/main.go", "app", "."] {
            let file = fs::File::open(artifact.context.join(file)).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_mins(1)).unwrap();
        }
        listed(&artifact, &root, &cx).await;
        let known = asked();
        assert_eq!(listed(&artifact, &root, &cx).await, expected);
        fs::write(artifact.context.join("app/main.go"), "package main").unwrap();
        std::os::unix::fs::symlink("/tmp", artifact.context.join("bazel-out")).unwrap();
        listed(&artifact, &root, &cx).await;
        assert_eq!(asked(), known, "neither sources nor Bazel's own links matter");
        for change in ["app/BUILD", "defs.bzl", "MODULE.bazel", "app/added.go", ".bazelrc"] {
            let before = asked();
            fs::write(artifact.context.join(change), "# changed\n").unwrap();
            listed(&artifact, &root, &cx).await;
            assert_eq!(asked(), before + 1, "{change}");
        }
    }

    #[tokio::test]
    async fn without_bazel_it_is_said_what_is_missing() {
        let (directory, artifact, _) = workspace();
        let Builder::Bazel(spec) = &artifact.builder else { panic!("{:?}", artifact.builder) };
        let error = list(&artifact, spec, directory.path(), &testing::cx_with_path("/nowhere")).await.unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[build/no-bazel]: there is no `bazel` to build `web` with
         --> skaffold.yaml:1:1
          |
        1 | image: web
          | ^
        help: install Bazel, for example as Bazelisk from https://bazel.build/install, under the name `bazel`
        ");
    }
}
