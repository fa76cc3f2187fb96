use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use devloop_model::JibBuild;

use super::*;
use crate::testing;

/// A project of two modules, with a program in place of `mvnw` or `gradlew` that writes down how it is called.
struct Fixture {
    directory: tempfile::TempDir,
    cx: Cx,
}

impl Fixture {
    fn new(files: &[(&str, &str)], program: &str, answer: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (file, text) in files {
            fs::create_dir_all(root.join("work").join(file).parent().unwrap()).unwrap();
            fs::write(root.join("work").join(file), text).unwrap();
        }
        let script = format!(
            "#!/bin/sh\necho \"$@\" >>{0}/asked\ncat <<'E'\n{1}\nE\n",
            root.display(),
            answer.replace("[WORK]", &format!("{}/work", root.display()))
        );
        fs::write(root.join("work").join(program), script).unwrap();
        fs::create_dir(root.join("bin")).unwrap();
        fs::write(root.join("bin/java"), "").unwrap();
        for program in [root.join("work").join(program), root.join("bin/java")] {
            fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let cx = testing::cx_with_path(&format!("{}/bin:/bin:/usr/bin", root.display()));
        let fixture = Self { directory, cx };
        for (file, _) in files {
            fixture.age(file);
        }
        fixture
    }

    /// An answer that is as young as its files would not be remembered.
    fn age(&self, file: &str) {
        let file = fs::File::open(self.directory.path().join("work").join(file)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
    }

    fn artifact(&self, project: &str) -> Artifact {
        let spec = JibBuild { project: Some(project.to_owned()), ..JibBuild::default() };
        testing::artifact(project, &self.directory.path().join("work"), Builder::Jib(spec))
    }

    async fn list(&self, projects: &[&str]) -> String {
        let artifacts: Vec<Artifact> = projects.iter().map(|project| self.artifact(project)).collect();
        let found = list_all(&artifacts.iter().collect::<Vec<_>>(), &self.directory.path().join("cache"), &self.cx).await.unwrap();
        let work = self.directory.path().join("work");
        let shown =
            |files: Vec<PathBuf>| files.iter().map(|file| file.strip_prefix(&work).unwrap().display().to_string()).collect::<Vec<_>>();
        found.into_iter().map(|(image, files)| format!("{image}: {}", shown(files).join(" "))).collect::<Vec<_>>().join("\n")
    }

    fn asked(&self) -> Vec<String> {
        fs::read_to_string(self.directory.path().join("asked")).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

fn maven() -> Fixture {
    let module = |name: &str| format!("<project><parent><artifactId>all</artifactId></parent><artifactId>{name}</artifactId></project>");
    let (a, b) = (module("a"), module("b"));
    Fixture::new(
        &[
            ("pom.xml", "<project><artifactId>all</artifactId><packaging>pom</packaging></project>"),
            ("a/pom.xml", &a),
            ("b/pom.xml", &b),
            ("a/src/A.java", ""),
            ("b/src/B.java", ""),
            ("b/src/generated/C.java", ""),
        ],
        "mvnw",
        "\nBEGIN JIB JSON\n{\"build\":[\"[WORK]/pom.xml\",\"[WORK]/a/pom.xml\",\"[WORK]/b/pom.xml\"],\"inputs\":[\"[WORK]/a/src\",\"[WORK]/b/src\",\"[WORK]/b/none\"],\"ignore\":[\"[WORK]/b/src/generated\"]}",
    )
}

#[tokio::test]
async fn maven_is_asked_once_for_all_modules_until_a_pom_changes() {
    let fixture = maven();
    insta::assert_snapshot!(fixture.list(&["a", "b"]).await, @r"
    a: a/pom.xml a/src/A.java pom.xml
    b: b/pom.xml b/src/B.java pom.xml
    ");
    insta::assert_snapshot!(fixture.asked().join("\n"), @"jib:_skaffold-fail-if-jib-out-of-date -Djib.requiredVersion=1.4.0 --projects a,b --also-make jib:_skaffold-files-v2 --quiet --batch-mode");
    fs::write(fixture.directory.path().join("work/b/src/New.java"), "").unwrap();
    insta::assert_snapshot!(fixture.list(&["b"]).await, @"b: b/pom.xml b/src/B.java b/src/New.java pom.xml");
    assert_eq!(fixture.asked().len(), 1, "sources do not change the answer");
    fs::write(fixture.directory.path().join("work/a/pom.xml"), "<project><artifactId>a</artifactId></project>").unwrap();
    fixture.age("a/pom.xml");
    fixture.list(&["a", "b"]).await;
    assert_eq!(fixture.asked().len(), 2);
    fixture.list(&["a"]).await;
    assert_eq!(fixture.asked().len(), 2);
}

#[tokio::test]
async fn gradle_answers_for_each_task_under_its_header() {
    let answer = |name: &str| {
        format!(
            "> Task :{name}:_jibSkaffoldFilesV2\nBEGIN JIB JSON\n{{\"build\":[\"[WORK]/{name}/build.gradle\"],\"inputs\":[],\"ignore\":[]}}\n"
        )
    };
    let fixture = Fixture::new(
        &[("settings.gradle", ""), ("a/build.gradle", ""), ("b/build.gradle", "")],
        "gradlew",
        &format!("> Task :_skaffoldFailIfJibOutOfDate\n\n{}\n{}BUILD SUCCESSFUL in 1s", answer("b"), answer("a")),
    );
    insta::assert_snapshot!(fixture.list(&["a", "b"]).await, @r"
    a: a/build.gradle
    b: b/build.gradle
    ");
    insta::assert_snapshot!(fixture.asked().join("\n"), @"_skaffoldFailIfJibOutOfDate -Djib.requiredVersion=1.4.0 :a:_jibSkaffoldFilesV2 :b:_jibSkaffoldFilesV2 --no-parallel --console=plain");
    fs::write(fixture.directory.path().join("work/settings.gradle.kts"), "").unwrap();
    fixture.list(&["a", "b"]).await;
    assert_eq!(fixture.asked().len(), 2, "a new file of Gradle's changes the answer");
}

#[tokio::test]
async fn an_answer_without_files_is_told() {
    let fixture = Fixture::new(&[("pom.xml", "<project/>")], "mvnw", "something else");
    let artifact = fixture.artifact("a");
    let error = list_all(&[&artifact], fixture.directory.path(), &fixture.cx).await.unwrap_err();
    let told = error.diagnostic().to_string().replace(&fixture.directory.path().display().to_string(), "[DIR]");
    insta::assert_snapshot!(told, @r"
    error[build/inputs-not-listed]: Jib does not say what `a` is built from
     --> skaffold.yaml:1:1
      |
    1 | image: a
      | ^
      something else
    help: `[DIR]/work` must have the Jib plugin 1.4.0 or newer
    ");
}
