//! Functions on text.

use gotmpl::Value;

use super::Call;
use super::Function;
use super::Result;
use super::dict;
use super::go;
use super::text;
use super::texts;
use super::words;

pub(super) const FUNCTIONS: &[Function] = &[
    ("hello", 0, Some(0), |_| text("Hello!")),
    ("abbrev", 2, Some(2), |c| abbreviate(c.text(1)?, 0, c.int(0)?)),
    ("abbrevboth", 3, Some(3), |c| abbreviate(c.text(2)?, c.int(0)?, c.int(1)?)),
    ("trunc", 2, Some(2), |c| text(truncate(c.int(0)?, c.text(1)?))),
    ("trim", 1, Some(1), |c| text(c.text(0)?.trim())),
    ("upper", 1, Some(1), |c| text(c.text(0)?.chars().map(words::upper).collect::<String>())),
    ("lower", 1, Some(1), |c| text(c.text(0)?.chars().map(words::lower).collect::<String>())),
    ("substr", 3, Some(3), substring),
    ("repeat", 2, Some(2), repeat),
    ("trimall", 2, Some(2), |c| text(trim_all(c)?)),
    ("trimAll", 2, Some(2), |c| text(trim_all(c)?)),
    ("trimSuffix", 2, Some(2), |c| text(c.text(1)?.strip_suffix(c.text(0)?).unwrap_or(c.text(1)?))),
    ("trimPrefix", 2, Some(2), |c| text(c.text(1)?.strip_prefix(c.text(0)?).unwrap_or(c.text(1)?))),
    ("contains", 2, Some(2), |c| Ok(Value::Bool(c.text(1)?.contains(c.text(0)?)))),
    ("hasPrefix", 2, Some(2), |c| Ok(Value::Bool(c.text(1)?.starts_with(c.text(0)?)))),
    ("hasSuffix", 2, Some(2), |c| Ok(Value::Bool(c.text(1)?.ends_with(c.text(0)?)))),
    ("quote", 0, None, |c| text(joined(c, |value| go::quote(&go::show(value))))),
    ("squote", 0, None, |c| text(joined(c, |value| format!("'{}'", go::show(value))))),
    ("cat", 0, None, |c| text(joined(c, go::show))),
    ("indent", 2, Some(2), |c| text(indent(c)?)),
    ("nindent", 2, Some(2), |c| text(format!("\n{}", indent(c)?))),
    ("replace", 3, Some(3), |c| text(c.text(2)?.replace(c.text(0)?, c.text(1)?))),
    ("plural", 3, Some(3), |c| text(if c.int(2)? == 1 { c.text(0)? } else { c.text(1)? })),
    ("toString", 1, Some(1), |c| text(go::show(c.get(0)))),
    ("toStrings", 1, Some(1), |c| texts(strings_of(c.get(0)))),
    ("join", 2, Some(2), |c| text(strings_of(c.get(1)).join(c.text(0)?))),
    ("split", 2, Some(2), |c| numbered(split(c.text(1)?, c.text(0)?, -1))),
    ("splitn", 3, Some(3), |c| numbered(split(c.text(2)?, c.text(0)?, c.int(1)?))),
    ("splitList", 2, Some(2), |c| texts(split(c.text(1)?, c.text(0)?, -1))),
    ("wrap", 2, Some(2), |c| text(wrap(c.text(1)?, c.int(0)?, "\n", false))),
    ("wrapWith", 3, Some(3), |c| text(wrap(c.text(2)?, c.int(0)?, c.text(1)?, true))),
    ("env", 1, Some(1), |c| text(c.variables.get(c.text(0)?).map_or("", String::as_str))),
    ("expandenv", 1, Some(1), |c| text(expand(c.text(0)?, c))),
];

/// Returns the texts of a list, or of one value, without what is nil.
pub(super) fn strings_of(value: &Value) -> Vec<String> {
    match value {
        Value::Nil => Vec::new(),
        Value::List(items) => items.iter().filter(|item| !matches!(item, Value::Nil)).map(go::show).collect(),
        other => vec![go::show(other)],
    }
}

fn joined(call: &Call<'_>, show: impl Fn(&Value) -> String) -> String {
    let shown: Vec<String> = call.arguments.iter().filter(|value| !matches!(value, Value::Nil)).map(show).collect();
    shown.join(" ")
}

/// Go counts bytes; where it would cut a character, what is left of it becomes U+FFFD.
fn bytes(text: &str, from: usize, to: usize) -> String {
    let all = text.as_bytes();
    String::from_utf8_lossy(&all[from.min(all.len())..to.clamp(from.min(all.len()), all.len())]).into_owned()
}

fn truncate(width: i64, text: &str) -> String {
    let keep = width.unsigned_abs() as usize;
    match width {
        ..0 if text.len() > keep => bytes(text, text.len() - keep, text.len()),
        ..0 => text.to_owned(),
        _ => bytes(text, 0, keep),
    }
}

fn substring(call: &Call<'_>) -> Result {
    let (start, end, whole) = (call.int(0)?, call.int(1)?, call.text(2)?);
    let end = if start >= 0 && (end < 0 || end as usize > whole.len()) { whole.len().cast_signed() as i64 } else { end };
    let start = start.max(0);
    if start > end || end as usize > whole.len() {
        return Err(call.fault(format!("slice bounds out of range [{start}:{end}] with length {}", whole.len())));
    }
    text(bytes(whole, start as usize, end as usize))
}

