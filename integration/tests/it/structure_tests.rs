//! Files of structure tests, against an image that has what they ask for and lacks what they miss.
//!
//! Every check of the table says by its name whether it has to pass. With `CONTAINER_STRUCTURE_TEST=PROGRAM`, the original is
//! run on the same files, and has to come to the same results.

use std::collections::BTreeMap;
use std::process::Command;

use crate::context::TestContext;
use crate::context::cluster_environment;

const DOCKERFILE: &str = r#"FROM localhost:5000/busybox
RUN mkdir -p /srv/data && echo 'listen 8080;' > /srv/app.conf && echo '{"status":"ok"}' > /srv/status.json \
    && printf '#!/bin/sh\necho out $1; echo err >&2; exit 3\n' > /srv/run && chmod 0750 /srv/run && chown 1000:50 /srv/run \
    && chmod 1777 /srv/data && chmod 4755 /bin/busybox && ln -s app.conf /srv/link && ln -s /nowhere /srv/dangling
ENV MODE=fast GREETING="hello world"
LABEL vendor=ACME built=2026-01-02
EXPOSE 8080 9090/udp
VOLUME /srv/data
WORKDIR /srv
USER 1000
ENTRYPOINT ["/srv/run"]
CMD ["serve", "--now"]
"#;

const COMMANDS: &str = r#"
schemaVersion: 2.0.0
globalEnvVars: [{key: EXTRA, value: "$MODE-extra"}, {key: PATH, value: "/srv:$PATH"}]
commandTests:
  - {name: passes exit code, command: /srv/run, exitCode: 3}
  - {name: fails exit code, command: /srv/run}
  - {name: passes output, command: run, args: [one], exitCode: 3, expectedOutput: ['^out one\n$', out], excludedOutput: [err], expectedError: [err]}
  - {name: fails output, command: run, exitCode: 3, expectedOutput: [nothing]}
  - {name: fails excluded output, command: run, exitCode: 3, excludedOutput: ['o.t']}
  - {name: fails excluded error, command: run, exitCode: 3, excludedError: [err]}
  - {name: fails to start, command: /no/such/program}
  - {name: passes image variables, command: echo, args: ["$MODE", "${GREETING}", "$EXTRA"], expectedOutput: ['^fast hello world fast-extra\n$']}
  - {name: passes own variables, command: sh, args: [-c, env], envVars: [{key: OWN, value: mine}], expectedOutput: ['OWN=mine', 'EXTRA=fast-extra']}
  - {name: passes own variables are not in arguments, command: echo, args: ["[$OWN]"], envVars: [{key: OWN, value: mine}], expectedOutput: ['^\[\]\n$']}
  - name: passes setup
    setup: [[sh, -c, "echo one > /tmp/file"], [sh, -c, "echo two >> /tmp/file"], [sh, -c, "exit 1"]]
    teardown: [[rm, /tmp/file]]
    command: cat
    args: [/tmp/file]
    expectedOutput: ['one\ntwo']
  - {name: passes nothing is left of a setup, command: test, args: ["!", -e, /tmp/file]}
  - {name: passes regex of Go, command: cat, args: [status.json], expectedOutput: ['{"status":"ok"}', '"[[:alpha:]]+"', '\Q{"\E']}
  - {name: passes end of text, command: echo, args: [-n, "a"], expectedOutput: ['a$']}
  - {name: fails newline before the end, command: echo, args: ["a"], expectedOutput: ['a$']}
  - {name: passes user, command: id, args: [-u], expectedOutput: ['^1000']}
"#;

const FILES: &str = r#"
schemaVersion: 2.0.0
fileExistenceTests:
  - {name: passes file, path: /srv/app.conf, shouldExist: true, permissions: -rw-r--r--, uid: 0, gid: 0}
  - {name: passes by default, path: /srv/app.conf}
  - {name: fails missing, path: /srv/none}
  - {name: passes missing, path: /srv/none, shouldExist: false}
  - {name: fails there, path: /srv/run, shouldExist: false}
  - {name: passes owner, path: /srv/run, uid: 1000, gid: 50, permissions: -rwxr-x---, isExecutableBy: group}
  - {name: fails owner, path: /srv/run, uid: 0}
  - {name: fails group, path: /srv/run, gid: 1000}
  - {name: fails executable, path: /srv/run, isExecutableBy: other}
  - {name: fails permissions, path: /srv/run, permissions: -rwxr-xr-x}
  - {name: passes directory, path: /srv, permissions: drwxr-xr-x, isExecutableBy: any}
  - {name: passes root, path: /, shouldExist: true}
  - {name: passes sticky directory, path: /srv/data, permissions: dtrwxrwxrwx}
  - {name: passes set-user-ID, path: /bin/busybox, permissions: urwxr-xr-x}
  - {name: passes link, path: /srv/link, permissions: Lrwxrwxrwx}
  - {name: passes dangling link, path: /srv/dangling}
  - {name: passes variable, path: "/srv/run${NONE}"}
