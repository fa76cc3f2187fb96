//! What only the user knows, asked on the terminal.

use std::io::IsTerminal as _;

use devloop_init::Builder;
use devloop_model::Diagnostic;
use dialoguer::Confirm;
use dialoguer::Input;
use dialoguer::MultiSelect;
use dialoguer::Select;
use dialoguer::theme::ColorfulTheme;
use nix::sys::termios::SetArg;
use nix::sys::termios::tcgetattr;
use nix::sys::termios::tcsetattr;
use tokio_util::sync::CancellationToken;

use super::files::Target;

/// The choice that nothing here builds an image.
const NOTHING: &str = "nothing: it is not built from these sources";
/// How many choices are seen at once.
const PAGE: usize = 15;

/// Returns what `ask` returns, or nothing once the command is to end: whoever waits for a key hears no signal.
pub(super) async fn unless_left<T: Send + 'static>(cancel: &CancellationToken, ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let modes = tcgetattr(std::io::stdin()).ok();
    let answered = tokio::select! {
        answered = tokio::task::spawn_blocking(ask) => Some(answered.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))),
        () = cancel.cancelled() => None,
    };
    if !cancel.is_cancelled() {
        return answered;
    }
    // A question that still waits has hidden the cursor, and takes keys as they come.
    if let Some(modes) = modes {
        tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &modes).ok();
        drop(dialoguer::console::Term::stderr().show_cursor());
    }
    None
}

/// Asks; a question that is left ends the command.
pub(super) struct Questions {
    /// What ends the command.
    pub(super) cancel: CancellationToken,
}

impl Questions {
    /// Returns what builds an image; none if nothing here does.
    ///
    /// # Errors
    /// When there is no terminal.
    pub(super) fn builder<'b>(
        &self,
        image: &str,
        builders: &'b [Builder],
        guess: Option<&Builder>,
    ) -> Result<Option<&'b Builder>, Diagnostic> {
        if builders.is_empty() {
            return Ok(None);
        }
        let mut choices: Vec<&Builder> = builders.iter().collect();
        choices.sort_by_key(|builder| builder.describe());
        let named = choices.iter().map(|builder| builder.describe()).chain([NOTHING.to_owned()]);
        let first = guess.and_then(|guess| choices.iter().position(|builder| *builder == guess)).unwrap_or_default();
        let theme = ColorfulTheme::default();
        let select = Select::with_theme(&theme).with_prompt(format!("What builds the image {image}?")).items(named.collect::<Vec<_>>());
        let at = self.answer(|| select.default(first).max_length(PAGE).interact())?;
        Ok(choices.get(at).copied())
    }

    /// Returns those of the builders that manifests are made for.
    ///
    /// # Errors
    /// When there is no terminal.
    pub(super) fn builders(&self, builders: &[Builder]) -> Result<Vec<Builder>, Diagnostic> {
        let theme = ColorfulTheme::default();
        let named: Vec<String> = builders.iter().map(Builder::describe).collect();
        let select =
            MultiSelect::with_theme(&theme).with_prompt("No manifest names what these build. Make one for (space selects)").items(named);
        let chosen = self.answer(|| select.max_length(PAGE).interact())?;
        Ok(chosen.into_iter().map(|at| builders[at].clone()).collect())
    }

    /// Returns the port of an image; 0 is none.
    ///
    /// # Errors
    /// When there is no terminal.
    pub(super) fn port(&self, image: &str, usual: u16) -> Result<u16, Diagnostic> {
        let theme = ColorfulTheme::default();
        let input = Input::with_theme(&theme).with_prompt(format!("Which port does {image} listen on? 0 for none")).default(usual);
        self.answer(|| input.interact_text())
    }

    /// Returns the question whether the files are to be written.
    pub(super) fn write(target: &Target, manifests: usize) -> String {
        let more = if manifests == 0 { "" } else { ", and the manifests" };
        format!("Write this into {target}{more}?")
    }

    /// Returns the answer to a question of yes or no.
    ///
    /// # Errors
    /// When there is no terminal.
    pub(super) fn confirm(&self, question: String) -> Result<bool, Diagnostic> {
        let theme = ColorfulTheme::default();
        let confirm = Confirm::with_theme(&theme).with_prompt(question).default(true);
        self.answer(|| confirm.interact())
    }

    fn answer<T>(&self, ask: impl FnOnce() -> dialoguer::Result<T>) -> Result<T, Diagnostic> {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            let error = Diagnostic::error("init/no-terminal", "there is something to ask, and no terminal to ask on");
            return Err(error.help("use `--force`, which asks nothing; `--artifact` says what builds an image"));
        }
        ask().map_err(|error| {
            // What asked has hidden the cursor, and the key that left it is a signal for others only.
            drop(dialoguer::console::Term::stderr().show_cursor());
            self.cancel.cancel();
            Diagnostic::error("init/no-answer", "there was no answer").because(error.to_string())
        })
    }
}
