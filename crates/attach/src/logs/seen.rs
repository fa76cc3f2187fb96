//! Lines that were shown already: what a log that is opened again repeats is left out.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::hash::RandomState;

/// How many lines of the last second are remembered; a container that writes faster may repeat some after a lost connection.
const MOST: usize = 1 << 16;
/// Length of `2026-01-02T03:04:05`: the API server knows times to the second.
const SECOND: usize = 19;

/// The lines of the last second of one container.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    second: String,
    lines: VecDeque<u64>,
    /// Those of `lines` that the log that is open now has not repeated yet.
    expected: VecDeque<u64>,
    hasher: RandomState,
}

impl Seen {
    /// Returns the time to open the log at again; none before the first line.
    pub(crate) fn since(&self) -> Option<String> {
        (!self.second.is_empty()).then(|| format!("{}Z", self.second))
    }

    /// Notes that the log was opened at [`Seen::since`], so that it repeats what came after.
    pub(crate) fn reopened(&mut self) {
        self.expected.clone_from(&self.lines);
    }

    /// Returns the text of a line with its time if it was not shown before; none as well for a line without a time,
    /// which is not the container's but the kubelet's.
    pub(crate) fn new_text<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        let second = time.get(..SECOND).filter(|second| is_time(second) && time.ends_with('Z'))?;
        let hash = self.hasher.hash_one((time, text));
        if let Some(at) = self.expected.iter().position(|known| *known == hash) {
            self.expected.remove(at);
            return None;
        }
        if second < self.second.as_str() && !self.expected.is_empty() {
            return None;
        }
        if second > self.second.as_str() {
            second.clone_into(&mut self.second);
            self.lines.clear();
            self.expected.clear();
        }
        if self.lines.len() == MOST {
            self.lines.pop_front();
        }
        self.lines.push_back(hash);
        Some(text)
    }
}

fn is_time(text: &str) -> bool {
    text.bytes().zip(b"0000-00-00T00:00:00").all(|(byte, shape)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seen: &mut Seen, lines: &[&str]) -> Vec<String> {
        lines.iter().filter_map(|line| seen.new_text(line).map(str::to_owned)).collect()
    }

    const A: &str = "2026-01-02T03:04:05.1Z a";
    const B: &str = "2026-01-02T03:04:06.1Z b";
    const C: &str = "2026-01-02T03:04:06.2Z c";
    const D: &str = "2026-01-02T03:04:07.2Z d";

    #[test]
    fn what_a_log_repeats_is_left_out() {
        let mut seen = Seen::default();
        assert_eq!(seen.since(), None);
        assert_eq!(lines(&mut seen, &[A, B, B, C]), ["a", "b", "b", "c"]);
        assert_eq!(seen.since().as_deref(), Some("2026-01-02T03:04:06Z"));
        seen.reopened();
        // Twice the same line at the same time was written twice, and is repeated twice; a third one is new.
        assert_eq!(lines(&mut seen, &[B, B, C, B, D]), ["b", "d"]);
        seen.reopened();
        assert_eq!(lines(&mut seen, &[D]), [""; 0]);
    }

    #[test]
    fn streams_may_be_out_of_step() {
        let mut seen = Seen::default();
        assert_eq!(lines(&mut seen, &[C, B, A]), ["c", "b", "a"]);
    }

    #[test]
    fn lines_of_the_kubelet_have_no_time() {
        let mut seen = Seen::default();
        assert_eq!(
            lines(
                &mut seen,
                &["unable to retrieve container logs for containerd://1", "2026-01-02T03:04:05Z ", "2026-01-02T03:04:05.5Z", ""]
            ),
            ["", ""]
        );
    }
}
