//! The command line as a user meets it.

use std::collections::BTreeMap;

use clap::Arg;
use clap::parser::ValueSource;

use super::*;

fn env(variables: &[(&str, &str)]) -> Env {
    Env::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn words(line: &str) -> Vec<OsString> {
    shlex::split(line).unwrap().into_iter().map(OsString::from).collect()
}

fn parsed(line: &str, variables: &[(&str, &str)]) -> Parsed {
    parse(words(line), &env(variables)).unwrap()
}

/// What the program says of a wrong line: clap's words, or a diagnostic.
fn refused(line: &str, variables: &[(&str, &str)]) -> String {
    let error = parse(words(line), &env(variables)).unwrap_err();
    match (&error, error.diagnostic()) {
        (_, Some(diagnostic)) => diagnostic.to_string(),
        (ArgsError::Usage(usage), None) => usage.render().to_string(),
        (_, None) => panic!("{error:?} has no words"),
    }
}

fn run(line: &str, variables: &[(&str, &str)]) -> RunCommand {
    match parsed(line, variables).cli.command {
        Command::Run(run) => *run,
        other => panic!("{other:?}"),
    }
}

/// Every command that can be given alone, with what it cannot do without.
fn command_lines() -> Vec<Vec<OsString>> {
    [
        "dev",
        "run",
        "build",
        "test",
        "deploy",
        "apply a.yaml",
        "render",
        "delete",
        "diagnose",
        "init",
        "filter",
        "find-configs",
        "config set a b",
        "config list",
        "inspect modules list",
        "inspect build-env add local",
        "inspect build-env modify googleCloudBuild",
        "inspect build-env add cluster",
        "version",
        "completion bash",
        "fix",
        "lsp",
        "schema list",
        "schema get v",
    ]
    .map(|line| words(&format!("devloop {line}")))
    .to_vec()
}

/// Three values that a flag takes, different where it takes more than one.
fn samples(flag: &Arg) -> [String; 3] {
    let possible: Vec<String> = flag.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let pick = |values: &[&str]| [0, 1, 2].map(|at| values[at % values.len()].to_owned());
    if !possible.is_empty() {
        return pick(&possible.iter().map(String::as_str).collect::<Vec<_>>());
    }
    match flag.get_id().as_str() {
        "concurrency" | "run_as_user" | "disk_size_gb" => pick(&["1", "2", "3"]),
        "watch_poll_interval" => pick(&["10", "20", "30"]),
        "build_concurrency" | "rpc_http_port" | "session" | "tail" if !is_switch(flag) => pick(&["1", "2", "3"]),
        "wait_for_deletions_max" | "wait_for_deletions_delay" | "since" | "hook_timeout" | "builder_idle" => pick(&["1s", "2s", "3s"]),
        "port_forward" => pick(&["user", "services", "pods"]),
        _ if *flag.get_num_args().unwrap_or_default().start_bound_value() == 0 => pick(&["true", "false"]),
        _ => pick(&["first", "second", "third"]),
    }
}

/// The least number of values of a flag.
trait StartBound {
    fn start_bound_value(&self) -> &usize;
}

impl StartBound for clap::builder::ValueRange {
    fn start_bound_value(&self) -> &usize {
        match std::ops::RangeBounds::start_bound(self) {
            std::ops::Bound::Included(value) | std::ops::Bound::Excluded(value) => value,
            std::ops::Bound::Unbounded => &0,
        }
    }
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn each_flag_of_each_command_answers_to_both_variables() {
    let mut checked = 0;
    let mut definition = definition();
    for line in command_lines() {
        let alone = definition.try_get_matches_from_mut(&line).unwrap();
        let (command, _) = innermost(&definition, &alone);
        let flags: Vec<Arg> = command
            .get_arguments()
            .filter(|flag| flag.get_long().is_some_and(|long| long != "help" && long != "version"))
            .cloned()
            .collect();
        for flag in flags {
            let (id, long) = (flag.get_id().to_string(), flag.get_long().unwrap().to_owned());
            let [first, second, third] = samples(&flag);
            let name = long.to_uppercase().replace('-', "_");
            let (skaffold, devloop) = (format!("SKAFFOLD_{name}"), format!("DEVLOOP_{name}"));
            let mut value = |line: &[OsString], variables: &[(&str, &str)]| {
                let matches = environment::matches(&mut definition, line, &env(variables)).unwrap();
                let (_, inner) = innermost(&definition, &matches);
                assert_eq!(inner.value_source(&id), Some(ValueSource::CommandLine), "{line:?} {long}");
                let values: Vec<String> = inner.get_raw(&id).unwrap().map(|value| value.to_string_lossy().into_owned()).collect();
                values.join("|")
            };
            assert_eq!(value(&line, &[(&skaffold, &first)]), first, "{line:?} {long}");
            assert_eq!(value(&line, &[(&devloop, &second), (&skaffold, &first)]), second, "{line:?} {long}");
            let given = [line.clone(), vec![OsString::from(format!("--{long}={third}"))]].concat();
            assert_eq!(value(&given, &[(&devloop, &second), (&skaffold, &first)]), third, "{line:?} {long}");
            checked += 1;
        }
    }
    assert!(checked > 150, "only {checked} flags were seen");
}

#[test]
fn switches_stand_alone_or_with_a_value() {
    for (line, tail, cache) in [
        ("devloop run", false, true),
        ("devloop run --tail", true, true),
        ("devloop run --tail=true --cache-artifacts=false", true, false),
        ("devloop run --tail=0 --cache-artifacts", false, true),
        ("devloop run --tail --tail=false", false, true),
    ] {
        let run = run(line, &[]);
        assert_eq!((run.deploy.tail.0, run.build.cache_artifacts.0), (tail, cache), "{line}");
    }
    assert_eq!(run("devloop run", &[]).deploy.status_check, None);
    assert_eq!(run("devloop run --status-check=false", &[]).deploy.status_check, Some(Switch(false)));
}

#[test]
fn lists_repeat_and_take_commas() {
    let run =
        run("devloop run -p dev,-ci -p -slow --label a=b,c=d -l e=f -m one", &[("SKAFFOLD_PROFILE", "other"), ("SKAFFOLD_MODULE", "two")]);
    assert_eq!(List::flatten(&run.config.profile), ["dev", "-ci", "-slow"]);
    assert_eq!(List::flatten(&run.manifests.label), ["a=b", "c=d", "e=f"]);
    assert_eq!(List::flatten(&run.config.module), ["one"]);
}

#[test]
fn global_flags_stand_before_and_after_the_command() {
    for line in ["devloop -v debug --timestamps --interactive=false run", "devloop run -v DEBUG --timestamps --update-check=false -u vsc"] {
        let parsed = parsed(line, &[]);
        assert_eq!((parsed.cli.global.verbosity, parsed.cli.global.timestamps), (Level::Debug, Switch(true)), "{line}");
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    }
    assert_eq!(parsed("devloop -v warn run", &[("DEVLOOP_VERBOSITY", "debug")]).cli.global.verbosity, Level::Warning);
}

#[test]
fn the_variable_is_said_to_be_wrong() {
    insta::assert_snapshot!(refused("devloop run", &[("SKAFFOLD_TAIL", "perhaps"), ("SKAFFOLD_LABEL", "a=b")]), @r"
    error[cli/invalid-variable]: the environment variable `SKAFFOLD_TAIL` is not right for `--tail`
      invalid value 'perhaps' for '--tail[=<BOOL>]': expected `true` or `false`
    help: correct `SKAFFOLD_TAIL`, or unset it
    ");
    insta::assert_snapshot!(refused("devloop run", &[("DEVLOOP_WAIT_FOR_DELETIONS_MAX", "60")]), @r"
    error[cli/invalid-variable]: the environment variable `DEVLOOP_WAIT_FOR_DELETIONS_MAX` is not right for `--wait-for-deletions-max`
      invalid value '60' for '--wait-for-deletions-max <DURATION>': the unit is missing: write `60s` for seconds
    help: correct `DEVLOOP_WAIT_FOR_DELETIONS_MAX`, or unset it
    ");
}

#[test]
fn another_command_does_not_mind_a_variable_that_is_not_its_own() {
    assert!(matches!(parsed("devloop version", &[("SKAFFOLD_TAIL", "perhaps")]).cli.command, Command::Version(_)));
}

#[test]
fn the_old_name_of_the_namespace_still_works() {
    let parsed_env = [("SKAFFOLD_DEPLOY_NAMESPACE", "old")];
    assert_eq!(run("devloop run", &parsed_env).target.namespace.as_deref(), Some("old"));
    insta::assert_snapshot!(parsed("devloop run", &parsed_env).warnings[0], @r"
    warning[cli/deprecated-variable]: `SKAFFOLD_DEPLOY_NAMESPACE` is deprecated
    help: use `SKAFFOLD_NAMESPACE` or `DEVLOOP_NAMESPACE`
    ");
    let both = [("SKAFFOLD_DEPLOY_NAMESPACE", "old"), ("SKAFFOLD_NAMESPACE", "new")];
    assert_eq!(run("devloop run", &both).target.namespace.as_deref(), Some("new"));
    assert!(parsed("devloop run", &both).warnings.is_empty());
}

#[test]
fn what_this_version_cannot_do_is_an_error() {
    insta::assert_snapshot!(refused("devloop run", &[("SKAFFOLD_RPC_PORT", "50051")]), @r"
    error[cli/unsupported-flag]: this version of devloop does not speak gRPC
      `--rpc-port=50051` asks for it
    help: use `--rpc-http-port PORT`, which serves the same API over HTTP, or read the events from `--output json`
    ");
    for line in ["devloop run --render-only", "devloop render --set a=b", "devloop delete --cloud-run-project p"] {
        assert!(refused(line, &[]).starts_with("error[cli/unsupported-flag]: this version of devloop does not "), "{line}");
    }
}

#[test]
fn what_changes_nothing_is_one_line_or_none() {
    for (line, warnings) in [
        ("devloop run --port-forward=off --enable-rpc=false --auto=false --no-prune=false --cleanup=true --assume-yes", 0),
        ("devloop run --hydration-dir=.kpt-pipeline", 0),
        ("devloop run --hydration-dir=other --no-prune", 2),
    ] {
        assert_eq!(parsed(line, &[]).warnings.len(), warnings, "{line}");
    }
    insta::assert_snapshot!(parsed("devloop run --cleanup=false", &[]).warnings[0], @"warning[cli/inert-flag]: `--cleanup=false` changes nothing: it is for dev sessions, which clean up at their end");
}

#[test]
fn wrong_usage_has_a_suggestion() {
    insta::assert_snapshot!(refused("devloop bulid", &[]), @r"
    error: unrecognized subcommand 'bulid'

      tip: a similar subcommand exists: 'build'

    Usage: devloop [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("devloop run --kubecontext x", &[]), @r"
    error: unexpected argument '--kubecontext' found

      tip: a similar argument exists: '--kube-context'

    Usage: devloop run --kube-context <CONTEXT>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused("devloop run --digest-source=here", &[]), @r"
    error: invalid value 'here' for '--digest-source <SOURCE>'
      [possible values: remote, local, tag, none]

    For more information, try '--help'.
    ");
}

#[test]
fn the_line_may_come_from_the_environment() {
    let line = [("SKAFFOLD_CMDLINE", "run --tail -l 'a=b c'")];
    let found = run("devloop", &line);
    assert!(found.deploy.tail.0);
    assert_eq!(List::flatten(&found.manifests.label), ["a=b c"]);
    assert!(matches!(parsed("devloop version", &line).cli.command, Command::Version(_)));
    insta::assert_snapshot!(refused("devloop", &[("SKAFFOLD_CMDLINE", "run 'open")]), @r"
    error[cli/invalid-variable]: `SKAFFOLD_CMDLINE` has a quote that is not closed
    help: close it, or unset the variable
    ");
}

#[test]
fn every_flag_has_a_help() {
    let mut silent = BTreeMap::new();
    for command in definition().get_subcommands() {
        for flag in command.get_arguments().filter(|flag| flag.get_help().is_none()) {
            silent.insert(command.get_name().to_owned(), flag.get_id().to_string());
        }
    }
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn help_is_in_groups() {
    let mut command = definition().term_width(100);
    command.build();
    let run = command.find_subcommand_mut("delete").unwrap();
    insta::assert_snapshot!(run.render_help(), @r"
    Delete what was deployed

    Usage: devloop delete [OPTIONS]

    Options:
      -o, --output <FORMAT>    Print progress as `text`, or events as `json`, one per line [default:
                               text] [possible values: text, json]
          --builders[=<BOOL>]  Delete the builders in the cluster, with their caches, and nothing else
                               [default: false]
          --dry-run[=<BOOL>]   Print what would be deleted [default: false]
      -h, --help               Print help (see more with '--help')

    Configuration:
      -f, --filename <FILE>
              Read this configuration: a path, or `-` for standard input [default: skaffold.yaml,
              skaffold.yml or devloop.yaml]
      -m, --module <NAMES>
              Use only the configurations with these names, and what they require
      -p, --profile <NAMES>
              Activate profiles by name; `-NAME` switches one off
          --profile-auto-activation[=<BOOL>]
              Activate profiles by their own conditions [default: true]
          --propagate-profiles[=<BOOL>]
              Activate the profiles of `--profile` in required configurations too [default: true]
          --remote-cache-dir <DIRECTORY>
              Keep the repositories of required configurations in this directory [default:
              ~/.cache/devloop/repos]
          --sync-remote-cache <WHEN>
              Fetch these repositories always, where they are missing, or never [default: missing for
              diagnose, else always] [possible values: always, missing, never]
          --hook-timeout <DURATION>
              How long a hook may take [default: 10m]
      -c, --config <FILE>
              Read global settings from this file [default: ~/.config/devloop/config, else
              ~/.skaffold/config]

    Cluster and registry:
      -n, --namespace <NAMESPACE>      Deploy into this namespace, and write it into every rendered
                                       object
      -d, --default-repo <REPOSITORY>  Put this repository before image names; empty switches it off
          --kube-context <CONTEXT>     Use this Kubernetes context
          --kubeconfig <FILE>          Read this kubeconfig
          --detect-minikube[=<BOOL>]   Recognise a minikube cluster, and build in its daemon [default:
                                       true]

    Global options:
      -v, --verbosity <LEVEL>    Say at least this much on standard error [default: warning] [possible
                                 values: error, warning, info, debug, trace]
          --color <CODE>         Use this ANSI code as the main colour; 0 for none, or say `auto`,
                                 `always`, `never` [default: 34]
          --timestamps[=<BOOL>]  Put the time before each line [default: false]
    ");
}
