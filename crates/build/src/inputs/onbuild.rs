//! ONBUILD triggers of base images: instructions that run, and may copy, in every image built on them.
//!
//! They cost a request to a registry, and almost no image has any; so the answer is remembered for a
//! day. That it is old can only miss an input that a new trigger copies, for that day.

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
    triggers: Vec<String>,
}

/// Returns the triggers of each base that has any. A base that nobody can tell about has none: the
/// builder asks again, and says what is wrong.
///
/// # Errors
/// When the step is cancelled.
pub(crate) async fn triggers(
    bases: BTreeSet<String>,
    cache_dir: &Path,
    now: Timestamp,
    clients: &Clients,
    cx: &Cx,
) -> Result<HashMap<String, Vec<String>>, Cancelled> {
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
            unknown.into_iter().zip(answers).filter_map(|(base, answer)| Some((base, Answer { at: now, triggers: answer? }))).collect();
        if !learned.is_empty() {
            known.extend(learned);
            if let Err(error) = store(&file, &known) {
                tracing::debug!("cannot remember base images: {error}");
            }
        }
    }
    Ok(known
        .into_iter()
        .filter(|(base, answer)| bases.contains(base) && !answer.triggers.is_empty())
        .map(|(base, answer)| (base, answer.triggers))
        .collect())
}

/// Asks the registry, and the daemon about images that only it has.
async fn ask(base: &str, clients: &Clients, cx: &Cx) -> Option<Vec<String>> {
    let reference = ImageRef::parse(base).ok()?;
    let config = match clients.registry().image(&reference, None, cx).await {
        Ok(image) => image.config,
        Err(error) => {
            tracing::debug!("cannot ask the registry about base image {base}: {error}");
            let docker = clients.docker(cx).await.ok()?;
            docker.image_config(base, cx).await.ok()??
        }
    };
    Some(triggers_of(&config))
}

fn triggers_of(config: &serde_json::Value) -> Vec<String> {
    let config = config.get("config").or_else(|| config.get("Config")).unwrap_or(config);
    let list = config.get("OnBuild").and_then(serde_json::Value::as_array);
    list.into_iter().flatten().filter_map(serde_json::Value::as_str).map(str::to_owned).collect()
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
        let answers = HashMap::from([("node".to_owned(), Answer { at, triggers: vec!["COPY . /".to_owned()] })]);
        store(&file, &answers).unwrap();
        assert_eq!(load(&file, at + SignedDuration::from_hours(23)), answers);
        assert!(load(&file, at + SignedDuration::from_hours(24)).is_empty());
        assert!(load(&file, at - SignedDuration::from_secs(1)).is_empty(), "from the future");
        fs::write(&file, "broken").unwrap();
        assert!(load(&file, at).is_empty());
    }

    #[test]
    fn triggers_are_found_in_both_shapes_of_a_configuration() {
        let triggers = ["COPY . /x"];
        assert_eq!(triggers_of(&serde_json::json!({ "config": { "OnBuild": triggers } })), triggers);
        assert_eq!(triggers_of(&serde_json::json!({ "OnBuild": triggers })), triggers);
        assert!(triggers_of(&serde_json::json!({ "config": { "OnBuild": null } })).is_empty());
    }
}
