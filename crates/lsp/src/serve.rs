//! The loop: messages in, answers out, until the editor says so or is gone.

use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::Value as Json;
use serde_json::json;

use crate::Settings;
use crate::queue::Next;
use crate::queue::Queue;
use crate::session::Answer;
use crate::session::Fault;
use crate::session::Session;
use crate::wire;
use crate::wire::Incoming;

/// So many messages are read ahead.
const READ_AHEAD: usize = 256;
/// How often the editor is looked after while nothing comes from it.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The editor ended it, or is gone.
    Done,
    /// The editor said `exit` without `shutdown`, which the protocol calls a failure.
    Abrupt,
}

/// Answers what comes from `input` on `output` until the editor ends it, the input ends, or the editor's process does.
///
/// # Errors
/// When the output cannot be written; an input that cannot be read has ended.
pub fn serve(input: impl Read + Send + 'static, output: &mut impl Write, settings: &Settings) -> io::Result<Ended> {
    let (sender, receiver) = sync_channel(READ_AHEAD);
    // Nobody waits for it: a read of standard input cannot be interrupted.
    std::thread::spawn(move || {
        let mut input = BufReader::new(input);
        while let Ok(Some(incoming)) = wire::read(&mut input) {
            if sender.send(incoming).is_err() {
                break;
            }
        }
    });
    let mut queue = Queue::new(receiver);
    let mut session = Session::new(settings);
    loop {
        match queue.next(LOOK_AFTER) {
            Next::Incoming(Incoming::Message(message)) => {
                if let Some(ended) = message_in(&mut session, output, message)? {
                    return Ok(ended);
                }
            }
            Next::Incoming(Incoming::Malformed(why)) => respond(output, Json::Null, Err(Fault::parse(why)))?,
            Next::Cancelled(id) => respond(output, id, Err(Fault::cancelled()))?,
            Next::Idle => {
                for message in guarded(|| session.publish()).unwrap_or_default() {
                    wire::write(output, &message)?;
                }
            }
            Next::Quiet if session.editor().is_some_and(|process| !(settings.is_running)(process)) => return Ok(Ended::Done),
            Next::Quiet => {}
            Next::End => return Ok(Ended::Done),
        }
    }
}

fn message_in(session: &mut Session<'_>, output: &mut impl Write, mut message: Json) -> io::Result<Option<Ended>> {
    let id = message.get_mut("id").map(Json::take);
    let Some(method) = message.get("method").and_then(Json::as_str).map(str::to_owned) else {
        // A response to what we asked, which needs none; or no message at all.
        let is_response = id.is_some() && (message.get("result").is_some() || message.get("error").is_some());
        if !is_response {
            respond(output, id.unwrap_or_default(), Err(Fault::invalid("a message without a method")))?;
        }
        return Ok(None);
    };
    let params = message.get_mut("params").map(Json::take).unwrap_or_default();
    if method == "exit" {
        return Ok(Some(if session.is_shut_down() { Ended::Done } else { Ended::Abrupt }));
    }
    match id {
        Some(id) => {
            let answer = guarded(|| session.request(&method, params)).unwrap_or_else(|| Err(Fault::bug(&method)));
            respond(output, id, answer)?;
        }
        None => {
            for message in guarded(|| session.notification(&method, params)).unwrap_or_default() {
                wire::write(output, &message)?;
            }
        }
    }
    Ok(None)
}

/// Returns what `work` does; none where it panicked, which was reported: one bad request must not end the others.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).ok()
}

fn respond(output: &mut impl Write, id: Json, answer: Answer) -> io::Result<()> {
    let message = match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(fault) => json!({"jsonrpc": "2.0", "id": id, "error": {"code": fault.code, "message": fault.message}}),
    };
    wire::write(output, &message)
}

#[cfg(test)]
mod tests;
