//! How the fields of a profile replace those of the document it stands in.

use super::put;
use crate::Key;
use crate::Node;
use crate::Value;

/// How one field of a profile is worked in.
enum Field {
    /// Replaces what is there unless it is empty: a list without items, `0`, `false`, empty text.
    Value,
    /// Replaces what is there, whatever it is: in Go it is a pointer, and `{}` or `false` is not nil.
    Pointer,
    /// Replaces what is there, all of it, if one of its members is set.
    OneOf,
    /// Worked in field by field.
    Fields(&'static Fields),
}

struct Fields {
    each: &'static [(&'static str, Field)],
    /// Keys of which only one may be there: setting one takes the others away.
    one_of: &'static [&'static str],
}

const HOOKS: Fields = Fields { each: &[("before", Field::Value), ("after", Field::Value)], one_of: &[] };

const BUILD: Fields = Fields {
    each: &[
        ("hooks", Field::Fields(&HOOKS)),
        ("artifacts", Field::Value),
        ("insecureRegistries", Field::Value),
        ("tagPolicy", Field::OneOf),
        ("platforms", Field::Value),
    ],
    one_of: &["local", "googleCloudBuild", "cluster"],
};

const MANIFESTS: Fields = Fields {
    each: &[
        ("rawYaml", Field::Value),
        ("remoteManifests", Field::Value),
        ("kpt", Field::Value),
        ("hooks", Field::Fields(&HOOKS)),
        ("output", Field::Value),
    ],
    one_of: &[],
};

const LOGS: Fields = Fields {
    each: &[("prefix", Field::Value), ("jsonParse", Field::Fields(&Fields { each: &[("fields", Field::Value)], one_of: &[] }))],
    one_of: &[],
};

const DEPLOY: Fields = Fields {
    each: &[
        ("statusCheckDeadlineSeconds", Field::Value),
        ("tolerateFailuresUntilDeadline", Field::Value),
        ("kubeContext", Field::Value),
        ("logs", Field::Fields(&LOGS)),
    ],
    one_of: &[],
};

/// The pipeline of `skaffold/v4beta14`; a field not named is a pointer, or unknown, which the schema finds where it was written.
const PIPELINE: Fields = Fields {
    each: &[
        ("build", Field::Fields(&BUILD)),
        ("test", Field::Value),
        ("manifests", Field::Fields(&MANIFESTS)),
        ("deploy", Field::Fields(&DEPLOY)),
        ("portForward", Field::Value),
        ("resourceSelector", Field::Fields(&Fields { each: &[("allow", Field::Value), ("deny", Field::Value)], one_of: &[] })),
        ("verify", Field::Value),
        ("customActions", Field::Value),
    ],
    one_of: &[],
};

/// What a profile has besides its pipeline.
const OWN: [&str; 4] = ["name", "activation", "requiresAllActivations", "patches"];

/// Works the pipeline of `profile` into `document`.
pub(super) fn overlay(document: &mut Node, profile: &Node) {
    let entries = profile.as_map().unwrap_or_default();
    overlay_fields(document, entries.iter().filter(|(key, _)| !OWN.contains(&key.text.as_str())), &PIPELINE);
}

fn overlay_fields<'a>(into: &mut Node, from: impl Iterator<Item = &'a (Key, Node)> + Clone, fields: &Fields) {
    let sets_one = |(key, value): &&(Key, Node)| fields.one_of.contains(&key.text.as_str()) && !value.is_null();
    if from.clone().any(|entry| sets_one(&entry)) {
        for key in fields.one_of {
            into.remove(key);
        }
    }
    for (key, value) in from {
        let field = fields.each.iter().find(|(name, _)| *name == key.text).map_or(&Field::Pointer, |(_, field)| field);
        overlay_field(into, key, value, field);
    }
}

fn overlay_field(into: &mut Node, key: &Key, value: &Node, field: &Field) {
    let replaces = match field {
        Field::Value => !is_empty(value),
        Field::Pointer => !value.is_null(),
        Field::OneOf => value.as_map().map_or(!value.is_null(), |entries| entries.iter().any(|(_, member)| !member.is_null())),
        Field::Fields(fields) => match (into.get_mut(&key.text), value.as_map()) {
            (Some(old), Some(entries)) if old.as_map().is_some() => return overlay_fields(old, entries.iter(), fields),
            _ => !value.is_null(),
        },
    };
    if replaces {
        put(into, key, value.clone());
    }
}

/// Returns whether Go would call this a zero value.
fn is_empty(value: &Node) -> bool {
    match &value.value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Float(number) => *number == 0.0,
        Value::Bool(true) | Value::Int(_) | Value::Map(_) => false,
    }
}
