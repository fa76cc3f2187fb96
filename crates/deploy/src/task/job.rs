//! The Job of a task: generated or from a file, with the container put in and overrides merged; no I/O but reading that file.

use devloop_model::Diagnostic;
use devloop_model::JobSettings;
use devloop_model::Location;
use devloop_model::Task;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::TASK_LABEL;

/// Returns the Job that runs `task` with `image`: one container, which is neither restarted nor tried again.
pub(super) fn job(task: &Task, settings: &JobSettings, env: &[(String, String)], image: &str) -> Result<Value, Diagnostic> {
    let mut job = match &settings.manifest {
        Some((file, at)) => template(&std::fs::read_to_string(file).map_err(|error| unreadable(at, &error.to_string()))?, at)?,
        None => json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0}}),
    };
    let name = task.name.as_str();
    set(&mut job, &["metadata", "name"], name.into());
    set(&mut job, &["metadata", "labels", TASK_LABEL], label(name).into());
    set(&mut job, &["spec", "backoffLimit"], 0.into());
    let known = job["spec"]["template"]["spec"]["containers"].as_array();
    let known = known.and_then(|all| all.iter().find(|container| container["name"] == *task.container)).cloned();
    set(&mut job, &["spec", "template", "spec", "containers"], json!([container(task, known, env, image)]));
    set(&mut job, &["spec", "template", "spec", "restartPolicy"], "Never".into());
    if let Some((overrides, _)) = &settings.overrides {
        merge(&mut job, overrides);
    }
    Ok(job)
}

/// Returns the container of a task: what its template says stays where the task says nothing.
fn container(task: &Task, known: Option<Value>, env: &[(String, String)], image: &str) -> Value {
    let mut container = known.unwrap_or_else(|| json!({}));
    container["name"] = task.container.as_str().into();
    container["image"] = image.into();
    for (field, words) in [("command", &task.command), ("args", &task.args)] {
        if !words.is_empty() {
            container[field] = json!(words);
        }
    }
    let own: Vec<Value> = task.env.iter().chain(env).map(|(name, value)| json!({"name": name, "value": value})).collect();
    let is_own = |variable: &Value| own.iter().any(|own| own["name"] == variable["name"]);
    let mut variables: Vec<Value> =
        container["env"].as_array().into_iter().flatten().filter(|variable| !is_own(variable)).cloned().collect();
    for (at, variable) in own.iter().enumerate() {
        // The last one of a name counts.
        if !own[at + 1..].iter().any(|later| later["name"] == variable["name"]) {
            variables.push(variable.clone());
        }
    }
    if !variables.is_empty() {
        container["env"] = Value::Array(variables);
    }
    container
}

/// Returns the Job in a text.
fn template(text: &str, at: &Location) -> Result<Value, Diagnostic> {
    let job: Value = serde_saphyr::from_str(text).map_err(|error| unreadable(at, &error.to_string()))?;
    if job["kind"] == "Job" && job["apiVersion"].as_str().is_some_and(|version| version.starts_with("batch/")) {
        return Ok(job);
    }
    let found = job["kind"].as_str().map_or_else(
        || "it has no `kind`".to_owned(),
        |kind| format!("it is a {kind} of `{}`", job["apiVersion"].as_str().unwrap_or_default()),
    );
    let what = "the file of `jobManifestPath` is no Job";
    Err(Diagnostic::error("task/no-job", what).at(at.clone()).because(found).help("it starts with `apiVersion: batch/v1` and `kind: Job`"))
}

fn unreadable(at: &Location, why: &str) -> Diagnostic {
    Diagnostic::error("task/no-job", "the file of `jobManifestPath` cannot be read").at(at.clone()).because(why)
}

/// Returns a name as a label can hold it.
fn label(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let text: String = name.chars().map(fits).take(63).collect();
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// Sets a field, and makes the mappings above it where there are none.
fn set(object: &mut Value, path: &[&str], value: Value) {
    let mut place = object;
    for key in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[*key];
    }
    *place = value;
}

/// Merges a patch (RFC 7386): null removes, mappings are merged, everything else replaces.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in fields {
        if value.is_null() {
            target.as_object_mut().and_then(|target| target.remove(key));
        } else {
            merge(&mut target[key.as_str()], value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::task;
    use super::*;

    fn env() -> Vec<(String, String)> {
        vec![("B".to_owned(), "2".to_owned())]
    }

    #[test]
    fn a_job_runs_the_container_once() {
        let made = job(&task(), &JobSettings::default(), &env(), "reg.io/web:1").unwrap();
        assert_eq!(
            made,
            json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "health", "labels": {"devloop.dev/task": "health"}},
                "spec": {"backoffLimit": 0, "template": {"spec": {
                    "restartPolicy": "Never",
                    "containers": [{
                        "name": "check", "image": "reg.io/web:1", "command": ["sh"],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    }],
                }}},
            })
        );
    }

    #[test]
    fn a_template_keeps_what_the_task_does_not_say_and_overrides_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("job.yaml");
        let text = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x, namespace: tests, labels: {team: a}}\nspec:\n  backoffLimit: 3\n  template: {spec: {serviceAccountName: tester, containers: [{name: check, image: x, args: [quiet], env: [{name: A, value: '0'}, {name: C, value: '3'}]}, {name: other, image: z}]}}\n";
        std::fs::write(&file, text).unwrap();
        let overrides = json!({"metadata": {"labels": {"team": null, "kind": "smoke"}}, "spec": {"template": {"spec": {"nodeName": "n"}}}});
        let at = task().at;
        let settings = JobSettings { overrides: Some((overrides, at.clone())), manifest: Some((file, at)) };
        let made = job(&task(), &settings, &[], "web").unwrap();
        assert_eq!(
            made["metadata"],
            json!({"name": "health", "namespace": "tests", "labels": {"devloop.dev/task": "health", "kind": "smoke"}})
        );
        assert_eq!(made["spec"]["backoffLimit"], 0);
        let spec = &made["spec"]["template"]["spec"];
        assert_eq!((&spec["serviceAccountName"], &spec["nodeName"]), (&json!("tester"), &json!("n")));
        let variables = json!([{"name": "C", "value": "3"}, {"name": "A", "value": "1"}]);
        assert_eq!(spec["containers"], json!([{"name": "check", "image": "web", "command": ["sh"], "args": ["quiet"], "env": variables}]));
    }

    #[test]
    fn a_file_that_is_no_job_is_told() {
        insta::assert_snapshot!(template("apiVersion: v1\nkind: Pod\n", &task().at).unwrap_err(), @r"
        error[task/no-job]: the file of `jobManifestPath` is no Job
         --> skaffold.yaml:4:12
          |
        4 |     image: web
          |            ^^^
          it is a Pod of `v1`
        help: it starts with `apiVersion: batch/v1` and `kind: Job`
        ");
    }
}
