//! Releases of helm, by helm 3 and helm 4.

mod charts;
mod dev;
mod example;
mod render;
mod states;
mod trouble;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::context::TestContext;
use crate::context::tool;

/// Returns a context in which helm is of this version, 3 or 4, and every call of it is written down.
fn with_helm(major: u32) -> TestContext {
    let real = tool(if major == 4 { "helm4" } else { "helm" });
    let context = TestContext::new();
    let (bin, log) = (context.path().join(".state/bin"), calls_file(&context));
    fs::create_dir_all(&bin).unwrap();
    // What a plugin or wrapper would be called by.
    symlink(&real, bin.join("real")).unwrap();
    let script = format!("#!/bin/sh\necho \"$*\" >>{}\nexec {} \"$@\"\n", log.display(), real.display());
    fs::write(bin.join("helm"), script).unwrap();
    fs::set_permissions(bin.join("helm"), fs::Permissions::from_mode(0o755)).unwrap();
    let context = context.with_first_on_path(&bin);
    fs::write(&log, "").unwrap();
    context
}

fn calls_file(context: &TestContext) -> PathBuf {
    context.path().join(".state/calls")
}

/// Returns what helm was called with since it was last asked.
fn calls(context: &TestContext) -> Vec<String> {
    let text = fs::read_to_string(calls_file(context)).unwrap();
    fs::write(calls_file(context), "").unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Returns what `helm` was told to do, in the order of the calls: `upgrade web`.
fn verbs(context: &TestContext) -> Vec<String> {
    let verb = |line: &String| {
        let words: Vec<&str> = line.split(' ').collect();
        let at = words
            .iter()
            .position(|word| matches!(*word, "install" | "upgrade" | "uninstall" | "template" | "dependency" | "package" | "version"));
        let Some(at) = at else { return line.clone() };
        let dry = if words.iter().any(|word| word.starts_with("--dry-run")) { " dry" } else { "" };
        format!("{} {}{dry}", words[at], words.get(at + 1).copied().unwrap_or_default())
    };
    calls(context).iter().map(verb).collect()
}

/// Returns the revision of a release.
fn revision(context: &TestContext, release: &str) -> u64 {
    let status: serde_json::Value = serde_json::from_str(&context.helm(&["status", release, "--output", "json"])).unwrap();
    calls(context);
    status["version"].as_u64().unwrap()
}

/// Adds a chart of one `ConfigMap`, whose data is `value` of its values.
fn with_chart(context: TestContext, directory: &str, name: &str) -> TestContext {
    context
        .with_file(&format!("{directory}/Chart.yaml"), &format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"))
        .with_file(&format!("{directory}/values.yaml"), "value: from the chart\n")
        .with_file(
            &format!("{directory}/templates/map.yaml"),
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  value: {{ .Values.value | quote }}\n",
        )
}

/// Returns the data of the `ConfigMap` of a release.
fn value(context: &TestContext, release: &str) -> String {
    context.kubectl(&["get", "configmap", release, "-o", "jsonpath={.data.value}"])
}

fn config(body: &str) -> String {
    format!("apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {{name: project}}\n{body}")
}
