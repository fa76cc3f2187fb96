//! Sending the packed context into the init container: numbered parts over several connections, each verified, and sent again alone.

use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use devloop_clients::exec::ExecEnd;
use devloop_clients::exec::ExecError;
use devloop_clients::exec::ExecOutput;
use devloop_clients::exec::ExecTarget;
use devloop_clients::registry::digest_of;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use futures::StreamExt as _;
use futures::TryStreamExt as _;

use crate::BuildError;
use crate::inputs::blocking;

/// The size of a part: what a broken connection costs at most.
const PART: u64 = 8 << 20;
/// How many parts are under way at once.
const AT_ONCE: usize = 4;
/// The pause before the second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Takes a part of `$2` bytes into the file `$1`, and says what it has: a checksum, else a size, else nothing. Not every API server
/// passes on the end of an input, so that the size says it where there is `head`.
const TAKE: &str = r#"
if command -v head >/dev/null 2>&1; then head -c "$2"; else cat; fi > "$1" || exit 1
(sha256sum < "$1" || wc -c < "$1" || echo unverified) 2>/dev/null
"#;

/// Unpacks the parts `$4`… into the directory `$1`, and makes the file `$3` once that went well. A pipe tells of its last program alone,
/// so that the file `$2` says whether all parts were read.
const UNPACK: &str = r#"
dir=$1 read=$2 complete=$3
shift 3
{ cat "$@" && : > "$read"; } | tar -xzf - -C "$dir" || exit 1
[ -f "$read" ] && : > "$complete"
"#;

/// What runs commands where the context goes.
pub(super) trait Shell: Sync {
    /// Returns what a command left that was given `input`.
    fn run(&self, command: &[String], input: &[u8]) -> impl Future<Output = Result<ExecOutput, ExecError>> + Send;
}

/// The init container.
pub(super) struct InContainer<'a> {
    pub(super) target: ExecTarget<'a>,
    pub(super) limit: Duration,
    pub(super) cx: &'a Cx,
}

impl Shell for InContainer<'_> {
    async fn run(&self, command: &[String], input: &[u8]) -> Result<ExecOutput, ExecError> {
        self.target.exec_to_end(command, input, self.limit, self.cx).await
    }
}

/// Where what goes.
pub(super) struct Upload<'a, S> {
    pub(super) shell: &'a S,
    /// The packed context.
    pub(super) packed: &'a Path,
    /// Where parts are kept, and what says that all is there: `/tmp`.
    pub(super) temporary: &'a str,
    /// Where the context is unpacked.
    pub(super) directory: &'a str,
    /// How often each part is tried.
    pub(super) attempts: u32,
    pub(super) cx: &'a Cx,
}

/// Why an attempt failed, and whether another may go better.
struct Attempt {
    why: String,
    is_final: bool,
}

