use std::path::Path;

use super::*;
use crate::testing::settings;

const HEAD: &str = "apiVersion: skaffold/v4beta14\nkind: Config\n";

/// Returns how the server ends after these bytes, and what it said.
fn talk(input: Vec<u8>) -> (Ended, Vec<Json>) {
    let mut output = Vec::new();
    let ended = serve(io::Cursor::new(input), &mut output, &settings()).unwrap();
    let (mut said, mut rest) = (Vec::new(), output.as_slice());
    while let Some(Incoming::Message(message)) = wire::read(&mut rest).unwrap() {
        said.push(message);
    }
    assert!(rest.is_empty(), "there is nothing but messages on the output");
    (ended, said)
}

fn bytes(messages: &[Json]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        wire::write(&mut bytes, message).unwrap();
    }
    bytes
}

fn request(id: u32, method: &str, params: Json) -> Json {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn notification(method: &str, params: Json) -> Json {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

fn initialize(root: &Path) -> Json {
    request(0, "initialize", json!({"processId": null, "rootUri": format!("file://{}", root.display()), "capabilities": {}}))
}

fn open(path: &Path, text: &str) -> Json {
    let uri = format!("file://{}", path.display());
    notification("textDocument/didOpen", json!({"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}}))
}

/// Returns the faults of a message as `line:start-end code: message`.
fn faults(message: &Json) -> String {
    let of = |fault: &Json| {
        let range = &fault["range"];
        let (start, end) = (&range["start"], &range["end"]);
        let first = fault["message"].as_str().unwrap().lines().next().unwrap();
        format!("{}:{}-{} {}: {first}", start["line"], start["character"], end["character"], fault["code"].as_str().unwrap())
    };
    message["params"]["diagnostics"].as_array().unwrap().iter().map(of).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_wrong_is_told_at_its_own_file_and_its_fix_is_offered() {
    let dir = tempfile::tempdir().unwrap();
    let (root, cart) = (dir.path().join("skaffold.yaml"), dir.path().join("cart/skaffold.yaml"));
    std::fs::create_dir(dir.path().join("cart")).unwrap();
    std::fs::write(&cart, format!("{HEAD}build: {{artifacts: [{{image: \"ä😀\", dokcer: {{}}}}]}}\n")).unwrap();
    let text = format!("{HEAD}requires: [{{path: cart}}]\n");
    let uri = json!({"uri": format!("file://{}", root.display())});
    let range = json!({"start": {"line": 3, "character": 2}, "end": {"line": 3, "character": 2}});
    let settings = settings();
    let mut session = Session::new(&settings);
    session.request("initialize", initialize(dir.path())["params"].clone()).unwrap();
    session.notification("textDocument/didOpen", open(&root, &text)["params"].clone());
    let told: Vec<String> = session
        .publish()
        .iter()
        .map(|message| {
            let uri = message["params"]["uri"].as_str().unwrap().replace(&dir.path().display().to_string(), "DIR");
            format!("{uri} {}\n{}", message["params"]["version"], faults(message))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    file://DIR/cart/skaffold.yaml null
    2:35-41 config/unknown-field: artifact `ä😀` has no builder called `dokcer`
    file://DIR/skaffold.yaml 1
    ");
    assert!(session.publish().is_empty(), "it is told once");
    let mut change = |version: u32, at: (u32, u32), text: &str| {
        let range = json!({"start": {"line": 3, "character": at.0}, "end": {"line": 3, "character": at.1}});
        let params = json!({"textDocument": {"uri": uri["uri"], "version": version}, "contentChanges": [{"range": range, "text": text}]});
        session.notification("textDocument/didChange", params);
        session.publish()
    };
    let published = change(2, (0, 0), "biuld: {}\n");
    let told: Vec<String> = published.iter().map(faults).collect();
    assert_eq!(told, ["3:0-5 config/unknown-field: the configuration has no field `biuld`"], "the fault of the other file stands");
    let published = change(3, (0, 5), "build");
    assert_eq!((published.len(), &published[0]["params"]["version"], faults(&published[0])), (1, &json!(3), String::new()));
    change(4, (0, 5), "biuld");
    let params = json!({"textDocument": uri, "range": range, "context": {"diagnostics": []}});
    let actions = session.request("textDocument/codeAction", params).unwrap();
    let edit = &actions[0]["edit"]["changes"][uri["uri"].as_str().unwrap()][0];
    assert_eq!((&actions[0]["title"], &edit["newText"]), (&json!("Write `build`"), &json!("build")));
    let mut changed = open(&root, &text)["params"].clone();
    changed["textDocument"]["version"] = json!(5);
    session.notification("textDocument/didOpen", changed);
    assert_eq!(session.publish().len(), 1);
    // What the editor has of the other file counts from when it has it.
    session.notification("textDocument/didOpen", open(&cart, &format!("{HEAD}metadata: {{name: cart}}\n"))["params"].clone());
    let published = session.publish();
    assert_eq!((published.len(), faults(&published[0])), (1, String::new()));
    session.notification("textDocument/didClose", json!({"textDocument": {"uri": format!("file://{}", cart.display())}}));
    assert_eq!(session.publish().len(), 1, "the disk counts again");
    session.notification("textDocument/didClose", json!({"textDocument": uri}));
    let published = session.publish();
    assert!(published.len() == 2 && published.iter().all(|message| faults(message).is_empty()), "nothing is open: {published:?}");
}

#[test]
fn a_conversation_is_answered_in_order_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("skaffold.yaml");
    let at = |line: u32, character: u32| json!({"textDocument": {"uri": format!("file://{}", root.display())}, "position": {"line": line, "character": character}});
    let (ended, said) = talk(bytes(&[
        request(1, "textDocument/hover", json!({})),
        initialize(dir.path()),
        notification("initialized", json!({})),
        open(&root, &format!("{HEAD}build: {{}}\n")),
        request(2, "textDocument/hover", at(2, 1)),
        request(3, "textDocument/completion", at(2, 8)),
        request(4, "textDocument/definition", at(2, 1)),
        request(5, "textDocument/documentSymbol", at(0, 0)),
        request(6, "textDocument/rename", at(0, 0)),
        request(7, "textDocument/hover", json!({"nonsense": 1})),
        request(8, "shutdown", Json::Null),
        request(9, "textDocument/hover", at(0, 0)),
        notification("exit", Json::Null),
        request(10, "textDocument/hover", at(0, 0)),
    ]));
    let summary = |message: &Json| {
        let result = match &message["result"] {
            Json::Array(items) => format!("{} items", items.len()),
            Json::Object(fields) => fields.keys().cloned().collect::<Vec<_>>().join(", "),
            Json::Null => message["error"]["code"].to_string(),
            other => other.to_string(),
        };
        format!("{} {result}", message["id"])
    };
    assert_eq!(ended, Ended::Done);
    insta::assert_snapshot!(said.iter().map(summary).collect::<Vec<_>>().join("\n"), @r"
    1 -32002
    0 capabilities, serverInfo
    2 contents, range
    3 8 items
    4 0 items
    5 3 items
    6 -32601
    7 -32602
    8 null
    9 -32600
    ");
}

#[test]
fn no_message_is_bad_enough_to_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut input = bytes(&[initialize(dir.path())]);
    input.extend(b"Content-Length: 3\r\n\r\n{]}");
    input.extend(bytes(&[
        json!(1),
        json!([]),
        json!({"id": 1}),
        json!({"id": 2, "result": null}),
        json!({"method": 5}),
        json!({"id": {"a": 1}, "method": "textDocument/hover", "params": [1, 2]}),
        notification("textDocument/didOpen", json!({"textDocument": 5})),
        notification("textDocument/didChange", json!({"textDocument": {"uri": "file:///x", "version": 1}, "contentChanges": [{"text": "a"}]})),
        notification("textDocument/didClose", json!({})),
        open(&dir.path().join("skaffold.yaml"), "a: &a [*a, {\n\t- x: |\n"),
        notification("textDocument/didChange", json!({
            "textDocument": {"uri": format!("file://{}/skaffold.yaml", dir.path().display()), "version": 2},
            "contentChanges": [{"range": {"start": {"line": 99, "character": 99}, "end": {"line": 0, "character": 4_000_000}}, "text": "😀"}],
        })),
        request(3, "shutdown", Json::Null),
    ]));
    let (ended, said) = talk(input);
    assert_eq!(ended, Ended::Done, "the input ends");
    assert_eq!(said.last().unwrap()["id"], 3);
    assert!(said.iter().any(|message| message["error"]["code"] == -32700));
    let (ended, _) = talk(bytes(&[initialize(dir.path()), notification("exit", Json::Null)]));
    assert_eq!(ended, Ended::Abrupt);
    assert_eq!(talk(b"what is this\r\n\r\n".to_vec()), (Ended::Done, Vec::new()));
}

#[test]
fn a_server_whose_editor_is_gone_ends() {
    let (reader, _writer) = io::pipe().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let gone = Settings { is_running: Box::new(|process| process != 4711), ..settings() };
        let introduction = bytes(&[request(0, "initialize", json!({"processId": 4711, "capabilities": {}}))]);
        sender.send(serve(io::Read::chain(io::Cursor::new(introduction), reader), &mut Vec::new(), &gone).unwrap()).unwrap();
    });
    assert_eq!(receiver.recv_timeout(Duration::from_secs(30)).unwrap(), Ended::Done);
}
