//! The schema of a version, walked along the way to a value.

use std::fmt::Write as _;
use std::sync::LazyLock;

use devloop_config::NEWEST_OF_SKAFFOLD;
use serde_json::Value as Json;

/// Paths that only older versions have: the type, its field, and where the path starts.
const OLDER_PATHS: [(&str, &str, PathStart); 7] = [
    ("Artifact", "workspace", PathStart::Module),
    ("DockerArtifact", "dockerfilePath", PathStart::Context),
    ("HelmRelease", "valuesFilePath", PathStart::Module),
    ("KubectlDeploy", "manifests", PathStart::Module),
    ("KustomizeDeploy", "kustomizePath", PathStart::Module),
    ("KustomizeDeploy", "path", PathStart::Module),
    ("KustomizeDeploy", "paths", PathStart::Module),
];

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathStart {
    /// At the directory of the configuration.
    Module,
    /// At the context of its artifact or test.
    Context,
}

/// The schema of one version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    root: &'static Json,
}

/// What the schema says of one place in a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'s> {
    schema: &'s Schema,
    /// The type that has the field that leads here.
    pub(crate) owner: &'s str,
    /// That field; empty at the top.
    pub(crate) field: &'s str,
    property: &'s Json,
    /// The type that stands here, where it has a name.
    named: &'s str,
    shape: &'s Json,
}

/// Returns the versions that there are, oldest first; ours is the last.
pub(crate) fn versions() -> &'static [String] {
    static VERSIONS: LazyLock<Vec<String>> = LazyLock::new(devloop_config::schema_versions);
    &VERSIONS
}

impl Schema {
    /// Returns the schema of a version, that of Skaffold's newest where there is no such version.
    pub(crate) fn of(version: &str) -> Self {
        let known = devloop_config::annotated_schema(version).or_else(|| devloop_config::annotated_schema(NEWEST_OF_SKAFFOLD));
        Self { root: known.unwrap_or(&Json::Null) }
    }

    /// Returns the place of a whole document.
    pub(crate) fn top(&self) -> Place<'_> {
        Place { schema: self, owner: "", field: "", property: self.root, named: "Config", shape: self.root }
    }

    /// Returns the place that a way leads to: names of fields, and none for an item.
    pub(crate) fn at(&self, path: &[Option<&str>]) -> Option<Place<'_>> {
        path.iter().try_fold(self.top(), |place, part| part.map_or_else(|| place.item(), |field| place.field(field)))
    }

    fn resolve<'s>(&'s self, schema: &'s Json) -> (&'s str, &'s Json) {
        let options = schema["anyOf"].as_array().into_iter().chain(schema["allOf"].as_array()).flatten();
        let reference = std::iter::once(schema).chain(options).find_map(|schema| schema["$ref"].as_str());
        let Some(name) = reference.and_then(|reference| reference.rsplit('/').next()) else { return ("", schema) };
        (name, &self.root["definitions"][name])
    }
}

