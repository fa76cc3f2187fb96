//! Every field of the latest schema: does the plan change with it, is it refused, or is it told that it has no effect? Nothing else may be.
//!
//! `docs/fields.md` is the table of it; `DEVLOOP_UPDATE_FIELDS=1` writes the file instead of comparing it.

mod samples;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_config::Options;
use devloop_config::load;
use devloop_model::Env;
use regex::Regex;
use serde_json::Value;

use self::samples::Leaf;

/// What becomes of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The plan is another one with it.
    Works,
    /// It is an error, with this reason.
    Refused(String),
    /// It is a warning, with this reason.
    NoEffect(String),
    /// Nothing is seen of it.
    Ignored,
    /// The sample is wrong by itself.
    BadSample(String),
}

/// Fields that the plan does not show: what they are for, and where that is tested.
const BY_HAND: [(&str, &str); 13] = [
    ("build.tagPolicy.customTemplate.components[].customTemplate", "nothing: a template cannot stand in a template, which is an error"),
    ("apiVersion", "the schema that the file is read by"),
    ("kind", "`Config`; anything else is a warning"),
    ("requires[].configs", "which modules are read"),
    ("requires[].path", "where modules are read from"),
    ("requires[].git", "where modules are read from"),
    ("requires[].activeProfiles", "which profiles are active there"),
    ("profiles[].name", "`--profile`"),
    ("profiles[].activation", "when the profile is active"),
    ("profiles[].requiresAllActivations", "when the profile is active"),
    ("profiles[].patches", "changes at single places"),
    ("metadata.labels", "of the configuration itself: shown by `diagnose`, as in Skaffold"),
    ("metadata.annotations", "of the configuration itself: shown by `diagnose`, as in Skaffold"),
];

/// Codes, and what they say.
type Faults = Vec<(String, String)>;

/// A place, which moves with what is written.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    let quoted = r#""(?:[^"\\]|\\.)*""#;
    let place =
        format!(r"Location \{{ file: {quoted}, line: \d+, column: \d+, text: {quoted}, width: \d+, label: (?:None|Some\({quoted}\)) \}}");
    Regex::new(&place).unwrap()
});

/// Returns the plan of a configuration as text without places, or what is wrong; and what has no effect.
fn outcome(config: &Value, command: &str) -> (Result<String, Faults>, Vec<String>) {
    let text = serde_json::to_string_pretty(config).unwrap();
    let root = ConfigSource::Text { name: "skaffold.yaml".into(), text };
    let options = Options::new(command, "/project", Env::new(BTreeMap::new()));
    match load(&root, &options, &NoFetch) {
        Ok(plan) => {
            let warnings = plan.warnings.iter().filter(|warning| warning.code == "config/no-effect").map(|warning| warning.what.clone());
            let warnings = warnings.collect();
            let plan = devloop_model::Plan { warnings: Vec::new(), ..plan };
            (Ok(PLACE.replace_all(&format!("{plan:?}"), "@").into_owned()), warnings)
        }
        Err(error) => (Err(error.diagnostics.iter().map(|fault| (fault.code.to_string(), fault.what.clone())).collect()), Vec::new()),
    }
}

fn fate(leaf: &Leaf) -> Fate {
    let (one, other) = leaf.configs();
    for command in ["dev", "run"] {
        match (outcome(&one, command), outcome(&other, command)) {
            ((Err(faults), _), _) | (_, (Err(faults), _)) => {
                let unsupported = faults.iter().find(|(code, _)| matches!(code.as_str(), "config/unsupported" | "config/not-supported"));
                return match unsupported {
                    Some((_, why)) => Fate::Refused(why.clone()),
                    None => Fate::BadSample(format!("{faults:?}")),
                };
            }
            ((Ok(one), _), (Ok(other), _)) if one != other => return Fate::Works,
            ((_, warnings), _) if command == "dev" && !warnings.is_empty() => return Fate::NoEffect(warnings[0].clone()),
            _ => {}
        }
    }
    Fate::Ignored
}

#[test]
fn no_field_is_silently_ignored() {
    let mut rows = Vec::new();
    let mut ignored = Vec::new();
    for leaf in samples::leaves() {
        let by_hand = BY_HAND.iter().find(|(field, _)| {
            leaf.path == *field || leaf.path.starts_with(&format!("{field}.")) || leaf.path.starts_with(&format!("{field}[]"))
        });
        let told = match by_hand {
            Some((_, what)) => (*what).to_owned(),
            None => match fate(&leaf) {
                Fate::Works => "works".to_owned(),
                Fate::Refused(why) => format!("error: {why}"),
                Fate::NoEffect(why) => format!("warning: {why}"),
                Fate::Ignored => {
                    ignored.push(leaf.path.clone());
                    continue;
                }
                Fate::BadSample(why) => {
                    ignored.push(format!("{}, whose sample is wrong: {why}", leaf.path));
                    continue;
                }
            },
        };
        rows.push((leaf.path, told));
    }
    assert!(ignored.is_empty(), "nothing is seen of {ignored:#?}");
    assert!(rows.len() > 300, "{} fields", rows.len());
    let now = table::of(&rows);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields.md");
    if std::env::var_os("DEVLOOP_UPDATE_FIELDS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == now,
        "docs/fields.md is out of date: run this test with DEVLOOP_UPDATE_FIELDS=1"
    );
}
