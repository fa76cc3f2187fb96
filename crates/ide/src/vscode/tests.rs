use std::collections::BTreeSet;

use super::*;
use crate::testing::debuggee;
use crate::testing::task;

fn all() -> Vec<Debuggee> {
    vec![
        debuggee("web", Runtime::Go, 56268, &["web -> /src"]),
        debuggee("page", Runtime::NodeJs, 9229, &["page/src -> /app/src", "page/lib -> /app/lib"]),
        debuggee("api", Runtime::Python, 5678, &[" -> /srv"]),
        debuggee("jobs", Runtime::Jvm, 5005, &[]),
    ]
}

fn written(launch: Option<&str>, debuggees: &[Debuggee]) -> [String; 2] {
    let existing = Existing { launch: launch.map(str::to_owned), tasks: None };
    let files = vscode(&existing, debuggees, &task(&["-f", "shop.yaml"])).unwrap();
    files.into_iter().map(|file| file.text).collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn each_runtime_is_attached_to_as_its_debugger_wants_it() {
    let [launch, tasks] = written(None, &all());
    insta::assert_snapshot!(launch);
    insta::assert_snapshot!(tasks);
}

const FOREIGN: &str = r#"{
    // Mine.
    "version": "0.2.0",
    "configurations": [
        {
            "name": "Launch file", // as ever
            "type": "go",
            "request": "launch",
        },
        { "name": "devloop: gone (Go)", "type": "go", "request": "attach" },
        { "name": "devloop: web (Go)", "type": "go", "port": 1 },
        /* last */ { "name": "Other", "type": "node" },
    ],
}
"#;

#[test]
fn what_others_wrote_stays_as_it_is() {
    let [launch, _] = written(Some(FOREIGN), &all()[..1]);
    insta::assert_snapshot!(launch);
}

#[test]
fn a_second_time_changes_nothing() {
    for first in [None, Some(FOREIGN)] {
        let existing = |[launch, tasks]: [String; 2]| Existing { launch: Some(launch), tasks: Some(tasks) };
        let before = existing(written(first, &all()));
        let after = vscode(&before, &all(), &task(&["-f", "shop.yaml"])).unwrap();
        assert_eq!((&after[0].text, &after[1].text), (before.launch.as_ref().unwrap(), before.tasks.as_ref().unwrap()));
    }
}

#[test]
fn what_cannot_be_understood_is_told_with_its_place() {
    let said = |launch: &str| vscode(&Existing { launch: Some(launch.into()), tasks: None }, &all(), &task(&[])).unwrap_err().to_string();
    insta::assert_snapshot!(
        [said("{\n  \"configurations\": [\n    {\"name\": \"a\" \"b\"}\n  ]\n}\n"), said("[]"), said("{\"configurations\": 1}")]
            .join("\n\n")
    );
}

/// The attributes that vscode-go has for `attach` (its `package.json`, `contributes.debuggers`), and those of every configuration.
const OF_GO: [&str; 14] = [
    "name",
    "type",
    "request",
    "debugAdapter",
    "mode",
    "host",
    "port",
    "substitutePath",
    "apiVersion",
    "cwd",
    "showLog",
    "trace",
    "remotePath",
    "stopOnEntry",
];

#[test]
fn go_gets_attributes_that_its_debugger_has() {
    let [launch, _] = written(None, &all());
    let value = crate::jsonc::value(&launch).unwrap();
    let own: BTreeSet<&str> = value["configurations"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert!(own.iter().all(|name| OF_GO.contains(name)), "{own:?}");
    assert_eq!((&value["configurations"][0]["request"], &value["configurations"][0]["mode"]), (&json!("attach"), &json!("remote")));
}

#[test]
fn no_debuggee_leaves_no_entry() {
    let [launch, _] = written(Some(&written(None, &all())[0]), &[]);
    assert_eq!(crate::jsonc::value(&launch).unwrap(), json!({"version": "0.2.0", "configurations": [], "compounds": []}));
}
