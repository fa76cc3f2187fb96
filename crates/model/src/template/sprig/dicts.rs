//! Functions on mappings.

use std::sync::Arc;

use gotmpl::Value;

use super::Call;
use super::Dict;
use super::Function;
use super::Result;
use super::dict;
use super::go;
use super::list;
use super::text;
use super::texts;

pub(super) const FUNCTIONS: &[Function] = &[
    ("dict", 0, None, new),
    ("get", 2, Some(2), |c| Ok(c.dict(0)?.get(c.text(1)?).cloned().unwrap_or(text("")?))),
    ("set", 3, Some(3), set),
    ("unset", 2, Some(2), unset),
    ("hasKey", 2, Some(2), |c| Ok(Value::Bool(c.dict(0)?.contains_key(c.text(1)?)))),
    ("pluck", 1, None, pluck),
    ("keys", 0, None, keys),
    ("values", 1, Some(1), |c| list(c.dict(0)?.values().cloned())),
    ("pick", 1, None, |c| chosen(c, true)),
    ("omit", 1, None, |c| chosen(c, false)),
    ("merge", 1, None, |c| merged(c, false)),
    ("mustMerge", 1, None, |c| merged(c, false)),
    ("mergeOverwrite", 1, None, |c| merged(c, true)),
    ("mustMergeOverwrite", 1, None, |c| merged(c, true)),
    ("deepCopy", 1, Some(1), |c| Ok(c.get(0).clone())),
    ("mustDeepCopy", 1, Some(1), |c| Ok(c.get(0).clone())),
    ("dig", 3, None, dig),
];

fn new(call: &Call<'_>) -> Result {
    let empty = Value::String("".into());
    dict(call.arguments.chunks(2).map(|pair| (go::show(&pair[0]).into(), pair.get(1).unwrap_or(&empty).clone())))
}

fn set(call: &Call<'_>) -> Result {
    let mut entries = call.dict(0)?.clone();
    entries.insert(call.text(1)?.into(), call.get(2).clone());
    Ok(Value::Map(Arc::new(entries)))
}

fn unset(call: &Call<'_>) -> Result {
    let mut entries = call.dict(0)?.clone();
    entries.remove(call.text(1)?);
    Ok(Value::Map(Arc::new(entries)))
}

fn pluck(call: &Call<'_>) -> Result {
    let key = call.text(0)?;
    let mut found = Vec::new();
    for at in 1..call.len() {
        found.extend(call.dict(at)?.get(key).cloned());
    }
    list(found)
}

/// Sorted, where Go gives any order.
fn keys(call: &Call<'_>) -> Result {
    let mut found = Vec::new();
    for at in 0..call.len() {
        found.extend(call.dict(at)?.keys());
    }
    texts(found)
}

fn chosen(call: &Call<'_>, keep: bool) -> Result {
    let keys = call.texts(1)?;
    let entries = call.dict(0)?.iter().filter(|(key, _)| keys.contains(&&***key) == keep);
    dict(entries.map(|(key, value)| (Arc::clone(key), value.clone())))
}

fn merged(call: &Call<'_>, overwrite: bool) -> Result {
    let mut into = call.dict(0)?.clone();
    for at in 1..call.len() {
        merge(&mut into, call.dict(at)?, overwrite);
    }
    Ok(Value::Map(Arc::new(into)))
}

/// What is not set, or empty, is taken from `from`; mappings are merged at every depth.
fn merge(into: &mut Dict, from: &Dict, overwrite: bool) {
    for (key, new) in from {
        match (into.get_mut(key), new) {
            (Some(Value::Map(old)), Value::Map(new)) => merge(Arc::make_mut(old), new, overwrite),
            (Some(old), _) if overwrite || go::is_empty(old) => *old = new.clone(),
            (Some(_), _) => {}
            (None, _) => {
                into.insert(Arc::clone(key), new.clone());
            }
        }
    }
}

fn dig(call: &Call<'_>) -> Result {
    let last = call.len() - 1;
    let mut at = call.get(last);
    for step in 0..last - 1 {
        let key = call.text(step)?;
        let Value::Map(entries) = at else {
            return Err(call.fault(format!("wrong type for value; expected map[string]interface {{}}; got {}", go::type_of(at))));
        };
        match entries.get(key) {
            Some(found) => at = found,
            None => return Ok(call.get(last - 1).clone()),
        }
    }
    Ok(at.clone())
}