fileContentTests:
  - {name: passes content, path: /srv/app.conf, expectedContents: ['listen \d+;'], excludedContents: ['listen 80;']}
  - {name: fails content, path: /srv/app.conf, expectedContents: [nothing]}
  - {name: fails excluded content, path: /srv/app.conf, excludedContents: ['^listen']}
  - {name: fails no file, path: /srv/none, excludedContents: [x]}
  - {name: fails directory, path: /srv, excludedContents: [x]}
"#;

const METADATA: &str = r#"
schemaVersion: 2.0.0
metadataTest:
  envVars: [{key: MODE, value: fast}, {key: GREETING, value: "^hello", isRegex: true}]
  unboundEnvVars: [{key: DEBUG}]
  labels: [{key: vendor, value: ACME}, {key: built, value: '^\d{4}-\d{2}-\d{2}$', isRegex: true}]
  entrypoint: [/srv/run]
  cmd: [serve, --now]
  exposedPorts: ["8080", "9090"]
  unexposedPorts: ["80"]
  volumes: [/srv/data]
  unmountedVolumes: [/tmp]
  workdir: /srv
  user: "1000"
"#;

/// Metadata that the image does not have: each is a file of its own, as a file has one such test.
const WRONG_METADATA: [&str; 10] = [
    "envVars: [{key: MODE, value: slow}]",
    "envVars: [{key: NONE, value: a}]",
    "unboundEnvVars: [{key: MODE}]",
    "labels: [{key: vendor, value: 'A', isRegex: false}]",
    "entrypoint: []",
    "cmd: [serve]",
    "exposedPorts: ['80']",
    "volumes: [/srv]",
    "workdir: /",
    "user: root",
];

const OPTIONS: &str = r"
schemaVersion: 2.0.0
containerRunOptions: {user: '0', envVars: [FROM_HOST], capabilities: [NET_ADMIN]}
commandTests:
  - {name: passes user of the options, command: id, args: [-u], expectedOutput: ['^0']}
  - {name: passes variable of the options, command: sh, args: [-c, env], expectedOutput: ['FROM_HOST=yes']}
";

/// Returns what came of each check: `Command Test: passes exit code`, and whether it passed.
fn ours(context: &TestContext, image: &str, file: &str) -> BTreeMap<String, bool> {
    let skaffold = format!("apiVersion: skaffold/v4beta13\nkind: Config\ntest: [{{image: it, structureTests: [{file}]}}]\n");
    std::fs::write(context.path().join("test.yaml"), skaffold).unwrap();
    let run = context.devloop(&["test", "-f", "test.yaml", "-i", &format!("it={image}")]);
    let results = run.stdout.lines().filter(|line| line.contains(" Test: ") || line.starts_with("Metadata Test"));
    let results: BTreeMap<String, bool> = results
        .map(|line| {
            let (name, how) = line.rsplit_once(": ").unwrap();
            (name.to_owned(), how == "passed")
        })
        .collect();
    assert_eq!(run.code == 0, results.values().all(|passed| *passed), "{}\n{}", run.stdout, run.stderr);
    results
}

/// Returns the same of the original program, where there is one.
fn theirs(context: &TestContext, image: &str, file: &str) -> Option<BTreeMap<String, bool>> {
    let program = std::env::var_os("CONTAINER_STRUCTURE_TEST")?;
    let output = Command::new(program)
        .args(["test", "--image", image, "--config", file, "--output", "json"])
        .current_dir(context.path())
        .envs(cluster_environment())
        .env("FROM_HOST", "yes")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let json: serde_json::Value = text.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_else(|| panic!("{text}"));
    let results = json["Results"].as_array().unwrap().iter();
    Some(results.map(|result| (result["Name"].as_str().unwrap().to_owned(), result["Pass"] == true)).collect())
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn what_has_to_be_in_an_image_is_found_as_by_the_original() {
    let context = TestContext::new().with("FROM_HOST", "yes").with_file("Dockerfile", DOCKERFILE);
    let image = format!("localhost:5000/it/structure-{}:v1", context.namespace());
    context.docker(&["build", "--quiet", "--tag", &image, "."]);
    let wrong = WRONG_METADATA.map(|metadata| format!("schemaVersion: 2.0.0\nmetadataTest: {{{metadata}}}\n"));
    let files = [COMMANDS, FILES, METADATA, OPTIONS].into_iter().chain(wrong.iter().map(String::as_str));
    for (index, text) in files.enumerate() {
        let file = format!("{index}.yaml");
        std::fs::write(context.path().join(&file), text).unwrap();
        let ours = ours(&context, &image, &file);
        assert!(!ours.is_empty(), "{text}");
        let unexpected = ours.iter().filter(|(name, passed)| **passed != (name.contains(": passes") || text == METADATA));
        let unexpected: Vec<_> = unexpected.collect();
        assert!(unexpected.is_empty(), "{unexpected:?} of {text}");
        if let Some(theirs) = theirs(&context, &image, &file) {
            // The original leaves out what kind of test could not be started.
            let last = |results: &BTreeMap<String, bool>| -> BTreeMap<String, bool> {
                results.iter().map(|(name, passed)| (name.rsplit(": ").next().unwrap().to_owned(), *passed)).collect()
            };
            assert_eq!(last(&ours), last(&theirs), "{text}");
        }
    }
    context.docker(&["image", "rm", "--force", &image]);
}
