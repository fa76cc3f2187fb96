//! From the command line to the command, and back to an exit code.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use devloop_clients::kube::target::TargetInput;
use devloop_engine::Ended;
use devloop_model::Delivery;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::LoadInto;
use devloop_model::LogSettings;
use devloop_model::Namespace;
use devloop_model::Target;
use devloop_ui::EventLog;
use devloop_ui::Redactor;
use devloop_ui::Reporter;
use tokio_util::sync::CancellationToken;

use crate::args;
use crate::args::ArgsError;
use crate::command;
use crate::completion;
use crate::environment;
use crate::exit::Exit;
use crate::logging;
use crate::modules::Repos;
use crate::output;
use crate::pipeline::Pipeline;
use crate::pipeline::Standing;
use crate::platforms;
use crate::serving::Serving;
use crate::session::Session;
use crate::settings::CommandSettings;
use crate::settings::Settings;

/// What the second Ctrl-C says.
const STOPPED_AT_ONCE: &str = "stopped at once: what was being built or applied may be left half done; the same command puts it right";

/// Returns what the second Ctrl-C says: what is left half done, and what stays behind.
fn last_words(standing: &Standing) -> String {
    // A panic elsewhere leaves a whole list behind.
    let standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
    if standing.is_empty() {
        return STOPPED_AT_ONCE.to_owned();
    }
    let objects: Vec<&str> = standing.iter().map(String::as_str).collect();
    format!("{STOPPED_AT_ONCE}\nwhat is not deleted yet stays: {}\n`devloop delete` deletes it", objects.join(", "))
}

impl From<Ended> for Exit {
    /// Ctrl-C is not a failure: the user asked for it.
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done | Ended::Interrupted => Self::Done,
            Ended::Failed => Self::Failed,
        }
    }
}

/// Runs the program.
pub(crate) fn run() -> Exit {
    match completion::answer(std::env::args_os().collect()) {
        Ok(false) => {}
        Ok(true) => return Exit::Done,
        Err(_) => return Exit::Failed,
    }
    let env = match environment::read() {
        Ok(env) => env,
        Err(diagnostic) => return fail(&[diagnostic], None),
    };
    let parsed = match args::parse(std::env::args_os(), &env) {
        Ok(parsed) => parsed,
        Err(error) => return wrong_usage(&error),
    };
    let settings = match Settings::resolve(parsed.cli, &env) {
        Ok(settings) => settings,
        Err(error) => return wrong_usage(&error),
    };
    logging::start(settings.console.verbosity);
    say(&parsed.warnings, Some((&settings, &env)));
    dispatch(settings, env)
}

fn wrong_usage(error: &ArgsError) -> Exit {
    if let ArgsError::Usage(error) = error {
        // Nothing can be done about an output that is closed.
        drop(error.print());
    }
    say(error.diagnostic().as_slice(), None);
    Exit::from(error)
}

/// Runs what needs no configuration at once, and everything else in a session.
fn dispatch(settings: Settings, env: Env) -> Exit {
    let printed = match &settings.command {
        CommandSettings::Fix(fix) => {
            return match command::fix::run(fix) {
                Ok(warnings) => {
                    say(&warnings, Some((&settings, &env)));
                    Exit::Done
                }
                Err(diagnostics) => fail(&diagnostics, Some((&settings, &env))),
            };
        }
        CommandSettings::Schema(action) => command::schema::run(action),
        CommandSettings::FindConfigs(find) => command::find_configs::run(&find.directory, find.output),
        CommandSettings::Config(action) => match command::config::run(action, &env) {
            Ok(text) => Ok(text),
            Err(faults) => return fail(&faults, Some((&settings, &env))),
        },
        CommandSettings::Version { template } => command::version::run(template).map_err(|error| error.diagnostic()),
        CommandSettings::Completion(shell) => {
            let mut script = Vec::new();
            command::completion::run(*shell, &mut script)
                .map(|()| String::from_utf8_lossy(&script).into_owned())
                .map_err(|error| Diagnostic::error("cli/completion", "the completion script cannot be written").because(error.to_string()))
        }
        CommandSettings::Lsp => {
            return command::lsp::run(&settings, &env).unwrap_or_else(|diagnostic| fail(&[diagnostic], Some((&settings, &env))));
        }
        _ => return in_runtime(settings, env),
    };
    match printed.and_then(|text| output::to_stdout(&text)) {
        Ok(()) => Exit::Done,
        Err(diagnostic) => fail(&[diagnostic], Some((&settings, &env))),
    }
}

