//! The scripts, run by the shell of this machine, over connections that break.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;

use devloop_model::Stage;
use devloop_model::StepId;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::*;

/// How a connection fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Break {
    /// Half of what is sent arrives, and the connection is lost.
    Lost,
    /// Half of what is sent arrives, and nobody notices.
    Silent,
}

/// The shell of this machine, behind connections of which the first over each of these files break.
struct Local {
    path: Option<PathBuf>,
    breaks: Vec<(&'static str, Break)>,
    asked: Mutex<Vec<String>>,
}

impl Local {
    fn with(breaks: &[(&'static str, Break)]) -> Self {
        Self { path: None, breaks: breaks.to_vec(), asked: Mutex::default() }
    }

    /// Returns a shell whose only programs are these.
    fn of_programs(programs: &[&str], dir: &Path) -> Self {
        for program in programs {
            let found = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|dir| dir.join(program)).find(|file| file.exists());
            std::os::unix::fs::symlink(found.unwrap(), dir.join(program)).unwrap();
        }
        Self { path: Some(dir.to_owned()), ..Self::with(&[]) }
    }

    fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap().iter().cloned().collect()
    }
}

impl Shell for Local {
    async fn run(&self, command: &[String], input: &[u8]) -> Result<ExecOutput, ExecError> {
        let named = command[4].rsplit('/').next().unwrap().to_owned();
        self.asked.lock().unwrap().push(named.clone());
        let broken = self.breaks.iter().find(|(name, _)| *name == named).map(|(_, how)| *how);
        let input = if broken.is_some() { &input[..input.len() / 2] } else { input };
        let mut process = tokio::process::Command::new("/bin/sh");
        process.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(path) = &self.path {
            process.env("PATH", path);
        }
        let mut process = process.spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        drop(stdin.write_all(input).await);
        drop(stdin);
        let output = process.wait_with_output().await.unwrap();
        let end = if broken == Some(Break::Lost) { ExecEnd::Lost } else { ExecEnd::Exited(output.status.code().unwrap()) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(ExecOutput { end, stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }
}

/// A context of several parts, a place for them, and one for what is unpacked.
struct Tree {
    dir: TempDir,
    packed: tempfile::NamedTempFile,
}

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for path in ["context", "tmp", "unpacked", "bin"] {
            std::fs::create_dir(dir.path().join(path)).unwrap();
        }
        let mut seed = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .take(300_000)
        .collect();
        std::fs::write(dir.path().join("context/noise"), noise).unwrap();
        let files = vec!["noise".into()];
        let sent = super::super::context::Sent { root: dir.path().join("context"), files, dockerfile: "noise".into(), level: 1 };
        Self { packed: sent.pack().unwrap(), dir }
    }

    fn at(&self, path: &str) -> String {
        self.dir.path().join(path).to_str().unwrap().to_owned()
    }

    async fn send(&self, shell: &Local, attempts: u32) -> Result<(), String> {
        let cx = Cx::silent(StepId::of(Stage::Build));
        let (temporary, directory) = (self.at("tmp"), self.at("unpacked"));
        let upload = Upload { shell, packed: self.packed.path(), temporary: &temporary, directory: &directory, attempts, cx: &cx };
        upload.send_in_parts(100_000).await.map_err(|error| error.diagnostic().to_string())
    }

    fn is_whole(&self) -> bool {
        let read = |path: &str| std::fs::read(self.at(path)).unwrap_or_default();
        read("context/noise") == read("unpacked/noise") && Path::new(&self.at("tmp/complete")).exists()
    }
}

#[tokio::test]
async fn a_part_whose_connection_broke_is_sent_again_alone() {
    let tree = Tree::new();
    let shell = Local::with(&[("context.1.1", Break::Lost), ("context.2.1", Break::Silent), ("context.2.2", Break::Silent)]);
    tree.send(&shell, 3).await.unwrap();
    assert!(tree.is_whole());
    let expected = ["context.0.1", "context.1.1", "context.1.2", "context.2.1", "context.2.2", "context.2.3", "context.3.1", "unpacked"];
    assert_eq!(shell.asked(), BTreeSet::from(expected.map(str::to_owned)));
}

#[tokio::test]
async fn an_upload_that_fails_is_an_error_and_nothing_is_complete() {
    let tree = Tree::new();
    let error = tree.send(&Local::with(&[("context.1.1", Break::Silent), ("context.1.2", Break::Lost)]), 2).await.unwrap_err();
    insta::assert_snapshot!(error, @"
    error[build/kaniko-context]: the build context cannot be sent to the kaniko pod
      part 2 of it does not arrive
      the connection was lost
    help: `copyMaxRetries` and `copyTimeout` of `kaniko` say how often and how long it is tried
    ");
    assert!(!Path::new(&tree.at("tmp/complete")).exists());
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_an_error() {
    let tree = Tree::new();
    std::fs::write(tree.packed.path(), vec![7; 250_000]).unwrap();
    let error = tree.send(&Local::with(&[]), 1).await.unwrap_err();
    assert!(error.contains("it cannot be unpacked there"), "{error}");
    assert!(!Path::new(&tree.at("tmp/complete")).exists());
}

#[tokio::test]
async fn an_image_of_few_programs_is_enough() {
    let tree = Tree::new();
    let shell = Local::of_programs(&["cat", "tar", "gzip"], &tree.dir.path().join("bin"));
    tree.send(&shell, 1).await.unwrap();
    assert!(tree.is_whole());
}
