//! A cluster that is away for a while: a watching session waits for it, and says so once.

use std::time::Duration;

use devloop_deploy::DeployError;
use devloop_deploy::ReadyError;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Stream;

/// The first pause; it doubles with each try.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause: how late a session notices, at most, that the cluster is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why a try failed.
pub(super) trait Failure {
    /// Returns whether the cluster is away, so that the same may work a little later.
    fn is_outage(&self) -> bool;
    /// Returns it in the user's words.
    fn diagnostic(&self) -> Diagnostic;
}

impl Failure for DeployError {
    fn is_outage(&self) -> bool {
        self.is_outage()
    }

    fn diagnostic(&self) -> Diagnostic {
        self.diagnostic()
    }
}

impl Failure for ReadyError {
    fn is_outage(&self) -> bool {
        self.is_outage()
    }

    fn diagnostic(&self) -> Diagnostic {
        self.diagnostic()
    }
}

/// An outage, as far as there is one.
#[derive(Debug)]
pub(super) struct Outage {
    /// Whether it is waited for at all.
    patient: bool,
    pause: Option<Duration>,
}

impl Outage {
    /// Returns that there is none so far; without `patient`, every outage is a failure.
    pub(super) fn none(patient: bool) -> Self {
        Self { patient, pause: None }
    }

    /// Returns what `attempt` gives, tried again and again while the cluster is away.
    ///
    /// # Errors
    /// What it fails of otherwise, or with the outage where that is not waited for.
    pub(super) async fn over<T, E: Failure, F: Future<Output = Result<T, E>>>(
        mut self,
        mut attempt: impl FnMut() -> F,
        cx: &Cx,
    ) -> Result<T, Diagnostic> {
        loop {
            if let Some(done) = self.outlast(attempt().await, cx).await? {
                return Ok(done);
            }
        }
    }

    /// Returns what a try gave; none after a pause if the cluster was away, so that it is to be tried again.
    ///
    /// # Errors
    /// What the try failed of, if that was something else, or if the step was stopped.
    async fn outlast<T>(&mut self, tried: Result<T, impl Failure>, cx: &Cx) -> Result<Option<T>, Diagnostic> {
        match tried {
            Err(error) if self.patient && error.is_outage() => {
                self.wait(error.diagnostic(), cx).await?;
                Ok(None)
            }
            Err(error) => Err(error.diagnostic()),
            Ok(done) => {
                if self.pause.is_some() {
                    cx.log(Stream::Stdout, "The cluster answers again");
                }
                Ok(Some(done))
            }
        }
    }

    async fn wait(&mut self, diagnostic: Diagnostic, cx: &Cx) -> Result<(), Diagnostic> {
        if self.pause.is_none() {
            cx.warn(Diagnostic {
                help: Some("nothing is lost: it goes on as soon as the cluster answers".to_owned()),
                ..diagnostic.clone()
            });
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        cx.unless_cancelled(tokio::time::sleep(pause)).await.map_err(|_| diagnostic)
    }
}

#[cfg(test)]
mod tests {
    use devloop_clients::kube::KubeError;
    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_an_outage_is_waited_for() {
        let cx = Cx::silent(StepId::of(Stage::Deploy));
        let away = || Err::<(), _>(DeployError::Kube(KubeError::TimedOut { action: "list".to_owned(), limit: Duration::from_secs(1) }));
        let missing = || Err::<(), _>(DeployError::Kube(KubeError::NamespaceMissing { namespace: "shop".to_owned() }));
        let mut outage = Outage::none(true);
        assert_eq!(outage.outlast(away(), &cx).await, Ok(None));
        assert_eq!(outage.outlast(away(), &cx).await, Ok(None));
        assert_eq!(outage.outlast(Ok::<_, DeployError>(()), &cx).await, Ok(Some(())));
        assert!(outage.outlast(missing(), &cx).await.is_err());
        assert!(Outage::none(false).outlast(away(), &cx).await.is_err());
        cx.cancel.cancel();
        assert!(outage.outlast(away(), &cx).await.is_err());
    }
}
