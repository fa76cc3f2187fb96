//! Logs of real containers, over restarts and new replica sets.

use std::sync::Arc;
use std::time::Duration;

use devloop_attach::Live;
use devloop_attach::LogSpec;
use devloop_attach::follow_logs;
use devloop_model::EventKind;
use devloop_model::Stage;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use crate::context::TestContext;
use crate::ready::applied;
use crate::ready::connected;
use crate::ready::workload;

/// Returns the pod and text of the next line.
async fn line(events: &mut UnboundedReceiver<EventKind>) -> (String, String) {
    let next = tokio::time::timeout(Duration::from_mins(2), events.recv()).await.expect("a line comes").expect("the log is followed");
    match next {
        EventKind::PodLog { pod, container, line, .. } => {
            assert_eq!(container, "app");
            (pod, line)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
async fn every_line_comes_once_over_restarts_and_rollouts() {
    let context = TestContext::new();
    let counts = |word: &str, lines: u32| format!("command: [sh, -c, 'for i in $(seq {lines}); do echo {word} $i; done; exit 1']");
    let release = applied(&context, &workload("Deployment", "web", "", &counts("first", 500)));
    let (cluster, cx, mut events) = connected(Stage::Attach).await;
    let cancel = cx.cancel.clone();
    let step = cx.clone();
    let (deploys, live) = watch::channel(Arc::new(Live { release, ..Live::default() }));
    let work = tokio::spawn(async move { follow_logs(&LogSpec::default(), live, &cluster, &step).await });
    // Three runs of the container, the second and third each after a crash.
    for run in 0..3 {
        for number in 1..=500 {
            assert_eq!(line(&mut events).await.1, format!("first {number}"), "run {run}");
        }
    }
    applied(
        &context,
        &workload(
            "Deployment",
            "web",
            "",
            &format!("{}, env: [{{name: A, value: b}}]", counts("second", 10).replace("exit 1", "sleep 1000")),
        ),
    );
    let mut pods = Vec::new();
    let mut number = 1;
    while number <= 10 {
        let (pod, text) = line(&mut events).await;
        if text.starts_with("second") {
            assert_eq!(text, format!("second {number}"));
            number += 1;
            pods.push(pod);
        }
    }
    pods.dedup();
    assert_eq!(pods.len(), 1);
    // A later deploy of the session brings another workload, which has said all it had to say by then.
    let words = counts("third", 10).replace("exit 1", "sleep 1000");
    let later = applied(&context, &workload("Deployment", "later", "", &words));
    context.kubectl(&["rollout", "status", "deployment/later"]);
    deploys.send_replace(Arc::new(Live { release: later, ..Live::default() }));
    for number in 1..=10 {
        assert_eq!(line(&mut events).await.1, format!("third {number}"));
    }
    cancel.cancel();
    work.await.unwrap().unwrap();
}
