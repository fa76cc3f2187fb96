//! What kaniko says, whole: a connection that breaks is opened again where it was.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use devloop_clients::kube::Cluster;
use devloop_clients::kube::LogOptions;
use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::Stream;
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::pod::CONTAINER;

/// How many of the last lines an error keeps.
const LAST_LINES: usize = 20;
/// The pause before a log is opened again.
const PAUSE: Duration = Duration::from_millis(200);
/// Length of `2026-01-02T03:04:05.123456789Z`, which the kubelet puts before each line.
const TIME: usize = 30;

/// The log of a pod.
pub(super) struct Log<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) namespace: &'a Namespace,
    pub(super) pod: &'a str,
    pub(super) cx: &'a Cx,
    /// Cancelled once kaniko has ended.
    pub(super) ended: CancellationToken,
    pub(super) last: Mutex<VecDeque<String>>,
}

impl Log<'_> {
    /// Records every line until kaniko has ended and all that it said was read.
    pub(super) async fn follow(&self) {
        let mut place = Place::default();
        loop {
            let was_ended = self.ended.is_cancelled();
            let is_whole = self.read(&mut place).await;
            if was_ended && is_whole {
                return;
            }
            // The end of a log is the end of its container, or that of a connection.
            tokio::select! {
                () = self.ended.cancelled(), if !was_ended => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Records the lines after `place`; returns whether that went to the end.
    async fn read(&self, place: &mut Place) -> bool {
        let options = LogOptions {
            container: Some(CONTAINER.to_owned()),
            follow: true,
            timestamps: true,
            since: place.since(),
            ..LogOptions::default()
        };
        let mut lines = match self.cluster.logs(self.namespace, self.pod, &options, self.cx).await {
            Ok(lines) => lines,
            Err(error) => {
                tracing::debug!(%error, "no log");
                return false;
            }
        };
        place.reopened();
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => self.say(place.new_text(&line)),
                Err(error) => {
                    tracing::debug!(%error, "log interrupted");
                    return false;
                }
            }
        }
        true
    }

    fn say(&self, text: Option<&str>) {
        let Some(text) = text else { return };
        self.cx.log(Stream::Stdout, text);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(text.to_owned());
    }

    /// Returns the last lines.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// How far a log was read: the time of the last line, and how many lines, or pieces of long ones, have it.
#[derive(Debug, Default)]
struct Place {
    time: String,
    count: usize,
    /// How many of that time the log that is open now will repeat.
    repeated: usize,
    /// The time of the line that is read now.
    reading: String,
}

impl Place {
    /// The API server knows times to the second.
    fn since(&self) -> Option<String> {
        self.time.get(.."2026-01-02T03:04:05".len()).map(|second| format!("{second}Z"))
    }

    fn reopened(&mut self) {
        self.repeated = self.count;
    }

    /// Returns the text of a line if it was not read before. What has no time is a further piece of a long line.
    fn new_text<'l>(&mut self, line: &'l str) -> Option<&'l str> {
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        let text = if is_time(time) {
            time.clone_into(&mut self.reading);
            text
        } else {
            line
        };
        if self.reading < self.time {
            return None;
        }
        if self.reading > self.time {
            (self.count, self.repeated) = (0, 0);
            self.time.clone_from(&self.reading);
        }
        if self.repeated > 0 {
            self.repeated -= 1;
            return None;
        }
        self.count += 1;
        Some(text)
    }
}

fn is_time(text: &str) -> bool {
    text.len() == TIME && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_opened_again_goes_on_where_it_was() {
        let at = |nanos: u32, text: &str| format!("2026-01-02T03:04:05.{nanos:09}Z{}{text}", if text.is_empty() { "" } else { " " });
        let all = [at(1, "one"), at(2, "two"), at(2, "two"), "rest of two".to_owned(), at(2, "three"), at(3, ""), at(4, "last one")];
        let whole: Vec<&str> = vec!["one", "two", "two", "rest of two", "three", "", "last one"];
        for broken in 0..=all.len() {
            let mut place = Place::default();
            let mut read: Vec<String> = Vec::new();
            for open in [&all[..broken], &all[..], &all[..]] {
                place.reopened();
                read.extend(open.iter().filter_map(|line| place.new_text(line)).map(str::to_owned));
            }
            assert_eq!(read, whole, "broken after {broken}");
        }
        let mut place = Place::default();
        assert_eq!(place.since(), None);
        place.new_text(&all[0]);
        assert_eq!(place.since().as_deref(), Some("2026-01-02T03:04:05Z"));
    }
}
