//! `docs/fields.md`.

use std::fmt::Write as _;

const START: &str = "# Fields of skaffold/v4beta14

What devloop makes of each field of the schema. An **error** is told at its line, with what to do, where leaving the field out would
change the result; a **warning** where it would not. Fields of a profile are those of the same name outside. Made by the test
`no_field_is_silently_ignored` of `crates/config`, which sets each field and looks at what becomes of the plan.

A field **works** where what it is about is done: those of a builder, a renderer or a deployer where that one is used. Where another one
does the work and the field would matter, that is a warning: `sync.auto` but for Jib and buildpacks, what only an install by helm does where
`helm template` renders, the secrets of `build.cluster` in a builder pod, which has the credentials of this machine.

| in | fields | |
|---|---|---|
";

/// Returns the table of fields and what is told of each; fields of one mapping with the same fate share a row.
pub(super) fn of(rows: &[(String, String)]) -> String {
    let mut groups: Vec<(String, Vec<&str>, &str)> = Vec::new();
    for (path, told) in rows {
        let (parent, field) = path.rsplit_once('.').unwrap_or(("", path));
        match groups.iter_mut().find(|(other, _, same)| other == parent && same == told) {
            Some((_, fields, _)) => fields.push(field),
            None => groups.push((parent.to_owned(), vec![field], told)),
        }
    }
    let mut text = START.to_owned();
    for (parent, fields, told) in groups {
        let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
        let parent = if parent.is_empty() { String::new() } else { format!("`{parent}`") };
        writeln!(text, "| {parent} | {} | {} |", fields.join(", "), told.replace('|', "\\|")).unwrap();
    }
    text
}