/// Shortens with an ellipsis by the rules of Masterminds/goutils.
fn abbreviate(whole: &str, offset: i64, width: i64) -> Result {
    if width < 4 || (offset > 0 && width < 7) || whole.len() <= width as usize {
        return text(whole);
    }
    text(shorten(whole, offset.max(0) as usize, width as usize))
}

fn shorten(whole: &str, offset: usize, width: usize) -> String {
    if whole.len() <= width {
        return whole.to_owned();
    }
    let kept = width - 3;
    let offset = offset.min(whole.len());
    let offset = if whole.len() - offset < kept { whole.len() - kept } else { offset };
    if offset <= 4 {
        return format!("{}...", bytes(whole, 0, kept));
    }
    if offset + kept < whole.len() {
        return format!("...{}", shorten(&bytes(whole, offset, whole.len()), 0, kept));
    }
    format!("...{}", bytes(whole, whole.len() - kept, whole.len()))
}

fn repeat(call: &Call<'_>) -> Result {
    let (count, unit) = (call.int(0)?, call.text(1)?);
    let Ok(count) = usize::try_from(count) else { return Err(call.fault("negative Repeat count")) };
    // What a template repeats ends up in a name or a flag.
    if unit.len().saturating_mul(count) > 16 << 20 {
        return Err(call.fault("the text would be larger than 16 MiB"));
    }
    text(unit.repeat(count))
}

fn trim_all<'a>(call: &Call<'a>) -> std::result::Result<&'a str, gotmpl::TemplateError> {
    let cut = call.text(0)?;
    Ok(call.text(1)?.trim_matches(|c| cut.contains(c)))
}

fn indent(call: &Call<'_>) -> std::result::Result<String, gotmpl::TemplateError> {
    let Ok(count) = usize::try_from(call.int(0)?) else { return Err(call.fault("negative Repeat count")) };
    let pad = " ".repeat(count.min(1 << 16));
    Ok(format!("{pad}{}", call.text(1)?.replace('\n', &format!("\n{pad}"))))
}

fn split<'a>(whole: &'a str, separator: &str, limit: i64) -> Vec<&'a str> {
    let limit = match limit {
        0 => return Vec::new(),
        ..0 => usize::MAX,
        limit => limit as usize,
    };
    if separator.is_empty() {
        // Go splits after each character then.
        let mut parts = Vec::new();
        let mut rest = whole;
        while let Some(c) = rest.chars().next() {
            if parts.len() + 1 == limit {
                parts.push(rest);
                break;
            }
            let (first, after) = rest.split_at(c.len_utf8());
            parts.push(first);
            rest = after;
        }
        return parts;
    }
    whole.splitn(limit, separator).collect()
}

fn numbered(parts: Vec<&str>) -> Result {
    dict(parts.into_iter().enumerate().map(|(at, part)| (format!("_{at}").into(), Value::String(part.into()))))
}

/// Breaks lines at spaces by the rules of Masterminds/goutils, which counts bytes.
fn wrap(whole: &str, width: i64, newline: &str, breaks_words: bool) -> String {
    let newline = if newline.is_empty() { "\n" } else { newline };
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let all = whole.as_bytes();
    let mut wrapped: Vec<u8> = Vec::new();
    let mut at = 0;
    while all.len() - at > width {
        if all[at] == b' ' {
            at += 1;
            continue;
        }
        let last_space = all[at..=at + width].iter().rposition(|b| *b == b' ').map(|space| space + at);
        let next_space = || all[at + width..].iter().position(|b| *b == b' ').map(|space| space + at + width);
        let (end, next) = match last_space {
            Some(space) => (space, space + 1),
            None if breaks_words => (at + width, at + width),
            None => match next_space() {
                Some(space) => (space, space + 1),
                None => break,
            },
        };
        wrapped.extend(&all[at..end]);
        wrapped.extend(newline.as_bytes());
        at = next;
    }
    wrapped.extend(&all[at..]);
    String::from_utf8_lossy(&wrapped).into_owned()
}

/// Replaces `$name` and `${name}` as Go's `os.Expand` does.
fn expand(whole: &str, call: &Call<'_>) -> String {
    let mut expanded = String::new();
    let mut rest = whole;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let (name, used) = shell_name(after);
        if used == 0 {
            // A lone `$` stays; `${}` and the like are swallowed by Go.
            expanded.push('$');
        } else if let Some(value) = call.variables.get(name) {
            expanded.push_str(value);
        }
        rest = &after[used..];
    }
    expanded + rest
}

/// Returns the name after a `$` and how much of the text it took.
fn shell_name(text: &str) -> (&str, usize) {
    let special = |c: char| c.is_ascii_digit() || "*#$@!?-".contains(c);
    if let Some(inner) = text.strip_prefix('{') {
        return match inner.find('}') {
            Some(end) => (&inner[..end], end + 2),
            None => ("", 1),
        };
    }
    if text.starts_with(special) {
        return (&text[..1], 1);
    }
    let end = text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    (&text[..end], end)
}
