//! What builds an image, as found in a project.

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::tree::directory;

/// How images are built, best first: the order in which one is chosen where nobody is asked (Skaffold's
/// `pkg/skaffold/initializer/build/resolve.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// By a Dockerfile.
    Docker,
    /// By Jib's plugin of Maven.
    JibMaven,
    /// By Jib's plugin of Gradle.
    JibGradle,
    /// By ko.
    Ko,
    /// By Cloud Native Buildpacks.
    Buildpacks,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 5] = [Self::Docker, Self::JibMaven, Self::JibGradle, Self::Ko, Self::Buildpacks];

    /// Returns its name, as `--artifact` and `--analyze` have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker",
            Self::JibMaven => "Jib Maven Plugin",
            Self::JibGradle => "Jib Gradle Plugin",
            Self::Ko => "Ko",
            Self::Buildpacks => "Buildpacks",
        }
    }
}

/// What builds an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    /// How.
    pub kind: Kind,
    /// The file that says so, relative to the project.
    pub path: String,
    /// The image that it says that it makes.
    pub image: Option<String>,
    /// The project of a build of several.
    pub project: String,
    /// The package that is compiled, relative to the module: `./cmd/web`; empty for that of the module.
    pub main: String,
    /// The image that builds.
    pub builder_image: String,
    /// The stage to build.
    pub target: String,
    /// Build arguments; none takes the environment's.
    pub arguments: Vec<(String, Option<String>)>,
    /// The ports that it says that the image listens on.
    pub ports: Vec<u16>,
}

/// What `--analyze` says of a builder besides its kind.
#[derive(Debug, Serialize)]
struct Payload<'b> {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'b str>,
    path: &'b str,
    #[serde(skip_serializing_if = "str::is_empty")]
    project: &'b str,
    #[serde(skip_serializing_if = "str::is_empty")]
    main: &'b str,
    #[serde(skip_serializing_if = "str::is_empty")]
    builder: &'b str,
}

impl Builder {
    /// Returns a builder of which no more is known.
    pub fn new(kind: Kind, path: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.into(),
            image: None,
            project: String::new(),
            main: String::new(),
            builder_image: String::new(),
            target: String::new(),
            arguments: Vec::new(),
            ports: Vec::new(),
        }
    }

    /// Returns the directory of its file; `.` is the project.
    pub fn directory(&self) -> &str {
        directory(&self.path)
    }

    /// Returns what it is called in a question: `Docker (web/Dockerfile)`.
    pub fn describe(&self) -> String {
        let more: Vec<&str> = [self.project.as_str(), &self.path, &self.main].into_iter().filter(|part| !part.is_empty()).collect();
        format!("{} ({})", self.kind.name(), more.join(", "))
    }

    /// Returns what `--analyze` says of it besides its name (Skaffold's `ArtifactConfig`s).
    pub(crate) fn payload(&self) -> Value {
        let is_jib = matches!(self.kind, Kind::JibMaven | Kind::JibGradle);
        let image = self.image.as_deref().filter(|_| is_jib);
        json!(Payload { image, path: &self.path, project: &self.project, main: &self.main, builder: &self.builder_image })
    }

    /// Returns its part of an artifact whose sources are in `context`.
    pub(crate) fn artifact(&self, context: &str) -> (&'static str, Value) {
        match self.kind {
            Kind::Docker => ("docker", self.docker(context)),
            Kind::JibMaven | Kind::JibGradle if self.project.is_empty() => ("jib", json!({})),
            Kind::JibMaven | Kind::JibGradle => ("jib", json!({"project": self.project})),
            Kind::Ko if self.main.is_empty() => ("ko", json!({})),
            Kind::Ko => ("ko", json!({"main": self.main})),
            Kind::Buildpacks => ("buildpacks", json!({"builder": self.builder_image})),
        }
    }

    fn docker(&self, context: &str) -> Value {
        let mut docker = Map::new();
        docker.insert("dockerfile".to_owned(), relative(context, &self.path).into());
        if !self.target.is_empty() {
            docker.insert("target".to_owned(), self.target.as_str().into());
        }
        if !self.arguments.is_empty() {
            let arguments = self.arguments.iter().map(|(name, value)| (name.clone(), json!(value)));
            docker.insert("buildArgs".to_owned(), Value::Object(arguments.collect()));
        }
        Value::Object(docker)
    }
}

/// Returns the path from a directory to a file, both relative to the project.
fn relative(directory: &str, path: &str) -> String {
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect::<Vec<_>>();
    let (from, to) = (parts(directory), parts(path));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - shared);
    up.chain(to.into_iter().skip(shared)).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerfiles_are_relative_to_the_context() {
        for (context, path, expected) in [
            (".", "Dockerfile", "Dockerfile"),
            ("web", "web/Dockerfile", "Dockerfile"),
            (".", "docker/web.Dockerfile", "docker/web.Dockerfile"),
            ("apps/web", "apps/docker/Dockerfile", "../docker/Dockerfile"),
        ] {
            assert_eq!(relative(context, path), expected);
        }
    }

    #[test]
    fn a_builder_is_described_for_people_and_for_programs() {
        let jib = Builder { image: Some("gcr.io/p/web".into()), project: ":web".into(), ..Builder::new(Kind::JibMaven, "pom.xml") };
        assert_eq!(jib.describe(), "Jib Maven Plugin (:web, pom.xml)");
        assert_eq!(jib.payload().to_string(), r#"{"image":"gcr.io/p/web","path":"pom.xml","project":":web"}"#);
        let ko = Builder { main: "./cmd/web".into(), image: Some("ko://m/cmd/web".into()), ..Builder::new(Kind::Ko, "go.mod") };
        assert_eq!(
            (ko.describe().as_str(), ko.payload().to_string().as_str()),
            ("Ko (go.mod, ./cmd/web)", r#"{"path":"go.mod","main":"./cmd/web"}"#)
        );
        let packs = Builder { builder_image: "b:v1".into(), ..Builder::new(Kind::Buildpacks, "web/package.json") };
        assert_eq!(packs.payload().to_string(), r#"{"path":"web/package.json","builder":"b:v1"}"#);
        assert_eq!(Builder::new(Kind::Docker, "a/Dockerfile").payload().to_string(), r#"{"path":"a/Dockerfile"}"#);
    }

    #[test]
    fn the_best_builder_is_the_first() {
        assert!(Kind::ALL.is_sorted());
    }
}
