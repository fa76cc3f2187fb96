use super::*;
use crate::Source;
use crate::parse_documents;

const DOCUMENT: &str = "
build:
  artifacts:
  - image: web
    docker: {dockerfile: Dockerfile}
  - image: gcr.io/p/api
  tagPolicy: {gitCommit: {}}
deploy:
  kubectl: {}
";

fn patched(patches: &str) -> Result<serde_json::Value, String> {
    let parse = |file: &str, text: &str| parse_documents(&Source::new(file, text)).unwrap().remove(0);
    let mut document = parse("skaffold.yaml", DOCUMENT);
    match apply(&mut document, &parse("patches.yaml", patches)) {
        Ok(()) => Ok(document.to_json()),
        Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[test]
fn patches_change_what_their_paths_lead_to() {
    let images = "/build/artifacts";
    for (patches, pointer, expected) in [
        ("- {path: /build/artifacts/0/image, value: new}", "/build/artifacts/0/image", "\"new\""),
        ("- {op: replace, path: /build/tagPolicy, value: {sha256: {}}}", "/build/tagPolicy", r#"{"sha256":{}}"#),
        ("- {op: add, path: /build/artifacts/-, value: {image: c}}", "/build/artifacts/2", r#"{"image":"c"}"#),
        ("- {op: add, path: /build/artifacts/0, value: {image: c}}", "/build/artifacts/0", r#"{"image":"c"}"#),
        ("- {op: add, path: /build/artifacts/0, value: {image: c}}", "/build/artifacts/1/image", "\"web\""),
        ("- {op: add, path: /build/artifacts/0/docker/target, value: dev}", "/build/artifacts/0/docker/target", "\"dev\""),
        ("- {op: add, path: /metadata, value: {name: x}}", "/metadata/name", "\"x\""),
        ("- {op: remove, path: /build/artifacts/0}", images, r#"[{"image":"gcr.io/p/api"}]"#),
        ("- {op: remove, path: /build/artifacts/0/docker}", "/build/artifacts/0", r#"{"image":"web"}"#),
        (
            "- {op: move, from: /build/artifacts/0/docker, path: /build/artifacts/1/kaniko}",
            "/build/artifacts/1/kaniko/dockerfile",
            "\"Dockerfile\"",
        ),
        (
            "- {op: copy, from: /build/artifacts/0/docker, path: /build/artifacts/1/docker}",
            "/build/artifacts/0/docker/dockerfile",
            "\"Dockerfile\"",
        ),
        ("- {op: copy, from: /build/artifacts/0, path: /build/artifacts/1}", "/build/artifacts/1/image", "\"web\""),
        ("- {op: copy, from: /build/artifacts/0, path: /build/artifacts/2}", "/build/artifacts/2/image", "\"web\""),
        (
            "- {op: test, path: /build/artifacts/0/image, value: web}\n- {path: /build/artifacts/0/image, value: b}",
            "/build/artifacts/0/image",
            "\"b\"",
        ),
        ("- {path: /build/artifacts/image=web/docker/dockerfile, value: D}", "/build/artifacts/0/docker/dockerfile", "\"D\""),
        ("- {op: remove, path: /build/artifacts/image=web}", images, r#"[{"image":"gcr.io/p/api"}]"#),
        ("- {path: /build/artifacts/image=gcr.io~1p~1api/image, value: x}", "/build/artifacts/1/image", "\"x\""),
        ("- {op: add, path: /deploy/kubectl/a~1b~0c, value: 1}", "/deploy/kubectl", r#"{"a/b~c":1}"#),
        ("[]", "/deploy", r#"{"kubectl":{}}"#),
    ] {
        let found = patched(patches).map(|json| json.pointer(pointer).map(ToString::to_string));
        assert_eq!(found, Ok(Some(expected.to_owned())), "{patches}");
    }
}

#[test]
fn a_patch_that_does_not_apply_says_why_at_its_line() {
    let fault = |text: &str| patched(text).unwrap_err();
    insta::assert_snapshot!(fault("- path: /build/artifacts/2/image\n  value: x\n"), @"
    error[config/patch-path]: nothing is at `/build/artifacts/2/image`
     --> patches.yaml:1:9
      |
    1 | - path: /build/artifacts/2/image
      |         ^^^^^^^^^^^^^^^^^^^^^^^^
      `2` is no place in a list of 2 items
    ");
    insta::assert_snapshot!(fault("- path: /build/artefacts\n  value: x\n"), @"
    error[config/patch-path]: nothing is at `/build/artefacts`
     --> patches.yaml:1:9
      |
    1 | - path: /build/artefacts
      |         ^^^^^^^^^^^^^^^^
      there is no `artefacts` beside: artifacts, tagPolicy
    ");
    insta::assert_snapshot!(fault("- path: /deploy/kubectl/flags\n  value: x\n"), @"
    error[config/patch-path]: nothing is at `/deploy/kubectl/flags`
     --> patches.yaml:1:9
      |
    1 | - path: /deploy/kubectl/flags
      |         ^^^^^^^^^^^^^^^^^^^^^
      there is no `flags`, the mapping around it is empty
    ");
    insta::assert_snapshot!(fault("- path: /build/artifacts/0/image/x\n  value: x\n"), @"
    error[config/patch-path]: nothing is at `/build/artifacts/0/image/x`
     --> patches.yaml:1:9
      |
    1 | - path: /build/artifacts/0/image/x
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^
      `x` would stand in text
    ");
    insta::assert_snapshot!(fault("- op: add\n  path: /build/artifacts/7\n  value: x\n"), @"
    error[config/patch-path]: nothing is at `/build/artifacts/7`
     --> patches.yaml:2:9
      |
    2 |   path: /build/artifacts/7
      |         ^^^^^^^^^^^^^^^^^^
      `7` is no place in a list of 2 items
    ");
    insta::assert_snapshot!(fault("- op: remove\n  path: /test\n"), @"
    error[config/patch-path]: nothing is at `/test`
     --> patches.yaml:2:9
      |
    2 |   path: /test
      |         ^^^^^
      there is no `test` beside: build, deploy
    ");
    insta::assert_snapshot!(fault("- op: move\n  path: /test\n"), @"
    error[config/missing-field]: this patch has no `from`
     --> patches.yaml:1:3
      |
    1 | - op: move
      |   ^^
    ");
    insta::assert_snapshot!(fault("- op: copy\n  from: /nope\n  path: /test\n"), @"
    error[config/patch-path]: nothing is at `/nope`
     --> patches.yaml:2:9
      |
    2 |   from: /nope
      |         ^^^^^
      there is no `nope` beside: build, deploy
    ");
    insta::assert_snapshot!(fault("- op: merge\n  path: /build\n"), @"
    error[config/patch-operation]: there is no patch operation `merge`
     --> patches.yaml:1:7
      |
    1 | - op: merge
      |       ^^^^^
    help: use one of: add, remove, replace, move, copy, test
    ");
    insta::assert_snapshot!(fault("- op: test\n  path: /build/artifacts/0/image\n  value: api\n"), @r#"
    error[config/patch-test]: the test of `/build/artifacts/0/image` fails: it is `"web"`, not `"api"`
     --> patches.yaml:2:9
      |
    2 |   path: /build/artifacts/0/image
      |         ^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(fault("- path: build/artifacts\n"), @"
    error[config/patch-path]: the path `build/artifacts` does not start with `/`
     --> patches.yaml:1:9
      |
    1 | - path: build/artifacts
      |         ^^^^^^^^^^^^^^^
    help: write it like `/build/artifacts/0/image`
    ");
    insta::assert_snapshot!(fault("- value: x\n"), @"
    error[config/missing-field]: this patch has no `path`
     --> patches.yaml:1:3
      |
    1 | - value: x
      |   ^^^^^
    ");
    insta::assert_snapshot!(fault("- path: /build/artifacts/image=none/docker\n  value: x\n"), @"
    error[config/patch-path]: nothing is found at `/build/artifacts/image=none/docker`
     --> patches.yaml:1:9
      |
    1 | - path: /build/artifacts/image=none/docker
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      a step `key=value` finds mappings that have this entry
    ");
    insta::assert_snapshot!(fault("path: /build\n"), @"
    error[config/wrong-type]: `patches` takes a list, not a mapping
     --> patches.yaml:1:1
      |
    1 | path: /build
      | ^^^^
    ");
}
