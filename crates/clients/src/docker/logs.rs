//! Logs of containers, line by line.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use devloop_model::Cx;
use futures::Stream;
use futures::StreamExt as _;

use super::Docker;
use super::DockerError;

/// The longest line that is kept whole.
const LONGEST_LINE: usize = 1 << 20;

/// Which lines of a container are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerLogs {
    /// Whether to go on as long as the container runs.
    pub follow: bool,
    /// Whether each line starts with its time, RFC 3339 with nanoseconds and a space.
    pub timestamps: bool,
    /// Only lines from this second since 1970 on; 0 is all.
    pub since: i64,
    /// Only so many lines from the end.
    pub tail: Option<u64>,
}

impl Docker {
    /// Returns the lines of a container, of both its outputs, without their newlines; the stream ends with the log, the connection
    /// or the step.
    pub fn container_logs(
        &self,
        container: &str,
        wanted: &ContainerLogs,
        cx: &Cx,
    ) -> impl Stream<Item = Result<String, DockerError>> + Send + use<> {
        let options = LogsOptions {
            follow: wanted.follow,
            stdout: true,
            stderr: true,
            since: i32::try_from(wanted.since).unwrap_or_default(),
            timestamps: wanted.timestamps,
            tail: wanted.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
            ..LogsOptions::default()
        };
        let what = format!("get the logs of container `{container}`");
        tracing::debug!("container daemon: {what}");
        let parts = self.client.logs(container, Some(options)).boxed();
        let lines = Lines { timestamps: wanted.timestamps, ..Lines::default() };
        let lines = futures::stream::unfold((parts, lines, false), move |(mut parts, mut lines, ended)| {
            let what = what.clone();
            async move {
                if ended {
                    return None;
                }
                match parts.next().await {
                    Some(Ok(part)) => Some((lines.take(part).into_iter().map(Ok).collect(), (parts, lines, false))),
                    Some(Err(error)) => Some((vec![Err(DockerError::from_answer(&what, &error))], (parts, lines, true))),
                    None => Some((lines.rest().into_iter().map(Ok).collect::<Vec<_>>(), (parts, lines, true))),
                }
            }
        });
        lines.flat_map(futures::stream::iter).take_until(cx.cancel.clone().cancelled_owned()).boxed()
    }

    /// Returns the last lines of a container.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    pub async fn last_lines(&self, container: &str, lines: u64, cx: &Cx) -> Result<Vec<String>, DockerError> {
        let wanted = ContainerLogs { tail: Some(lines), ..ContainerLogs::default() };
        self.container_logs(container, &wanted, cx).collect::<Vec<_>>().await.into_iter().collect()
    }
}

/// Parts of lines on their way: the daemon cuts long ones into several parts, each with a time of its own.
#[derive(Debug, Default)]
struct Lines {
    timestamps: bool,
    out: String,
    err: String,
}

impl Lines {
    /// Takes in a part; returns the lines that it completes.
    fn take(&mut self, part: LogOutput) -> Vec<String> {
        let (is_error, message) = match part {
            LogOutput::StdErr { message } => (true, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => (false, message),
        };
        let text = String::from_utf8_lossy(&message);
        let begun = if is_error { &mut self.err } else { &mut self.out };
        let mut lines = Vec::new();
        for piece in text.split_inclusive('\n') {
            let goes_on = !begun.is_empty() && self.timestamps;
            begun.push_str(if goes_on { piece.split_once(' ').map_or(piece, |(_, rest)| rest) } else { piece });
            if begun.ends_with('\n') || begun.len() >= LONGEST_LINE {
                lines.push(std::mem::take(begun).trim_end_matches(['\n', '\r']).to_owned());
            }
        }
        lines
    }

    /// Returns what was not ended by a newline.
    fn rest(&mut self) -> Vec<String> {
        [std::mem::take(&mut self.out), std::mem::take(&mut self.err)].into_iter().filter(|line| !line.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &str) -> LogOutput {
        LogOutput::StdOut { message: text.to_owned().into() }
    }

    fn err(text: &str) -> LogOutput {
        LogOutput::StdErr { message: text.to_owned().into() }
    }

    #[test]
    fn parts_of_one_line_are_joined_and_outputs_are_not_mixed() {
        let mut lines = Lines { timestamps: true, ..Lines::default() };
        assert_eq!(lines.take(out("T1 one\r\n")), ["T1 one"]);
        assert_eq!(lines.take(out("T2 long ")), [""; 0]);
        assert_eq!(lines.take(err("T3 error\n")), ["T3 error"]);
        assert_eq!(lines.take(out("T4 line\n")), ["T2 long line"]);
        assert_eq!(lines.take(out("T5 no end")), [""; 0]);
        assert_eq!(lines.rest(), ["T5 no end"]);
        assert_eq!(lines.rest(), [""; 0]);
    }

    #[test]
    fn without_times_nothing_is_cut() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(out("a b\n\nc")), ["a b", ""]);
        assert_eq!(lines.take(out(" d\n")), ["c d"]);
    }
}
