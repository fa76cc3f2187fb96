//! Images and what builds them: as decided, and as `--artifact` says it.
//!
//! Facts: `processCliArtifacts` in Skaffold's `pkg/skaffold/initializer/build/cli.go`.

use devloop_model::Diagnostic;
use serde::Deserialize;

use crate::builder::Builder;
use crate::builder::Kind;

/// An image and what builds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The image, without a tag.
    pub image: String,
    /// What builds it; none if it is not built from here.
    pub builder: Option<Builder>,
    /// The directory of its sources, where it is not that of the builder's file.
    pub context: Option<String>,
    /// The port of the manifest that is made for it; none makes none, 0 has no port.
    pub manifest: Option<u16>,
}

/// What `--artifact` says as JSON.
#[derive(Debug, Deserialize)]
struct Written {
    builder: String,
    image: String,
    #[serde(default)]
    context: String,
    #[serde(default)]
    payload: Payload,
    #[serde(default)]
    manifest: WrittenManifest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    path: String,
    image: Option<String>,
    project: String,
    main: String,
    builder: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WrittenManifest {
    generate: bool,
    port: u16,
}

impl Artifact {
    /// Returns an image that `builder` builds.
    pub fn new(image: impl Into<String>, builder: Builder) -> Self {
        Self { image: image.into(), builder: Some(builder), context: None, manifest: None }
    }

    /// Returns what the value of `--artifact` says: JSON, or `path/of/Dockerfile=image`; `exists` tells a path from an image that is
    /// written first.
    ///
    /// # Errors
    /// When it is neither, or names no known builder.
    pub(crate) fn parse(text: &str, exists: &dyn Fn(&str) -> bool) -> Result<Self, Diagnostic> {
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text)
                .map_err(|error| malformed(text).because(error.to_string()))
                .and_then(|written| of_json(text, written));
        }
        match text.split_once('=') {
            Some((path, image)) if !path.is_empty() && !image.is_empty() && !image.contains('=') => {
                let is_reversed = !exists(path) && exists(image);
                let (path, image) = if is_reversed { (image, path) } else { (path, image) };
                Ok(Self::new(image, Builder::new(Kind::Docker, path.replace('\\', "/"))))
            }
            _ => Err(malformed(text)),
        }
    }

    /// Returns the directory of its sources.
    pub(crate) fn context(&self) -> &str {
        self.context.as_deref().unwrap_or_else(|| self.builder.as_ref().map_or(".", Builder::directory))
    }
}

fn of_json(text: &str, written: Written) -> Result<Artifact, Diagnostic> {
    let Written { builder, image, context, payload, manifest } = written;
    if image.is_empty() {
        return Err(malformed(text).because("`image` is empty"));
    }
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == builder);
    if kind.is_none() && builder != "None" {
        let known: Vec<String> = Kind::ALL.iter().map(|kind| format!("`{}`", kind.name())).collect();
        let what = format!("there is no builder called `{builder}` for `{image}`");
        return Err(Diagnostic::error("init/artifact", what).help(format!("use one of {}, or `None`", known.join(", "))));
    }
    if kind.is_some() && payload.path.is_empty() {
        return Err(malformed(text).because("`payload.path` is empty"));
    }
    let path = payload.path.replace('\\', "/");
    let builder = kind.map(|kind| Builder {
        image: payload.image,
        project: payload.project,
        main: payload.main,
        builder_image: payload.builder,
        ..Builder::new(kind, path)
    });
    Ok(Artifact {
        image,
        builder,
        context: Some(context.replace('\\', "/")).filter(|context| !context.is_empty()),
        manifest: manifest.generate.then_some(manifest.port),
    })
}

fn malformed(text: &str) -> Diagnostic {
    let help =
        "write `path/of/Dockerfile=image`, or JSON: {\"builder\":\"Docker\",\"payload\":{\"path\":\"web/Dockerfile\"},\"image\":\"web\"}";
    Diagnostic::error("init/artifact", format!("`{text}` is no artifact")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Artifact, Diagnostic> {
        Artifact::parse(text, &|path| path == "web/Dockerfile")
    }

    #[test]
    fn both_forms_are_understood() {
        let docker = Artifact::new("gcr.io/p/web", Builder::new(Kind::Docker, "web/Dockerfile"));
        for text in [
            "web/Dockerfile=gcr.io/p/web",
            "gcr.io/p/web=web/Dockerfile",
            r#"{"builder":"Docker","payload":{"path":"web/Dockerfile"},"image":"gcr.io/p/web"}"#,
            r#"{"builder":"Docker","payload":{"path":"web\\Dockerfile"},"image":"gcr.io/p/web"}"#,
        ] {
            assert_eq!(parse(text).unwrap(), docker, "{text}");
        }
        let text = r#"{"builder":"Docker","context":"apps\\web","payload":{"path":"apps/web/build/Dockerfile"},"image":"web","manifest":{"generate":true,"port":8080}}"#;
        let found = parse(text).unwrap();
        assert_eq!((found.context(), found.manifest), ("apps/web", Some(8080)));
        let jib = parse(r#"{"builder":"Jib Maven Plugin","payload":{"path":"a/pom.xml","project":":web"},"image":"web"}"#).unwrap();
        assert_eq!((jib.context(), jib.builder.as_ref().unwrap().project.as_str()), ("a", ":web"));
        let none = parse(r#"{"builder":"None","image":"postgres"}"#).unwrap();
        assert_eq!((none.builder, none.image.as_str()), (None, "postgres"));
    }

    #[test]
    fn what_is_no_artifact_is_told() {
        for (text, said) in [
            ("web/Dockerfile", "`web/Dockerfile` is no artifact"),
            ("a=b=c", "`a=b=c` is no artifact"),
            ("=a", "is no artifact"),
            ("{", "EOF while parsing"),
            (r#"{"builder":"Docker","payload":{},"image":"web"}"#, "`payload.path` is empty"),
            (r#"{"builder":"Docker","payload":{"path":"x"},"image":""}"#, "`image` is empty"),
            (r#"{"builder":"Bazel","payload":{"path":"x"},"image":"web"}"#, "no builder called `Bazel` for `web`"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(said) && error.starts_with("error[init/artifact]"), "{error}");
        }
    }
}
