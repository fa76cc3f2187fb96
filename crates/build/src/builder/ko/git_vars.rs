//! What templates of `.ko.yaml` see beside the environment: git.

use std::path::Path;

use devloop_clients::git::GitDir;
use devloop_model::Vars;

use super::settings::strip_env;

/// What `.Git.` becomes, as variables have no parts.
const GIT: &str = ".KO_GIT_";

/// Returns `text` with each variable of ko under the flat name that [`add`] gives it.
pub(super) fn flatten(text: &str) -> String {
    strip_env(text).replace(".Git.", GIT)
}

/// Adds the variables of git that `texts` use. One that git does not have is left out: the template
/// that needs it then fails by name. Source: ko `pkg/internal/git/info.go`.
pub(super) fn add(vars: Vars, dir: &Path, texts: &[String]) -> Vars {
    let uses = |name: &str| texts.iter().any(|text| text.contains(".Git.") && text.contains(name));
    let Ok(git) = GitDir::open(dir) else { return vars };
    let mut found: Vec<(&str, String)> = Vec::new();
    if uses("Branch") {
        found.extend(git.branch().ok().flatten().map(|branch| ("Branch", branch)));
    }
    if uses("ShortCommit") {
        found.extend(git.short_commit().ok().map(|commit| ("ShortCommit", commit)));
    }
    if uses("FullCommit") {
        found.extend(git.commit().ok().map(|commit| ("FullCommit", commit)));
    }
    if uses("TreeState")
        && let Ok(dirty) = git.is_dirty()
    {
        found.push(("TreeState", if dirty { "dirty" } else { "clean" }.to_owned()));
    }
    found.into_iter().fold(vars, |vars, (name, value)| vars.with(format!("{}{name}", &GIT[1..]), value))
}
