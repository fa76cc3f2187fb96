//! What base images bring along: ONBUILD triggers, which are instructions that run, and may copy, in every image built on them, and
//! the working directory and environment that paths of COPY start from.
//!
//! They cost a request to a registry, and almost no image has any; so the answer is remembered for a
//! day. That it is old can only miss an input that a new trigger copies, for that day.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use devloop_clients::Clients;
use devloop_model::Cancelled;
use devloop_model::Cx;
use devloop_model::ImageRef;
use futures::future::join_all;
use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

/// How long an answer is believed.
const BELIEVED: SignedDuration = SignedDuration::from_hours(24);
/// How long all bases together may take to answer.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    at: Timestamp,
    base: Base,
}

/// What a base image brings along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base {
    /// Instructions that run in images built on it.
    pub(crate) triggers: Vec<String>,
    /// Its working directory; empty is `/`.
    pub(crate) working_dir: String,
    /// Its environment.
    pub(crate) environment: BTreeMap<String, String>,
}

/// Returns what each base brings along. A base that nobody can tell about is left out: the
/// builder asks again, and says what is wrong.
///
/// # Errors
/// When the step is cancelled.
pub(crate) async fn bases(
    bases: BTreeSet<String>,
    cache_dir: &Path,
    now: Timestamp,
    clients: &Clients,
    cx: &Cx,
) -> Result<HashMap<String, Base>, Cancelled> {
    if bases.is_empty() {
        return Ok(HashMap::new());
    }
    let file = cache_dir.join("bases.json");
    let mut known = load(&file, now);
    let unknown: Vec<String> = bases.iter().filter(|base| !known.contains_key(*base)).cloned().collect();
    if !unknown.is_empty() {
        let asked = join_all(unknown.iter().map(|base| ask(base, clients, cx)));
        let answers = cx.unless_cancelled(tokio::time::timeout(DEADLINE, asked)).await?.unwrap_or_default();
        let learned: Vec<_> =
            unknown.into_iter().zip(answers).filter_map(|(base, answer)| Some((base, Answer { at: now, base: answer? }))).collect();
        if !learned.is_empty() {
            known.extend(learned);
            if let Err(error) = store(&file, &known) {
                tracing::debug!("cannot remember base images: {error}");
            }
        }
    }
    Ok(known.into_iter().filter(|(base, _)| bases.contains(base)).map(|(name, answer)| (name, answer.base)).collect())
}

/// Returns what is remembered of bases; nobody is asked.
pub(crate) fn remembered(cache_dir: &Path, now: Timestamp) -> HashMap<String, Base> {
    load(&cache_dir.join("bases.json"), now).into_iter().map(|(name, answer)| (name, answer.base)).collect()
}

/// Asks the registry, and the daemon about images that only it has.
async fn ask(base: &str, clients: &Clients, cx: &Cx) -> Option<Base> {
    let reference = ImageRef::parse(base).ok()?;
    let config = match clients.registry().image(&reference, None, cx).await {
        Ok(image) => image.config,
        Err(error) => {
            tracing::debug!("cannot ask the registry about base image {base}: {error}");
            let docker = clients.docker(cx).await.ok()?;
            docker.image_config(base, cx).await.ok()??
        }
    };
    Some(base_of(&config))
}

fn base_of(config: &serde_json::Value) -> Base {
    let config = config.get("config").or_else(|| config.get("Config")).unwrap_or(config);
    let list =
        |name: &str| config.get(name).and_then(serde_json::Value::as_array).into_iter().flatten().filter_map(serde_json::Value::as_str);
    let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Base {
        triggers: list("OnBuild").map(str::to_owned).collect(),
        working_dir: config.get("WorkingDir").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        environment: list("Env").filter_map(pair).collect(),
    }
}

fn load(file: &Path, now: Timestamp) -> HashMap<String, Answer> {
    let bytes = fs::read(file).unwrap_or_default();
    let answers: HashMap<String, Answer> = serde_json::from_slice(&bytes).unwrap_or_default();
    answers.into_iter().filter(|(_, answer)| (SignedDuration::ZERO..BELIEVED).contains(&now.duration_since(answer.at))).collect()
}

fn store(file: &Path, answers: &HashMap<String, Answer>) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut next = tempfile::NamedTempFile::new_in(directory)?;
    next.write_all(&serde_json::to_vec(answers)?)?;
    next.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_believed_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bases.json");
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let answers =
            HashMap::from([("node".to_owned(), Answer { at, base: Base { triggers: vec!["COPY . /".to_owned()], ..Base::default() } })]);
        store(&file, &answers).unwrap();
        assert_eq!(load(&file, at + SignedDuration::from_hours(23)), answers);
        assert!(load(&file, at + SignedDuration::from_hours(24)).is_empty());
        assert!(load(&file, at - SignedDuration::from_secs(1)).is_empty(), "from the future");
        fs::write(&file, "broken").unwrap();
        assert!(load(&file, at).is_empty());
    }

    #[test]
    fn a_configuration_comes_in_two_shapes() {
        let base = base_of(&serde_json::json!({ "config": { "OnBuild": ["COPY . /x"], "WorkingDir": "/app", "Env": ["A=b=c", "D="] } }));
        assert_eq!((base.triggers.as_slice(), base.working_dir.as_str()), (["COPY . /x".to_owned()].as_slice(), "/app"));
        assert_eq!(base.environment, BTreeMap::from([("A".into(), "b=c".into()), ("D".into(), String::new())]));
        assert_eq!(base_of(&serde_json::json!({ "OnBuild": ["RUN x"] })).triggers, ["RUN x"]);
        assert_eq!(base_of(&serde_json::json!({ "config": { "OnBuild": null } })), Base::default());
    }
}
