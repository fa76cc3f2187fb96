//! `sync` of `skaffold/v1beta9` and older, which was patterns and destinations, as rules of `sync.manual`.
//!
//! Facts: Skaffold's `pkg/skaffold/schema/v1beta9/upgrade.go`. What a pattern matched went flat into its destination; a rule keeps
//! directories below its `strip`.

use devloop_model::Diagnostic;

use crate::Node;
use crate::Span;
use crate::Value;

/// Changes the `sync` of an artifact.
pub(super) fn to_rules(sync: &mut Node, told: &mut Vec<Diagnostic>) {
    let Value::Map(entries) = &sync.value else { return };
    if entries.is_empty() {
        sync.value = Value::Null;
        return;
    }
    let mut rules = Vec::new();
    for (key, dest) in entries {
        let dest_text = dest.as_text().unwrap_or_default();
        let (src, dest_text, strip) = if let Some(dir) = flat_dir(&key.text) {
            let (dest, strip) = simplified(&dest_text, dir);
            (key.text.clone(), dest, strip)
        } else if let Some((dir, _)) = key.text.split_once("***") {
            let (dest, strip) = simplified(&dest_text, dir);
            (key.text.replace("***", "**"), dest, strip)
        } else {
            told.push(keeps_directories(&key.text, &key.span));
            (key.text.clone(), dest_text.into_owned(), String::new())
        };
        let mut rule = Node::empty_map(key.span.clone());
        rule.set("src", Node::text(src, key.span.clone()));
        rule.set("dest", Node::text(dest_text, dest.span.clone()));
        if !strip.is_empty() {
            rule.set("strip", Node::text(strip, key.span.clone()));
        }
        rules.push(rule);
    }
    let span = sync.span.clone();
    sync.value = Value::Map(Vec::new());
    sync.set("manual", Node::new(Value::List(rules), span));
}

/// Returns the directory, with its `/`, of a pattern whose matches are all in it.
fn flat_dir(pattern: &str) -> Option<&str> {
    let (dir, name) = pattern.split_at(pattern.rfind('/').map_or(0, |slash| slash + 1));
    (!dir.contains('*') && !name.is_empty() && name.matches('*').count() <= 1).then_some(dir)
}

/// Returns a destination and a prefix to strip that lead to the same places, without a prefix where the destination ends with it.
fn simplified(dest: &str, strip: &str) -> (String, String) {
    let kept = (dest.to_owned(), strip.to_owned());
    if matches!(strip, "" | "/") || dest.is_empty() {
        return kept;
    }
    let whole = if dest.ends_with('/') { dest.to_owned() } else { format!("{dest}/") };
    if !whole.ends_with(strip) {
        return kept;
    }
    let rest = whole.strip_suffix(strip.strip_prefix('/').unwrap_or(strip)).unwrap_or_default();
    (if rest.is_empty() { ".".to_owned() } else { rest.to_owned() }, String::new())
}

fn keeps_directories(pattern: &str, span: &Span) -> Diagnostic {
    let what = format!("what `{pattern}` matches keeps its directories since skaffold/v1beta10");
    Diagnostic::warning("config/sync-directories", what).at(span.location(None)).help("write `sync.manual`, with a `strip`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_the_destination_ends_with_is_not_stripped() {
        for (dest, strip, expected) in [
            ("/app", "", ("/app", "")),
            ("/app", "/", ("/app", "/")),
            ("", "src/", ("", "src/")),
            ("/app/src", "src/", ("/app/", "")),
            ("src/", "src/", (".", "")),
            ("/app", "src/", ("/app", "src/")),
            ("/app", "/app/", ("/", "")),
        ] {
            let (dest_now, strip_now) = simplified(dest, strip);
            assert_eq!((&*dest_now, &*strip_now), expected, "{dest} {strip}");
        }
    }

    #[test]
    fn a_pattern_of_one_directory_is_flat() {
        for (pattern, dir) in [
            ("*.js", Some("")),
            ("src/*.js", Some("src/")),
            ("/a/b", Some("/a/")),
            ("**/*.js", None),
            ("src/**", None),
            ("src/", None),
            ("*/a", None),
        ] {
            assert_eq!(flat_dir(pattern), dir, "{pattern}");
        }
    }
}
