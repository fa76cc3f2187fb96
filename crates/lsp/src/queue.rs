//! Messages that wait: an editor that types faster than we answer is not answered about what is past.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use serde_json::Value as Json;

use crate::wire::Incoming;

/// What comes next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// A message.
    Incoming(Incoming),
    /// A request that the editor has taken back.
    Cancelled(Json),
    /// Nothing waits: there is time for what is not urgent.
    Idle,
    /// Nothing came for a while.
    Quiet,
    /// Nothing will come any more.
    End,
}

/// Messages in the order they came.
#[derive(Debug)]
pub(crate) struct Queue {
    from: Receiver<Incoming>,
    waiting: VecDeque<Incoming>,
    was_busy: bool,
}

impl Queue {
    pub(crate) fn new(from: Receiver<Incoming>) -> Self {
        Self { from, waiting: VecDeque::new(), was_busy: false }
    }

    /// Returns what comes next; waits for at most `patience` where nothing does.
    pub(crate) fn next(&mut self, patience: Duration) -> Next {
        while let Ok(incoming) = self.from.try_recv() {
            self.waiting.push_back(incoming);
        }
        if let Some(incoming) = self.waiting.pop_front() {
            self.was_busy = true;
            return self.unless_cancelled(incoming);
        }
        if std::mem::take(&mut self.was_busy) {
            return Next::Idle;
        }
        match self.from.recv_timeout(patience) {
            Ok(incoming) => {
                self.was_busy = true;
                self.unless_cancelled(incoming)
            }
            Err(RecvTimeoutError::Timeout) => Next::Quiet,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    fn unless_cancelled(&self, incoming: Incoming) -> Next {
        let Incoming::Message(message) = &incoming else { return Next::Incoming(incoming) };
        let Some(id) = message.get("id").filter(|_| message.get("method").is_some()) else { return Next::Incoming(incoming) };
        let cancels = |later: &Incoming| match later {
            Incoming::Message(later) => later["method"] == "$/cancelRequest" && later["params"].get("id") == Some(id),
            Incoming::Malformed(_) => false,
        };
        if self.waiting.iter().any(cancels) { Next::Cancelled(id.clone()) } else { Next::Incoming(incoming) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_that_was_taken_back_is_not_worked_on() {
        let (sender, receiver) = channel();
        let hover = |id: u32| Incoming::Message(json!({"id": id, "method": "textDocument/hover"}));
        let cancel = Incoming::Message(json!({"method": "$/cancelRequest", "params": {"id": 1}}));
        for message in [hover(1), hover(2), cancel] {
            sender.send(message).unwrap();
        }
        let mut queue = Queue::new(receiver);
        let patience = Duration::from_millis(1);
        assert_eq!(queue.next(patience), Next::Cancelled(json!(1)));
        assert_eq!(queue.next(patience), Next::Incoming(hover(2)));
        assert!(matches!(queue.next(patience), Next::Incoming(_)));
        assert_eq!((queue.next(patience), queue.next(patience)), (Next::Idle, Next::Quiet));
        drop(sender);
        assert_eq!(queue.next(patience), Next::End);
    }
}
