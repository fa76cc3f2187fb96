//! Files synced into containers of the daemon.

use devloop_model::EventKind;
use devloop_model::Stage;

use super::DOCKERFILE;
use super::Project;
use crate::session::Pass;
use crate::session::Session;
use crate::session::looked;

const HOOKS: &str = "hooks: {before: [{host: {command: [sh, -c, 'echo $SKAFFOLD_FILES_ADDED_OR_MODIFIED > told']}}], after: [{container: {command: [sh, -c, 'id -u > /app/www/hooked']}}]}";

impl Project {
    /// Makes `www` a directory that is synced to `dest`.
    fn synced(self, dest: &str, more: &str) -> Self {
        let sync = format!("context: web, sync: {{manual: [{{src: 'www/**', dest: {dest}}}], {more}}}");
        self.write("skaffold.yaml", &self.configuration("", "").replace("context: web", &sync));
        self
    }

    /// Returns what a command prints in the container.
    fn run(&self, command: &[&str]) -> String {
        self.docker(&[&["exec", &self.name], command].concat())
    }
}

/// Checks that a pass synced something into one container and built nothing.
#[track_caller]
fn synced(pass: &Pass) {
    assert_eq!((pass.ran(Stage::Sync).len(), pass.ran(Stage::Build).len()), (1, 0), "{pass:?}");
    let containers = pass.events.iter().find_map(|event| match event.fact {
        EventKind::FilesSynced { containers, replayed: false, .. } => Some(containers),
        _ => None,
    });
    assert_eq!(containers, Some(1));
}

fn sorted(lines: &str) -> String {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn replayed(fact: &EventKind) -> Option<()> {
    matches!(fact, EventKind::FilesSynced { replayed: true, .. }).then_some(())
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn a_save_is_synced_and_outlives_the_container() {
    let project = Project::new().synced("/app", HOOKS);
    project.write("web/Dockerfile", &format!("{DOCKERFILE}RUN chown -R 1234 /app\nUSER 1234\n"));
    project.write("web/www/old/page", "old");
    let mut session = Session::start(&project.context, &[]);
    session.succeeds();
    project.answers("v1");
    let before = project.containers();
    project.write("web/www/index.html", "v2");
    synced(&session.succeeds());
    assert_eq!(super::answer(project.port).as_deref(), Some("v2"));
    assert_eq!(project.run(&["stat", "-c", "%u %a", "/app/www/index.html"]), "1234 644");
    assert_eq!(project.run(&["cat", "/app/www/hooked"]), "1234");
    let file = project.context.path().join("web/www/index.html").display().to_string();
    assert_eq!(std::fs::read_to_string(project.context.path().join("told")).unwrap().trim(), file);

    std::fs::rename(project.context.path().join("web/www/old"), project.context.path().join("web/www/new")).unwrap();
    session.succeeds();
    looked("the directory to move", || (project.run(&["find", "/app/www", "-type", "d"]) == "/app/www\n/app/www/new").then_some(()));
    std::fs::remove_file(project.context.path().join("web/www/new/page")).unwrap();
    synced(&session.succeeds());
    assert_eq!(project.run(&["find", "/app/www/new"]), "/app/www/new");
    assert_eq!(project.containers(), before, "a sync replaces no container");

    // A container that is started again has what it had, and gets what it lost.
    project.run(&["rm", "/app/www/index.html"]);
    project.docker(&["restart", &project.name]);
    session.until("the replay", replayed);
    project.answers("v2");
    assert_eq!(project.containers(), before);

    // Another port takes another container, of the same image.
    let config = std::fs::read_to_string(project.context.path().join("skaffold.yaml")).unwrap();
    project.write("skaffold.yaml", &config.replace("localPort", "address: 0.0.0.0, localPort"));
    let pass = session.succeeds();
    assert_eq!(pass.ran(Stage::Build).len(), 0, "{pass:?}");
    assert_ne!(project.containers(), before);
    project.answers("v2");
    looked("the old directory to go", || (!project.run(&["find", "/app/www"]).contains("old")).then_some(()));
    session.leaves("INT");
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn an_image_without_a_shell_is_synced_and_owners_stay() {
    let project = Project::new().synced("/", "");
    std::fs::copy("/bin/busybox", project.context.path().join("web/busybox")).unwrap();
    let dockerfile = "FROM scratch\nCOPY busybox /busybox\nCOPY www /www\nUSER 1234\nCMD [\"/busybox\", \"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n";
    project.write("web/Dockerfile", dockerfile);
    project.write("web/www/other", "");
    let mut session = Session::start(&project.context, &[]);
    session.succeeds();
    project.answers("v1");
    let before = project.containers();
    for text in ["v2", "v3"] {
        project.write("web/www/index.html", text);
        synced(&session.succeeds());
        assert_eq!(super::answer(project.port).as_deref(), Some(text));
    }
    std::fs::remove_file(project.context.path().join("web/www/index.html")).unwrap();
    synced(&session.succeeds());
    assert_eq!(super::answer(project.port), None);
    project.write("web/www/sub/index.html", "deep");
    synced(&session.succeeds());
    assert_eq!(sorted(&project.run(&["/busybox", "find", "/www", "-user", "0"])), "/www\n/www/other\n/www/sub\n/www/sub/index.html");
    assert_eq!(project.containers(), before);

    // What no rule syncs is built, with all that was synced.
    project.write("web/www/index.html", "v4");
    synced(&session.succeeds());
    project.write("web/Dockerfile", &format!("{dockerfile}LABEL x=y\n"));
    assert_eq!(session.succeeds().ran(Stage::Build).len(), 1);
    assert_ne!(project.containers(), before);
    project.answers("v4");
    session.leaves("INT");
}
