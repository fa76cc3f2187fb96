//! Projects for tests: files in a temporary directory, of which the first is open, with a `¦` where the cursor is.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_config::NoFetch;
use devloop_model::Env;
use gen_lsp_types as lsp;

use crate::Settings;
use crate::document::Document;
use crate::uri::uri_of;
use crate::workspace::Workspace;

pub(crate) struct Project {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) workspace: Workspace,
    first: PathBuf,
    offset: usize,
}

impl Project {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.replace('¦', "")).unwrap();
        }
        let (name, text) = files[0];
        let mut workspace = Workspace::default();
        workspace.folders.push(dir.path().to_owned());
        let first = workspace.open(uri_of(&dir.path().join(name)), 1, text.replace('¦', ""));
        Self { dir, workspace, first, offset: text.find('¦').unwrap_or(0) }
    }

    /// Returns the document that is open, and where the cursor is.
    pub(crate) fn cursor(&self) -> (Arc<Document>, usize) {
        (self.workspace.get(&self.first).unwrap(), self.offset)
    }

    /// Opens a file with another text than the disk has.
    pub(crate) fn open(&mut self, path: &str, text: &str) {
        self.workspace.open(uri_of(&self.dir.path().join(path)), 1, text.to_owned());
    }

    /// Returns a location as `file:line:column`, from 1.
    pub(crate) fn place(&self, location: &lsp::Location) -> String {
        let path = self.relative(&crate::uri::path_of(&location.uri).unwrap());
        format!("{path}:{}:{}", location.range.start.line + 1, location.range.start.character + 1)
    }

    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.dir.path()).unwrap().display().to_string()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        env: Env::default(),
        profiles: Vec::new(),
        repos: Box::new(NoFetch),
        kube_context: Box::new(|| None),
        is_running: Box::new(|_| true),
        version: "0.0.0".to_owned(),
    }
}