fn in_runtime(settings: Settings, env: Env) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&[Diagnostic::error("cli/no-runtime", "threads cannot be started").because(error.to_string())], None),
    };
    let shown = settings.clone();
    let ended = runtime.block_on(pipeline(settings, env.clone()));
    // What still runs is a blocking call that nobody waits for: a login plugin, a name look-up.
    runtime.shutdown_background();
    ended.unwrap_or_else(|diagnostics| fail(&diagnostics, Some((&shown, &env))))
}

async fn pipeline(settings: Settings, env: Env) -> Result<Exit, Vec<Diagnostic>> {
    let cancel = CancellationToken::new();
    let standing = Standing::default();
    let display: Arc<OnceLock<Arc<Mutex<Reporter>>>> = Arc::default();
    let (left, shown) = (Arc::clone(&standing), Arc::clone(&display));
    let leave = move || {
        // Whoever holds it may hold it for long: the terminal may be stopped.
        if let Some(Ok(mut reporter)) = shown.get().map(|reporter| reporter.try_lock()) {
            reporter.finish();
        }
        last_words(&left)
    };
    devloop_watch::stop_on_signals(cancel.clone(), leave)
        .map_err(|error| vec![Diagnostic::error("cli/signals", "signals cannot be handled").because(error.to_string())])?;
    if let CommandSettings::Ask(ask) = &settings.command {
        return command::ask::run(&settings, ask, &env, &cancel).await.map_err(|diagnostic| vec![diagnostic]);
    }
    if let CommandSettings::Init(init) = &settings.command {
        return command::init::run(&settings, init, &env, &cancel).await.map_err(|diagnostic| vec![diagnostic]);
    }
    let mut settings = settings;
    command::ide::follow(&mut settings);
    let repos = Repos::new(&settings, &env, &cancel);
    if let CommandSettings::Diagnose { yaml_only: true, enable_templating, file, .. } = &settings.command {
        let printed = command::diagnose::configuration(&settings, &env, &repos, *enable_templating, file.as_deref());
        return if cancel.is_cancelled() { Ok(Exit::Done) } else { printed.map(|()| Exit::Done) };
    }
    if let CommandSettings::Inspect(subject) = &settings.command {
        return Ok(command::inspect::run(&settings, subject, &env, &repos));
    }
    let mut session = match Session::open(settings, env, repos) {
        // The user stopped what was fetched: nothing has begun.
        _ if cancel.is_cancelled() => return Ok(Exit::Done),
        session => session?,
    };
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let redactor = Redactor::new(crate::session::secrets(&session.plan, &session.env));
    let mut reporter = reporter(&session, &redactor).map_err(one)?;
    let target = match target(&session, &cancel).await {
        // As above.
        _ if cancel.is_cancelled() => return Ok(Exit::Done),
        target => target.map_err(one)?,
    };
    platforms::settle(&mut session, &target);
    let elsewhere = elsewhere(&session, &target, &cancel).await.map_err(one)?;
    let pipeline = Pipeline { session, target, elsewhere, cancel, redactor, standing };
    let serving = Serving::if_asked(&pipeline, &mut reporter).map_err(one)?;
    let reporter = Arc::new(Mutex::new(reporter));
    display.get_or_init(|| Arc::clone(&reporter));
    let exit = run_command(&pipeline, &reporter).await;
    if let Some(serving) = serving {
        serving.end().await;
    }
    reporter.lock().unwrap_or_else(PoisonError::into_inner).finish();
    exit.map_err(one)
}

