//! Tests of images: which files they depend on, and what changed of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use devloop_build::TestJob;
use devloop_build::TestMemory;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::ImageName;
use devloop_model::Test;
use devloop_model::TestKind;
use devloop_model::TouchedTests;
use futures::future::join_all;

use super::LiveStages;
use super::Specs;
use super::seen::Seen;
use crate::ImageSource;

impl LiveStages {
    /// Tests the image of an artifact, and watches what its tests depend on from then on, whether they succeed or not.
    pub(super) async fn test(&self, image: &ImageName, cx: &Cx) -> Result<(), Diagnostic> {
        let specs = self.specs();
        let built = self.products().images.get(image).cloned();
        let built = built.ok_or_else(|| Diagnostic::error("engine/lost", format!("`{image}` is tested before it was built")))?;
        let tests: Vec<Arc<Test>> = specs.tests_of(image).cloned().collect();
        if self.watching.is_some() {
            self.look_at_tests(&specs, &tests, cx).await;
            self.watch_files(cx);
        }
        let job = TestJob { tests: &tests, image: &built, options: &specs.build, memory: &self.tested };
        Box::pin(devloop_build::test(job, &self.clients, cx)).await.map_err(|error| error.diagnostic())
    }

    /// Notes what tests depend on now; what cannot be listed is theirs to tell.
    async fn look_at_tests(&self, specs: &Specs, tests: &[Arc<Test>], cx: &Cx) {
        let seen = join_all(tests.iter().map(|test| devloop_build::test_inputs(test, &specs.build, cx))).await;
        let mut products = self.products();
        products.test_files.retain(|known| specs.tests.iter().any(|test| test.is_same(&known.test)));
        for (test, seen) in tests.iter().zip(seen) {
            products.test_files.retain(|known| !known.test.is_same(test));
            products.test_files.push(TestFiles { test: Arc::clone(test), seen: seen.ok().map(Seen::new) });
        }
    }

    /// Returns the images whose tests depend on something that changed, and on what.
    pub(super) async fn touched_tests(&self, files: &[&PathBuf], specs: &Specs, cx: &Cx) -> Vec<TouchedTests> {
        let near: Vec<(Arc<Test>, Vec<String>)> = {
            let products = self.products();
            let near = products.test_files.iter().map(|known| (Arc::clone(&known.test), known.near(files, specs)));
            near.filter(|(_, near)| !near.is_empty()).collect()
        };
        let differ = join_all(near.iter().map(|(test, near)| self.test_differs(test, near, specs, cx))).await;
        let mut touched: Vec<TouchedTests> = Vec::new();
        for ((test, _), files) in near.iter().zip(differ).filter(|(_, files)| !files.is_empty()) {
            match touched.iter_mut().find(|touched| touched.artifact == test.image) {
                Some(known) => known.files.extend(files.into_iter().filter(|file| !known.files.contains(file)).collect::<Vec<_>>()),
                None => touched.push(TouchedTests { artifact: test.image.clone(), files }),
            }
        }
        touched
    }

    /// Returns what of the files that a test depends on is not what it was when the test was last looked at.
    async fn test_differs(&self, test: &Test, near: &[String], specs: &Specs, cx: &Cx) -> Vec<String> {
        let Ok(now) = devloop_build::test_inputs(test, &specs.build, cx).await else { return near.to_vec() };
        let mut products = self.products();
        let Some(known) = products.test_files.iter_mut().find(|known| known.test.is_same(test)) else { return Vec::new() };
        let files = match &known.seen {
            Some(before) => before.inputs.differences(&now).into_iter().map(|file| specs.shown(&now.context.join(file.path))).collect(),
            None => near.to_vec(),
        };
        known.seen = Some(Seen::new(now));
        files
    }
}

/// A test, and the files that it depends on.
#[derive(Debug)]
pub(super) struct TestFiles {
    pub(super) test: Arc<Test>,
    /// None where they could not be listed.
    pub(super) seen: Option<Seen>,
}

impl TestFiles {
    /// Returns which of `files` the test may depend on: a new file may fit a pattern of its.
    fn near(&self, files: &[&PathBuf], specs: &Specs) -> Vec<String> {
        let is_near = |file: &&&PathBuf| match &self.seen {
            Some(seen) => seen.is_input(file) || (self.has_patterns() && seen.is_near(file)),
            None => file.starts_with(&self.test.context),
        };
        files.iter().filter(is_near).map(|file| specs.shown(file)).collect()
    }

    fn has_patterns(&self) -> bool {
        match &self.test.kind {
            TestKind::Custom(custom) => custom.dependencies.is_some(),
            TestKind::Structure(_) => true,
        }
    }
}

impl Specs {
    /// Returns the tests of an image.
    pub(super) fn tests_of(&self, image: &ImageName) -> impl Iterator<Item = &Arc<Test>> {
        self.tests.iter().filter(move |test| test.image == *image)
    }

    /// Returns the images that are tested in another way than before, or not any more.
    pub(super) fn tested_differently(&self, before: &Self) -> Vec<ImageName> {
        let of = |specs: &Self, image: &ImageName| -> Vec<Arc<Test>> { specs.tests_of(image).cloned().collect() };
        let alike = |image: &&ImageName| {
            let (now, before) = (of(self, image), of(before, image));
            now.len() == before.len() && now.iter().zip(&before).all(|(now, before)| now.is_same(before))
        };
        let images: BTreeSet<&ImageName> = self.tests.iter().chain(&before.tests).map(|test| &test.image).collect();
        images.into_iter().filter(|image| !alike(image)).cloned().collect()
    }

    /// Images that the user names are tested because that was asked for.
    pub(super) fn test_memory(&self) -> TestMemory {
        if self.build.cache_artifacts && !matches!(self.images, ImageSource::Given(_)) {
            TestMemory::on_disk(&self.build.cache_dir)
        } else {
            TestMemory::of_session()
        }
    }
}
