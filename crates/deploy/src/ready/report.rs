//! A failure in the user's words: what, why, the last lines of the log, and one thing to do.

use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::LogOptions;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Namespace;
use devloop_model::Severity;
use futures::StreamExt as _;

use super::check::Failure;
use super::check::FaultyPod;
use super::fault::Cause;

/// How many of its last log lines a failing container is shown with.
const LAST_LINES: u64 = 10;
/// How long the log may take to come; the failure is not held back for longer.
const LOG_DEADLINE: Duration = Duration::from_secs(3);

/// Returns the failure as an error, with the log of the container that it is about.
pub(super) async fn diagnostic(failure: &Failure, cluster: &Cluster, cx: &Cx) -> Diagnostic {
    written(failure, &log_of(failure, cluster, cx).await, failure.after.is_some())
}

/// Returns the failure as a warning that says that it is waited out.
pub(super) async fn warning(failure: &Failure, cluster: &Cluster, cx: &Cx) -> Diagnostic {
    let error = written(failure, &log_of(failure, cluster, cx).await, true);
    Diagnostic { severity: Severity::Warning, ..error }
        .because("it is waited for until the deadline, as `tolerateFailuresUntilDeadline` says")
}

/// Returns one error of many: the first, and what else failed.
pub(crate) fn together(errors: Vec<Diagnostic>) -> Option<Diagnostic> {
    let mut errors = errors.into_iter();
    let first = errors.next()?;
    Some(errors.fold(first, |all, next| all.because(next.what)))
}

async fn log_of(failure: &Failure, cluster: &Cluster, cx: &Cx) -> Vec<String> {
    match &failure.pod {
        Some(pod) => last_lines(pod, cluster, cx).await,
        None => Vec::new(),
    }
}

fn written(failure: &Failure, log: &[String], waited_out: bool) -> Diagnostic {
    let object = &failure.object;
    let (code, what) = match (&failure.after, &failure.pod) {
        (Some(after), _) => ("deploy/not-ready-in-time", format!("{object} is not ready after {} s", after.as_secs())),
        (None, Some(pod)) => (pod.fault.code(), format!("{object} cannot become ready: {}", pod.fault.what(&pod.name))),
        (None, None) => ("deploy/failed", format!("{object} failed")),
    };
    let mut error = Diagnostic::error(code, what);
    if !failure.status.is_empty() {
        error = error.because(&*failure.status);
    }
    let Some(pod) = &failure.pod else {
        return error.help(format!("`kubectl describe {}` shows what its controller tried", object.for_kubectl()));
    };
    if failure.after.is_some() {
        error = error.because(pod.fault.what(&pod.name));
    }
    if !pod.fault.message.is_empty() {
        error = error.because(&*pod.fault.message);
    }
    if !log.is_empty() {
        error =
            error.because(format!("last lines of its log:\n{}", log.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")));
    }
    error.help(pod.fault.help(waited_out))
}

/// Returns the last lines of the container that a fault is about; none where it never ran.
async fn last_lines(pod: &FaultyPod, cluster: &Cluster, cx: &Cx) -> Vec<String> {
    if !matches!(pod.fault.cause, Cause::Crash { .. } | Cause::OutOfMemory | Cause::Probe) {
        return Vec::new();
    }
    let options = LogOptions {
        container: pod.fault.container.clone(),
        tail: Some(LAST_LINES),
        previous: pod.fault.restarted,
        ..LogOptions::default()
    };
    let read = async {
        let lines = cluster.logs(&Namespace(pod.namespace.clone()), &pod.name, &options, cx).await.ok()?;
        Some(lines.filter_map(|line| std::future::ready(line.ok())).collect::<Vec<String>>().await)
    };
    tokio::time::timeout(LOG_DEADLINE, read).await.ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use devloop_model::ObjectKey;

    use super::*;
    use crate::ready::fault::Fault;
    use crate::ready::fault::Weight;

    fn failure(cause: Cause, container: Option<&str>, message: &str, after: Option<u64>) -> Failure {
        let fault =
            Fault { cause, weight: Weight::Hopeless, container: container.map(str::to_owned), message: message.into(), restarted: false };
        Failure {
            object: ObjectKey {
                group: "apps".into(),
                kind: "Deployment".into(),
                namespace: Some(Namespace("shop".into())),
                name: "web".into(),
            },
            pod: Some(FaultyPod { uid: "u".into(), name: "web-1".into(), namespace: "shop".into(), fault }),
            status: if after.is_some() { "0 of 1 new replicas are available".into() } else { String::new() },
            after: after.map(Duration::from_secs),
        }
    }

    #[test]
    fn failures_have_a_cause_a_log_and_a_suggestion() {
        let log = ["starting".to_owned(), "panic: no database".to_owned()];
        let shown = [
            written(&failure(Cause::Crash { code: 2 }, Some("app"), "", None), &log, false),
            written(&failure(Cause::ImagePull, Some("app"), "pull access denied for x", None), &[], false),
            written(&failure(Cause::Unschedulable, None, "0/1 nodes are available: 1 Insufficient cpu.", None), &[], false),
            written(&failure(Cause::Probe, None, "Readiness probe failed: HTTP probe failed with statuscode: 500", Some(600)), &log, true),
            written(
                &Failure { pod: None, status: "FailedCreate: exceeded quota".into(), ..failure(Cause::Probe, None, "", None) },
                &[],
                false,
            ),
            written(&failure(Cause::Crash { code: 2 }, Some("app"), "", Some(600)), &log, true),
        ];
        insta::assert_snapshot!(shown.map(|error| error.to_string()).join("\n\n"), @r"
        error[deploy/crash]: deployment/web cannot become ready: container `app` of pod/web-1 ended with exit code 2
          last lines of its log:
            starting
            panic: no database
        help: the last lines of its log say why; if it recovers by itself, set `tolerateFailuresUntilDeadline`

        error[deploy/image-pull]: deployment/web cannot become ready: the image of container `app` of pod/web-1 cannot be pulled
          pull access denied for x
        help: give the pod's service account `imagePullSecrets` for this registry

        error[deploy/unschedulable]: deployment/web cannot become ready: no node takes pod/web-1
          0/1 nodes are available: 1 Insufficient cpu.
        help: lower `resources.requests`, or add a node; a cluster that scales by itself may need `statusCheckDeadlineSeconds` and a moment more

        error[deploy/not-ready-in-time]: deployment/web is not ready after 600 s
          0 of 1 new replicas are available
          a probe of pod/web-1 fails
          Readiness probe failed: HTTP probe failed with statuscode: 500
          last lines of its log:
            starting
            panic: no database
        help: check the path and port of the probe, and `initialDelaySeconds` for a slow start

        error[deploy/failed]: deployment/web failed
          FailedCreate: exceeded quota
        help: `kubectl describe deployment/web -n shop` shows what its controller tried

        error[deploy/not-ready-in-time]: deployment/web is not ready after 600 s
          0 of 1 new replicas are available
          container `app` of pod/web-1 ended with exit code 2
          last lines of its log:
            starting
            panic: no database
        help: the last lines of its log say why; if it recovers by itself later, raise `statusCheckDeadlineSeconds`
        ");
    }

    #[test]
    fn more_failures_are_named_after_the_first() {
        let errors = vec![Diagnostic::error("a", "first"), Diagnostic::error("b", "second")];
        assert_eq!(together(errors).unwrap(), Diagnostic::error("a", "first").because("second"));
        assert_eq!(together(Vec::new()), None);
    }
}
