//! `verify` and `exec`: containers that run to their ends, on the real daemon and in the real cluster.

use std::process::Command;

use devloop_model::EventKind;
use devloop_model::Outcome;

use crate::context::TestContext;
use crate::session::Session;
use crate::session::looked;

const HEAD: &str = "apiVersion: skaffold/v4beta14\nkind: Config\n";

/// Returns a project with a configuration, in which `NS` is the namespace: no two tests have containers of one name.
fn project(body: &str) -> TestContext {
    let context = TestContext::new();
    let text = format!("{HEAD}{}", body.replace("NS", context.namespace()));
    context.with_file("skaffold.yaml", &text)
}

fn docker(context: &TestContext, arguments: &[&str]) -> String {
    let environment = context.command(&[]);
    let mut command = Command::new("docker");
    command.args(arguments).env_clear().envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Returns the names of the containers of a test, whether they run or not.
fn containers(context: &TestContext) -> String {
    docker(context, &["ps", "-a", "--filter", &format!("name={}", context.namespace()), "--format", "{{.Names}}"])
}

/// Returns the lines of standard output that start with this.
fn said<'o>(output: &'o str, prefix: &str) -> Vec<&'o str> {
    output.lines().filter(|line| line.starts_with(prefix)).collect()
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn verify_runs_containers_of_the_daemon_to_their_ends() {
    let context = project(
        "build: {artifacts: [{image: NS-tool, context: tool}], tagPolicy: {sha256: {}}, local: {push: false}}
verify:
- name: count
  container: {name: NS-count, image: localhost:5000/busybox, command: [sh, -c], args: ['for i in $(seq 1 500); do echo line $i; done; echo $FROM_FILE $OWN'], env: [{name: OWN, value: mine}]}
- name: tool
  container: {name: NS-tool, image: NS-tool}
",
    )
    .with("KUBECONFIG", "/no/kubeconfig")
    .with_file("tool/Dockerfile", "FROM localhost:5000/busybox\nCMD [\"echo\", \"built here\"]\n")
    .with_file("vars.env", "# comment\nexport FROM_FILE=\"from the file\"\n");
    context.devloop(&["build", "--file-output", "build.json"]).success();
    let output = context.devloop(&["verify", "-a", "build.json", "--env-file", "vars.env"]).success();
    let lines: Vec<String> = (1..=500)
        .map(|number| format!("[[NAMESPACE]-count] line {number}"))
        .chain(["[[NAMESPACE]-count] from the file mine".into()])
        .collect();
    assert_eq!(said(&output, "[[NAMESPACE]-count]"), lines, "each line once");
    assert_eq!(said(&output, "[[NAMESPACE]-tool]"), ["[[NAMESPACE]-tool] built here"]);
    assert_eq!(containers(&context), "");
    // The daemon's own image is used where that is asked for, and asked of its registry otherwise.
    let (_, errors) = context.devloop(&["verify"]).failure();
    assert!(
        errors.contains("error[task/image-pull]: the image `[NAMESPACE]-tool` of `tool` cannot be pulled\n --> skaffold.yaml:8:"),
        "{errors}"
    );
    let (_, errors) = context.devloop(&["verify", "--env-file", "none.env"]).failure();
    assert!(errors.contains("error[config/env-file]: cannot read the environment file `none.env`"), "{errors}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_test_that_fails_or_takes_too_long_is_named_and_the_others_run() {
    let context = project(
        "verify:
- name: good
  container: {name: NS-good, image: localhost:5000/busybox, command: [sh, -c, 'sleep 1; echo good']}
- name: bad
  container: {name: NS-bad, image: localhost:5000/busybox, command: [sh, -c, 'echo bad; exit 3']}
- name: slow
  timeout: 2
  container: {name: NS-slow, image: localhost:5000/busybox, command: [sleep, '600']}
",
    );
    let (output, errors) = context.devloop(&["verify"]).failure();
    assert_eq!(said(&output, "["), ["[[NAMESPACE]-bad] bad", "[[NAMESPACE]-good] good"]);
    insta::assert_snapshot!(errors, @r"
    error[task/failed]: container `[NAMESPACE]-bad` of image `localhost:5000/busybox` ended with exit code 3
      `slow` was stopped after 2 s
    ");
    assert_eq!(containers(&context), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn exec_stops_an_action_at_its_first_failure_unless_told_otherwise() {
    let action = |fail_fast: &str| {
        project(&format!(
            "customActions:
- name: seed
  {fail_fast}
  executionMode: {{local: {{useLocalImages: true}}}}
  containers:
  - {{name: NS-one, image: localhost:5000/busybox, command: [sh, -c, 'sleep 2; echo one']}}
  - {{name: NS-two, image: localhost:5000/busybox, command: [sh, -c, 'exit 7']}}
"
        ))
    };
    let fast = action("");
    let (output, errors) = fast.devloop(&["exec", "seed"]).failure();
    assert_eq!(said(&output, "["), [""; 0]);
    assert!(errors.contains("container `[NAMESPACE]-two` of image `localhost:5000/busybox` ended with exit code 7"), "{errors}");
    assert_eq!(containers(&fast), "");
    let (_, errors) = fast.devloop(&["exec", "sed"]).failure();
    assert_eq!(errors, "error[exec/unknown-action]: there is no custom action `sed`\nhelp: did you mean `seed`?\n");
    let safe = action("failFast: false");
    let (output, _) = safe.devloop(&["exec", "seed"]).failure();
    assert_eq!(said(&output, "["), ["[[NAMESPACE]-one] one"]);
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_is_stopped_leaves_nothing() {
    let context = project(
        "verify:
- name: here
  container: {name: NS-here, image: localhost:5000/busybox, command: [sh, -c, 'echo waiting; sleep 600']}
- name: there
  executionMode: {kubernetesCluster: {}}
  container: {name: check, image: localhost:5000/busybox, command: [sh, -c, 'echo waiting; sleep 600']}
",
    );
    let mut session = Session::of(context.command(&["verify", "--output", "json"]));
    for _ in 0..2 {
        session.until("line", |fact| matches!(fact, EventKind::PodLog { line, .. } if line == "waiting").then_some(()));
    }
    let pid = session.pid();
    let left = session.leaves("INT");
    assert_eq!(left.code, Some(0), "{}", left.errors);
    let ended = left.events.iter().filter(|event| matches!(event.fact, EventKind::TaskFinished { outcome: Outcome::Cancelled, .. }));
    assert_eq!(ended.count(), 2);
    assert_eq!(containers(&context), "");
    assert_eq!(context.kubectl(&["get", "jobs", "-o", "name"]), "");
    let networks = docker(&context, &["network", "ls", "--filter", "label=devloop.dev/task", "--format", "{{.Name}}"]);
    assert!(!networks.contains(&format!("devloop-tasks-{pid}-")), "{networks}");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn verify_runs_jobs_in_the_cluster() {
    let context = project(
        "verify:
- name: count
  executionMode:
    kubernetesCluster: {overrides: '{\"metadata\": {\"annotations\": {\"made\": \"so\"}}, \"spec\": {\"template\": {\"spec\": {\"terminationGracePeriodSeconds\": 0}}}}'}
  container: {name: check, image: localhost:5000/busybox, command: [sh, -c], args: ['for i in $(seq 1 300); do echo line $i; done; echo $OWN'], env: [{name: OWN, value: mine}]}
- name: templated
  executionMode: {kubernetesCluster: {jobManifestPath: job.yaml}}
  container: {name: second, image: localhost:5000/busybox, command: [sh, -c, 'echo $FROM_TEMPLATE']}
",
    )
    .with_file(
        "job.yaml",
        "apiVersion: batch/v1
kind: Job
metadata: {name: any}
spec:
  template:
    spec:
      restartPolicy: OnFailure
      containers:
      - {name: first, image: none}
      - {name: second, image: none, env: [{name: FROM_TEMPLATE, value: kept}]}
",
    );
    let output = context.devloop(&["verify"]).success();
    let lines: Vec<String> = (1..=300).map(|number| format!("[check] line {number}")).chain(["[check] mine".into()]).collect();
    assert_eq!(said(&output, "[check]"), lines, "each line once");
    assert_eq!(said(&output, "[second]"), ["[second] kept"]);
    assert_eq!(context.kubectl(&["get", "jobs,pods", "-o", "name"]), "");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn jobs_that_cannot_work_are_told() {
    let context = project(
        "customActions:
- name: fails
  executionMode: {kubernetesCluster: {}}
  containers: [{name: fails, image: localhost:5000/busybox, command: [sh, -c, 'exit 5']}]
- name: no-image
  executionMode: {kubernetesCluster: {}}
  containers: [{name: no-image, image: 'localhost:5000/none:1'}]
- name: no-job
  executionMode: {kubernetesCluster: {jobManifestPath: pod.yaml}}
  containers: [{name: no-job, image: localhost:5000/busybox}]
- name: slow
  timeout: 3
  executionMode: {kubernetesCluster: {overrides: '{\"spec\": {\"template\": {\"spec\": {\"terminationGracePeriodSeconds\": 0}}}}'}}
  containers: [{name: slow, image: localhost:5000/busybox, command: [sleep, '600']}]
",
    )
    .with_file("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n");
    let told = |action: &str| context.devloop(&["exec", action]).failure().1;
    assert_eq!(told("fails"), "error[task/failed]: container `fails` of image `localhost:5000/busybox` ended with exit code 5\n");
    let errors = told("no-image");
    assert!(
        errors
            .starts_with("error[task/image-pull]: the image `localhost:5000/none:1` of `no-image` cannot be pulled\n --> skaffold.yaml:9:"),
        "{errors}"
    );
    let errors = told("no-job");
    assert!(errors.starts_with("error[task/no-job]: the file of `jobManifestPath` is no Job\n  --> skaffold.yaml:11:"), "{errors}");
    assert!(told("slow").starts_with("error[task/timed-out]: `slow` was stopped after 3 s\n"));
    assert_eq!(context.kubectl(&["get", "jobs", "-o", "name"]), "");
    // What is there under that name and not ours is left alone; what a killed run left is replaced.
    context.kubectl(&["create", "job", "fails", "--image=localhost:5000/busybox", "--", "true"]);
    let errors = told("fails");
    assert!(errors.starts_with("error[task/job-exists]: there is a job/fails already, which is none of devloop's\n"), "{errors}");
    context.kubectl(&["label", "job", "fails", "devloop.dev/task=fails"]);
    assert!(told("fails").contains("ended with exit code 5"));
    looked("end of all jobs", || context.kubectl(&["get", "jobs", "-o", "name"]).is_empty().then_some(()));
}
