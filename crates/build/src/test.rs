//! Tests of a built image: commands of the user's, and what has to be in the image.
//!
//! A test that succeeded for an image and for the files that it depends on is not run again for the same ones, in this
//! session or, where the configuration names those files, in a later one.

mod custom;
mod inputs;
mod memory;
mod structure;

use std::sync::Arc;
use std::time::Instant;

use devloop_clients::Clients;
use devloop_model::BuiltImage;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::MissingKey;
use devloop_model::Outcome;
use devloop_model::Stream;
use devloop_model::Test;
use devloop_model::TestKind;
use devloop_model::Vars;

pub use self::inputs::of as test_inputs;
pub use self::memory::TestMemory;
use crate::BuildError;
use crate::BuildOptions;

/// The tests of one image.
#[derive(Debug, Clone, Copy)]
pub struct TestJob<'a> {
    /// The tests.
    pub tests: &'a [Arc<Test>],
    /// The image.
    pub image: &'a BuiltImage,
    /// Where devloop works and keeps what it knows.
    pub options: &'a BuildOptions,
    /// Which tests succeeded before.
    pub memory: &'a TestMemory,
}

/// Runs the tests of an image, one after the other, those that succeeded before left out.
///
/// # Errors
/// When one fails; the others are run all the same.
pub async fn test(job: TestJob<'_>, clients: &Clients, cx: &Cx) -> Result<(), BuildError> {
    let (mut failed, mut known): (Vec<Diagnostic>, usize) = (Vec::new(), 0);
    for (index, test) in job.tests.iter().enumerate() {
        match Box::pin(job.run(index, test, clients, cx)).await {
            Err(_) if cx.cancel.is_cancelled() => return Err(devloop_model::Cancelled.into()),
            Err(error) => failed.push(placed(&error, test)),
            Ok(Ran::Now) => {}
            Ok(Ran::Before) => known += 1,
        }
    }
    if known > 0 && known == job.tests.len() {
        let plural = if known == 1 { "" } else { "s" };
        cx.log(Stream::Stdout, format!(" - {}: {known} test{plural} passed before", job.image.artifact));
    }
    match failed.len() {
        0 => Ok(()),
        1 => Err(failed.swap_remove(0).into()),
        count => {
            let error = Diagnostic::error("test/failed", format!("{count} tests of `{}` failed", job.image.artifact));
            Err(failed.into_iter().map(|failed| indented(&failed)).fold(error, Diagnostic::because).into())
        }
    }
}

/// Returns what went wrong, at the place of the test where it has none of its own.
fn placed(error: &BuildError, test: &Test) -> Diagnostic {
    let error = error.diagnostic();
    if error.at.is_some() { error } else { error.at(test.at.clone()) }
}

/// Returns a failure among others: what failed, where, and why, further in.
fn indented(failed: &Diagnostic) -> String {
    let place = failed.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
    let why = failed.why.iter().flat_map(|why| why.lines()).map(|line| format!("\n  {line}"));
    format!("{place}{}{}", failed.what, why.collect::<String>())
}

/// When a test that succeeded was run.
enum Ran {
    Before,
    Now,
}

impl TestJob<'_> {
    async fn run(&self, index: usize, test: &Test, clients: &Clients, cx: &Cx) -> Result<Ran, BuildError> {
        let command = command(test, cx)?;
        let inputs = inputs::of(test, self.options, cx).await?;
        let key = memory::key(test, command.as_deref(), self.image, &inputs);
        if self.memory.has(&key) {
            return Ok(Ran::Before);
        }
        let (artifact, name) = (self.image.artifact.clone(), test.name());
        cx.emit(EventKind::TestStarted { artifact: artifact.clone(), index, name: name.clone() });
        let began = Instant::now();
        let done = match (&test.kind, command) {
            (TestKind::Custom(custom), Some(command)) => custom::run(self, test, custom, &command, clients, cx).await,
            (TestKind::Structure(structure), _) => structure::run(self, test, structure, &inputs, clients, cx).await,
            (TestKind::Custom(_), None) => Ok(()),
        };
        let outcome = match &done {
            _ if cx.cancel.is_cancelled() => Outcome::Cancelled,
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Failed { diagnostic: placed(error, test) },
        };
        // A file that changed meanwhile may or may not have been what was tested.
        if outcome == Outcome::Succeeded && inputs::of(test, self.options, cx).await.is_ok_and(|now| now.files == inputs.files) {
            self.memory.note(key, is_told_by_its_inputs(test, self.image));
        }
        cx.emit(EventKind::TestFinished { artifact, index, name, outcome, duration: began.elapsed() });
        done.map(|()| Ran::Now)
    }
}

/// Returns whether the image and the inputs say all that the test depends on, as far as the configuration tells.
fn is_told_by_its_inputs(test: &Test, image: &BuiltImage) -> bool {
    let names_them = match &test.kind {
        TestKind::Custom(custom) => custom.dependencies.is_some(),
        TestKind::Structure(_) => true,
    };
    names_them && image.identity != devloop_model::Identity::AsNamed
}

/// Returns the command of a custom test with its template rendered; none for other tests.
fn command(test: &Test, cx: &Cx) -> Result<Option<String>, BuildError> {
    let TestKind::Custom(custom) = &test.kind else { return Ok(None) };
    custom.command.render(&Vars::from_env(&cx.env), MissingKey::NoValue).map(Some).map_err(|error| {
        let what = format!("the command of a test of `{}` cannot be rendered", test.image);
        Diagnostic::error("test/template", what).at(test.at.clone()).because(error.to_string()).into()
    })
}

#[cfg(test)]
mod tests;
