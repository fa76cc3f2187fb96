//! The cases of `schemas/cases`, and what each says of the command line in its first lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_config::Options;
use devloop_model::Env;

/// One file.
pub(crate) struct Case {
    pub(crate) dir: PathBuf,
    pub(crate) name: String,
    /// Its text; what is no UTF-8 of it is replaced.
    pub(crate) text: String,
}

/// Returns the cases of a kind, by name.
pub(crate) fn cases(kind: &str) -> Vec<Case> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/cases").join(kind);
    let dir = dir.canonicalize().expect("the cases are in the repository");
    let paths = fs::read_dir(&dir).expect("the directory can be read").map(|entry| entry.expect("its entries can be read").path());
    let mut cases: Vec<Case> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| Case {
            dir: dir.clone(),
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            text: String::from_utf8_lossy(&fs::read(&path).expect("it can be read")).into_owned(),
        })
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(cases.len() > 10, "cases of {} are missing", dir.display());
    cases
}

impl Case {
    /// Returns what a line `# key: value` or `# key` of the comment at the start says.
    pub(crate) fn says(&self, key: &str) -> Option<&str> {
        let comment = self.text.lines().map_while(|line| line.strip_prefix("# "));
        comment.filter_map(|line| line.strip_prefix(key)).find_map(|rest| rest.strip_prefix(": ").or(rest.is_empty().then_some("")))
    }

    /// Returns the command line that it is read for: `# command`, `# profiles`, `# modules`, `# kube-context`, `# tag` and `# env` say more.
    pub(crate) fn options(&self) -> Options {
        let listed = |key| self.says(key).into_iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
        let mut env = BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned()), ("STAGE".to_owned(), "prod".to_owned())]);
        env.extend(self.says("env").and_then(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())));
        Options {
            profiles: listed("profiles"),
            modules: listed("modules"),
            kube_context: self.says("kube-context").map(str::to_owned),
            tag: self.says("tag").map(str::to_owned),
            ..Options::new(self.says("command").unwrap_or("run"), &self.dir, Env::new(env))
        }
    }
}