async fn run_command(pipeline: &Pipeline, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let Settings { command, console, .. } = &pipeline.session.settings;
    match command {
        CommandSettings::Dev(dev) => command::dev::run(pipeline, dev, reporter).await,
        CommandSettings::Run { digest_source, .. } => command::run::run(pipeline, *digest_source, reporter).await,
        CommandSettings::Build { quiet, template, file_output, dry_run } => {
            let wanted = command::build::Wanted { quiet: *quiet, dry_run: *dry_run, template, file: file_output.as_deref() };
            command::build::run(pipeline, &wanted, reporter).await
        }
        CommandSettings::Test { images } => command::test::run(pipeline, images, reporter).await,
        CommandSettings::Deploy { images, load_images, .. } => command::deploy::run(pipeline, images, *load_images, reporter).await,
        CommandSettings::Apply { manifests, .. } => command::apply::run(pipeline, manifests, reporter).await,
        CommandSettings::Render { file, offline, digest_source, images } => {
            let wanted =
                command::render::Wanted { file: file.as_deref(), offline: *offline, digests: *digest_source, images, json: console.json };
            command::render::run(pipeline, &wanted, reporter).await
        }
        CommandSettings::Verify(run) => command::tasks::verify(pipeline, run, reporter).await,
        CommandSettings::Exec { action, run } => command::tasks::exec(pipeline, action, run, reporter).await,
        CommandSettings::Delete { builders: true, .. } => command::delete::builders(pipeline).await,
        CommandSettings::Delete { dry_run, .. } => command::delete::run(pipeline, *dry_run, reporter).await,
        CommandSettings::Diagnose { file, enable_templating, explain, .. } => {
            let wanted =
                command::diagnose::Wanted { file: file.as_deref(), templates: *enable_templating, explain: *explain, json: console.json };
            command::diagnose::run(pipeline, &wanted, reporter).await
        }
        CommandSettings::Filter { images, .. } => command::filter::run(pipeline, images, reporter).await,
        CommandSettings::Lint(format) => command::lint::run(pipeline, *format),
        CommandSettings::Ide(ide) => command::ide::run(pipeline, ide).await,
        // These were done without a session.
        CommandSettings::Ask(_)
        | CommandSettings::Fix(_)
        | CommandSettings::Init(_)
        | CommandSettings::Lsp
        | CommandSettings::Inspect(_)
        | CommandSettings::FindConfigs(_)
        | CommandSettings::Config(_)
        | CommandSettings::Schema(_)
        | CommandSettings::Version { .. }
        | CommandSettings::Completion(_) => Ok(Exit::Done),
    }
}

/// Returns the target, after asking the cluster only where the command needs one.
async fn target(session: &Session, cancel: &CancellationToken) -> Result<Target, Diagnostic> {
    let settings = &session.settings;
    let cx = session.cx(cancel);
    if let CommandSettings::Render { offline: true, .. }
    | CommandSettings::Filter { .. }
    | CommandSettings::Diagnose { explain: false, .. }
    | CommandSettings::Lint(_)
    | CommandSettings::Ide(_) = settings.command
    {
        return Ok(offline_target(session));
    }
    if session.is_without_cluster() {
        return Ok(Target { delivery: daemon_delivery(session), ..offline_target(session) });
    }
    let deploys = matches!(
        settings.command,
        CommandSettings::Dev(_)
            | CommandSettings::Run { .. }
            | CommandSettings::Deploy { .. }
            | CommandSettings::Apply { .. }
            | CommandSettings::Delete { .. }
            | CommandSettings::Verify(_)
            | CommandSettings::Exec { .. }
    );
    let cluster = match session.clients.cluster(&cx).await {
        Ok(cluster) => Some(cluster),
        Err(error) if deploys || settings.target.context.is_some() => return Err(error.diagnostic()),
        // Images are built and manifests rendered without a cluster as well.
        Err(_) => None,
    };
    // Better known now than after the builds, and asked at once with what the target depends on.
    let reachable = async {
        match cluster.filter(|_| deploys) {
            Some(cluster) => cluster.reachable(&cx).await.map(drop),
            None => Ok(()),
        }
    };
    let input = target_input(session);
    let resolved = tokio::try_join!(reachable, devloop_clients::kube::target::resolve(&input, cluster, &cx));
    resolved.map(|((), target)| target).map_err(|error| error.diagnostic())
}

