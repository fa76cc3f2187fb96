//! Slash-separated paths, by the rules of Go's package path; file paths are the same on the systems devloop runs on.

use gotmpl::Value;

use super::Function;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("base", 1, Some(1), |c| text(base(c.text(0)?))),
    ("dir", 1, Some(1), |c| text(dir(c.text(0)?))),
    ("clean", 1, Some(1), |c| text(clean(c.text(0)?))),
    ("ext", 1, Some(1), |c| text(ext(c.text(0)?))),
    ("isAbs", 1, Some(1), |c| Ok(Value::Bool(c.text(0)?.starts_with('/')))),
    ("osBase", 1, Some(1), |c| text(base(c.text(0)?))),
    ("osDir", 1, Some(1), |c| text(dir(c.text(0)?))),
    ("osClean", 1, Some(1), |c| text(clean(c.text(0)?))),
    ("osExt", 1, Some(1), |c| text(ext(c.text(0)?))),
    ("osIsAbs", 1, Some(1), |c| Ok(Value::Bool(c.text(0)?.starts_with('/')))),
];

fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed.rsplit('/').next()) {
        ("", _) => ".",
        (_, Some(last)) if !last.is_empty() => last,
        _ => "/",
    }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

fn ext(path: &str) -> &str {
    let last = path.rfind('/').map_or(path, |slash| &path[slash + 1..]);
    last.rfind('.').map_or("", |dot| &last[dot..])
}

fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}
