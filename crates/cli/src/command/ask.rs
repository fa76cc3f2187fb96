//! `devloop status`, `why` and `logs`: what a running session knows. None of them reads a skaffold.yaml.

mod logs;
mod status;
#[cfg(test)]
mod tests;
mod why;

use devloop_clients::session_api::SessionApi;
use devloop_clients::session_api::SessionApiError;
use devloop_model::Diagnostic;
use devloop_model::Env;
use devloop_model::Timestamp;
use devloop_ui::Snapshot;
use devloop_ui::snapshot::Explanation;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::output;
use crate::session_file::SessionFile;
use crate::session_file::Sessions;
use crate::settings::AskSettings;
use crate::settings::Question;
use crate::settings::Settings;

/// Asks a running session, and prints its answer.
///
/// # Errors
/// When no session can be meant, it does not answer, or refuses.
pub(crate) async fn run(settings: &Settings, ask: &AskSettings, env: &Env, cancel: &CancellationToken) -> Result<Exit, Diagnostic> {
    let directory = std::env::current_dir().unwrap_or_default();
    let session = Sessions::of(env, &settings.paths).find(ask.pid, &directory)?;
    let mut print = output::to_stdout;
    let answered = answer(&session, ask, settings.console.timestamps, &mut print);
    // Ctrl-C ends a question that goes on.
    cancel.run_until_cancelled(answered).await.unwrap_or(Ok(Exit::Done))
}

/// Returns what the session of the working directory knows.
///
/// # Errors
/// When none runs, or it does not answer.
pub(crate) async fn snapshot(env: &Env, settings: &Settings) -> Result<Snapshot, Diagnostic> {
    let directory = std::env::current_dir().unwrap_or_default();
    let session = Sessions::of(env, &settings.paths).find(None, &directory)?;
    understood(get(&client(&session)?, "/v1/snapshot", &[]).await?)
}

/// Where answers go, as they come.
type Print<'p> = &'p mut (dyn FnMut(&str) -> Result<(), Diagnostic> + Send);

async fn answer(session: &SessionFile, ask: &AskSettings, timestamps: bool, print: Print<'_>) -> Result<Exit, Diagnostic> {
    let api = client(session)?;
    let text = match &ask.question {
        Question::Logs { .. } => return logs::print(&api, ask, timestamps, print).await,
        Question::Status => {
            let answer = get(&api, "/v1/snapshot", &[]).await?;
            if ask.json { pretty(&answer) } else { status::text(session, &understood::<Snapshot>(answer)?, Timestamp::now()) }
        }
        Question::Why { artifact } => {
            let query: Vec<_> = artifact.iter().map(|artifact| ("artifact", artifact.clone())).collect();
            let answer = get(&api, "/v1/why", &query).await?;
            if ask.json { pretty(&answer) } else { why::text(&understood::<Vec<Explanation>>(answer)?, Timestamp::now()) }
        }
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn client(session: &SessionFile) -> Result<SessionApi, Diagnostic> {
    let starting = || Diagnostic::error("session/starting", "the session is just starting").help("try again in a moment");
    let url = session.url.as_deref().ok_or_else(starting)?;
    SessionApi::new(url, session.token.as_deref()).map_err(|error| error.diagnostic())
}

async fn get(api: &SessionApi, path: &str, query: &[(&str, String)]) -> Result<Value, Diagnostic> {
    api.get(path, query).await.map_err(|error: SessionApiError| error.diagnostic())
}

fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, Diagnostic> {
    serde_json::from_value(answer).map_err(|error| {
        Diagnostic::error("session/other-version", "the session's answer is not understood")
            .because(error.to_string())
            .help("another version of devloop runs there: end it and start it anew")
    })
}

fn pretty(answer: &Value) -> String {
    format!("{answer:#}\n")
}
