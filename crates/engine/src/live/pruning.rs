//! Images that a session built into a container daemon, and which of them nobody needs any more.
//!
//! An image that was replaced is needed until what replaced it runs: a deploy that does not come up leaves the pods of the
//! one before. It goes beside the session then, and what is left goes at the end.

use std::time::Duration;

use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::EventKind;
use devloop_model::Identity;
use devloop_model::Stage;
use tokio::time::Instant;

use super::LiveStages;
use super::products::Products;

/// After how long an image that a container still used is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// How long it is waited for the containers of a session that is over to leave their images.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// The pause between two looks at that.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// How images that a session built and replaced are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruning {
    /// Whether untagged images that they were built on go with them.
    pub parents: bool,
    /// The stage with whose success the images of a pass run, and those before it do not.
    pub after: Stage,
}

/// The images that a session built into a daemon, those that were removed left out.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// In the order of their builds.
    images: Vec<BuiltImage>,
    /// Whether the images of the last deploy run.
    settled: bool,
}

/// Which images are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those that were replaced by what runs.
    Replaced,
    /// Those that the build cache has no use for: nothing runs any more.
    NotCached,
    /// All: nothing runs any more, and there is no cache.
    All,
}

impl Own {
    /// Takes in an image that was built; one that was pushed is not in a daemon.
    pub(super) fn built(&mut self, image: &BuiltImage) {
        if matches!(image.identity, Identity::Id(_)) {
            self.forget(image);
            self.images.push(image.clone());
        }
    }

    /// Notes whether the images of the last deploy run.
    pub(super) fn settle(&mut self, settled: bool) {
        self.settled = settled;
    }

    fn forget(&mut self, image: &BuiltImage) {
        self.images.retain(|known| known != image);
    }

    /// Returns the last build of each artifact, which is what the build cache has for its inputs.
    fn newest(&self) -> impl Iterator<Item = &BuiltImage> {
        let is_last = |at: usize, image: &BuiltImage| !self.images[at + 1..].iter().any(|later| later.artifact == image.artifact);
        self.images.iter().enumerate().filter(move |(at, image)| is_last(*at, image)).map(|(_, image)| image)
    }
}

impl Products {
    /// Returns the images that are to go; by what they are, for one image may have several names.
    fn unneeded(&self, which: Which) -> Vec<BuiltImage> {
        let needed: Vec<&BuiltImage> = match which {
            Which::Replaced if !self.own.settled => return Vec::new(),
            Which::Replaced => self.own.newest().chain(self.images.values()).chain(&self.rendered).chain(&self.live.images).collect(),
            Which::NotCached => self.own.newest().chain(self.images.values()).collect(),
            Which::All => Vec::new(),
        };
        let is_needed = |image: &&BuiltImage| needed.iter().any(|needed| needed.identity == image.identity);
        self.own.images.iter().filter(|image| !is_needed(image)).cloned().collect()
    }
}

impl LiveStages {
    /// Notes that the images of the last deploy run if `stage` tells that.
    pub(super) fn settle(&self, stage: Stage) {
        if self.specs().pruning.is_some_and(|pruning| pruning.after == stage) {
            self.products().own.settle(true);
            self.settled.notify_one();
        }
    }

