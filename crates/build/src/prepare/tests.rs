//! Artifacts from files to answers of the cache, without any registry or daemon.

use std::fs;
use std::path::Path;

use devloop_clients::ClientSettings;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Tagger;
use devloop_model::Template;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing;

fn watched() -> (Cx, UnboundedReceiver<EventKind>) {
    let (sender, receiver) = unbounded_channel();
    (Cx::new(StepId::of(Stage::Prepare), Env::default(), EventSink::new(sender), CancellationToken::new()), receiver)
}

fn options(dir: &Path) -> BuildOptions {
    BuildOptions { push: Some(false), ..BuildOptions::without_cluster(dir.join("cache"), dir.to_owned(), "run") }
}

fn shown(mut events: UnboundedReceiver<EventKind>) -> String {
    let mut lines = Vec::new();
    while let Ok(event) = events.try_recv() {
        lines.push(match event {
            EventKind::TaggingStarted => "tagging".to_owned(),
            EventKind::ImageTagged { reference, .. } => format!("tagged {reference}"),
            EventKind::CacheCheckStarted => "checking".to_owned(),
            EventKind::CacheChecked { artifact, outcome, causes, .. } => {
                format!("{artifact} {outcome:?}: {}", causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            EventKind::Warned { diagnostic } => diagnostic.to_string(),
            other => format!("{other:?}"),
        });
    }
    lines.join("\n")
}

#[tokio::test]
async fn artifacts_are_tagged_and_looked_up_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("main.go"), "x").unwrap();
    let web = testing::custom("web", dir.path());
    let broken = Artifact { tagger: Tagger::EnvTemplate(Template::parse("{{.NONE}}").unwrap()), ..testing::custom("api", dir.path()) };
    let (cx, events) = watched();
    let clients = Clients::new(ClientSettings::default());
    let prepared = prepare(&[Arc::new(web), Arc::new(broken)], &options(dir.path()), &clients, &cx).await.unwrap();
    assert_eq!(prepared[0].key, prepared[1].key, "the same goes into both");
    insta::assert_snapshot!(shown(events), @r"
    tagging
    warning[build/no-tag]: `api` is tagged `latest`, as its tagger has no tag
      the template `{{.NONE}}` names a variable that is not set
    tagged web:latest
    tagged api:latest
    checking
    web NotFound: never built here
    api NotFound: never built here
    ");
}

#[tokio::test]
async fn without_the_cache_everything_is_built() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("main.go"), "x").unwrap();
    let (cx, events) = watched();
    let options = BuildOptions { cache_artifacts: false, tag: Some("v7".to_owned()), ..options(dir.path()) };
    let prepared =
        prepare(&[Arc::new(testing::custom("web", dir.path()))], &options, &Clients::new(ClientSettings::default()), &cx).await.unwrap();
    assert_eq!(prepared[0].state, PreparedState::ToBuild { causes: vec![RebuildCause::CacheOff] });
    insta::assert_snapshot!(shown(events), @r"
    tagging
    tagged web:v7
    web NotFound: the cache is off
    ");
}

#[tokio::test]
async fn what_cannot_be_prepared_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (cx, _events) = watched();
    let clients = Clients::new(ClientSettings::default());
    let fault = async |artifact: Artifact, options: &BuildOptions| {
        let error = prepare(&[Arc::new(artifact)], options, &clients, &cx).await.unwrap_err();
        error.diagnostic().to_string().replace(dir.path().to_str().unwrap(), "[dir]")
    };
    insta::assert_snapshot!(fault(testing::custom("web", &dir.path().join("none")), &options(dir.path())).await, @r"
    error[build/no-context]: the build context of `web` does not exist: `[dir]/none`
     --> skaffold.yaml:1:1
      |
    1 | image: web
      | ^
    help: set `context` to an existing directory, relative to skaffold.yaml
    ");
    let bad_tag = BuildOptions { tag: Some("a/b".to_owned()), ..options(dir.path()) };
    insta::assert_snapshot!(fault(testing::custom("web", dir.path()), &bad_tag).await.lines().next().unwrap(), @"error[build/bad-tag]: `a/b` is not a valid tag: a tag has at most 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two");
    let mut own = testing::custom("web", dir.path());
    own.requires = vec![devloop_model::Requirement { image: own.image.clone(), alias: "X".to_owned() }];
    insta::assert_snapshot!(fault(own, &options(dir.path())).await.lines().next().unwrap(), @"error[build/circle]: artifacts require one another in a circle: `web` -> `web`");
}

#[tokio::test]
async fn an_input_that_changed_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("main.go"), "x").unwrap();
    let (cx, _events) = watched();
    let options = options(&dir.path().join("elsewhere"));
    let prepared =
        prepare(&[Arc::new(testing::custom("web", dir.path()))], &options, &Clients::new(ClientSettings::default()), &cx).await.unwrap();
    let index = HashIndex::open(&options.cache_dir);
    assert!(inputs_are_the_same(&prepared[0].inputs, &index));
    fs::write(dir.path().join("main.go"), "y").unwrap();
    assert!(!inputs_are_the_same(&prepared[0].inputs, &index));
}