/// Returns the targets of modules that name another Kubernetes context.
async fn elsewhere(session: &Session, target: &Target, cancel: &CancellationToken) -> Result<BTreeMap<String, Target>, Diagnostic> {
    let (mut targets, cx) = (BTreeMap::new(), session.cx(cancel));
    let offline = target.context.is_none();
    for context in session.plan.modules.iter().filter_map(|module| module.deploy.context.as_ref()).filter(|_| !offline) {
        if let Delivery::Load(_) = target.delivery {
            let what = format!("a module deploys to the Kubernetes context `{context}`, where images that are not pushed cannot be run");
            return Err(Diagnostic::error("cli/not-pushed", what).help("name a registry that both clusters reach with `--default-repo`"));
        }
        let cluster = session.clients.cluster_in(Some(context), &cx).await.map_err(|error| error.diagnostic())?;
        let namespace = Namespace(cluster.default_namespace().to_owned());
        let namespace = if target.namespace_is_forced { target.namespace.clone() } else { namespace };
        targets.insert(context.clone(), Target { context: Some(context.clone()), namespace, ..target.clone() });
    }
    Ok(targets)
}

/// Returns how images reach the container daemon that runs them: it has what it built.
fn daemon_delivery(session: &Session) -> Delivery {
    if session.settings.build.push == Some(true) { Delivery::Push } else { Delivery::Load(LoadInto::Daemon) }
}

fn target_input(session: &Session) -> TargetInput {
    let Session { settings, machine, .. } = session;
    TargetInput {
        namespace: settings.target.namespace.clone(),
        default_repo: settings.target.default_repo.clone(),
        settings_default_repo: machine.default_repo.clone(),
        multi_level_repo: machine.multi_level_repo,
        local_cluster: machine.local_cluster,
        kind_disable_load: machine.kind_disable_load.unwrap_or_default(),
        k3d_disable_load: machine.k3d_disable_load.unwrap_or_default(),
        minikube_profile: settings.target.minikube_profile.clone(),
        detect_minikube: settings.target.detect_minikube,
        push: settings.build.push,
        ask_platforms: settings.build.node_platforms,
    }
}

fn offline_target(session: &Session) -> Target {
    let Session { settings, machine, .. } = session;
    let default_repo = settings.target.default_repo.as_ref().or(machine.default_repo.as_ref()).map(|repo| repo.trim_end_matches('/'));
    Target {
        context: None,
        namespace: Namespace(settings.target.namespace.clone().unwrap_or_else(|| "default".to_owned())),
        namespace_is_forced: settings.target.namespace.is_some(),
        delivery: Delivery::Push,
        default_repo: default_repo.filter(|repo| !repo.is_empty()).map(str::to_owned),
        multi_level_repo: machine.multi_level_repo.unwrap_or_default(),
        node_platforms: Vec::new(),
    }
}

fn reporter(session: &Session, redactor: &Redactor) -> Result<Reporter, Diagnostic> {
    let Settings { console, api, .. } = &session.settings;
    let mut reporter = if console.json {
        Reporter::json(redactor.clone())
    } else {
        // A dumb one shows lines and nothing else.
        let terminal = std::io::stdout().is_terminal() && session.env.get("TERM") != Some("dumb");
        Reporter::console(console.on(&session.env, terminal, session.plan.deploy.logs.clone()), redactor.clone())
    };
    if let Some(file) = &api.log {
        let unwritable = |error: std::io::Error| output::unwritable(&file.display().to_string(), &error);
        reporter.record(EventLog::append(file, redactor.clone()).map_err(unwritable)?);
    }
    Ok(reporter)
}

/// Says what is wrong, and returns how it failed.
fn fail(diagnostics: &[Diagnostic], shown: Option<(&Settings, &Env)>) -> Exit {
    say(diagnostics, shown);
    Exit::from(diagnostics)
}

/// Writes diagnostics to standard error, in colour where the user has it.
pub(crate) fn say(diagnostics: &[Diagnostic], shown: Option<(&Settings, &Env)>) {
    let mut errors = std::io::stderr().lock();
    for diagnostic in diagnostics {
        let text = match shown {
            Some((settings, env)) => {
                let console = settings.console.on(env, std::io::stderr().is_terminal(), LogSettings::default());
                devloop_ui::render_diagnostic(diagnostic, console.colours)
            }
            None => diagnostic.to_string(),
        };
        // Nothing can be done about a standard error that is closed.
        drop(writeln!(errors, "{text}"));
    }
}
