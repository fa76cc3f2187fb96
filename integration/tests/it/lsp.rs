//! `devloop lsp` as an editor starts it: the protocol over pipes, and the ways in which it ends.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::context::binary;

/// An editor that has started the server.
struct Editor {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    uri: String,
}

impl Editor {
    /// Starts the server in a folder and introduces itself as the process `id`.
    fn start(folder: &Path, id: Option<u32>) -> Self {
        let mut command = Command::new(binary());
        command.args(["lsp", "--stdio"]).current_dir(folder).env_clear().env("HOME", folder.join(".state"));
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (server.stdin.take(), BufReader::new(server.stdout.take().unwrap()));
        let mut editor = Self { server, input, output, uri: format!("file://{}/skaffold.yaml", folder.display()) };
        let capabilities = json!({"textDocument": {"completion": {}}});
        let introduced = editor.ask(1, "initialize", json!({"processId": id, "rootUri": null, "capabilities": capabilities}));
        assert_eq!(introduced["serverInfo"]["name"], "devloop");
        editor.tell("initialized", json!({}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input.as_mut().unwrap(), "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Returns the result of a request that nothing else is said before.
    fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.hear();
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"].clone()
    }

    /// Returns the next message.
    fn hear(&mut self) -> Value {
        let mut header = String::new();
        self.output.read_line(&mut header).unwrap();
        let length = header.trim().strip_prefix("Content-Length: ").unwrap_or_else(|| panic!("{header:?} is no header"));
        let mut body = vec![0; length.parse::<usize>().unwrap() + 2];
        self.output.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Returns what is wrong, as it is told next.
    fn faults(&mut self) -> Vec<String> {
        let told = self.hear();
        assert_eq!((&told["method"], &told["params"]["uri"]), (&json!("textDocument/publishDiagnostics"), &json!(self.uri)));
        let faults = told["params"]["diagnostics"].as_array().unwrap().iter();
        let told = |fault: &Value| {
            let start = &fault["range"]["start"];
            format!("{}:{}: {}", start["line"], start["character"], fault["message"].as_str().unwrap())
        };
        faults.map(told).collect()
    }

    fn at(&self, line: u32, character: u32) -> Value {
        json!({"textDocument": {"uri": self.uri}, "position": {"line": line, "character": character}})
    }
}

#[test]
fn an_editor_is_told_offered_and_led() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let mut editor = Editor::start(folder.path(), Some(std::process::id()));
    let text = "apiVersion: skaffold/v4beta14\nkind: Config\nbuild:\n  artifacts:\n  - image: web\n    dokcer: {}\n";
    let opened = json!({"textDocument": {"uri": editor.uri, "languageId": "yaml", "version": 1, "text": text}});
    editor.tell("textDocument/didOpen", opened);
    insta::assert_snapshot!(editor.faults().join("\n"), @r"
    5:4: artifact `web` has no builder called `dokcer`
    expected one of: docker, bazel, ko, jib, kaniko, buildpacks, custom
    help: did you mean `docker`?
    ");
    let word = json!({"start": {"line": 5, "character": 4}, "end": {"line": 5, "character": 14}});
    let change = json!({"textDocument": {"uri": editor.uri, "version": 2}, "contentChanges": [{"range": word, "text": "docker: {dockerfile: Dockerfile}"}]});
    editor.tell("textDocument/didChange", change);
    assert_eq!(editor.faults(), Vec::<String>::new());
    let hover = editor.ask(2, "textDocument/hover", editor.at(5, 6));
    assert!(hover["contents"]["value"].as_str().unwrap().starts_with("**docker**: mapping\n\nFrom a Dockerfile"), "{hover}");
    let found = editor.ask(3, "textDocument/definition", editor.at(5, 26));
    assert_eq!(found[0]["uri"], editor.uri.replace("skaffold.yaml", "Dockerfile"));
    let offered = editor.ask(4, "textDocument/completion", editor.at(6, 0));
    let labels: Vec<&str> = offered.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
    assert!(labels.contains(&"manifests") && !labels.contains(&"build"), "{labels:?}");
    assert_eq!(editor.ask(5, "shutdown", Value::Null), Value::Null);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.server.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    editor.output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "nothing else is on standard output");
}

#[test]
fn it_ends_with_its_editor() {
    let folder = tempfile::tempdir().unwrap();
    let mut closed = Editor::start(folder.path(), None);
    closed.input = None;
    assert_eq!(closed.server.wait().unwrap().code(), Some(0));
    // The pipe stays open, as it does where another process has a copy of it.
    let mut parent = Command::new("sleep").arg("1000").spawn().unwrap();
    let mut orphan = Editor::start(folder.path(), Some(parent.id()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(orphan.server.wait().unwrap().code(), Some(0));
    let mut nonsense = Editor::start(folder.path(), None);
    nonsense.input.as_mut().unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(nonsense.server.wait().unwrap().code(), Some(0));
}
