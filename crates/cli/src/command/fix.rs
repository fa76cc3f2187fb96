//! `devloop fix`: skaffold.yaml in a newer version of its schema.
//!
//! What is said, and the name of the backup: Skaffold's `cmd/skaffold/app/cmd/fix.go`.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_config::ConfigSource;
use devloop_config::FixOptions;
use devloop_config::Fixed;
use devloop_model::Diagnostic;

use crate::args::FixCommand;
use crate::output;
use crate::session;

/// Upgrades the file, and returns what there is to say about that.
///
/// # Errors
/// Everything wrong with the file, and when the result cannot be written.
pub(crate) fn run(fix: &FixCommand) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let root = source(fix).map_err(one)?;
    let cwd = std::env::current_dir()
        .map_err(|error| one(Diagnostic::error("cli/no-directory", "the working directory cannot be used").because(error.to_string())))?;
    let options = FixOptions { version: fix.version.clone(), schema: fix.schema.clone() };
    let fixed = devloop_config::fix(&root, &cwd, &options).map_err(|error| error.diagnostics)?;
    write(fix, &fixed).map_err(one)?;
    Ok(fixed.warnings)
}

fn source(fix: &FixCommand) -> Result<ConfigSource, Diagnostic> {
    if fix.overwrite.0 && fix.output.is_some() {
        let what = "`--overwrite` and `--output` cannot be used together";
        return Err(Diagnostic::error("cli/overwrite", what).help("leave out the one that you do not mean"));
    }
    match fix.filename.as_deref() {
        None => Ok(ConfigSource::Search),
        Some("-") if fix.overwrite.0 => {
            Err(Diagnostic::error("cli/overwrite", "standard input cannot be overwritten").help("use `--output FILE`"))
        }
        Some("-") => Ok(ConfigSource::Text { name: "<stdin>".to_owned(), text: session::stdin()? }),
        Some(path) => Ok(ConfigSource::File(path.into())),
    }
}

fn write(fix: &FixCommand, fixed: &Fixed) -> Result<(), Diagnostic> {
    let Some(text) = &fixed.text else {
        return output::to_stdout(&format!("config is already version {}\n", fixed.version));
    };
    let (file, mut said) = match (&fix.output, fix.overwrite.0) {
        (Some(file), _) => (file.as_path(), String::new()),
        (None, true) => {
            let backup = backup(&fixed.file)?;
            (fixed.file.as_path(), format!("Backed up previous {} at {}\n", fixed.file.display(), backup.display()))
        }
        (None, false) => return output::to_stdout(text),
    };
    output::to_file(file, text)?;
    said.extend(["New config at version ", &fixed.version, " generated and written to ", &file.display().to_string(), "\n"]);
    output::to_stdout(&said)
}

/// Copies a file to the first name beside it that nothing has yet, and returns that.
///
/// # Errors
/// When it cannot be copied.
fn backup(file: &Path) -> Result<PathBuf, Diagnostic> {
    let named = |suffix: &str| {
        let mut name = OsString::from(file);
        name.push(suffix);
        PathBuf::from(name)
    };
    let names = std::iter::once(named(".v2")).chain((1..).map(|number: u32| named(&format!(".v2.{number}"))));
    // An earlier backup is the only copy of what the file was then.
    let free = names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| named(".v2"));
    fs::copy(file, &free).map_err(|error| output::unwritable(&free.display().to_string(), &error))?;
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Switch;

    const OLD: &str = "apiVersion: skaffold/v3 # old\nkind: Config\n";
    const NEW: &str = "apiVersion: skaffold/v4beta14 # old\nkind: Config\n";

    fn project() -> (tempfile::TempDir, FixCommand) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skaffold.yaml");
        fs::write(&file, OLD).unwrap();
        let filename = Some(file.display().to_string());
        (folder, FixCommand { filename, version: None, overwrite: Switch(false), output: None, schema: None })
    }

    fn texts(folder: &Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut texts: Vec<_> =
            entries.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())).collect();
        texts.sort();
        texts
    }

    fn named(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn what_is_overwritten_is_kept_and_so_are_earlier_backups() {
        let (folder, command) = project();
        let overwrite = FixCommand { overwrite: Switch(true), ..command };
        assert_eq!(run(&overwrite).unwrap(), []);
        assert_eq!(texts(folder.path()), named(&[("skaffold.yaml", NEW), ("skaffold.yaml.v2", OLD)]));
        run(&overwrite).unwrap();
        assert_eq!(texts(folder.path()).len(), 2, "there was nothing to do");
        run(&FixCommand { version: Some("devloop/v1".to_owned()), ..overwrite }).unwrap();
        let own = "apiVersion: devloop/v1 # old\nkind: Config\n";
        assert_eq!(texts(folder.path()), named(&[("skaffold.yaml", own), ("skaffold.yaml.v2", OLD), ("skaffold.yaml.v2.1", NEW)]));
    }

    #[test]
    fn another_file_gets_the_result_and_the_schema() {
        let (folder, command) = project();
        let output = Some(folder.path().join("new.yaml"));
        run(&FixCommand { output, schema: Some("a.json".to_owned()), ..command }).unwrap();
        let headed = format!("# yaml-language-server: $schema=a.json\n{NEW}");
        assert_eq!(texts(folder.path()), named(&[("new.yaml", &headed), ("skaffold.yaml", OLD)]));
    }

    #[test]
    fn what_cannot_be_overwritten_is_told() {
        let (folder, command) = project();
        let overwrite = FixCommand { overwrite: Switch(true), ..command };
        for (command, what) in [
            (FixCommand { output: Some("new.yaml".into()), ..overwrite.clone() }, "`--overwrite` and `--output` cannot be used together"),
            (FixCommand { filename: Some("-".to_owned()), ..overwrite }, "standard input cannot be overwritten"),
        ] {
            assert_eq!(run(&command).unwrap_err()[0].what, what);
        }
        assert_eq!(texts(folder.path()), named(&[("skaffold.yaml", OLD)]));
    }
}