    /// Removes what was replaced each time that what replaced it runs, until the step is cancelled.
    pub(super) async fn prune_replaced(&self, cx: &Cx) {
        loop {
            tokio::select! {
                () = cx.cancel.cancelled() => return,
                () = self.settled.notified() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
            let images = self.prune(Which::Replaced, cx).await;
            if images > 0 {
                cx.emit(EventKind::ImagesPruned { images, at_end: false });
            }
        }
    }

    /// Removes what is left when the session ends; all that nothing asks for where what it deployed is deleted.
    pub(super) async fn prune_at_end(&self, deleted: bool, cx: &Cx) {
        let which = match (deleted, self.specs().build.cache_artifacts) {
            (false, _) => Which::Replaced,
            (true, true) => Which::NotCached,
            (true, false) => Which::All,
        };
        let began = Instant::now();
        let mut images = self.prune(which, cx).await;
        while deleted && !self.to_prune(which).is_empty() && began.elapsed() < LAST_WAIT {
            tokio::time::sleep(LAST_PAUSE).await;
            images += self.prune(which, cx).await;
        }
        if images > 0 {
            cx.emit(EventKind::ImagesPruned { images, at_end: true });
        }
    }

    fn to_prune(&self, which: Which) -> Vec<BuiltImage> {
        if self.specs().pruning.is_some() { self.products().unneeded(which) } else { Vec::new() }
    }

    /// Returns how many images were removed; one that a container uses stays for another time.
    async fn prune(&self, which: Which, cx: &Cx) -> usize {
        let Some(Pruning { parents, .. }) = self.specs().pruning else { return 0 };
        let mut removed = 0;
        for image in self.to_prune(which) {
            // What is looked up or built now may come out as this very image: work that somebody waits for goes first.
            let Ok(_alone) = self.taken.try_write() else { break };
            if !self.to_prune(which).contains(&image) {
                continue;
            }
            match devloop_build::remove(&image, parents, &self.clients, cx).await {
                Ok(true) => {
                    self.products().own.forget(&image);
                    removed += 1;
                }
                Ok(false) => tracing::debug!(image = image.deployed(), "a container uses it"),
                Err(error) => {
                    tracing::debug!(image = image.deployed(), %error, "not removed");
                    break;
                }
            }
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use devloop_attach::Live;
    use devloop_model::ImageId;
    use devloop_model::Release;

    use super::*;

    fn image(artifact: &str, id: char) -> BuiltImage {
        BuiltImage {
            artifact: artifact.parse().unwrap(),
            name: artifact.parse().unwrap(),
            tag: None,
            identity: Identity::Id(ImageId::parse(&format!("sha256:{}", id.to_string().repeat(64))).unwrap()),
            runtime: None,
        }
    }

    /// Products of a session that built these images in turn, and deployed the last ones.
    fn products(builds: &[(&str, char)]) -> Products {
        let mut products = Products::default();
        for (artifact, id) in builds {
            let image = image(artifact, *id);
            products.own.built(&image);
            products.images.insert(image.artifact.clone(), image);
        }
        deploy(&mut products);
        products
    }

    fn deploy(products: &mut Products) {
        products.rendered = products.images.values().cloned().collect();
        products.live = Arc::new(Live { images: products.rendered.clone(), release: Release::default(), ..Live::default() });
        products.own.settle(true);
    }

    fn ids(images: &[BuiltImage]) -> String {
        images.iter().map(|image| image.deployed().pop().unwrap()).collect()
    }

    #[test]
    fn what_was_replaced_goes_once_what_replaced_it_runs() {
        let mut products = products(&[("web", 'a'), ("api", 'b'), ("web", 'c')]);
        assert_eq!(ids(&products.unneeded(Which::Replaced)), "a");
        products.own.settle(false);
        assert_eq!(ids(&products.unneeded(Which::Replaced)), "", "its pods may still be there");
    }

    #[test]
    fn what_runs_stays_until_another_is_deployed() {
        let mut products = products(&[("web", 'a')]);
        let later = image("web", 'b');
        products.own.built(&later);
        products.images.insert(later.artifact.clone(), later);
        assert_eq!(ids(&products.unneeded(Which::Replaced)), "");
        deploy(&mut products);
        assert_eq!(ids(&products.unneeded(Which::Replaced)), "a");
    }

    #[test]
    fn an_image_of_the_cache_that_is_deployed_again_stays_and_so_does_the_last_build() {
        let mut products = products(&[("web", 'a'), ("web", 'b'), ("web", 'c')]);
        let back = image("web", 'a');
        products.images.insert(back.artifact.clone(), back);
        deploy(&mut products);
        assert_eq!(ids(&products.unneeded(Which::Replaced)), "b");
    }

    #[test]
    fn one_image_of_two_artifacts_is_needed_by_either() {
        let products = products(&[("web", 'a'), ("api", 'a'), ("web", 'b')]);
        assert_eq!(ids(&products.unneeded(Which::Replaced)), "");
    }

    #[test]
    fn at_the_end_the_cache_keeps_its_newest_and_nothing_else_stays() {
        let products = products(&[("web", 'a'), ("api", 'b'), ("web", 'c')]);
        assert_eq!(ids(&products.unneeded(Which::NotCached)), "a");
        assert_eq!(ids(&products.unneeded(Which::All)), "abc");
    }

    #[test]
    fn what_was_pushed_or_is_not_of_this_session_is_never_removed() {
        let mut products = products(&[]);
        let pushed = BuiltImage { identity: Identity::AsNamed, ..image("web", 'a') };
        products.own.built(&pushed);
        products.images.insert(pushed.artifact.clone(), image("web", 'd'));
        assert_eq!(ids(&products.unneeded(Which::All)), "");
    }
}
