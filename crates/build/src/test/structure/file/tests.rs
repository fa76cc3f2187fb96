use super::*;

fn fault(text: &str) -> String {
    parse(Path::new("test/web.yaml"), text).unwrap_err().to_string()
}

#[test]
fn a_file_is_yaml_or_json() {
    let yaml = "schemaVersion: 2.0.0\nfileExistenceTests: [{name: app, path: /app, uid: 0, isExecutableBy: any}]\n";
    let json = r#"{"schemaVersion": "2.0.0", "fileExistenceTests": [{"name": "app", "path": "/app", "shouldExist": false}]}"#;
    let of = |text| parse(Path::new("x"), text).unwrap().file_existence_tests.remove(0);
    let (yaml, json) = (of(yaml), of(json));
    assert_eq!((yaml.should_exist, yaml.uid, yaml.gid, yaml.is_executable_by), (true, Some(0), None, Some(Who::Any)));
    assert_eq!((json.should_exist, json.name.value.as_str()), (false, "app"));
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    insta::assert_snapshot!(fault("commandTests: []\n"), @r"
    error[test/unknown-version]: test/web.yaml does not say its `schemaVersion`
     --> test/web.yaml:1:1
      |
    1 | commandTests: []
      | ^
    help: write `schemaVersion: 2.0.0`
    ");
    insta::assert_snapshot!(fault("schemaVersion: 1.0.0\n"), @r"
    error[test/unknown-version]: `1.0.0` is no version of structure tests that this version of devloop reads
     --> test/web.yaml:1:16
      |
    1 | schemaVersion: 1.0.0
      |                ^
    help: write `schemaVersion: 2.0.0`
    ");
    insta::assert_snapshot!(fault("schemaVersion: 2.0.0\nmetadataTest:\n  env: [{key: A, value: b}]\n"), @r"
    error[test/invalid-file]: test/web.yaml is no valid file of structure tests
     --> test/web.yaml:3:3
      |
    3 |   env: [{key: A, value: b}]
      |   ^
      unknown field `env`, expected one of envVars, unboundEnvVars, labels, entrypoint, cmd, exposedPorts, unexposedPorts, volumes, unmountedVolumes, workdir, user
    ");
    insta::assert_snapshot!(fault("schemaVersion: 2.0.0\nfileExistenceTests:\n  - name: app\n    path: /app\n    uid: root\n"), @r"
    error[test/invalid-file]: test/web.yaml is no valid file of structure tests
     --> test/web.yaml:5:10
      |
    5 |     uid: root
      |          ^
      expected a whole number
    ");
    insta::assert_snapshot!(fault("schemaVersion: 2.0.0\ncommandTests:\n  - name: app\n    args: [a]\n"), @r"
    error[test/invalid-file]: test/web.yaml is no valid file of structure tests
     --> test/web.yaml:4:5
      |
    4 |     args: [a]
      |     ^
      missing field `command`
    ");
    insta::assert_snapshot!(fault("schemaVersion: 2.0.0\nfileContentTests:\n  - name: app\n    path: /a\n    expectedContents: ['a(']\n"), @r"
    error[test/invalid-file]: test/web.yaml is no valid file of structure tests
     --> test/web.yaml:5:24
      |
    5 |     expectedContents: ['a(']
      |                        ^
      `a(` is no regular expression: unclosed group
    ");
    insta::assert_snapshot!(fault("schemaVersion: 2.0.0\nfileExistenceTests: [{name: a, path: /a, isExecutableBy: all}]\n"), @r"
    error[test/invalid-file]: test/web.yaml is no valid file of structure tests
     --> test/web.yaml:2:58
      |
    2 | fileExistenceTests: [{name: a, path: /a, isExecutableBy: all}]
      |                                                          ^
      unknown variant `all`, expected one of owner, group, other, any
    ");
    insta::assert_snapshot!(fault("schemaVersion: 2.0.0\nx: ["), @r"
    error[test/invalid-file]: test/web.yaml is no valid file of structure tests
     --> test/web.yaml:2:4
      |
    2 | x: [
      |    ^
      unclosed bracket '['
    ");
}