impl<'s> Place<'s> {
    /// Returns the place of a field of what stands here.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        if let Some((field, property)) = self.shape["properties"].as_object().and_then(|fields| fields.get_key_value(name)) {
            let (named, shape) = self.schema.resolve(property);
            return Some(Self { owner: self.named, field, property, named, shape, ..self });
        }
        let any = self.shape.get("additionalProperties").filter(|any| any.is_object())?;
        let (named, shape) = self.schema.resolve(any);
        // What is said of the field counts for the entries of its mapping.
        Some(Self { named, shape, ..self })
    }

    /// Returns the place of an item of the list that stands here.
    pub(crate) fn item(self) -> Option<Self> {
        let (named, shape) = self.schema.resolve(self.shape.get("items")?);
        Some(Self { named, shape, ..self })
    }

    /// Returns the places of all fields that the version has.
    pub(crate) fn fields(self) -> Vec<Self> {
        let names = self.shape["properties"].as_object().into_iter().flat_map(|fields| fields.keys());
        names.filter_map(|name| self.field(name)).filter(|place| place.since_later().is_none()).collect()
    }

    /// Returns the version that the field came with, where that is a later one than that of the document.
    pub(crate) fn since_later(self) -> Option<&'s str> {
        self.property["x-since"].as_str()
    }

    /// Returns the version that the field came with; none if it was always there.
    pub(crate) fn since(self) -> Option<String> {
        let oldest = Schema::of(versions().first()?);
        let owner = if self.owner == "Config" { oldest.root } else { &oldest.root["definitions"][self.owner] };
        owner["properties"][self.field]["x-since"].as_str().map(str::to_owned)
    }

    pub(crate) fn description(self) -> &'s str {
        let own = self.property["description"].as_str();
        own.or_else(|| self.shape["description"].as_str()).unwrap_or_default()
    }

    /// Returns the words that can stand here.
    pub(crate) fn values(self) -> Vec<&'s str> {
        if self.takes("boolean") {
            return vec!["true", "false"];
        }
        let words = self.property["x-values"].as_array();
        words.into_iter().flatten().filter_map(Json::as_str).collect()
    }

    pub(crate) fn is_list(self) -> bool {
        self.takes("array")
    }

    pub(crate) fn is_mapping(self) -> bool {
        self.takes("object")
    }

    pub(crate) fn is_template(self) -> bool {
        self.property["x-template"] == true
    }

    /// Returns whether what holds this field has to have it.
    pub(crate) fn is_required(self) -> bool {
        let owner = if self.owner == "Config" { self.schema.root } else { &self.schema.root["definitions"][self.owner] };
        owner["required"].as_array().is_some_and(|required| required.iter().any(|field| field == self.field))
    }

    /// Returns the group of fields that this one is in, of which one may be set: its name, and the fields.
    pub(crate) fn group(self) -> Option<(&'s str, Vec<&'s str>)> {
        let owner = if self.owner == "Config" { self.schema.root } else { &self.schema.root["definitions"][self.owner] };
        owner["x-one-of"].as_object()?.iter().find_map(|(name, fields)| {
            let fields: Vec<&str> = fields.as_array()?.iter().filter_map(Json::as_str).collect();
            fields.contains(&self.field).then_some((name.as_str(), fields))
        })
    }

    /// Returns where a path that is written here starts; none if this is no path.
    pub(crate) fn path_start(self) -> Option<PathStart> {
        match &self.property["x-path"] {
            // They are run from the context, whatever the effective configuration makes of them.
            _ if (self.owner, self.field) == ("TestCase", "structureTests") => Some(PathStart::Context),
            Json::String(start) if start == "context" => Some(PathStart::Context),
            Json::Bool(true) | Json::String(_) => Some(PathStart::Module),
            _ => OLDER_PATHS.iter().find(|(owner, field, _)| (*owner, *field) == (self.owner, self.field)).map(|(_, _, start)| *start),
        }
    }

    /// Returns what can stand here, in words.
    pub(crate) fn kind(self) -> String {
        let types = self.types();
        let words = types.iter().map(|name| match *name {
            "string" => "text".to_owned(),
            "integer" | "number" => "number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => format!("list of {}", self.item().map_or_else(String::new, |item| plural(&item.kind()))),
            "object" => "mapping".to_owned(),
            other => other.to_owned(),
        });
        let words: Vec<String> = words.collect();
        if words.is_empty() { "any value".to_owned() } else { words.join(" or ") }
    }

    fn takes(self, kind: &str) -> bool {
        self.types().contains(&kind)
    }

    fn types(self) -> Vec<&'s str> {
        match &self.shape["type"] {
            Json::String(name) => vec![name],
            Json::Array(names) => names.iter().filter_map(Json::as_str).filter(|name| *name != "null").collect(),
            _ => Vec::new(),
        }
    }

    /// Returns what there is to know of the field, as Markdown.
    pub(crate) fn documentation(self) -> String {
        let mut text = self.description().to_owned();
        let mut add = |line: String| {
            text.push_str("\n\n");
            text.push_str(&line);
        };
        let values = self.values();
        let are_described = values.iter().all(|value| self.description().contains(&format!("`{value}`")));
        if !are_described && !self.takes("boolean") {
            add(format!("Takes {}.", listed(&values)));
        }
        if let Some((group, fields)) = self.group() {
            add(format!("One {group} of {}.", listed(&fields)));
        }
        let mut notes = String::new();
        if self.is_required() {
            notes.push_str("Required. ");
        }
        match self.path_start() {
            Some(PathStart::Module) => notes.push_str("A path from the directory of this file. "),
            Some(PathStart::Context) => notes.push_str("A path from the context. "),
            None => {}
        }
        if self.is_template() {
            notes.push_str("A Go template. ");
        }
        if let Some(since) = self.since() {
            write!(notes, "Since `{since}`.").expect("text can be written into text");
        }
        if !notes.is_empty() {
            add(notes.trim_end().to_owned());
        }
        text
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "text" => "texts".to_owned(),
        "number" => "numbers".to_owned(),
        "mapping" => "mappings".to_owned(),
        "any value" => "any values".to_owned(),
        other => other.to_owned(),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documentation(version: &str, path: &[Option<&str>]) -> String {
        let schema = Schema::of(version);
        let place = schema.at(path).unwrap();
        format!("{} ({})\n{}", place.field, place.kind(), place.documentation())
    }

    #[test]
    fn a_field_is_documented_by_its_schema() {
        let artifacts = [Some("build"), Some("artifacts")];
        let of_artifact = |field| [&artifacts[..], &[None, Some(field)]].concat();
        let told: Vec<String> = [
            artifacts.to_vec(),
            of_artifact("image"),
            of_artifact("docker"),
            of_artifact("runtimeType"),
            vec![Some("portForward"), None, Some("resourceType")],
            vec![Some("manifests"), Some("rawYaml"), None],
            vec![Some("profiles"), None, Some("build"), Some("artifacts"), None, Some("docker"), Some("dockerfile")],
            vec![Some("manifests"), Some("helm"), Some("releases"), None, Some("setFiles"), Some("a")],
        ]
        .iter()
        .map(|path| documentation("skaffold/v4beta14", path))
        .collect();
        insta::assert_snapshot!(told.join("\n---\n"), @r"
        artifacts (list of mappings)
        The images.
        ---
        image (text)
        Its name, without a tag: `gcr.io/project/web`.

        Required. Since `skaffold/v1alpha4`.
        ---
        docker (mapping)
        From a Dockerfile: the default.

        One builder of `docker`, `bazel`, `ko`, `jib`, `kaniko`, `buildpacks`, `custom`.

        Since `skaffold/v1alpha2`.
        ---
        runtimeType (text)
        Its language, for `debug`: `go`, `nodejs`, `jvm`, `python` or `netcore`.

        Since `skaffold/v4beta2`.
        ---
        resourceType (text)
        `Service`, `Pod`, a controller of pods, or `Container` for the docker deployer.

        Takes `container`, `pod`, `deployment`, `service`, `replicaset`, `replicationcontroller`, `statefulset`, `daemonset`, `cronjob`, `job`.
        ---
        rawYaml (text)
        Files: paths, globs and URLs.

        A path from the directory of this file.
        ---
        dockerfile (text)
        Path of the Dockerfile; `Dockerfile` by default.

        A path from the context. Since `skaffold/v1alpha4`.
        ---
        setFiles (text)
        Values that are files.

        A path from the directory of this file. Since `skaffold/v1beta15`.
        ");
    }

    #[test]
    fn a_version_has_what_it_had() {
        let schema = Schema::of("skaffold/v2beta29");
        let names = |path: &[Option<&str>]| schema.at(path).unwrap().fields().iter().map(|place| place.field).collect::<Vec<_>>();
        assert!(!names(&[]).contains(&"manifests") && names(&[Some("deploy")]).contains(&"kustomize"));
        assert_eq!(schema.at(&[Some("manifests")]).unwrap().since_later(), Some("skaffold/v3alpha1"));
        assert_eq!(schema.at(&[Some("deploy"), Some("kubectl"), Some("manifests"), None]).unwrap().path_start(), Some(PathStart::Module));
        assert!(schema.at(&[Some("nothing")]).is_none() && schema.at(&[Some("build"), None]).is_none());
        assert_eq!(Schema::of("none").root["title"], Schema::of("skaffold/v4beta14").root["title"]);
    }

    #[test]
    fn every_path_of_older_versions_is_one_of_theirs() {
        for (owner, field, _) in OLDER_PATHS {
            let has = |version: &String| {
                let schema = devloop_config::annotated_schema(version).unwrap();
                schema["definitions"][owner]["properties"][field].get("x-since").is_none()
                    && schema["definitions"][owner]["properties"].get(field).is_some()
            };
            assert!(versions().iter().any(has), "{owner}.{field}");
        }
    }
}
