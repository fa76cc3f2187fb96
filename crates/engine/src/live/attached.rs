//! What is kept connected to what is live, for as long as the session lasts.

use std::sync::Arc;

use devloop_attach::AttachSpec;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use tokio::sync::watch;

use super::LiveStages;
use super::Specs;

impl LiveStages {
    /// Follows logs, forwards ports, syncs files and tells what breaks, until the step is cancelled.
    pub(super) async fn attach(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let mut specs = self.specs.subscribe();
        let wanted = watch::Sender::new(specs.borrow_and_update().attach.clone());
        let respecified = async {
            while specs.changed().await.is_ok() {
                // The configuration may ask for other ports; the rest of what is attached stays.
                let attach = specs.borrow_and_update().attach.clone();
                wanted.send_replace(attach);
            }
            std::future::pending().await
        };
        let pruned = async {
            self.prune_replaced(cx).await;
            Ok(())
        };
        let work = async { tokio::try_join!(self.attach_to_cluster(&wanted, cx), self.attach_to_daemon(&wanted, cx), pruned).map(drop) };
        tokio::select! {
            ended = work => ended,
            never = respecified => never,
        }
    }

    /// Attaches to pods, as soon as anything is deployed into a cluster.
    async fn attach_to_cluster(&self, wanted: &watch::Sender<AttachSpec>, cx: &Cx) -> Result<(), Diagnostic> {
        if !self.wants(Specs::needs_cluster, cx).await {
            return Ok(());
        }
        let cluster = self.cluster(cx).await?;
        let attached = async {
            let attached = devloop_attach::attach(wanted.subscribe(), self.live.subscribe(), cluster, cx);
            tokio::try_join!(attached, self.synced(cluster, cx)).map(drop).map_err(|e| e.diagnostic())
        };
        tokio::try_join!(attached, self.follow_readiness(cluster, cx)).map(drop)
    }

    /// Attaches to containers, as soon as anything is deployed into the container daemon.
    async fn attach_to_daemon(&self, wanted: &watch::Sender<AttachSpec>, cx: &Cx) -> Result<(), Diagnostic> {
        if !self.wants(Specs::needs_daemon, cx).await {
            return Ok(());
        }
        let docker = self.docker(cx).await?;
        let attached = async {
            devloop_attach::attach_containers(wanted.subscribe(), self.live.subscribe(), docker, cx).await;
            Ok(())
        };
        tokio::try_join!(attached, self.follow_containers(docker, cx)).map(drop)
    }

    /// Returns true once the configuration asks for something, false when the step is cancelled first.
    async fn wants(&self, something: fn(&Specs) -> bool, cx: &Cx) -> bool {
        let mut specs = self.specs.subscribe();
        matches!(cx.unless_cancelled(specs.wait_for(|specs| something(specs))).await, Ok(Ok(_)))
    }

    /// Brings files into containers as long as the configuration asks for it.
    async fn synced(&self, cluster: &devloop_clients::kube::Cluster, cx: &Cx) -> Result<(), devloop_attach::AttachError> {
        let mut specs = self.specs.subscribe();
        loop {
            let syncs = self.watching.is_some() && specs.borrow_and_update().syncs();
            let another = specs.wait_for(|now: &Arc<Specs>| (self.watching.is_some() && now.syncs()) != syncs);
            tokio::select! {
                () = cx.cancel.cancelled(), if !syncs => return Ok(()),
                result = self.syncer.run(self.live.subscribe(), cluster, self.clients.registry(), cx), if syncs => return result,
                _ = another => {}
            }
        }
    }
}
