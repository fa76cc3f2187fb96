use super::*;

fn edited(text: &str, index: usize, path: &[Step<'_>], value: Option<Json>) -> String {
    let mut edit = Edit::of(Source::new("skaffold.yaml", text)).unwrap();
    match edit.set(index, path, value) {
        Ok(()) => edit.into_source().text.clone(),
        Err(errors) => errors[0].what.clone(),
    }
}

use Step::Item;
use Step::Key;
use Step::Push;

const TEXT: &str = "\
# top
apiVersion: skaffold/v4beta14 # version
kind: Config
build: # how
  # the images
  artifacts:
  - image: web # web
    docker: {dockerfile: D}
  local:
    push: true # always
    # of build

# of profiles
profiles:
  - name: one # first
    build:
      local: {}
  # two
  - name: two
---
kind: Config
build: {artifacts: [{image: x}]} # flow
";

#[test]
fn only_what_changes_is_written_anew() {
    insta::assert_snapshot!(edited(TEXT, 0, &[Key("build"), Key("cluster")], Some(json!({"namespace": "n"}))), @r#"
    # top
    apiVersion: skaffold/v4beta14 # version
    kind: Config
    build: # how
      # the images
      artifacts:
      - image: web # web
        docker: {dockerfile: D}
      local:
        push: true # always
        # of build
      cluster:
        namespace: "n"

    # of profiles
    profiles:
      - name: one # first
        build:
          local: {}
      # two
      - name: two
    ---
    kind: Config
    build: {artifacts: [{image: x}]} # flow
    "#);
    insta::assert_snapshot!(edited(TEXT, 0, &[Key("build"), Key("local")], None), @"
    # top
    apiVersion: skaffold/v4beta14 # version
    kind: Config
    build: # how
      # the images
      artifacts:
      - image: web # web
        docker: {dockerfile: D}

    # of profiles
    profiles:
      - name: one # first
        build:
          local: {}
      # two
      - name: two
    ---
    kind: Config
    build: {artifacts: [{image: x}]} # flow
    ");
    insta::assert_snapshot!(edited(TEXT, 0, &[Key("profiles"), Item(1), Key("build"), Key("cluster")], Some(json!({}))), @"
    # top
    apiVersion: skaffold/v4beta14 # version
    kind: Config
    build: # how
      # the images
      artifacts:
      - image: web # web
        docker: {dockerfile: D}
      local:
        push: true # always
        # of build

    # of profiles
    profiles:
      - name: one # first
        build:
          local: {}
      # two
      - name: two
        build:
          cluster: {}
    ---
    kind: Config
    build: {artifacts: [{image: x}]} # flow
    ");
    insta::assert_snapshot!(edited(TEXT, 0, &[Key("profiles"), Item(0), Key("name")], Some("uno".into())), @"
    # top
    apiVersion: skaffold/v4beta14 # version
    kind: Config
    build: # how
      # the images
      artifacts:
      - image: web # web
        docker: {dockerfile: D}
      local:
        push: true # always
        # of build

    # of profiles
    profiles:
      - name: uno
        build:
          local: {}
      # two
      - name: two
    ---
    kind: Config
    build: {artifacts: [{image: x}]} # flow
    ");
    insta::assert_snapshot!(edited(TEXT, 0, &[Key("profiles"), Push, Key("name")], Some("three".into())), @"
    # top
    apiVersion: skaffold/v4beta14 # version
    kind: Config
    build: # how
      # the images
      artifacts:
      - image: web # web
        docker: {dockerfile: D}
      local:
        push: true # always
        # of build

    # of profiles
    profiles:
      - name: one # first
        build:
          local: {}
      # two
      - name: two
      - name: three
    ---
    kind: Config
    build: {artifacts: [{image: x}]} # flow
    ");
    insta::assert_snapshot!(edited(TEXT, 0, &[Key("requires"), Push], Some(json!({"path": "a"}))), @"
    # top
    apiVersion: skaffold/v4beta14 # version
    kind: Config
    build: # how
      # the images
      artifacts:
      - image: web # web
        docker: {dockerfile: D}
      local:
        push: true # always
        # of build

    # of profiles
    profiles:
      - name: one # first
        build:
          local: {}
      # two
      - name: two
    requires:
    - path: a
    ---
    kind: Config
    build: {artifacts: [{image: x}]} # flow
    ");
    insta::assert_snapshot!(edited(TEXT, 1, &[Key("build"), Key("cluster")], Some(json!({"namespace": "n"}))), @r#"
    # top
    apiVersion: skaffold/v4beta14 # version
    kind: Config
    build: # how
      # the images
      artifacts:
      - image: web # web
        docker: {dockerfile: D}
      local:
        push: true # always
        # of build

    # of profiles
    profiles:
      - name: one # first
        build:
          local: {}
      # two
      - name: two
    ---
    kind: Config
    build:
      artifacts:
      - image: x
      cluster:
        namespace: "n"
    "#);
}
