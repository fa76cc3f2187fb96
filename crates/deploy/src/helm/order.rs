//! Releases at once, each as soon as those that it depends on are done.

use std::collections::BTreeSet;
use std::pin::Pin;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::wanted::Wanted;
use crate::CONCURRENCY;
use crate::DeployError;

/// Why a release is not as it is to be.
#[derive(Debug)]
pub(super) enum Failed {
    /// It failed.
    Itself(DeployError),
    /// One that it depends on failed.
    Before,
}

/// Returns for each release the places of those that it depends on.
pub(super) fn needs(wanted: &[Wanted]) -> Vec<Vec<usize>> {
    let places = |names: &[String]| {
        let is_named = |wanted: &Wanted| names.iter().any(|name| name == wanted.release.spec.name.source());
        (0..wanted.len()).filter(|place| is_named(&wanted[*place])).collect()
    };
    wanted.iter().map(|wanted| places(&wanted.release.spec.depends_on)).collect()
}

/// Returns the places of those that depend on each.
pub(super) fn reversed(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    (0..needs.len()).map(|place| (0..needs.len()).filter(|other| needs[*other].contains(&place)).collect()).collect()
}

/// Returns what came of each step, which begins when those that it needs have succeeded; at most `limit` run at once.
pub(super) async fn in_order<T, F>(needs: &[Vec<usize>], limit: Option<usize>, steps: Vec<F>) -> Vec<Result<T, Failed>>
where
    F: Future<Output = Result<T, DeployError>> + Send,
    T: Send,
{
    let limit = limit.unwrap_or(CONCURRENCY);
    let mut waiting: Vec<Option<Pin<Box<F>>>> = steps.into_iter().map(|step| Some(Box::pin(step))).collect();
    let mut outcomes: Vec<Option<Result<T, Failed>>> = waiting.iter().map(|_| None).collect();
    let mut running = FuturesUnordered::new();
    loop {
        hold(needs, &mut waiting, &mut outcomes);
        let is_done = |place: &usize| matches!(outcomes[*place], Some(Ok(_)));
        let ready: Vec<usize> = (0..waiting.len()).filter(|place| waiting[*place].is_some() && needs[*place].iter().all(is_done)).collect();
        for place in ready.into_iter().take(limit.saturating_sub(running.len())) {
            if let Some(step) = waiting[place].take() {
                running.push(async move { (place, step.await) });
            }
        }
        match running.next().await {
            Some((place, outcome)) => outcomes[place] = Some(outcome.map_err(Failed::Itself)),
            None => return outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(Failed::Before))).collect(),
        }
    }
}

/// Gives up every step that needs one that failed, and so on.
fn hold<T, F>(needs: &[Vec<usize>], waiting: &mut [Option<F>], outcomes: &mut [Option<Result<T, Failed>>]) {
    loop {
        let failed: BTreeSet<usize> = (0..outcomes.len()).filter(|place| matches!(outcomes[*place], Some(Err(_)))).collect();
        let is_lost = |place: &usize| waiting[*place].is_some() && needs[*place].iter().any(|need| failed.contains(need));
        let Some(lost) = (0..waiting.len()).find(is_lost) else { return };
        waiting[lost] = None;
        outcomes[lost] = Some(Err(Failed::Before));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Runs steps that fail if they are in `failing`; returns when each began and ended, and how it went.
    async fn ran(needs: &[Vec<usize>], limit: Option<usize>, failing: &[usize]) -> (Vec<String>, Vec<&'static str>) {
        let log = Mutex::new(Vec::new());
        let steps: Vec<_> = (0..needs.len())
            .map(|place| {
                let log = &log;
                async move {
                    log.lock().unwrap().push(format!("+{place}"));
                    tokio::task::yield_now().await;
                    log.lock().unwrap().push(format!("-{place}"));
                    if failing.contains(&place) { Err(DeployError::Cancelled) } else { Ok(()) }
                }
            })
            .collect();
        let outcomes = in_order(needs, limit, steps).await;
        let outcomes = outcomes.iter().map(|outcome| match outcome {
            Ok(()) => "ok",
            Err(Failed::Itself(_)) => "failed",
            Err(Failed::Before) => "held",
        });
        let outcomes = outcomes.collect();
        (log.into_inner().unwrap(), outcomes)
    }

    #[tokio::test]
    async fn each_begins_as_soon_as_what_it_needs_is_done() {
        let needs = [vec![1], vec![], vec![], vec![0, 2]];
        let (log, outcomes) = ran(&needs, None, &[]).await;
        let at = |event: &str| log.iter().position(|known| known == event).unwrap();
        assert!(at("+2") < at("-1") && at("-1") < at("+0") && at("-0") < at("+3") && at("-2") < at("+3"), "{log:?}");
        assert_eq!(outcomes, ["ok"; 4]);
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_may() {
        let (log, _) = ran(&[vec![], vec![], vec![]], Some(1), &[]).await;
        assert_eq!(log, ["+0", "-0", "+1", "-1", "+2", "-2"]);
    }

    #[tokio::test]
    async fn a_failure_holds_what_needs_it_and_nothing_else() {
        let (log, outcomes) = ran(&[vec![], vec![0], vec![1], vec![]], None, &[0]).await;
        assert_eq!(outcomes, ["failed", "held", "held", "ok"]);
        assert!(!log.contains(&"+1".to_owned()), "{log:?}");
    }

    #[test]
    fn a_delete_goes_the_other_way() {
        assert_eq!(reversed(&[vec![1], vec![], vec![0, 1]]), [vec![2], vec![0, 2], vec![]]);
    }
}
