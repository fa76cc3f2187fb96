//! `devloop dev`: build, deploy, and do so again for every save, until the user has enough.

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use devloop_engine::Goal;
use devloop_engine::ImageSource;
use devloop_engine::Leaving;
use devloop_engine::LiveStages;
use devloop_engine::Reload;
use devloop_engine::Reloaded;
use devloop_engine::Wake;
use devloop_model::Command;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::Key;
use devloop_model::Trigger;
use devloop_ui::KeyAction;
use devloop_ui::Reporter;
use devloop_watch::Batch;
use devloop_watch::FileWatcher;
use devloop_watch::Keys;
use devloop_watch::WatchSettings;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::environment;
use crate::exit::Exit;
use crate::pipeline::Pipeline;
use crate::pipeline::Standing;
use crate::platforms;
use crate::serving::Serving;
use crate::session::Session;
use crate::settings::DevSettings;

/// How many wakes may wait for the loop; the one that would be too many waits itself.
const WAKES: usize = 64;
/// How long opening an address may take.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);

/// Runs the loop until it is told to end.
///
/// # Errors
/// When files cannot be watched, another session works on the same release, or the port of the API is taken.
pub(crate) async fn run(pipeline: &Pipeline, dev: &DevSettings, reporter: &Mutex<Reporter>) -> Result<Exit, Diagnostic> {
    let (watcher, batches) = watcher(dev)?;
    let (serving, commands) = Serving::watching(pipeline, &mut reporter.lock().unwrap_or_else(PoisonError::into_inner))?;
    let (wake, wakes) = mpsc::channel(WAKES);
    let watcher = Arc::new(watcher);
    tokio::spawn(forward_files(batches, wake.clone(), pipeline.cancel.clone()));
    tokio::spawn(forward_commands(commands, Arc::clone(&watcher), wake.clone(), pipeline.cancel.clone()));
    let (_keys, keys) = pressed(pipeline);
    let stages = LiveStages::new(pipeline.specs(ImageSource::Build), pipeline.session.clients.clone())
        .watching(Arc::clone(&watcher))
        .reloading(reload(pipeline));
    let manual = dev.manual.iter().map(|stage| EventKind::AutoSwitched { stage: *stage, enabled: false });
    let mut report = pipeline.reporting(reporter);
    let session = devloop_engine::Session {
        goal: Goal::dev(pipeline.checks_status()),
        stages: Arc::new(stages),
        opening: pipeline.opening().into_iter().chain([EventKind::ApiServed { url: serving.url.clone() }]).chain(manual).collect(),
        wakes,
        leaving: Leaving { clean_up: dev.clean_up, at_first_failure: dev.end_at_first_failure },
        report: &mut report,
        cancel: pipeline.cancel.clone(),
    };
    let hands = Hands { reporter, watcher: &watcher, wakes: wake, cx: pipeline.session.cx(&pipeline.cancel) };
    // Keys are read for as long as the session runs.
    let ended = tokio::select! {
        ended = session.run() => ended,
        never = hands.follow(keys) => match never {},
    };
    serving.end().await;
    Ok(ended.into())
}

fn watcher(dev: &DevSettings) -> Result<(FileWatcher, mpsc::Receiver<Batch>), Diagnostic> {
    let settings = WatchSettings { mode: dev.mode, poll_interval: dev.poll_interval };
    FileWatcher::start(settings).map_err(|error| error.diagnostic())
}

/// Hands batches of changed files to the loop, until one of both ends.
async fn forward_files(mut batches: mpsc::Receiver<Batch>, wakes: mpsc::Sender<Wake>, cancel: CancellationToken) {
    while let Some(Some(Batch { paths, first, rescan })) = cancel.run_until_cancelled(batches.recv()).await {
        let trigger = if rescan { Trigger::Rescan } else { Trigger::Files(paths) };
        if wakes.send(Wake { trigger, first: first.into() }).await.is_err() {
            return;
        }
    }
}

/// Hands what clients of the API ask for to the loop, until one of both ends.
async fn forward_commands(
    mut commands: mpsc::Receiver<Command>,
    watcher: Arc<FileWatcher>,
    wakes: mpsc::Sender<Wake>,
    cancel: CancellationToken,
) {
    while let Some(Some(command)) = cancel.run_until_cancelled(commands.recv()).await {
        look_for(&command, &watcher);
        if wakes.send(Wake { trigger: Trigger::Command(command), first: Instant::now() }).await.is_err() {
            return;
        }
    }
}

/// With `--trigger=manual`, work that is asked for is what files are looked at for.
fn look_for(command: &Command, watcher: &FileWatcher) {
    if matches!(command, Command::Execute { .. } | Command::Rebuild { .. } | Command::Redeploy | Command::Resync) {
        watcher.look();
    }
}

/// Returns the keys of the terminal, where there is one for both directions; what is returned first gives it back.
fn pressed(pipeline: &Pipeline) -> (Option<Keys>, mpsc::Receiver<Key>) {
    let shows = !pipeline.session.settings.console.json && std::io::stdout().is_terminal();
    // A terminal that gives no keys is watched without them.
    match shows.then(Keys::start).and_then(Result::ok).flatten() {
        Some((keys, pressed)) => (Some(keys), pressed),
        None => (None, mpsc::channel(1).1),
    }
}

/// What keys do.
struct Hands<'a> {
    reporter: &'a Mutex<Reporter>,
    watcher: &'a FileWatcher,
    wakes: mpsc::Sender<Wake>,
    cx: Cx,
}

