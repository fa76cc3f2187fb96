//! Regular expressions: the syntax of Go's RE2 and of the regex crate are the same but for rare classes.

use gotmpl::TemplateError;
use gotmpl::Value;
use regex::NoExpand;
use regex::Regex;

use super::Call;
use super::Function;
use super::Result;
use super::text;
use super::texts;

pub(super) const FUNCTIONS: &[Function] = &[
    ("regexMatch", 2, Some(2), is_match),
    ("mustRegexMatch", 2, Some(2), |c| Ok(Value::Bool(regex(c)?.is_match(c.text(1)?)))),
    ("regexFind", 2, Some(2), find),
    ("mustRegexFind", 2, Some(2), find),
    ("regexFindAll", 3, Some(3), find_all),
    ("mustRegexFindAll", 3, Some(3), find_all),
    ("regexReplaceAll", 3, Some(3), |c| text(regex(c)?.replace_all(c.text(1)?, c.text(2)?))),
    ("mustRegexReplaceAll", 3, Some(3), |c| text(regex(c)?.replace_all(c.text(1)?, c.text(2)?))),
    ("regexReplaceAllLiteral", 3, Some(3), |c| text(regex(c)?.replace_all(c.text(1)?, NoExpand(c.text(2)?)))),
    ("mustRegexReplaceAllLiteral", 3, Some(3), |c| text(regex(c)?.replace_all(c.text(1)?, NoExpand(c.text(2)?)))),
    ("regexSplit", 3, Some(3), split),
    ("mustRegexSplit", 3, Some(3), split),
    ("regexQuoteMeta", 1, Some(1), |c| text(quote_meta(c.text(0)?))),
];

fn regex(call: &Call<'_>) -> std::result::Result<Regex, TemplateError> {
    Regex::new(call.text(0)?).map_err(|error| call.fault(error))
}

/// A pattern that does not compile matches nothing.
fn is_match(call: &Call<'_>) -> Result {
    let whole = call.text(1)?;
    Ok(Value::Bool(Regex::new(call.text(0)?).is_ok_and(|regex| regex.is_match(whole))))
}

fn find(call: &Call<'_>) -> Result {
    text(regex(call)?.find(call.text(1)?).map_or("", |found| found.as_str()))
}

/// A limit below 0 is none.
fn limit(call: &Call<'_>) -> std::result::Result<usize, TemplateError> {
    Ok(usize::try_from(call.int(2)?).unwrap_or(usize::MAX))
}

fn find_all(call: &Call<'_>) -> Result {
    texts(regex(call)?.find_iter(call.text(1)?).take(limit(call)?).map(|found| found.as_str()))
}

/// Go's `Split` leaves out an empty text before a match at the very start only if that match is empty too.
fn split(call: &Call<'_>) -> Result {
    let (regex, whole, limit) = (regex(call)?, call.text(1)?, limit(call)?);
    if limit == 0 {
        return texts::<&str>([]);
    }
    if whole.is_empty() && !regex.as_str().is_empty() {
        return texts([""]);
    }
    let (mut parts, mut start, mut end) = (Vec::new(), 0, 0);
    for found in regex.find_iter(whole).take(limit) {
        if parts.len() + 1 == limit {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(&whole[start..end]);
        }
        start = found.end();
    }
    if end != whole.len() {
        parts.push(&whole[start..]);
    }
    texts(parts)
}

fn quote_meta(whole: &str) -> String {
    let mut quoted = String::new();
    for c in whole.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}
