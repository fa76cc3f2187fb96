//! `fix`: a file of an older version of the schema in a newer one, with its comments and in its order.
//!
//! What an upgrade left alone is copied from the file. The result is read again and compared, so that it can only mean the same: where
//! the text cannot be changed so, aliases are written out; and at last whole documents, without comments. Facts: Skaffold's
//! `cmd/skaffold/app/cmd/fix.go` and `UpgradeTo` in `pkg/skaffold/schema/versions.go`.

mod anew;
mod compose;
mod flow;
mod layout;
mod modeline;
mod origin;
mod parts;
mod write;

use std::path::Path;
use std::sync::Arc;

use devloop_model::Diagnostic;
use devloop_model::Severity;

use self::compose::Aliases;
use self::compose::Composer;
use self::layout::Piece;
use crate::ConfigError;
use crate::ConfigSource;
use crate::Node;
use crate::Source;
use crate::Value;
use crate::load;
use crate::parse_documents;
use crate::upgrade;
use crate::upgrade::Version;

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The file, as the user knows it.
    pub file: std::path::PathBuf,
    /// All of its text in the version that was asked for; nothing where it was so already.
    pub text: Option<String>,
    /// The version.
    pub version: String,
    /// What there is to say about it.
    pub warnings: Vec<Diagnostic>,
}

/// What to make of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixOptions {
    /// The version; none is the newest that whoever reads the file reads too.
    pub version: Option<String>,
    /// Where editors find the schema: the file is headed with it.
    pub schema: Option<String>,
}

/// Returns the root configuration in another version, that of `options`.
///
/// # Errors
/// Everything wrong with its syntax, version and shape, or that has no place in the version; and when that is older than the file's.
pub fn fix(root: &ConfigSource, cwd: &Path, options: &FixOptions) -> Result<Fixed, ConfigError> {
    let wanted = options.version.as_deref().map(version_called).transpose()?;
    let given = load::read_root(root, cwd)?;
    let source = Source::new(&given.file, given.text.replace("\r\n", "\n"));
    let old = load::parsed(&source)?;
    let (mut new, mut told) = (old.clone(), Vec::new());
    let mut versions = Vec::new();
    for document in &mut new {
        match target(document, wanted) {
            Ok((from, to)) => {
                let upgraded = load::upgraded(document, from, to).into_iter();
                // What is written would be lost.
                told.extend(upgraded.map(|diagnostic| match &*diagnostic.code {
                    upgrade::NO_UPGRADE => Diagnostic { severity: Severity::Error, ..diagnostic },
                    _ => diagnostic,
                }));
                versions.push((from, to));
            }
            Err(fault) => told.push(fault),
        }
    }
    let mut warnings = load::split(told)?;
    let version = versions.iter().map(|(_, to)| *to).max().unwrap_or(Version::SKAFFOLD);
    let mut text = source.text.clone();
    if versions.iter().any(|(from, to)| from != to) {
        let (now, is_whole) = changed(&source, &old, &new)?;
        if !is_whole && text.contains('#') {
            let lost = Diagnostic::warning("config/comments-lost", format!("comments of {} are lost", source.file.display()));
            warnings.push(lost.because("its anchors or its shape cannot be kept in the newer version"));
        }
        text = modeline::followed(&now, &versions);
    }
    if let Some(schema) = &options.schema {
        text = modeline::headed(&text, schema);
    }
    let text = (text != source.text).then(|| ended_as(&given.text, text));
    Ok(Fixed { file: given.file.clone(), text, version: version.to_string(), warnings })
}

/// Returns `text` with the ends of lines that those of `given` have.
fn ended_as(given: &str, text: String) -> String {
    let ends = given.matches('\n').count();
    if ends > 0 && given.matches("\r\n").count() == ends { text.replace('\n', "\r\n") } else { text }
}

fn version_called(name: &str) -> Result<Version, Diagnostic> {
    Version::of_name(name).or_else(|| Version::of_short(name)).ok_or_else(|| {
        let help = format!("the newest are {} and {}; `devloop schema list` prints all of them", Version::SKAFFOLD, Version::LATEST);
        Diagnostic::error("config/unknown-api-version", format!("there is no version `{name}` of this schema")).help(help)
    })
}

/// Returns the version of a document, and the one to bring it to.
fn target(document: &Node, wanted: Option<Version>) -> Result<(Version, Version), Diagnostic> {
    let from = upgrade::version(document)?;
    let to = wanted.unwrap_or(from.newest());
    if to < from {
        let span = document.get("apiVersion").map_or(&document.span, |node| &node.span);
        let what = format!("a file of {from} cannot be brought back to {to}");
        return Err(span.error("config/older-version", what).help("name this version or a newer one with `--version`"));
    }
    Ok((from, to))
}

/// Returns the text of `new`, made from that of `old`, and whether all of its comments are in it.
fn changed(source: &Arc<Source>, old: &[Node], new: &[Node]) -> Result<(String, bool), Diagnostic> {
    let layout = layout::read(&source.text).filter(|pieces| pieces.len() == old.len());
    for aliases in layout.iter().flat_map(|_| [Aliases::Kept, Aliases::WrittenOut]) {
        let text = composed(source, layout.as_deref().unwrap_or_default(), (old, new), Some(aliases));
        if means(&text, new) {
            return Ok((text, true));
        }
    }
    let text = match &layout {
        Some(layout) => composed(source, layout, (old, new), None),
        None => new.iter().map(anew::document).collect::<Vec<_>>().join("---\n"),
    };
    if means(&text, new) {
        return Ok((text, false));
    }
    let what = format!("{} cannot be written in another version", source.file.display());
    Err(Diagnostic::error("config/unwritable", what).help("write out its anchors, and try again"))
}

/// Returns the text with every document changed; without `aliases` those that differ are written anew.
fn composed(source: &Source, layout: &[Piece], (old, new): (&[Node], &[Node]), aliases: Option<Aliases>) -> String {
    let text = if source.text.ends_with('\n') { source.text.clone() } else { format!("{}\n", source.text) };
    let (mut made, mut behind) = (String::new(), 0);
    for (piece, (old, new)) in layout.iter().zip(old.iter().zip(new)).filter(|(_, (old, new))| !same(old, new)) {
        let end = if piece.is_flow { piece.end } else { text[piece.end..].find('\n').map_or(text.len(), |newline| piece.end + newline) };
        let changed = aliases.and_then(|aliases| Composer::new(&text, piece, old, new, aliases).changed(piece, old, new, 0));
        made.push_str(&text[behind..piece.start]);
        made.push_str(changed.unwrap_or_else(|| anew::document(new)).trim_end());
        behind = end;
    }
    made + &text[behind..]
}

/// Returns whether a text is read as these documents.
fn means(text: &str, documents: &[Node]) -> bool {
    parse_documents(&Source::new("", text))
        .is_ok_and(|read| read.len() == documents.len() && read.iter().zip(documents).all(|(read, wanted)| same(read, wanted)))
}

/// Returns whether two values mean the same, wherever they stand.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Map(entries), Value::Map(others)) => {
            entries.len() == others.len() && entries.iter().all(|(key, value)| other.get(&key.text).is_some_and(|other| same(value, other)))
        }
        (Value::List(items), Value::List(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(one, other)| same(one, other))
        }
        _ => one.value == other.value && one.as_text() == other.as_text(),
    }
}

#[cfg(test)]
mod tests;
