//! `devloop ide` on real projects: no cluster is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::context::binary;
use crate::context::root;

/// Returns a folder with an example in it.
fn folder(example: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = format!("{}/.", root().join("examples").join(example).display());
    assert!(std::process::Command::new("cp").args(["-a", &from]).arg(folder.path()).status().unwrap().success());
    folder
}

fn ide(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = std::process::Command::new(binary());
    command.arg("ide").args(arguments).current_dir(folder).env_clear().env("HOME", folder.join(".state")).env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Returns a file as JSON; comments are taken out, as no text of these tests has `//` in it otherwise.
fn json_of(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    serde_json::from_str(&lines.join("\n")).unwrap()
}

#[test]
fn a_launch_configuration_is_written_beside_what_is_there() {
    let folder = folder("debug-go");
    let launch = folder.path().join(".vscode/launch.json");
    fs::create_dir(folder.path().join(".vscode")).unwrap();
    fs::write(
        &launch,
        "{\n  // mine\n  \"configurations\": [\n    {\"name\": \"own\", \"type\": \"go\", \"request\": \"launch\"}\n  ]\n}\n",
    )
    .unwrap();
    let (code, said, errors) = ide(folder.path(), &["vscode"]);
    assert_eq!((code, said.as_str()), (0, ".vscode/launch.json was updated\n.vscode/tasks.json was created\n"), "{errors}");
    let text = fs::read_to_string(&launch).unwrap();
    assert!(text.contains("// mine\n") && text.contains("\"name\": \"own\""), "{text}");
    let (_, said, _) = ide(folder.path(), &["vscode"]);
    assert_eq!(said, ".vscode/launch.json is as it should be\n.vscode/tasks.json is as it should be\n");
    let written = json_of(&launch);
    let attach = &written["configurations"][1];
    assert_eq!((&attach["name"], &attach["port"]), (&json!("devloop: debug-go (Go)"), &json!(56268)));
    // A frame of the debugger is the file on disk.
    let map = &attach["substitutePath"][0];
    let workspace = folder.path().display().to_string();
    let local = map["from"].as_str().unwrap().replace("${workspaceFolder}", &workspace);
    let frame = format!("{}/main.go", map["to"].as_str().unwrap());
    assert!(Path::new(&frame.replacen(map["to"].as_str().unwrap(), &local, 1)).is_file(), "{attach}");
}

#[test]
fn every_language_has_a_configuration() {
    for (example, kind, map) in [
        ("debug-node", "node", json!({"localRoot": "${workspaceFolder}", "remoteRoot": "/src"})),
        ("debug-python", "debugpy", json!({"pathMappings": [{"localRoot": "${workspaceFolder}", "remoteRoot": "/src"}]})),
        ("debug-java", "java", json!({"hostName": "127.0.0.1"})),
        ("ko", "go", json!({"substitutePath": []})),
    ] {
        let folder = folder(example);
        let (code, said, errors) = ide(folder.path(), &["vscode"]);
        assert_eq!(code, 0, "{example}: {said}{errors}");
        let written = json_of(&folder.path().join(".vscode/launch.json"));
        let attach = &written["configurations"][0];
        assert_eq!(attach["type"], kind, "{example}: {attach}");
        for (name, value) in map.as_object().unwrap() {
            assert_eq!(attach[name], *value, "{example}: {attach}");
        }
    }
}

#[test]
fn broken_files_are_told_with_their_place_and_left_alone() {
    let folder = folder("debug-go");
    fs::create_dir(folder.path().join(".vscode")).unwrap();
    let launch = folder.path().join(".vscode/launch.json");
    fs::write(&launch, "{\n  \"configurations\": [\n").unwrap();
    let (code, said, errors) = ide(folder.path(), &["vscode"]);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(errors.contains("--> .vscode/launch.json:2:") && errors.contains("nothing was written"), "{errors}");
    assert!(!folder.path().join(".vscode/tasks.json").exists());
}

#[test]
fn cloud_codes_settings_are_taken_over() {
    let folder = folder("debug-go");
    fs::create_dir_all(folder.path().join("deploy")).unwrap();
    fs::rename(folder.path().join("skaffold.yaml"), folder.path().join("deploy/skaffold.yaml")).unwrap();
    let config = fs::read_to_string(folder.path().join("deploy/skaffold.yaml")).unwrap();
    let config = config.replace("    - image: debug-go\n", "    - image: debug-go\n      context: ..\n");
    fs::write(folder.path().join("deploy/skaffold.yaml"), config).unwrap();
    fs::create_dir(folder.path().join(".vscode")).unwrap();
    let cloud_code = json!({"configurations": [{
        "name": "Kubernetes", "type": "cloudcode.kubernetes", "request": "launch",
        "skaffoldConfig": "${workspaceFolder}/deploy/skaffold.yaml", "watch": true, "cleanUp": false, "portForward": true,
        "imageRegistry": "localhost:5000", "debug": [{"image": "debug-go", "sourceFileMap": {"${workspaceFolder}": "/elsewhere"}}],
    }]});
    fs::write(folder.path().join(".vscode/launch.json"), cloud_code.to_string()).unwrap();
    let (code, said, errors) = ide(folder.path(), &["vscode"]);
    assert_eq!(code, 0, "{said}{errors}");
    assert!(said.contains("settings are those of the configuration `Kubernetes` of Cloud Code"), "{said}");
    let written = json_of(&folder.path().join(".vscode/launch.json"));
    assert_eq!(written["configurations"][1]["substitutePath"], json!([{"from": "${workspaceFolder}", "to": "/elsewhere"}]));
    let tasks = json_of(&folder.path().join(".vscode/tasks.json"));
    let arguments = [
        "debug",
        "--filename=deploy/skaffold.yaml",
        "--auto-build=true",
        "--auto-sync=true",
        "--auto-deploy=true",
        "--cleanup=false",
        "--port-forward=user,services,debug",
        "--default-repo=localhost:5000",
    ];
    assert_eq!(tasks["tasks"][0]["args"], json!(arguments));
}

#[test]
fn run_configurations_come_and_go() {
    let folder = folder("debug-go");
    let (_, said, _) = ide(folder.path(), &["goland"]);
    assert_eq!(said, ".run/devloop debug-go (Go).run.xml was created\n.run/devloop debug.run.xml was created\n");
    fs::write(folder.path().join(".run/devloop old (Go).run.xml"), "<component/>").unwrap();
    fs::write(folder.path().join(".run/mine.run.xml"), "<component/>").unwrap();
    let (_, said, _) = ide(folder.path(), &["goland"]);
    assert!(said.contains(".run/devloop old (Go).run.xml was removed"), "{said}");
    assert!(folder.path().join(".run/mine.run.xml").exists());
    let (_, shown, _) = ide(folder.path(), &["idea", "--dry-run"]);
    assert!(shown.contains("type=\"GoRemoteDebugConfigurationType\""), "{shown}");
}

#[test]
fn the_task_starts_where_the_command_was_given_and_paths_stay_in_the_workspace() {
    let folder = folder("debug-go");
    let workspace = folder.path().join("shop");
    fs::create_dir(&workspace).unwrap();
    let inner = workspace.join("web");
    fs::create_dir(&inner).unwrap();
    for file in ["Dockerfile", "go.mod", "main.go", "skaffold.yaml"] {
        fs::rename(folder.path().join(file), inner.join(file)).unwrap();
    }
    for given in ["..", workspace.to_str().unwrap()] {
        let (code, said, errors) = ide(&inner, &["vscode", "--workspace", given, "-n", "mine", "--default-repo", "localhost:5000"]);
        assert_eq!(code, 0, "{given}: {said}{errors}");
        let attach = &json_of(&workspace.join(".vscode/launch.json"))["configurations"][0];
        assert_eq!(attach["substitutePath"], json!([{"from": "${workspaceFolder}/web", "to": "/src"}]), "{given}");
        let task = &json_of(&workspace.join(".vscode/tasks.json"))["tasks"][0];
        assert_eq!(task["options"]["cwd"], "${workspaceFolder}/web", "{given}");
        assert_eq!(task["args"], json!(["debug", "--namespace=mine", "--default-repo=localhost:5000"]), "{given}");
    }
    let file = inner.join("skaffold.yaml");
    let (_, shown, _) = ide(&workspace, &["vscode", "--dry-run", "-f", file.to_str().unwrap()]);
    assert!(shown.contains("--filename=web/skaffold.yaml"), "{shown}");
    let (code, _, errors) = ide(&inner, &["vscode", "--workspace", "nowhere"]);
    assert!(code == 1 && errors.contains("nowhere") && !inner.join("nowhere").exists(), "{errors}");
}

#[test]
fn a_file_stays_the_file_that_it_is() {
    let folder = folder("debug-go");
    fs::create_dir(folder.path().join(".vscode")).unwrap();
    let (shared, launch) = (folder.path().join("shared.json"), folder.path().join(".vscode/launch.json"));
    fs::write(&shared, "\u{feff}{\r\n  // mine\r\n  \"configurations\": []\r\n}\r\n").unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("../shared.json", &launch).unwrap();
    let (code, said, errors) = ide(folder.path(), &["vscode"]);
    assert_eq!(code, 0, "{said}{errors}");
    assert!(fs::symlink_metadata(&launch).unwrap().is_symlink());
    assert_eq!(fs::metadata(&shared).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&shared).unwrap();
    assert!(text.starts_with("\u{feff}{\r\n") && text.contains("// mine\r\n") && text.contains("devloop: debug-go (Go)"), "{text}");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");
    let (_, said, _) = ide(folder.path(), &["vscode"]);
    assert!(said.starts_with(".vscode/launch.json is as it should be\n"), "{said}");
    let left: Vec<_> = fs::read_dir(folder.path().join(".vscode")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn programs_of_required_configurations_are_attached_to_at_once() {
    let workspace = tempfile::tempdir().unwrap();
    let examples = ["debug-go", "debug-node", "debug-python", "debug-java"];
    for example in examples {
        let from = root().join("examples").join(example);
        assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(workspace.path()).status().unwrap().success());
    }
    let requires = examples.map(|example| format!("  - path: {example}\n")).concat();
    fs::write(workspace.path().join("skaffold.yaml"), format!("apiVersion: skaffold/v4beta14\nkind: Config\nrequires:\n{requires}"))
        .unwrap();
    let (code, said, errors) = ide(workspace.path(), &["vscode"]);
    assert_eq!(code, 0, "{said}{errors}");
    let launch = json_of(&workspace.path().join(".vscode/launch.json"));
    let names: Vec<&Value> = launch["configurations"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(
        names,
        ["devloop: debug-go (Go)", "devloop: debug-node (Node.js)", "devloop: debug-python (Python)", "devloop: debug-java (Java)"]
    );
    assert_eq!(json!(names), launch["compounds"][0]["configurations"]);
    assert_eq!(launch["configurations"][1]["localRoot"], "${workspaceFolder}/debug-node");
    let task = &json_of(&workspace.path().join(".vscode/tasks.json"))["tasks"][0];
    assert_eq!(launch["compounds"][0]["preLaunchTask"], task["label"]);
}
