//! What COPY and ADD read: too much makes every save slow.

use devloop_model::Diagnostic;
use serde_json::Value as Json;
use serde_json::json;

use super::Finding;
use super::Kind;
use super::Rule;
use super::read;
use crate::pipeline::Pipeline;

/// How many files one instruction may read.
const MANY: usize = 1000;

const MANY_FILES: Rule = Rule {
    number: 4,
    kind: Kind::Dockerfile,
    template: "`{{.Source}}` is more than 1000 files, each of which is watched and hashed: copy only what the image needs, or leave the rest \
               out by a .dockerignore",
    filter: copies,
};

const GIT_DIRECTORY: Rule = Rule {
    number: 5,
    kind: Kind::Dockerfile,
    template: "`{{.Source}}` has the directory .git in it, so that every git command builds the image anew: leave it out by a .dockerignore",
    filter: copies,
};

fn copies() -> Json {
    json!({ "DockerCommand": "copy", "DockerCopyDestRegExp": "", "DockerCopySourceRegExp": ".*" })
}

/// Looks at the Dockerfiles of all artifacts, each once.
///
/// # Errors
/// When a Dockerfile or a build context cannot be read.
pub(super) fn look(pipeline: &Pipeline) -> Result<Vec<Finding>, Diagnostic> {
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    let options = pipeline.build_options();
    for artifact in &pipeline.session.plan.artifacts {
        let copied = devloop_build::copied_files(artifact, &options, &pipeline.session.env).map_err(|error| error.diagnostic())?;
        let Some(file) = copied.first().map(|copied| copied.dockerfile.clone()).filter(|file| !seen.contains(file)) else { continue };
        let source = read(&file)?;
        seen.push(file);
        for copied in copied {
            let broken = [
                (&MANY_FILES, copied.files.len() > MANY),
                (&GIT_DIRECTORY, copied.files.iter().any(|file| file == ".git" || file.starts_with(".git/"))),
            ];
            for (rule, _) in broken.into_iter().filter(|(_, broken)| *broken) {
                let explanation = rule.template.replace("{{.Source}}", &copied.patterns.join(" "));
                found.push(Finding::at(rule, &source, copied.line, 1, explanation));
            }
        }
    }
    Ok(found)
}
