//! In which language a program is written, told from how it is built and started.

use devloop_model::Runtime;

use crate::Program;
use crate::Recipe;
use crate::Stage;

const NODE: [&str; 10] = ["node", "nodejs", "nodemon", "npm", "npx", "pnpm", "ts-node", "tsx", "yarn", "next"];
const PYTHON: [&str; 10] =
    ["celery", "daphne", "django-admin", "fastapi", "flask", "gunicorn", "hypercorn", "poetry", "uvicorn", "waitress-serve"];
const JAVA_IMAGES: [&str; 6] = ["amazoncorretto", "eclipse-temurin", "ibm-semeru-runtimes", "jetty", "openjdk", "tomcat"];

/// Returns the name of a runtime as people write it.
pub(crate) fn name(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Go => "Go",
        Runtime::NodeJs => "Node.js",
        Runtime::Jvm => "Java",
        Runtime::Python => "Python",
        Runtime::NetCore => ".NET",
    }
}

/// Returns the runtime of a program; none where nothing tells it.
pub fn runtime_of(program: &Program) -> Option<Runtime> {
    of(program).ok()
}

/// Returns the runtime of a program.
///
/// # Errors
/// Why it cannot be told.
pub(crate) fn of(program: &Program) -> Result<Runtime, String> {
    if let Some(runtime) = program.runtime {
        return Ok(runtime);
    }
    let is_module = program.go_module.is_some();
    match &program.recipe {
        Recipe::Ko => Ok(Runtime::Go),
        Recipe::Command if is_module => Ok(Runtime::Go),
        Recipe::Command => Err("its build command does not tell its language: set `runtimeType` of the artifact".to_owned()),
        Recipe::Dockerfile(stages) => of_stages(stages, is_module)
            .ok_or_else(|| "its Dockerfile does not tell its language: set `runtimeType` of the artifact".to_owned()),
    }
}

fn of_stages(stages: &[Stage], is_module: bool) -> Option<Runtime> {
    let last = stages.last()?;
    let started = || last.start.iter().flat_map(|word| word.split_whitespace()).find_map(of_word);
    let built = || stages.iter().any(builds_go).then_some(Runtime::Go);
    let go_base = || (is_module || stages.iter().any(is_golang)).then_some(Runtime::Go);
    started().or_else(built).or_else(|| of_image(&last.base)).or_else(go_base)
}

/// Returns whether a stage compiles a Go program.
pub(crate) fn builds_go(stage: &Stage) -> bool {
    stage.commands.iter().any(|command| {
        let words: Vec<&str> =
            command.split(|c: char| c.is_whitespace() || ";&|()'\"[],".contains(c)).filter(|word| !word.is_empty()).collect();
        words.windows(2).any(|pair| base_name(pair[0]) == "go" && matches!(pair[1], "build" | "install"))
    })
}

/// Returns whether a stage starts from the image of the Go compiler.
pub(crate) fn is_golang(stage: &Stage) -> bool {
    image_name(&stage.base) == "golang"
}

fn of_word(word: &str) -> Option<Runtime> {
    let name = base_name(word);
    match name {
        "java" => Some(Runtime::Jvm),
        "dotnet" => Some(Runtime::NetCore),
        _ if NODE.contains(&name) => Some(Runtime::NodeJs),
        _ if PYTHON.contains(&name) || is_python(name) => Some(Runtime::Python),
        _ => None,
    }
}

fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// Returns the runtime that an image is made for: the public ones, and those without a distribution (`distroless/nodejs22`).
fn of_image(image: &str) -> Option<Runtime> {
    match image_name(image) {
        "node" => Some(Runtime::NodeJs),
        name if name.starts_with("nodejs") => Some(Runtime::NodeJs),
        name if name.starts_with("python") => Some(Runtime::Python),
        name if name.starts_with("java") || JAVA_IMAGES.contains(&name) => Some(Runtime::Jvm),
        _ => None,
    }
}

/// Returns the last part of an image's name, without tag and digest.
fn image_name(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split([':', '@']).next().unwrap_or_default()
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::program;

    fn stage(base: &str, command: &str, start: &[&str]) -> Stage {
        let start = start.iter().map(|word| (*word).to_owned()).collect();
        Stage { base: base.to_owned(), commands: vec![command.to_owned()], start, copies: Vec::new() }
    }

    #[test]
    fn a_dockerfile_tells_by_what_it_starts_compiles_and_is_made_from() {
        for (stages, is_module, expected) in [
            (vec![stage("node:22", "npm ci", &["docker-entrypoint.sh", "node", "x.js"])], false, Some(Runtime::NodeJs)),
            (vec![stage("alpine", "", &["sh", "-c", "exec python3.12 app.py"])], false, Some(Runtime::Python)),
            (vec![stage("x", "", &["/venv/bin/gunicorn", "app"])], true, Some(Runtime::Python)),
            (vec![stage("x", "", &["java", "-jar", "/x.jar"])], false, Some(Runtime::Jvm)),
            (vec![stage("x", "", &["dotnet", "x.dll"])], false, Some(Runtime::NetCore)),
            (vec![stage("x", "CGO_ENABLED=0 go build -o /web .", &[]), stage("scratch", "", &["/web"])], false, Some(Runtime::Go)),
            (vec![stage("x", "cd cmd&&/usr/local/go/bin/go install ./...", &[])], false, Some(Runtime::Go)),
            (vec![stage("golang:1.26@sha256:0", "make", &[]), stage("gcr.io/distroless/static", "", &["/x"])], false, Some(Runtime::Go)),
            (vec![stage("alpine", "make", &["/x"])], true, Some(Runtime::Go)),
            (vec![stage("gcr.io/distroless/nodejs22-debian12", "", &["x.js"])], false, Some(Runtime::NodeJs)),
            (vec![stage("python:3", "", &[])], true, Some(Runtime::Python)),
            (vec![stage("docker.io/library/eclipse-temurin:21", "", &["/start.sh"])], false, Some(Runtime::Jvm)),
            (vec![stage("nginx", "go mod download", &["nginx", "-g", "daemon off;"])], false, None),
            (vec![], false, None),
        ] {
            assert_eq!(of_stages(&stages, is_module), expected, "{stages:?}");
        }
    }

    #[test]
    fn the_configuration_wins_and_a_command_says_little() {
        let of = |runtime, recipe, module: Option<&str>| {
            of(&Program { runtime, go_module: module.map(str::to_owned), ..program("web", recipe) })
        };
        assert_eq!(of(Some(Runtime::Jvm), Recipe::Ko, None), Ok(Runtime::Jvm));
        assert_eq!(of(None, Recipe::Ko, None), Ok(Runtime::Go));
        assert_eq!(of(None, Recipe::Command, Some("example.com/web")), Ok(Runtime::Go));
        assert!(of(None, Recipe::Command, None).unwrap_err().contains("runtimeType"));
        assert!(of(None, Recipe::Dockerfile(vec![]), None).unwrap_err().contains("runtimeType"));
    }
}
