//! Java projects that Jib's plugins build.
//!
//! Facts: Skaffold's `pkg/skaffold/build/jib/init.go`, which runs the plugin to learn more.

use serde::Deserialize;

use crate::builder::Builder;
use crate::builder::Kind;
use crate::tree::File;

/// A build file that names Jib's plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JibFile {
    /// Maven or Gradle.
    pub kind: Kind,
    /// Its path, relative to the project.
    pub path: String,
}

impl JibFile {
    /// Returns the programs that can be asked, best first, and what they are asked: the images and projects of the build.
    pub fn question(&self) -> ([&'static str; 2], [&'static str; 3]) {
        match self.kind {
            Kind::JibGradle => (["gradlew", "gradle"], ["_jibSkaffoldInit", "-q", "--console=plain"]),
            _ => (["mvnw", "mvn"], ["jib:_skaffold-init", "-q", "--batch-mode"]),
        }
    }

    /// Returns what the plugin answered; empty if it is no answer.
    pub fn builders(&self, answer: &str) -> Vec<Builder> {
        #[derive(Deserialize)]
        struct Project {
            #[serde(default)]
            image: String,
            #[serde(default)]
            project: String,
        }
        let lines = answer.lines().zip(answer.lines().skip(1)).filter(|(line, _)| line.trim_end() == "BEGIN JIB JSON");
        let projects = lines.filter_map(|(_, json)| serde_json::from_str::<Project>(&json.replace('\\', "\\\\")).ok());
        let builder = |project: Project| Builder {
            image: Some(project.image).filter(|image| !image.is_empty()),
            project: project.project,
            ..Builder::new(self.kind, &self.path)
        };
        projects.map(builder).collect()
    }
}

/// Returns the build file if it names Jib's plugin.
pub(crate) fn find(file: &File, gradle: bool) -> Option<JibFile> {
    let (name, text) = (file.name(), file.text.as_deref()?);
    let is_pom = name == "pom" || name.rsplit_once('.').is_some_and(|(stem, _)| stem == "pom");
    let is_gradle = name.ends_with("build.gradle") || name.ends_with("build.gradle.kts");
    if is_pom && text.contains("jib-maven-plugin") {
        Some(JibFile { kind: Kind::JibMaven, path: file.path.clone() })
    } else if gradle && is_gradle && text.contains("com.google.cloud.tools.jib") {
        Some(JibFile { kind: Kind::JibGradle, path: file.path.clone() })
    } else {
        None
    }
}

/// Returns the builder of a build file whose plugin cannot be asked: its image where the file names one.
pub(crate) fn unasked(file: &JibFile, text: &str) -> Builder {
    Builder { image: image(file.kind, text), ..Builder::new(file.kind, &file.path) }
}

fn image(kind: Kind, text: &str) -> Option<String> {
    let named = if kind == Kind::JibMaven {
        let plugin = text.split_once("<artifactId>jib-maven-plugin</artifactId>")?.1;
        let to = between(plugin.split("</plugin>").next()?, "<to>", "</to>")?;
        between(to, "<image>", "</image>").unwrap_or(to)
    } else {
        let to = between(text, "jib.to.image", "\n").or_else(|| between(text.split_once("to {")?.1, "image", "\n"))?;
        to.trim_start_matches([' ', '=', ':']).trim().trim_matches(['\'', '"'])
    };
    Some(named.trim().to_owned()).filter(|image| !image.is_empty() && !image.contains(['$', '<']))
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split(end).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: Some(text.into()) }
    }

    #[test]
    fn build_files_are_known_by_their_plugin() {
        let pom =
            "<plugin><artifactId>jib-maven-plugin</artifactId><configuration><to><image>gcr.io/p/web</image></to></configuration></plugin>";
        let gradle = "plugins { id 'com.google.cloud.tools.jib' }\njib {\n  to {\n    image = 'gcr.io/p/api'\n  }\n}\n";
        for (path, text, gradle_too, expected) in [
            ("pom.xml", pom, false, Some((Kind::JibMaven, Some("gcr.io/p/web")))),
            ("a/pom.xml", "<project/>", true, None),
            ("b/build.gradle", gradle, true, Some((Kind::JibGradle, Some("gcr.io/p/api")))),
            ("b/build.gradle", gradle, false, None),
            ("pom.xml", "<artifactId>jib-maven-plugin</artifactId><to><image>${image}</image></to>", false, Some((Kind::JibMaven, None))),
            ("pom.xml", "<artifactId>jib-maven-plugin</artifactId>", false, Some((Kind::JibMaven, None))),
        ] {
            let found = find(&file(path, text), gradle_too);
            let builder = found.map(|found| unasked(&found, text));
            assert_eq!(builder.as_ref().map(|builder| (builder.kind, builder.image.as_deref())), expected, "{path} {text}");
        }
    }

    #[test]
    fn the_plugin_is_understood() {
        let file = JibFile { kind: Kind::JibMaven, path: "pom.xml".into() };
        let answer = "noise\n\nBEGIN JIB JSON\r\n{\"image\":\"gcr.io/p/web\",\"project\":\"g:web\"}\n\nBEGIN JIB JSON\n{\"image\":\"\",\"project\":\"g:api\"}\n";
        let found: Vec<_> = file.builders(answer).into_iter().map(|builder| (builder.image, builder.project)).collect();
        assert_eq!(found, [(Some("gcr.io/p/web".into()), "g:web".into()), (None, "g:api".into())]);
        assert_eq!(file.builders("BEGIN JIB JSON"), []);
    }
}
