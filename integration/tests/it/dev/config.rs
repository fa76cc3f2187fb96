//! Changes of what a project consists of: configuration, manifests, Dockerfiles, what is ignored.

use devloop_model::EventKind;
use devloop_model::Stage;

use super::app::App;

const EXTRA: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: b}\n";

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_keeps_the_last_good_plan_while_the_configuration_is_broken() {
    let app = App::new();
    let mut session = app.dev(&[]);
    app.edit("skaffold.yaml", "artifacts:", "artefacts:");
    let said = session.fails();
    assert!(said.contains("artefacts") && said.contains("skaffold.yaml:5"), "{said}");
    assert!(session.seen.iter().any(|event| matches!(event.fact, EventKind::PlanRejected { .. })));
    app.save("v2");
    session.pass();
    app.serves("v2");

    app.edit("skaffold.yaml", "artefacts:", "artifacts:");
    let mended = session.succeeds();
    assert_eq!((mended.ran(Stage::Configure).len(), mended.changes()), (1, vec![]));
    app.edit("skaffold.yaml", "'k8s/*.yaml'", "'k8s/*.yaml', more.yaml");
    session.fails();
    app.write("more.yaml", EXTRA);
    assert_eq!(session.succeeds().changes(), ["configmap/extra Created"]);
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_deploys_what_changed_in_manifests_and_builds_nothing_for_it() {
    let app = App::new();
    let mut session = app.dev(&[]);
    let (_, pod) = app.pod("web");
    let mut check = |expected: &[&str]| {
        let pass = session.succeeds();
        assert_eq!(pass.changes(), expected);
        assert_eq!((pass.ran(Stage::Prepare).len(), pass.ran(Stage::Build).len()), (0, 0), "{pass:?}");
        assert_eq!(app.pod("web").1, pod);
    };
    app.edit("k8s/app.yaml", "port: 80,", "port: 80, name: http,");
    check(&["service/web Configured"]);
    app.write("k8s/extra.yaml", EXTRA);
    check(&["configmap/extra Created"]);
    app.edit("k8s/extra.yaml", "a: b", "a: c");
    check(&["configmap/extra Configured"]);
    std::fs::remove_file(app.context.path().join("k8s/extra.yaml")).unwrap();
    check(&["configmap/extra Pruned"]);

    // A manifest that is wrong holds the deploy, and nothing else.
    app.edit("k8s/app.yaml", "kind: Service", "kind: Sevrice");
    let said = session.fails();
    assert!(said.contains("Sevrice"), "{said}");
    app.serves("v1");
    app.edit("k8s/app.yaml", "kind: Sevrice", "kind: Service");
    assert_eq!(session.succeeds().changes(), Vec::<String>::new());
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_reads_modules_and_variables_again() {
    let app = App::new();
    app.edit("skaffold.yaml", "build:\n", "requires: [{path: library}]\nbuild:\n");
    app.edit("skaffold.yaml", "    context: web\n", "    context: web\n    docker: {buildArgs: {TEXT: '{{.TEXT}}'}}\n");
    app.edit("web/Dockerfile", "RUN sh", "ARG TEXT\nRUN printf %s \"$TEXT\" > /app/www/index.html && sh");
    app.write("library/skaffold.yaml", "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: library}\n");
    app.write("library/extra.yaml", EXTRA);
    app.write("skaffold.env", "TEXT=one\n");
    let mut session = app.dev(&[]);
    app.serves("one");

    app.write("skaffold.env", "TEXT=two\n");
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);
    app.serves("two");

    let with_manifest = "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: library}\nmanifests: {rawYaml: [extra.yaml]}\n";
    app.write("library/skaffold.yaml", with_manifest);
    let pass = session.succeeds();
    assert_eq!((pass.changes(), pass.ran(Stage::Build).len()), (vec!["configmap/extra Created".to_owned()], 0));
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn dev_follows_the_dockerfile_and_what_it_ignores() {
    let app = App::new();
    let mut session = app.dev(&[]);
    app.edit("web/Dockerfile", "RUN sh", "RUN echo more >> /app/www/index.html && sh");
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);
    app.serves("v1more\n");

    // The pass of a new ignore file is over before what it ignores is touched.
    app.write("web/www/notes", "n1");
    session.succeeds();
    app.write("web/.dockerignore", "www/notes\n.dockerignore\n");
    session.succeeds();
    app.write("web/www/notes", "n2");
    session.sleeps();
    app.write("web/.dockerignore", ".dockerignore\n");
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);

    // A directory that is made, filled, and moved away.
    app.write("web/www/deep/er/page", "p1");
    session.succeeds();
    app.write("web/www/deep/er/page", "p2");
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);
    std::fs::rename(app.context.path().join("web/www/deep"), app.context.path().join("deep")).unwrap();
    // That image was there before.
    let pass = session.succeeds();
    assert_eq!((pass.ran(Stage::Build).len(), pass.changes()), (0, vec!["deployment/web Configured".to_owned()]));
    session.leaves("INT");
}
