//! The API of this process's session, and the file through which other processes find it.

use devloop_clients::session_api;
use devloop_model::Command;
use devloop_model::Diagnostic;
use devloop_model::Timestamp;
use devloop_ui::Api;
use devloop_ui::ApiSettings;
use devloop_ui::Reporter;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::pipeline::Pipeline;
use crate::session_file::OpenSession;
use crate::session_file::SessionFile;
use crate::session_file::Sessions;
use crate::session_file::owner;
use crate::settings::CommandSettings;
use crate::settings::ConfigSource;

/// How many commands may wait for the loop; more are refused.
const COMMANDS: usize = 64;

/// An API that is served until [`Serving::end`].
pub(crate) struct Serving {
    /// Where it listens.
    pub url: String,
    server: JoinHandle<()>,
    cancel: CancellationToken,
    session: Option<OpenSession>,
}

impl Serving {
    /// Serves what a watching session does, alone on its releases, and returns what clients ask of it; others find
    /// it by its file.
    ///
    /// On a port that was asked for anybody of this machine may ask, as with Skaffold; otherwise the file has the
    /// token that is wanted.
    ///
    /// # Errors
    /// When another session works on one of the releases, or the port is taken.
    pub(crate) fn watching(pipeline: &Pipeline, reporter: &mut Reporter) -> Result<(Self, mpsc::Receiver<Command>), Diagnostic> {
        let settings = &pipeline.session.settings;
        let sessions = Sessions::of(&pipeline.session.env, &settings.paths);
        let mut session = sessions.open(about(pipeline), &pipeline.releases())?;
        let token = settings.api.port.is_none().then(|| uuid::Uuid::new_v4().simple().to_string());
        let served = Self::start(pipeline, token.as_deref(), reporter).and_then(|served| {
            session.serve(&served.0.url, token.as_deref())?;
            Ok(served)
        });
        match served {
            Ok((serving, commands)) => Ok((Self { session: Some(session), ..serving }, commands)),
            Err(diagnostic) => {
                session.end();
                Err(diagnostic)
            }
        }
    }

    /// Serves what a command does that does not watch, if its command line asks for it; it takes no commands.
    ///
    /// # Errors
    /// When the port is taken.
    pub(crate) fn if_asked(pipeline: &Pipeline, reporter: &mut Reporter) -> Result<Option<Self>, Diagnostic> {
        let settings = &pipeline.session.settings;
        if settings.api.port.is_none() || matches!(settings.command, CommandSettings::Dev(_)) {
            return Ok(None);
        }
        Self::start(pipeline, None, reporter).map(|(serving, _)| Some(serving))
    }

    fn start(pipeline: &Pipeline, token: Option<&str>, reporter: &mut Reporter) -> Result<(Self, mpsc::Receiver<Command>), Diagnostic> {
        let about = about(pipeline);
        let listener = session_api::listen(pipeline.session.settings.api.port).map_err(|error| error.diagnostic())?;
        let settings = ApiSettings {
            token: token.map(str::to_owned),
            redactor: pipeline.redactor.clone(),
            config: about.config.map(|path| path.display().to_string()),
            directory: Some(about.directory.display().to_string()),
        };
        let (sender, commands) = mpsc::channel(COMMANDS);
        // Not the session's own: clients see how it ends.
        let cancel = CancellationToken::new();
        let (api, served) = Api::start(listener, settings, sender, cancel.clone()).map_err(|error| error.diagnostic())?;
        let url = api.url().to_owned();
        reporter.serve(api);
        Ok((Self { url, server: tokio::spawn(served), cancel, session: None }, commands))
    }

    /// Ends the API after its clients had a moment for the last events, and removes the session's file.
    pub(crate) async fn end(self) {
        self.cancel.cancel();
        // A panic in it was said where it happened.
        drop(self.server.await);
        if let Some(session) = self.session {
            session.end();
        }
    }
}

/// Returns what is written down of a session.
fn about(pipeline: &Pipeline) -> SessionFile {
    let session = &pipeline.session;
    let directory = std::env::current_dir().unwrap_or_default();
    let config = match &session.settings.config.source {
        ConfigSource::Stdin => None,
        _ => session.plan.modules.last().and_then(|module| std::path::absolute(&module.file).ok()),
    };
    SessionFile {
        pid: std::process::id(),
        since: Timestamp::now(),
        command: session.settings.command.name().to_owned(),
        directory,
        config,
        context: pipeline.target.context.clone(),
        namespace: pipeline.target.namespace.to_string(),
        owner: owner(&session.env),
        url: None,
        token: None,
    }
}
