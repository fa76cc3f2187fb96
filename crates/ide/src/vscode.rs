//! VS Code: `launch.json` and `tasks.json`.
//!
//! Sources: the attributes of the debuggers' own documentation: `docs/debugging.md` of vscode-go, vscode-js-debug's `OPTIONS.md`,
//! vscode-python-debugger's `package.json`, vscode-java-debug's `Configuration.md`; tasks as code.visualstudio.com/docs describes them.

use std::path::Path;

use devloop_model::Diagnostic;
use devloop_model::Runtime;
use serde_json::Value;
use serde_json::json;

use crate::Debuggee;
use crate::File;
use crate::PathMap;
use crate::Task;
use crate::jsonc::Document;

/// The file of launch configurations, relative to the workspace.
pub const LAUNCH: &str = ".vscode/launch.json";
/// The file of tasks.
pub const TASKS: &str = ".vscode/tasks.json";
/// What the names of our entries begin with.
const OURS: &str = "devloop: ";
/// All of them at once.
const COMPOUND: &str = "devloop";
const HOST: &str = "127.0.0.1";

/// The files as they are; none where there is no such file.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// The text of `launch.json`.
    pub launch: Option<String>,
    /// The text of `tasks.json`.
    pub tasks: Option<String>,
}

/// Returns both files with what attaches to the debuggees, and a task that starts them; what others wrote into them stays.
///
/// # Errors
/// When one of them cannot be understood.
pub fn vscode(existing: &Existing, debuggees: &[Debuggee], task: &Task) -> Result<Vec<File>, Diagnostic> {
    let launch = Document::read(LAUNCH, existing.launch.as_deref().unwrap_or_default())?;
    let tasks = Document::read(TASKS, existing.tasks.as_deref().unwrap_or_default())?;
    let name = |debuggee: &Debuggee| format!("{OURS}{}", debuggee.title());
    let configurations: Vec<Value> = debuggees.iter().map(|debuggee| attach(&name(debuggee), debuggee)).collect();
    let start = format!("{OURS}debug");
    let compound = json!({
        "name": COMPOUND,
        "configurations": debuggees.iter().map(name).collect::<Vec<_>>(),
        "preLaunchTask": start,
        "stopAll": true,
    });
    let is_ours: fn(&str) -> bool = |name| name.starts_with(OURS);
    launch.set_ours("configurations", "name", is_ours, &configurations)?;
    launch.set_ours(
        "compounds",
        "name",
        |name| name == COMPOUND,
        if debuggees.is_empty() { &[] } else { std::slice::from_ref(&compound) },
    )?;
    launch.set_default("version", "0.2.0");
    tasks.set_ours("tasks", "label", is_ours, &[background(&start, task)])?;
    tasks.set_default("version", "2.0.0");
    Ok(vec![File { path: LAUNCH.into(), text: launch.text() }, File { path: TASKS.into(), text: tasks.text() }])
}

fn attach(name: &str, debuggee: &Debuggee) -> Value {
    let Debuggee { runtime, port, maps, .. } = debuggee;
    match runtime {
        Runtime::Go => json!({
            "name": name,
            "type": "go",
            "request": "attach",
            "mode": "remote",
            "debugAdapter": "dlv-dap",
            "host": HOST,
            "port": port,
            "substitutePath": maps.iter().map(|map| json!({ "from": local(&map.local), "to": map.remote })).collect::<Vec<_>>(),
        }),
        Runtime::NodeJs => {
            let mut attach = json!({
                "name": name,
                "type": "node",
                "request": "attach",
                "address": HOST,
                "port": port,
                // A new pod is attached to by itself.
                "restart": true,
                "skipFiles": ["<node_internals>/**"],
            });
            // It takes one map: the one that covers most.
            if let Some(map) = maps.iter().map(PathMap::widened).min_by_key(|map| map.remote.len()) {
                attach["localRoot"] = json!(local(&map.local));
                attach["remoteRoot"] = json!(map.remote);
            }
            attach
        }
        Runtime::Python => json!({
            "name": name,
            "type": "debugpy",
            "request": "attach",
            "connect": { "host": HOST, "port": port },
            "pathMappings": maps.iter().map(|map| json!({ "localRoot": local(&map.local), "remoteRoot": map.remote })).collect::<Vec<_>>(),
            "justMyCode": true,
        }),
        Runtime::Jvm | Runtime::NetCore => json!({
            "name": name,
            "type": "java",
            "request": "attach",
            "hostName": HOST,
            "port": port,
        }),
    }
}

fn background(label: &str, task: &Task) -> Value {
    let arguments: Vec<&str> = ["debug"].into_iter().chain(task.arguments.iter().map(String::as_str)).collect();
    json!({
        "label": label,
        "type": "process",
        "command": "devloop",
        "args": arguments,
        // Its lines are what the matcher reads: no foot that is drawn anew.
        "options": { "cwd": local(&task.dir), "env": { "TERM": "dumb" } },
        "isBackground": true,
        "presentation": { "reveal": "always", "panel": "dedicated" },
        "problemMatcher": {
            "owner": "devloop",
            "fileLocation": ["autoDetect", local(&task.dir)],
            "pattern": [
                { "regexp": r"^(error|warning)\[[^\]]+\]: (.*)$", "severity": 1, "message": 2 },
                { "regexp": r"^\s*--> (.+):(\d+):(\d+)$", "file": 1, "line": 2, "column": 3 },
            ],
            "background": { "activeOnStart": true, "beginsPattern": task.begins, "endsPattern": task.ends },
        },
    })
}

/// Returns a path as VS Code expands it.
fn local(path: &Path) -> String {
    match path.display().to_string() {
        empty if empty.is_empty() => "${workspaceFolder}".to_owned(),
        absolute if path.is_absolute() => absolute,
        relative => format!("${{workspaceFolder}}/{relative}"),
    }
}

#[cfg(test)]
mod tests;
