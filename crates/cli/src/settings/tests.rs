//! From a line to settings.

use super::*;
use crate::args;
use crate::args::ArgsError;

fn env(variables: &[(&str, &str)]) -> Env {
    let home = std::iter::once(("HOME".to_owned(), "/home/me".to_owned()));
    Env::new(home.chain(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect())
}

fn resolved(line: &str) -> Result<Settings, ArgsError> {
    let env = env(&[]);
    let parsed = args::parse(shlex::split(line).unwrap().into_iter().map(Into::into), &env)?;
    Settings::resolve(parsed.cli, &env)
}

fn settings(line: &str) -> Settings {
    resolved(line).unwrap()
}

#[test]
fn a_plain_run_is_skaffolds_default() {
    let settings = settings("devloop run");
    assert!(matches!(settings.command, CommandSettings::Run { tail: false, digest_source: None }));
    assert_eq!(settings.config.source, ConfigSource::Found);
    assert_eq!(settings.target.default_repo, None);
    assert!(settings.build.cache && settings.build.node_platforms && !settings.build.one_platform);
    assert_eq!((settings.build.concurrency, settings.build.push), (None, None));
    assert_eq!(settings.deploy.status_check, None);
    assert!(settings.deploy.node_affinity && settings.deploy.arm_toleration);
    assert_eq!(settings.deploy.wait_for_deletions, Some(Duration::from_mins(1)));
    assert_eq!(settings.console.progress, Progress::Stdout);
    assert!(!settings.console.json);
}

#[test]
fn values_reach_their_place() {
    let settings = settings(
        "devloop run -f - -n ns -d '' --kube-context kind --build-concurrency 0 --platform linux/amd64,linux/arm64 -l a=b,c -t v1 \
         --status-check=false --wait-for-deletions=false --mute-logs build,status-check --cache-file /tmp/cache --tail",
    );
    assert!(matches!(settings.command, CommandSettings::Run { tail: true, .. }));
    assert_eq!(settings.config.source, ConfigSource::Stdin);
    assert_eq!(settings.target.namespace.as_deref(), Some("ns"));
    assert_eq!(settings.target.default_repo.as_deref(), Some(""));
    assert_eq!(settings.target.context.as_deref(), Some("kind"));
    assert_eq!(settings.build.concurrency, Some(0));
    assert_eq!(settings.build.platforms.iter().map(Platform::as_str).collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
    assert_eq!(settings.build.cache_dir, PathBuf::from("/tmp/cache.devloop"));
    assert_eq!(settings.build.tag.as_deref(), Some("v1"));
    assert_eq!(settings.deploy.labels, [("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())]);
    assert_eq!(settings.deploy.status_check, Some(false));
    assert_eq!(settings.deploy.wait_for_deletions, None);
    assert_eq!(settings.console.mute, Mute { build: true, tests: false, deploy: false, status_check: true });
}

#[test]
fn some_images_are_built_but_all_are_deployed() {
    for command in ["build", "diagnose"] {
        assert_eq!(settings(&format!("devloop {command} -b web,api")).build.only, ["web", "api"]);
    }
    for command in ["run", "render", "dev"] {
        assert!(resolved(&format!("devloop {command} -b web")).is_err(), "{command}");
    }
}

#[test]
fn repositories_are_fetched_each_time_unless_told_otherwise() {
    for (line, policy) in [
        ("devloop dev", SyncPolicy::Always),
        ("devloop render --offline", SyncPolicy::Always),
        ("devloop diagnose --yaml-only", SyncPolicy::Missing),
        ("devloop diagnose --sync-remote-cache always", SyncPolicy::Always),
        ("devloop run --sync-remote-cache=never", SyncPolicy::Never),
    ] {
        assert_eq!(settings(line).config.sync_remote_cache, policy, "{line}");
    }
    assert_eq!(settings("devloop run").config.remote_cache, PathBuf::from("/home/me/.cache/devloop/repos"));
    assert_eq!(settings("devloop run --remote-cache-dir r").config.remote_cache, PathBuf::from("r"));
}

#[test]
fn output_is_data_or_events() {
    for (line, json, progress) in [
        ("devloop run -o json", true, Progress::Stdout),
        ("devloop deploy --output text", false, Progress::Stdout),
        ("devloop delete --output=json", true, Progress::Stdout),
        ("devloop build", false, Progress::Stdout),
        ("devloop build -q", false, Progress::Nowhere),
        ("devloop build --output json", true, Progress::Stdout),
        ("devloop build -q -o '{{json .}}'", false, Progress::Nowhere),
        ("devloop render", false, Progress::Nowhere),
        ("devloop render --loud", false, Progress::Stderr),
        ("devloop render -o json", true, Progress::Nowhere),
        ("devloop diagnose --yaml-only", false, Progress::Nowhere),
        ("devloop diagnose -o json", true, Progress::Nowhere),
    ] {
        let console = settings(line).console;
        assert_eq!((console.json, console.progress), (json, progress), "{line}");
    }
}

#[test]
fn the_word_json_stands_beside_a_file() {
    for (line, wanted) in [
        ("devloop render", None),
        ("devloop render -o out.yaml", Some("out.yaml")),
        ("devloop render -o json", None),
        ("devloop render -o json -o out.yaml", Some("out.yaml")),
        ("devloop render -o ./json", Some("./json")),
    ] {
        let CommandSettings::Render { file, .. } = settings(line).command else { panic!("{line}") };
        assert_eq!(file, wanted.map(PathBuf::from), "{line}");
    }
    let CommandSettings::Build { template, .. } = settings("devloop build -o json --file-output f").command else { panic!() };
    assert_eq!(template, "{{json .}}");
}

#[test]
fn images_built_before_are_named_or_read() {
    let CommandSettings::Deploy { images, .. } = settings("devloop deploy -a - -i web=reg.io/web:v1,reg.io/api:v2 -t v3").command else {
        panic!()
    };
    assert_eq!(images.file, Some(PathBuf::from("-")));
    let named: Vec<(String, String)> = images.images.iter().map(|(name, reference)| (name.to_string(), reference.to_string())).collect();
    assert_eq!(named, [("web".to_owned(), "reg.io/web:v1".to_owned()), ("reg.io/api".to_owned(), "reg.io/api:v2".to_owned())]);
    assert_eq!(images.tag.as_deref(), Some("v3"));
    let CommandSettings::Render { images, .. } = settings("devloop render").command else { panic!() };
    assert!(images.is_empty());
}

#[test]
fn what_is_no_value_is_refused() {
    let refused = |line: &str| resolved(line).unwrap_err().diagnostic().unwrap().to_string();
    insta::assert_snapshot!(refused("devloop build --platform linux/"), @r"
    error[cli/invalid-value]: `linux/` is no value of `--platform`
      `linux/` is not a valid platform: a platform is `os/architecture`, for example `linux/amd64`
    ");
    insta::assert_snapshot!(refused("devloop run -l =x"), @r"
    error[cli/invalid-value]: `=x` is no value of `--label`
      a label is NAME=VALUE, its name letters and digits with `-`, `_` and `.` between, after a domain and `/` if any
    ");
    insta::assert_snapshot!(refused("devloop run --mute-logs tests"), @r"
    error[cli/invalid-value]: `tests` is no value of `--mute-logs`
      expected build, test, deploy, status-check, none or all
    ");
    insta::assert_snapshot!(refused("devloop run --color 7"), @r"
    error[cli/invalid-value]: `7` is no value of `--color`
      expected 0, 31 to 37, 91 to 95, auto, always or never
    ");
    insta::assert_snapshot!(refused("devloop deploy -i Web=x"), @r"
    error[cli/invalid-value]: `Web=x` is no value of `--images`
      `Web` is not a valid image name: a repository must be lower case
    ");
}

#[test]
fn state_lives_where_xdg_says() {
    let paths = |variables: &[(&str, &str)]| {
        let paths = Paths::from_env(&env(variables));
        [paths.config, paths.cache, paths.skaffold].map(|path| path.display().to_string())
    };
    assert_eq!(paths(&[]), ["/home/me/.config/devloop", "/home/me/.cache/devloop", "/home/me/.skaffold"]);
    assert_eq!(
        paths(&[("XDG_CONFIG_HOME", "/c"), ("XDG_CACHE_HOME", "relative")]),
        ["/c/devloop", "/home/me/.cache/devloop", "/home/me/.skaffold"]
    );
    assert_eq!(paths(&[("HOME", ""), ("TMPDIR", "/t")])[1], "/t/.cache/devloop");
}

#[test]
fn colours_follow_the_terminal_and_the_environment() {
    for (line, variables, terminal, on) in [
        ("devloop run", &[][..], true, true),
        ("devloop run", &[], false, false),
        ("devloop run", &[("NO_COLOR", "1")], true, false),
        ("devloop run", &[("NO_COLOR", "")], true, true),
        ("devloop run", &[("CLICOLOR_FORCE", "1")], false, true),
        ("devloop run", &[("CLICOLOR_FORCE", "0")], false, false),
        ("devloop run", &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, false),
        ("devloop run", &[("CLICOLOR", "0")], true, false),
        ("devloop run", &[("TERM", "dumb")], true, false),
        ("devloop run --color always", &[("NO_COLOR", "1")], false, true),
        ("devloop run --force-colors", &[], false, true),
        ("devloop run --color never", &[("CLICOLOR_FORCE", "1")], true, false),
    ] {
        let console = settings(line).console.on(&env(variables), terminal, LogSettings::default());
        assert_eq!(console.colours != Colours::Off, on, "{line} {variables:?} {terminal}");
    }
    assert_eq!(settings("devloop run --color 92").console.on(&env(&[]), true, LogSettings::default()).colours, Colours::On { main: 92 });
}

#[test]
fn pods_are_placed_where_something_is_deployed_or_it_is_asked_for() {
    let affinity = |line: &str| settings(line).deploy.node_affinity;
    assert!(affinity("devloop dev") && affinity("devloop debug") && !affinity("devloop render"));
    assert!(affinity("devloop render --enable-platform-node-affinity") && !affinity("devloop run --enable-platform-node-affinity=false"));
    assert!(!settings("devloop run --enable-gke-arm-node-toleration=false").deploy.arm_toleration);
}

#[test]
fn diagnose_explains_what_run_would_do() {
    let explained = settings("devloop diagnose --explain -d gcr.io/p -t v1 --platform linux/arm64 -n ns --kube-context kind");
    let run = settings("devloop run -d gcr.io/p -t v1 --platform linux/arm64 -n ns --kube-context kind");
    assert_eq!(format!("{:?}", explained.build), format!("{:?}", run.build));
    assert_eq!(format!("{:?}", explained.target), format!("{:?}", run.target));
    assert_eq!((explained.command.name(), explained.command.acts_as()), ("diagnose", run.command.name()));
    let plain = settings("devloop diagnose");
    assert!(plain.build.cache && !plain.build.node_platforms);
    assert_eq!(plain.command.acts_as(), "diagnose");
}
