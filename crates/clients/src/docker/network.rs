//! Networks on which containers know one another by name.

use std::collections::BTreeMap;

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::InspectNetworkOptions;
use devloop_model::Cx;

use super::Docker;
use super::DockerError;

impl Docker {
    /// Makes a network unless there is one of this name.
    ///
    /// # Errors
    /// When the daemon does not do it.
    pub async fn ensure_network(&self, name: &str, labels: &BTreeMap<String, String>, cx: &Cx) -> Result<(), DockerError> {
        if self.network_labels(name, cx).await?.is_some() {
            return Ok(());
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some(labels.clone().into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        match self.ask(&format!("create network `{name}`"), self.client.create_network(request), cx).await {
            // Another session made it meanwhile.
            Err(DockerError::InUse { .. }) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Removes a network; returns whether it is gone. One that containers still use stays.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn remove_network(&self, name: &str, cx: &Cx) -> Result<bool, DockerError> {
        match self.ask(&format!("remove network `{name}`"), self.client.remove_network(name), cx).await {
            Ok(()) | Err(DockerError::NotFound { .. }) => Ok(true),
            Err(DockerError::InUse { .. } | DockerError::Answer { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the labels of a network; none if there is no such network.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn network_labels(&self, name: &str, cx: &Cx) -> Result<Option<BTreeMap<String, String>>, DockerError> {
        let question = self.client.inspect_network(name, None::<InspectNetworkOptions>);
        match self.ask(&format!("find network `{name}`"), question, cx).await {
            Err(DockerError::NotFound { .. }) => Ok(None),
            result => result.map(|found| Some(found.labels.unwrap_or_default().into_iter().collect())),
        }
    }
}
