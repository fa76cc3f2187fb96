//! Whether what is deployed runs, while it is waited for and from then on.

use std::sync::Arc;

use devloop_clients::kube::Cluster;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Stage;

use super::LiveStages;
use super::outage::Outage;

impl LiveStages {
    pub(super) async fn wait_until_ready(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let cluster = self.clients.cluster(cx).await.map_err(|e| e.diagnostic())?;
        let live = Arc::clone(&self.products().live);
        let (specs, outage) = (self.specs(), Outage::none(self.watching.is_some()));
        let mut waited = outage.over(|| devloop_deploy::wait_until_ready(&specs.ready, &live.release, cluster, cx), cx).await;
        if waited.is_ok() {
            self.settle(Stage::StatusCheck);
            waited = self.finish_last(&specs, cluster, cx).await;
        }
        if !cx.cancel.is_cancelled() {
            self.waited.send_replace(Some((live, waited.is_ok())));
        }
        waited
    }

    /// Tells what becomes of what was waited for.
    pub(super) async fn follow_readiness(&self, cluster: &Cluster, cx: &Cx) -> Result<(), Diagnostic> {
        let mut waited = self.waited.subscribe();
        loop {
            let now = waited.borrow_and_update().clone();
            let followed = async {
                let Some((live, ready)) = now else { return std::future::pending().await };
                Outage::none(true).over(|| devloop_deploy::follow_readiness(&live.release, ready, cluster, cx), cx).await
            };
            tokio::select! {
                biased;
                () = cx.cancel.cancelled() => return Ok(()),
                changed = waited.changed() => if changed.is_err() { return Ok(()) },
                ended = followed => return ended,
            }
        }
    }
}
