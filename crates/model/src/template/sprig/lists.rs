//! Functions on lists.

use gotmpl::Value;

use super::Call;
use super::Function;
use super::Result;
use super::go;
use super::list;
use super::strings;
use super::texts;

pub(super) const FUNCTIONS: &[Function] = &[
    ("list", 0, None, |c| list(c.arguments.iter().cloned())),
    ("tuple", 0, None, |c| list(c.arguments.iter().cloned())),
    ("append", 2, Some(2), push),
    ("mustAppend", 2, Some(2), push),
    ("push", 2, Some(2), push),
    ("mustPush", 2, Some(2), push),
    ("prepend", 2, Some(2), prepend),
    ("mustPrepend", 2, Some(2), prepend),
    ("first", 1, Some(1), |c| Ok(c.list(0)?.first().cloned().unwrap_or(Value::Nil))),
    ("mustFirst", 1, Some(1), |c| Ok(c.list(0)?.first().cloned().unwrap_or(Value::Nil))),
    ("last", 1, Some(1), |c| Ok(c.list(0)?.last().cloned().unwrap_or(Value::Nil))),
    ("mustLast", 1, Some(1), |c| Ok(c.list(0)?.last().cloned().unwrap_or(Value::Nil))),
    ("rest", 1, Some(1), |c| list(c.list(0)?.iter().skip(1).cloned())),
    ("mustRest", 1, Some(1), |c| list(c.list(0)?.iter().skip(1).cloned())),
    ("initial", 1, Some(1), initial),
    ("mustInitial", 1, Some(1), initial),
    ("reverse", 1, Some(1), |c| list(c.list(0)?.iter().rev().cloned())),
    ("mustReverse", 1, Some(1), |c| list(c.list(0)?.iter().rev().cloned())),
    ("compact", 1, Some(1), compact),
    ("mustCompact", 1, Some(1), compact),
    ("uniq", 1, Some(1), uniq),
    ("mustUniq", 1, Some(1), uniq),
    ("without", 1, None, without),
    ("mustWithout", 1, None, without),
    ("has", 2, Some(2), has),
    ("mustHas", 2, Some(2), has),
    ("slice", 1, None, slice),
    ("mustSlice", 1, None, slice),
    ("concat", 0, None, concat),
    ("chunk", 2, Some(2), chunk),
    ("mustChunk", 2, Some(2), chunk),
    ("sortAlpha", 1, Some(1), sort_alpha),
];

fn push(call: &Call<'_>) -> Result {
    list(call.list(0)?.iter().chain([call.get(1)]).cloned())
}

fn prepend(call: &Call<'_>) -> Result {
    list([call.get(1)].into_iter().chain(call.list(0)?).cloned())
}

fn initial(call: &Call<'_>) -> Result {
    let items = call.list(0)?;
    list(items.iter().take(items.len().saturating_sub(1)).cloned())
}

fn compact(call: &Call<'_>) -> Result {
    list(call.list(0)?.iter().filter(|item| !go::is_empty(item)).cloned())
}

fn uniq(call: &Call<'_>) -> Result {
    let mut seen: Vec<Value> = Vec::new();
    for item in call.list(0)? {
        if !seen.contains(item) {
            seen.push(item.clone());
        }
    }
    list(seen)
}

fn without(call: &Call<'_>) -> Result {
    list(call.list(0)?.iter().filter(|item| !call.arguments[1..].contains(item)).cloned())
}

fn has(call: &Call<'_>) -> Result {
    let found = !matches!(call.get(1), Value::Nil) && call.list(1)?.contains(call.get(0));
    Ok(Value::Bool(found))
}

fn slice(call: &Call<'_>) -> Result {
    let items = call.list(0)?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = if call.len() > 1 { go::to_int(call.get(1)) } else { 0 };
    let end = if call.len() > 2 { go::to_int(call.get(2)) } else { items.len().cast_signed() as i64 };
    if start < 0 || start > end || end as usize > items.len() {
        return Err(call.fault(format!("slice index out of bounds [{start}:{end}] with length {}", items.len())));
    }
    list(items[start as usize..end as usize].iter().cloned())
}

fn concat(call: &Call<'_>) -> Result {
    let mut all = Vec::new();
    for at in 0..call.len() {
        all.extend_from_slice(call.list(at)?);
    }
    list(all)
}

fn chunk(call: &Call<'_>) -> Result {
    let size = usize::try_from(call.int(0)?).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| call.fault("the size must be above 0"))?;
    list(call.list(1)?.chunks(size).map(|part| Value::List(part.into())))
}

fn sort_alpha(call: &Call<'_>) -> Result {
    let mut sorted = match call.get(0) {
        Value::Nil => vec![go::show(call.get(0))],
        value => strings::strings_of(value),
    };
    sorted.sort();
    texts(sorted)
}
