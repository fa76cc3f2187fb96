//! What happens to containers, as the daemon tells it.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use devloop_model::Cx;
use devloop_model::Timestamp;
use futures::Stream;
use futures::StreamExt as _;

use super::Docker;

/// How long after a lost connection another one is tried.
const PAUSE: Duration = Duration::from_secs(1);

/// What happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Its ID.
    pub id: String,
    /// What.
    pub action: ContainerAction,
}

/// What can happen to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerAction {
    /// It was started.
    Started,
    /// It ended.
    Ended,
    /// Its health check says something else than before.
    Health,
    /// It is gone.
    Removed,
}

/// What the daemon tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerNews {
    /// Something happened to a container.
    Happened(ContainerEvent),
    /// The daemon was away: anything may have happened.
    Missed,
}

impl Docker {
    /// Returns what happens to containers that have this label, `name` or `name=value`, from just before this call on; the stream
    /// outlives the connection and ends with the step.
    pub fn container_news(&self, label: &str, cx: &Cx) -> impl Stream<Item = ContainerNews> + Send + use<> {
        let filters = HashMap::from([("type".to_owned(), vec!["container".to_owned()]), ("label".to_owned(), vec![label.to_owned()])]);
        // What happens before the daemon knows that somebody listens is told then.
        let since = Timestamp::now().as_second() - 1;
        let options = EventsOptions { since: Some(since.to_string()), filters: Some(filters), ..EventsOptions::default() };
        tracing::debug!("container daemon: follow containers with the label `{label}`");
        let client = self.client.clone();
        let first = self.client.events(Some(options.clone())).boxed();
        let news = futures::stream::unfold(first, move |mut events| {
            let (client, options) = (client.clone(), options.clone());
            async move {
                if let Some(Ok(event)) = events.next().await {
                    return Some((told(event).map(ContainerNews::Happened), events));
                }
                tokio::time::sleep(PAUSE).await;
                Some((Some(ContainerNews::Missed), client.events(Some(options)).boxed()))
            }
        });
        news.filter_map(std::future::ready).take_until(cx.cancel.clone().cancelled_owned()).boxed()
    }
}

fn told(event: EventMessage) -> Option<ContainerEvent> {
    let action = event.action?;
    let action = match action.split(':').next().unwrap_or_default() {
        "start" => ContainerAction::Started,
        "die" => ContainerAction::Ended,
        "health_status" => ContainerAction::Health,
        "destroy" => ContainerAction::Removed,
        _ => return None,
    };
    Some(ContainerEvent { id: event.actor?.id?, action })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_a_container_counts() {
        let of = |action: &str| {
            let event = serde_json::json!({"Type": "container", "Action": action, "Actor": {"ID": "1"}});
            told(serde_json::from_value(event).unwrap()).map(|event| event.action)
        };
        for (action, expected) in [
            ("start", Some(ContainerAction::Started)),
            ("die", Some(ContainerAction::Ended)),
            ("health_status: healthy", Some(ContainerAction::Health)),
            ("destroy", Some(ContainerAction::Removed)),
            ("exec_start: sh", None),
            ("attach", None),
        ] {
            assert_eq!(of(action), expected, "{action}");
        }
    }
}
