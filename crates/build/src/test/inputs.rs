//! The files that a test depends on.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_clients::process::Command;
use devloop_clients::process::ProcessError;
use devloop_model::CustomTest;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::PathList;
use devloop_model::StructureTest;
use devloop_model::Test;
use devloop_model::TestDependencies;
use devloop_model::TestKind;

use crate::BuildError;
use crate::BuildOptions;
use crate::Inputs;
use crate::hash_index::HashIndex;
use crate::inputs as files;
use crate::inputs::blocking;
use crate::inputs::glob;
use crate::inputs::paths;
use crate::inputs::paths::Owner;

/// How long a command may take to name what its test depends on.
const DEADLINE: Duration = Duration::from_mins(1);

/// Returns the files that `test` depends on as they are now: those that the configuration names, and those of its context
/// that its command names.
///
/// # Errors
/// When they cannot be listed or read, or a pattern fits nothing.
pub async fn of(test: &Test, options: &BuildOptions, cx: &Cx) -> Result<Inputs, BuildError> {
    let named = match &test.kind {
        TestKind::Custom(CustomTest { dependencies: Some(TestDependencies::Command(line)), .. }) => {
            told(test, line, &options.working_dir, cx).await?
        }
        _ => Vec::new(),
    };
    let (test, cache_dir) = (test.clone(), options.cache_dir.clone());
    blocking(move || {
        let context = &test.context;
        let index = HashIndex::open(&cache_dir);
        let mut listed = files::existing(context, &named);
        match &test.kind {
            TestKind::Custom(custom) => {
                listed.extend(files::existing(context, &words(context, custom.command.source())));
                if let Some(TestDependencies::Paths(list)) = &custom.dependencies {
                    listed.extend(paths::list(&owner(&test), list)?);
                }
            }
            TestKind::Structure(structure) => listed.extend(files::existing(context, &of_patterns(&test, structure)?)),
        }
        let files = files::hash(context, listed, &index)?;
        if let Err(error) = index.save() {
            tracing::debug!("cannot write the hash index: {error}");
        }
        Ok(Inputs { context: context.clone(), files, ..Inputs::default() })
    })
    .await
}

fn owner(test: &Test) -> Owner<'_> {
    Owner { context: &test.context, what: format!("the dependencies of a test of `{}`", test.image), at: &test.at }
}

/// Returns the files of the context that a command names: `./test.sh`, and what it is given.
fn words(context: &Path, command: &str) -> Vec<PathBuf> {
    let words = command.split(|c: char| c.is_whitespace() || ";|&()<>".contains(c)).map(|word| word.trim_matches(['"', '\'']));
    let words = words.map(|word| word.trim_start_matches("./")).filter(|word| !word.is_empty());
    words.map(PathBuf::from).filter(|word| context.join(word).is_file()).collect()
}

/// Returns the files that structure tests name. A pattern is one of Go's, and a directory stands for all files in it
/// (Skaffold's `pkg/skaffold/util/util.go`).
fn of_patterns(test: &Test, structure: &StructureTest) -> Result<Vec<PathBuf>, BuildError> {
    let mut found = Vec::new();
    for pattern in &structure.files {
        let wrong = |code, what: String| Diagnostic::error(code, what).at(test.at.clone());
        let absolute = Path::new(pattern).is_absolute();
        let root = if absolute { Path::new("/") } else { &test.context };
        let fits = glob::expand(root, pattern).map_err(|_| {
            wrong("test/malformed-pattern", format!("`{pattern}`, in the structure tests of `{}`, is a malformed pattern", test.image))
        })?;
        let before = found.len();
        for path in fits {
            let list = PathList { paths: vec![path.display().to_string()], ignore: Vec::new() };
            if !root.join(&path).is_dir() {
                found.push(root.join(path));
            } else if let Ok(listed) = paths::list(&Owner { context: root, ..owner(test) }, &list) {
                found.extend(listed.iter().map(|listed| root.join(&*listed.path)));
            }
        }
        if found.len() == before {
            let error = wrong("test/no-file", format!("the structure tests of `{}` name `{pattern}`, which fits no file", test.image));
            return Err(error.because(format!("looked in {}", root.display())).help("correct `structureTests`").into());
        }
    }
    Ok(found)
}

/// Returns the paths that a command prints, as a JSON list or one on each line. It is run by a shell where devloop was
/// started, and its paths start from there (Skaffold's `pkg/skaffold/test/custom`).
async fn told(test: &Test, line: &str, working_dir: &Path, cx: &Cx) -> Result<Vec<PathBuf>, BuildError> {
    let wrong = |what: String| Diagnostic::error("test/inputs-not-listed", what).at(test.at.clone());
    let command = Command::new("sh").args(["-c", line]).dir(working_dir).deadline(DEADLINE);
    let output = command.output(cx).await.map_err(|error| match error {
        ProcessError::Cancelled => BuildError::from(error),
        error => wrong(format!("the command that names what a test of `{}` depends on failed", test.image))
            .caused_by(error.diagnostic())
            .help(format!("`{line}` is run by `sh` in {}", working_dir.display()))
            .into(),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names: Vec<String> = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text).map_err(|error| {
            wrong(format!("the command that names what a test of `{}` depends on does not print a list of paths", test.image))
                .because(error.to_string())
                .help(format!("`{line}` must print something like [\"test.sh\", \"testdata\"], or one path on each line"))
        })?
    } else {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let (absolute, relative): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| Path::new(name).is_absolute());
    let owner = Owner { context: working_dir, ..owner(test) };
    let listed = paths::list_any(&owner, &PathList { paths: relative, ignore: Vec::new() })?;
    Ok(listed.iter().map(|listed| working_dir.join(&*listed.path)).chain(absolute.into_iter().map(PathBuf::from)).collect())
}
