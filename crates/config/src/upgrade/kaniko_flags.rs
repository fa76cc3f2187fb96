//! `kaniko.flags` of `skaffold/v2beta8` and older, as the fields that took their place.

use devloop_model::Diagnostic;

use super::tree;
use crate::Key;
use crate::Node;
use crate::Value;

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Nothing, or `true` or `false`.
    Switch,
    Text,
    /// Text, any number of times.
    List,
    /// `key=value`, any number of times.
    Map,
}

const FLAGS: [(&str, &str, Takes); 31] = [
    ("build-arg", "buildArgs", Takes::Map),
    ("cache-repo", "cache/repo", Takes::Text),
    ("cache-ttl", "cache/ttl", Takes::Text),
    ("cleanup", "cleanup", Takes::Switch),
    ("digest-file", "digestFile", Takes::Text),
    ("dockerfile", "dockerfile", Takes::Text),
    ("force", "force", Takes::Switch),
    ("image-name-with-digest-file", "imageNameWithDigestFile", Takes::Text),
    ("insecure", "insecure", Takes::Switch),
    ("insecure-pull", "insecurePull", Takes::Switch),
    ("insecure-registry", "insecureRegistry", Takes::List),
    ("label", "label", Takes::Map),
    ("log-format", "logFormat", Takes::Text),
    ("log-timestamp", "logTimestamp", Takes::Switch),
    ("no-push", "noPush", Takes::Switch),
    ("oci-layout-path", "ociLayoutPath", Takes::Text),
    ("registry-certificate", "registryCertificate", Takes::Map),
    ("registry-mirror", "registryMirror", Takes::Text),
    ("reproducible", "reproducible", Takes::Switch),
    ("single-snapshot", "singleSnapshot", Takes::Switch),
    ("skip-tls-verify", "skipTLS", Takes::Switch),
    ("skip-tls-verify-pull", "skipTLSVerifyPull", Takes::Switch),
    ("skip-tls-verify-registry", "skipTLSVerifyRegistry", Takes::List),
    ("skip-unused-stages", "skipUnusedStages", Takes::Switch),
    ("snapshotMode", "snapshotMode", Takes::Text),
    ("tarPath", "tarPath", Takes::Text),
    ("target", "target", Takes::Text),
    ("use-new-run", "useNewRun", Takes::Switch),
    ("verbosity", "verbosity", Takes::Text),
    ("v", "verbosity", Takes::Text),
    ("whitelist-var-run", "whitelistVarRun", Takes::Switch),
];

/// Sets the field of each flag.
pub(super) fn to_fields(kaniko: &mut Node, told: &mut Vec<Diagnostic>) {
    let Some((_, Node { value: Value::List(flags), .. })) = tree::take(kaniko, "flags") else { return };
    let mut flags = flags.into_iter().peekable();
    while let Some(flag) = flags.next() {
        let text = flag.as_text().unwrap_or_default();
        let (name, value) = text.split_once('=').map_or((&*text, None), |(name, value)| (name, Some(value)));
        let known = FLAGS.iter().find(|(known, ..)| name.trim_start_matches('-') == *known && name.starts_with('-'));
        let Some((_, field, takes)) = known else {
            told.push(flag.span.error("config/no-upgrade", format!("there is no field for kaniko's flag `{name}`")));
            continue;
        };
        let value = match value {
            Some(value) => Some(Node::text(value, flag.span.clone())),
            None if *takes == Takes::Switch => Some(Node::new(Value::Bool(true), flag.span.clone())),
            None => flags.next_if(|next| next.as_text().is_some_and(|next| !next.starts_with('-'))),
        };
        match value {
            Some(value) => set(kaniko, field, *takes, value),
            None => told.push(flag.span.error("config/no-upgrade", format!("kaniko's flag `{name}` has no value"))),
        }
    }
}

fn set(kaniko: &mut Node, field: &str, takes: Takes, value: Node) {
    let span = value.span.clone();
    let value = match takes {
        Takes::Switch => Node::new(Value::Bool(value.as_bool() == Some(true) || value.as_text().as_deref() == Some("true")), span.clone()),
        Takes::Text => value,
        Takes::List => match tree::at(kaniko, field) {
            Some(Node { value: Value::List(all), .. }) => return all.push(value),
            _ => Node::new(Value::List(vec![value]), span.clone()),
        },
        Takes::Map => {
            let text = value.as_text().unwrap_or_default().into_owned();
            let (key, text) = text.split_once('=').unwrap_or((&text, ""));
            let (key, value) = (Key { text: key.to_owned(), span: span.clone() }, Node::text(text, span.clone()));
            match tree::at(kaniko, field) {
                Some(Node { value: Value::Map(all), .. }) => return all.push((key, value)),
                _ => Node::new(Value::Map(vec![(key, value)]), span.clone()),
            }
        }
    };
    tree::set(kaniko, field, &span, value);
}
