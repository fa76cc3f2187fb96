//! Dropping fields that the API server does not know, where validation is off.
//!
//! A server-side apply refuses them whatever the validation, so what it names is taken out of the manifest.

use serde_json::Value;

/// One step of a path as the API server writes it: `.spec.containers[name="app"].imgae`.
#[derive(Debug, Clone, PartialEq)]
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    Keys(Vec<(&'a str, Value)>),
}

/// Removes every field from `object` that `message` says is not declared; returns whether there was one.
pub(super) fn remove(object: &mut Value, message: &str) -> bool {
    let mut removed = false;
    for path in paths(message) {
        if let Some((Step::Field(last), parents)) = steps(path).as_deref().and_then(<[Step<'_>]>::split_last) {
            let parent = parents.iter().try_fold(&mut *object, |value, step| below(value, step));
            removed |= parent.and_then(Value::as_object_mut).is_some_and(|fields| fields.shift_remove(*last).is_some());
        }
    }
    removed
}

/// Returns the message as a person would say it, if it is about unknown fields.
pub(super) fn readable(message: &str) -> Option<String> {
    let lines: Vec<String> = paths(message).map(|path| format!("{}: there is no such field", path.trim_start_matches('.'))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn paths(message: &str) -> impl Iterator<Item = &str> {
    message.match_indices(": field not declared in schema").filter_map(|(end, _)| {
        let head = &message[..end];
        let start = head.rfind([' ', '\n', '\t']).map_or(0, |at| at + 1);
        Some(&head[start..]).filter(|path| path.starts_with('.'))
    })
}

fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some(field) = rest.strip_prefix('.') {
            let end = field.find(['.', '[']).unwrap_or(field.len());
            steps.push(Step::Field(&field[..end]));
            rest = &field[end..];
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(match inside.parse() {
                Ok(index) => Step::Index(index),
                Err(_) => Step::Keys(keys(inside)?),
            });
            rest = after;
        }
    }
    Some(steps)
}

fn keys(text: &str) -> Option<Vec<(&str, Value)>> {
    text.split(',').map(|pair| pair.split_once('=').and_then(|(key, value)| Some((key, serde_json::from_str(value).ok()?)))).collect()
}

fn below<'a>(value: &'a mut Value, step: &Step<'_>) -> Option<&'a mut Value> {
    match step {
        Step::Field(name) => value.get_mut(*name),
        Step::Index(at) => value.get_mut(*at),
        // A key that the manifest leaves out has its default.
        Step::Keys(keys) => value
            .as_array_mut()?
            .iter_mut()
            .find(|item| keys.iter().all(|(key, wanted)| item.get(*key).is_none_or(|there| there == wanted))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_named_is_removed() {
        let mut object = json!({"spec": {"replcias": 1, "template": {"spec": {"containers": [{"name": "a", "x": 1}, {"name": "app", "imgae": "y", "ports": [{"containerPort": 80, "z": 1}]}]}}}});
        let message = "failed to create typed patch object (ns/web; apps/v1, Kind=Deployment): errors:\n  .spec.replcias: field not declared in schema\n  .spec.template.spec.containers[name=\"app\"].imgae: field not declared in schema\n  .spec.template.spec.containers[name=\"app\"].ports[containerPort=80,protocol=\"TCP\"].z: field not declared in schema";
        insta::assert_snapshot!(readable(message).unwrap(), @r#"
        spec.replcias: there is no such field
        spec.template.spec.containers[name="app"].imgae: there is no such field
        spec.template.spec.containers[name="app"].ports[containerPort=80,protocol="TCP"].z: there is no such field
        "#);
        assert!(remove(&mut object, message));
        assert_eq!(
            object,
            json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "x": 1}, {"name": "app", "ports": [{"containerPort": 80}]}]}}}})
        );
        assert!(!remove(&mut object, message));
    }

    #[test]
    fn other_messages_are_left_alone() {
        let mut object = json!({"spec": {"a": 1}});
        for message in ["", "spec.a: Invalid value: 1", "x: field not declared in schema", ".spec[: field not declared in schema"] {
            assert!(!remove(&mut object, message), "{message}");
        }
        assert_eq!(readable("something else"), None);
    }
}
