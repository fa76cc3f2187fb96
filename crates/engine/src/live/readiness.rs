//! Whether what is deployed runs, while it is waited for and from then on.

use std::sync::Arc;

use devloop_attach::Live;
use devloop_clients::docker::Docker;
use devloop_clients::kube::Cluster;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Release;
use devloop_model::Stage;
use futures::future::try_join_all;

use super::LiveStages;
use super::outage::Outage;

impl LiveStages {
    pub(super) async fn wait_until_ready(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let live = Arc::clone(&self.products().live);
        let elsewhere = live.elsewhere.iter().map(|(context, release)| self.wait_for(release, Some(context), cx));
        let all = tokio::try_join!(self.wait_for(&live.release, None, cx), try_join_all(elsewhere));
        let mut waited = all.map(drop);
        if waited.is_ok() {
            self.settle(Stage::StatusCheck);
            waited = self.finish_last(&self.specs(), cx).await;
        }
        if !cx.cancel.is_cancelled() {
            self.waited.send_replace(Some((live, waited.is_ok())));
        }
        waited
    }

    /// Returns once everything of a release is ready.
    pub(super) async fn wait_for(&self, release: &Release, context: Option<&str>, cx: &Cx) -> Result<(), Diagnostic> {
        tokio::try_join!(self.wait_for_objects(release, context, cx), self.wait_for_containers(release, cx)).map(drop)
    }

    async fn wait_for_objects(&self, release: &Release, context: Option<&str>, cx: &Cx) -> Result<(), Diagnostic> {
        if release.objects.is_empty() {
            return Ok(());
        }
        let (specs, cluster, outage) = (self.specs(), self.cluster_in(context, cx).await?, Outage::none(self.watching.is_some()));
        outage.over(|| devloop_deploy::wait_until_ready(&specs.ready, release, &cluster, cx), cx).await
    }

    async fn wait_for_containers(&self, release: &Release, cx: &Cx) -> Result<(), Diagnostic> {
        if release.containers.is_empty() {
            return Ok(());
        }
        let (specs, docker) = (self.specs(), self.docker(cx).await?);
        devloop_deploy::docker::wait_until_ready(&specs.ready, &release.containers, docker, cx).await.map_err(|e| e.diagnostic())
    }

    /// Tells what becomes of objects that were waited for, in the cluster of a context or in that of the session.
    pub(super) async fn follow_readiness(&self, context: Option<&str>, cluster: &Cluster, cx: &Cx) -> Result<(), Diagnostic> {
        self.follow_waited(cx, |live, ready| async move {
            let live = live.in_context(context);
            Outage::none(true).over(|| devloop_deploy::follow_readiness(&live.release, ready, cluster, cx), cx).await
        })
        .await
    }

    /// Tells what becomes of containers that were waited for.
    pub(super) async fn follow_containers(&self, docker: &Docker, cx: &Cx) -> Result<(), Diagnostic> {
        self.follow_waited(cx, |live, _| async move {
            let followed = devloop_deploy::docker::follow_readiness(&live.release.containers, docker, cx).await;
            followed.map_err(|e| e.diagnostic())
        })
        .await
    }

    /// Follows what was waited for last, until the step is cancelled.
    async fn follow_waited<F>(&self, cx: &Cx, follow: impl Fn(Arc<Live>, bool) -> F) -> Result<(), Diagnostic>
    where
        F: Future<Output = Result<(), Diagnostic>>,
    {
        let mut waited = self.waited.subscribe();
        loop {
            let now = waited.borrow_and_update().clone();
            let followed = async {
                match now {
                    Some((live, ready)) => follow(live, ready).await,
                    None => std::future::pending().await,
                }
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
