//! What is kept connected to what is live, for as long as the session lasts.

use std::sync::Arc;

use devloop_attach::AttachError;
use devloop_attach::AttachSpec;
use devloop_attach::Live;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use futures::future::try_join_all;
use tokio::sync::watch;

use super::LiveStages;
use super::Specs;

impl LiveStages {
    /// Follows logs, forwards ports, syncs files and tells what breaks, until the step is cancelled.
    pub(super) async fn attach(&self, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        let pruned = async {
            self.prune_replaced(cx).await;
            Ok(())
        };
        let elsewhere = try_join_all(specs.elsewhere.keys().map(|context| self.attach_in(Some(context), cx)));
        tokio::try_join!(self.attach_to_cluster(cx), self.attach_to_daemon(cx), elsewhere, pruned).map(drop)
    }

    /// Attaches to pods, as soon as anything is deployed into the cluster of the session.
    async fn attach_to_cluster(&self, cx: &Cx) -> Result<(), Diagnostic> {
        if self.wants(Specs::needs_cluster, cx).await { Box::pin(self.attach_in(None, cx)).await } else { Ok(()) }
    }

    /// Attaches to pods in the cluster of a context, or in that of the session.
    async fn attach_in(&self, context: Option<&str>, cx: &Cx) -> Result<(), Diagnostic> {
        let cluster = self.cluster_in(context, cx).await?;
        let (live, wanted) = (watch::Sender::default(), watch::Sender::new(self.specs().attach_in(context)));
        let attached = async {
            let attached = devloop_attach::attach(wanted.subscribe(), live.subscribe(), &cluster, cx);
            let synced = self.synced(|| self.syncer.run(live.subscribe(), &cluster, self.clients.registry(), cx), cx);
            tokio::try_join!(attached, synced).map(drop).map_err(|e| e.diagnostic())
        };
        let work = async { tokio::try_join!(attached, self.follow_readiness(context, &cluster, cx)).map(drop) };
        tokio::select! {
            ended = work => ended,
            never = self.narrow(context, &live, &wanted) => never,
        }
    }

    /// Tells what is live and wanted in one cluster, for ever.
    async fn narrow<N>(&self, context: Option<&str>, live: &watch::Sender<Arc<Live>>, wanted: &watch::Sender<AttachSpec>) -> N {
        let (mut all, mut specs) = (self.live.subscribe(), self.specs.subscribe());
        loop {
            let now = Arc::new(all.borrow_and_update().in_context(context));
            live.send_replace(now);
            tokio::select! {
                Ok(()) = all.changed() => {}
                // The configuration may ask for other ports; the rest of what is attached stays.
                Ok(()) = specs.changed() => {
                    let attach = specs.borrow_and_update().attach_in(context);
                    wanted.send_replace(attach);
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Attaches to containers, as soon as anything is deployed into the container daemon.
    async fn attach_to_daemon(&self, cx: &Cx) -> Result<(), Diagnostic> {
        if !self.wants(Specs::needs_daemon, cx).await {
            return Ok(());
        }
        let docker = self.docker(cx).await?;
        let wanted = watch::Sender::new(self.specs().attach_in(None));
        let attached = async {
            devloop_attach::attach_containers(wanted.subscribe(), self.live.subscribe(), docker, cx).await;
            Ok(())
        };
        let sync = || async {
            self.syncer.run_in_daemon(self.live.subscribe(), docker, cx).await;
            Ok(())
        };
        let synced = async { self.synced(sync, cx).await.map_err(|e| e.diagnostic()) };
        tokio::try_join!(attached, synced, self.follow_containers(docker, cx)).map(drop)
    }

    /// Returns true once the configuration asks for something, false when the step is cancelled first.
    async fn wants(&self, something: fn(&Specs) -> bool, cx: &Cx) -> bool {
        let mut specs = self.specs.subscribe();
        matches!(cx.unless_cancelled(specs.wait_for(|specs| something(specs))).await, Ok(Ok(_)))
    }

    /// Brings files into containers by `sync`, as long as the configuration asks for it.
    async fn synced<W>(&self, sync: impl Fn() -> W, cx: &Cx) -> Result<(), AttachError>
    where
        W: Future<Output = Result<(), AttachError>>,
    {
        let mut specs = self.specs.subscribe();
        loop {
            let syncs = self.watching.is_some() && specs.borrow_and_update().syncs();
            let another = specs.wait_for(|now: &Arc<Specs>| (self.watching.is_some() && now.syncs()) != syncs);
            tokio::select! {
                () = cx.cancel.cancelled(), if !syncs => return Ok(()),
                result = sync(), if syncs => return result,
                _ = another => {}
            }
        }
    }
}