impl Hands<'_> {
    /// Does what keys ask for, and follows the size of the terminal, for ever.
    async fn follow(&self, mut keys: mpsc::Receiver<Key>) -> Infallible {
        // Without the signal, the next event draws everything anew as well.
        let mut sizes = signal(SignalKind::window_change()).ok();
        loop {
            let resized = async {
                match &mut sizes {
                    Some(sizes) => sizes.recv().await,
                    None => std::future::pending().await,
                }
            };
            let key = tokio::select! {
                Some(key) = keys.recv() => key,
                _ = resized => {
                    self.reporter.lock().unwrap_or_else(PoisonError::into_inner).resized();
                    continue;
                }
            };
            let action = self.reporter.lock().unwrap_or_else(PoisonError::into_inner).key(key);
            match action {
                KeyAction::None => {}
                KeyAction::Look => self.watcher.look(),
                KeyAction::Open(url) => self.open(&url).await,
                KeyAction::Command(command) => {
                    look_for(&command, self.watcher);
                    // The loop that would take it has ended otherwise.
                    drop(self.wakes.send(Wake { trigger: Trigger::Command(command), first: Instant::now() }).await);
                }
            }
        }
    }

    /// Opens an address as the desktop does.
    async fn open(&self, url: &str) {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let opened = devloop_clients::process::Command::new(program).arg(url).deadline(OPEN_DEADLINE).output(&self.cx).await;
        if let Err(error) = opened {
            let note = Diagnostic::warning("dev/not-opened", format!("{url} was not opened")).because(error.diagnostic().what);
            self.reporter.lock().unwrap_or_else(PoisonError::into_inner).note(&note);
        }
    }
}

/// Returns what reads the configuration again, as the command line asks for it; the target stays what it was.
fn reload(pipeline: &Pipeline) -> Reload {
    let Session { settings, repos, .. } = &pipeline.session;
    let (settings, repos) = (settings.clone(), repos.clone());
    let (target, elsewhere, redactor) = (pipeline.target.clone(), pipeline.elsewhere.clone(), pipeline.redactor.clone());
    let without_cluster = pipeline.session.plan.needs_no_cluster();
    Arc::new(move || {
        let env = environment::read().map_err(|diagnostic| vec![diagnostic])?;
        let mut session = Session::open(settings.clone(), env, repos.clone())?;
        redactor.learn(crate::session::secrets(&session.plan, &session.env));
        let asked = session.settings.target.context.as_ref().or(session.plan.deploy.kube_context.as_ref());
        if asked.is_some() && asked != target.context.as_ref() {
            return Err(vec![another_context(asked.map_or("", String::as_str))]);
        }
        let others = session.plan.modules.iter().filter_map(|module| module.deploy.context.as_ref());
        if let Some(new) = others.into_iter().find(|context| !elsewhere.contains_key(*context)) {
            return Err(vec![another_context(new)]);
        }
        if without_cluster && !session.plan.needs_no_cluster() {
            return Err(vec![needs_cluster()]);
        }
        let (cancel, standing) = (CancellationToken::new(), Standing::default());
        let (target, elsewhere) = (target.clone(), elsewhere.clone());
        platforms::settle(&mut session, &target);
        let pipeline = Pipeline { session, target, elsewhere, cancel, redactor: redactor.clone(), standing };
        Ok(Reloaded { specs: pipeline.specs(ImageSource::Build), facts: pipeline.loaded() })
    })
}

fn needs_cluster() -> Diagnostic {
    Diagnostic::error("dev/needs-cluster", "the configuration now deploys into a cluster")
        .because("a session that began without one stays without one")
        .help("end this session and start another")
}

fn another_context(context: &str) -> Diagnostic {
    Diagnostic::error("dev/another-context", format!("the configuration now names the Kubernetes context `{context}`"))
        .because("a session stays in the cluster that it began in")
        .help("end this session and start another")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use devloop_model::Delivery;
    use devloop_model::Namespace;
    use devloop_model::Target;
    use devloop_ui::Redactor;

    use super::*;
    use crate::args;
    use crate::settings::Settings;

    fn config(secrets: &str) -> String {
        format!(
            "apiVersion: skaffold/v4beta14\nkind: Config\nbuild:\n  artifacts:\n    - image: web\n      docker:\n        \
             dockerfile: Dockerfile\n{secrets}"
        )
    }

    #[test]
    fn secrets_that_a_changed_configuration_adds_are_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let (file, secret) = (dir.path().join("skaffold.yaml"), dir.path().join("npm"));
        fs::write(&file, config("")).unwrap();
        fs::write(&secret, "correct-horse\n").unwrap();
        let env = environment::read().unwrap();
        let line = ["devloop", "dev", "-f", file.to_str().unwrap(), "--kubeconfig", "/dev/null"];
        let settings = Settings::resolve(args::parse(line.into_iter().map(Into::into), &env).unwrap().cli, &env).unwrap();
        let target = Target {
            context: None,
            namespace: Namespace("default".to_owned()),
            namespace_is_forced: false,
            delivery: Delivery::Push,
            default_repo: None,
            multi_level_repo: false,
            node_platforms: Vec::new(),
        };
        let (cancel, standing) = (CancellationToken::new(), Standing::default());
        let repos = crate::modules::Repos::new(&settings, &env, &cancel);
        let session = Session::open(settings, env, repos).unwrap();
        let pipeline = Pipeline { session, target, elsewhere: BTreeMap::new(), cancel, redactor: Redactor::default(), standing };
        let reload = reload(&pipeline);
        assert_eq!(pipeline.redactor.text("a correct-horse"), "a correct-horse");
        fs::write(&file, config(&format!("        secrets:\n          - id: npm\n            src: {}\n", secret.display()))).unwrap();
        reload().unwrap();
        assert_eq!(pipeline.redactor.text("a correct-horse"), "a ***");
    }
}
