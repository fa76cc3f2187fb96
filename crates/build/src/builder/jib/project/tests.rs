use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use devloop_model::Builder;

use super::*;
use crate::testing;

fn artifact(context: &Path, spec: JibBuild) -> Artifact {
    testing::artifact("web", context, Builder::Jib(spec))
}

fn kind(files: &[&str], said: Option<JibKind>) -> Result<JibKind, String> {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        fs::write(directory.path().join(file), "").unwrap();
    }
    let spec = JibBuild { kind: said, ..JibBuild::default() };
    let artifact = artifact(directory.path(), spec.clone());
    let found = Project::of(&artifact, &spec).map(|project| project.kind);
    found.map_err(|error| error.diagnostic().to_string().replace(&directory.path().display().to_string(), "[DIR]"))
}

#[test]
fn files_say_what_builds_a_project() {
    for (files, said, expected) in [
        (&["pom.xml"][..], None, JibKind::Maven),
        (&["build.gradle.kts"], None, JibKind::Gradle),
        (&["pom.xml", "gradlew"], None, JibKind::Gradle),
        (&["pom.xml", "gradlew"], Some(JibKind::Maven), JibKind::Maven),
    ] {
        assert_eq!(kind(files, said), Ok(expected), "{files:?}");
    }
    insta::assert_snapshot!(kind(&["Makefile"], None).unwrap_err(), @r"
    error[build/jib-project]: `[DIR]` is no project of Maven or Gradle
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
      it has neither a `pom.xml` nor a `build.gradle`
    help: set `context` to the directory of the project, or `jib.type` to `maven` or `gradle`
    ");
}

#[test]
fn several_modules_are_asked_for_at_once() {
    let spec = JibBuild { args: vec!["-Pdev".into()], kind: Some(JibKind::Maven), ..JibBuild::default() };
    let artifact = artifact("/work".as_ref(), spec.clone());
    let project = Project::of(&artifact, &spec).unwrap();
    insta::assert_snapshot!(project.maven(&["a", "b"], "1.4.0").join(" "), @"jib:_skaffold-fail-if-jib-out-of-date -Djib.requiredVersion=1.4.0 -Pdev --projects a,b --also-make");
    insta::assert_snapshot!(project.gradle(&["a", "b"], "task", "1.4.0").join(" "), @"_skaffoldFailIfJibOutOfDate -Djib.requiredVersion=1.4.0 :a:task :b:task");
}

/// What the user is told where a program ends with these lines.
fn told(kind: JibKind, lines: &str) -> String {
    let spec = JibBuild { kind: Some(kind), ..JibBuild::default() };
    let artifact = artifact("/work".as_ref(), spec.clone());
    let project = Project::of(&artifact, &spec).unwrap();
    let last_lines = lines.lines().map(str::to_owned).collect();
    let error = ProcessError::Failed { program: "mvn".into(), status: ExitStatus::from_raw(256), last_lines };
    project.failed(error, "build").diagnostic().to_string()
}

#[test]
fn of_what_maven_says_the_faults_are_told() {
    let lines = "[INFO] Compiling 1 source file to /work/target/classes\n\
        [ERROR] COMPILATION ERROR : \n\
        [ERROR] /work/src/main/java/hello/Main.java:[18,38] cannot find symbol\n\
        [INFO] 1 error\n\
        [ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.1:compile (default-compile) on project hello: Compilation failure\n\
        [ERROR] /work/src/main/java/hello/Main.java:[18,38] cannot find symbol\n\
        [ERROR] -> [Help 1]\n\
        [ERROR] \n\
        [ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch.\n\
        [ERROR] [Help 1] http://cwiki.apache.org/confluence/display/MAVEN/MojoFailureException\n";
    insta::assert_snapshot!(told(JibKind::Maven, lines), @r"
    error[build/maven-failed]: Maven could not build `web`: it ended with exit status: 1
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
      COMPILATION ERROR :
      src/main/java/hello/Main.java:[18,38] cannot find symbol
      Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.1:compile (default-compile) on project hello: Compilation failure
    ");
}

#[test]
fn a_project_without_jib_or_with_an_old_one_is_told_what_to_do() {
    insta::assert_snapshot!(told(JibKind::Maven, "[ERROR] No plugin found for prefix 'jib' in the current project -> [Help 1]\n"), @r"
    error[build/maven-failed]: Maven could not build `web`: it ended with exit status: 1
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
      No plugin found for prefix 'jib' in the current project
    help: add `com.google.cloud.tools:jib-maven-plugin` to the plugins of the pom.xml
    ");
    insta::assert_snapshot!(told(JibKind::Maven, "[ERROR] Failed to execute goal com.google.cloud.tools:jib-maven-plugin:1.3.0:_skaffold-fail-if-jib-out-of-date (default-cli) on project hello: Jib plugin version is 1.3.0 but is required to be 1.4.0 -> [Help 1]\n"), @r"
    error[build/maven-failed]: Maven could not build `web`: it ended with exit status: 1
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
      Failed to execute goal com.google.cloud.tools:jib-maven-plugin:1.3.0:_skaffold-fail-if-jib-out-of-date (default-cli) on project hello: Jib plugin version is 1.3.0 but is required to be 1.4.0
    help: raise the version of the Jib plugin in the project
    ");
    insta::assert_snapshot!(told(JibKind::Gradle, "\n* What went wrong:\nTask '_skaffoldFailIfJibOutOfDate' not found in root project 'hello'.\n"), @r"
    error[build/gradle-failed]: Gradle could not build `web`: it ended with exit status: 1
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
      * What went wrong:
      Task '_skaffoldFailIfJibOutOfDate' not found in root project 'hello'.
    help: apply the plugin `com.google.cloud.tools.jib` in the build.gradle
    ");
}

#[tokio::test]
async fn without_java_or_maven_it_is_said_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let spec = JibBuild { kind: Some(JibKind::Maven), ..JibBuild::default() };
    let artifact = artifact(directory.path(), spec.clone());
    let project = Project::of(&artifact, &spec).unwrap();
    let fault = async |cx: &Cx| project.run(project.command(), "build", cx).await.unwrap_err().diagnostic().to_string();
    insta::assert_snapshot!(fault(&testing::cx_with_path("/nowhere")).await, @r"
    error[build/no-java]: there is no Java to build `web` with
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
    help: install a JDK, or set JAVA_HOME to one
    ");
    fs::write(directory.path().join("java"), "").unwrap();
    insta::assert_snapshot!(fault(&testing::cx_with_path(&directory.path().display().to_string())).await, @r"
    error[build/no-jib-program]: there is no `mvn` to build `web` with
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
    help: install Maven, or add its wrapper `mvnw` to the project
    ");
}