impl<S: Shell> Upload<'_, S> {
    /// Sends the whole, and unpacks it; the init container ends then.
    ///
    /// # Errors
    /// When a part does not arrive whole after all attempts, or cannot be unpacked: no build starts with less than its context.
    pub(super) async fn send(&self) -> Result<(), BuildError> {
        self.send_in_parts(PART).await
    }

    async fn send_in_parts(&self, part: u64) -> Result<(), BuildError> {
        let total = self.packed.metadata().map_err(|source| self.unreadable(source))?.len();
        let mut done = 0;
        self.cx.progress("send context", 0, Some(total), true);
        let parts = futures::stream::iter(0..total.div_ceil(part)).map(|number| self.send_part(number, part)).buffered(AT_ONCE);
        let names: Vec<String> = parts
            .inspect_ok(|(_, size)| {
                done += size;
                self.cx.progress("send context", done, Some(total), true);
            })
            .map_ok(|(name, _)| name)
            .try_collect()
            .await?;
        self.again(|attempt| self.unpack(&names, attempt)).await.map_err(|why| failed("it cannot be unpacked there", &why))
    }

    fn unreadable(&self, source: io::Error) -> BuildError {
        BuildError::Read { path: self.packed.to_owned(), source }
    }

    /// Returns the file that a part is in, and its size.
    async fn send_part(&self, number: u64, part: u64) -> Result<(String, u64), BuildError> {
        let path = self.packed.to_owned();
        let bytes = blocking(move || -> io::Result<Vec<u8>> {
            let mut file = std::fs::File::open(path)?;
            file.seek(SeekFrom::Start(number * part))?;
            let mut bytes = Vec::new();
            file.take(part).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        let bytes = bytes.await.map_err(|source| self.unreadable(source))?;
        let sent = self.again(|attempt| self.send_once(number, attempt, &bytes)).await;
        let name = sent.map_err(|why| failed(&format!("part {} of it does not arrive", number + 1), &why))?;
        Ok((name, bytes.len() as u64))
    }

    /// Each attempt has a file of its own: the one that lost its connection may still write.
    async fn send_once(&self, number: u64, attempt: u32, bytes: &[u8]) -> Result<String, Attempt> {
        let name = format!("{}/context.{number}.{attempt}", self.temporary);
        let output = self.run(TAKE, &[name.clone(), bytes.len().to_string()], bytes).await?;
        let said = output.split_whitespace().next().unwrap_or_default();
        let is_whole = if said.len() == 64 {
            said == digest_of(bytes).hex()
        } else {
            // What nobody verifies, gzip's own checksums do.
            said == "unverified" || said == bytes.len().to_string()
        };
        let broken = || Attempt { why: "what arrived is not what was sent".to_owned(), is_final: false };
        if is_whole { Ok(name) } else { Err(broken()) }
    }

    async fn unpack(&self, parts: &[String], attempt: u32) -> Result<(), Attempt> {
        let own = [self.directory.to_owned(), format!("{}/read.{attempt}", self.temporary), format!("{}/complete", self.temporary)];
        let arguments: Vec<String> = own.into_iter().chain(parts.iter().cloned()).collect();
        self.run(UNPACK, &arguments, &[]).await.map(drop)
    }

    async fn run(&self, script: &str, arguments: &[String], input: &[u8]) -> Result<String, Attempt> {
        let mut command = ["sh", "-c", script, "devloop"].map(str::to_owned).to_vec();
        command.extend_from_slice(arguments);
        let output = match self.shell.run(&command, input).await {
            Ok(output) => output,
            Err(ExecError::Cancelled) => return Err(Attempt { why: "interrupted".to_owned(), is_final: true }),
            Err(error) => {
                let told = error.diagnostic();
                return Err(Attempt { why: std::iter::once(told.what).chain(told.why).collect::<Vec<_>>().join(": "), is_final: false });
            }
        };
        if output.end == ExecEnd::Exited(0) {
            return Ok(output.stdout);
        }
        let is_final = matches!(output.end, ExecEnd::NotStarted(_));
        Err(Attempt { why: output.end.because_of(&output.stderr), is_final })
    }

    /// Returns what an attempt gives, the first that succeeds; else why the last one did not.
    async fn again<T, F: Future<Output = Result<T, Attempt>> + Send>(&self, attempt: impl Fn(u32) -> F + Send) -> Result<T, String> {
        let mut number = 1;
        loop {
            match attempt(number).await {
                Ok(result) => return Ok(result),
                Err(failed) if failed.is_final || number >= self.attempts => return Err(failed.why),
                Err(failed) => tracing::debug!(number, why = failed.why, "sent again"),
            }
            tokio::time::sleep(FIRST_PAUSE * (1 << (number - 1).min(6))).await;
            number += 1;
        }
    }
}

fn failed(what: &str, why: &str) -> BuildError {
    let fault = Diagnostic::error("build/kaniko-context", "the build context cannot be sent to the kaniko pod").because(what);
    fault.because(why).help("`copyMaxRetries` and `copyTimeout` of `kaniko` say how often and how long it is tried").into()
}

#[cfg(test)]
mod tests;
