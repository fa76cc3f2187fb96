//! Logs of containers, line by line.

use devloop_model::Cx;
use devloop_model::Namespace;
use futures::AsyncBufRead;
use futures::AsyncBufReadExt as _;
use futures::Stream;
use futures::StreamExt as _;

use super::Cluster;
use super::KubeError;
use super::cluster::Call;
use super::kinds::built_in_kind;
use super::kinds::encoded;

/// The longest line that is kept whole; the kubelet splits at 16 KiB, other runtimes may not.
const LONGEST_LINE: usize = 1 << 20;

/// Which lines of a container are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; none where the pod has one only.
    pub container: Option<String>,
    /// Whether to go on as long as the container runs.
    pub follow: bool,
    /// Whether each line starts with its time, RFC 3339 with nanoseconds and a space.
    pub timestamps: bool,
    /// Only lines from this time on (RFC 3339, the second counts).
    pub since: Option<String>,
    /// Only so many lines from the end.
    pub tail: Option<u64>,
    /// Of the container's last run instead of this one.
    pub previous: bool,
}

impl LogOptions {
    fn query(&self) -> String {
        let mut query = format!("follow={}&timestamps={}&previous={}", self.follow, self.timestamps, self.previous);
        if let Some(container) = &self.container {
            query += &["&container=", &encoded(container)].concat();
        }
        if let Some(since) = &self.since {
            query += &["&sinceTime=", &encoded(since)].concat();
        }
        if let Some(tail) = self.tail {
            query += &["&tailLines=", &tail.to_string()].concat();
        }
        query
    }
}

impl Cluster {
    /// Returns the lines of a container, without their newlines; the stream ends with the log, the connection or the step.
    ///
    /// # Errors
    /// When the pod or container does not exist or has not started ([`KubeError::Rejected`]), or the cluster does not answer.
    pub async fn logs(
        &self,
        namespace: &Namespace,
        pod: &str,
        options: &LogOptions,
        cx: &Cx,
    ) -> Result<impl Stream<Item = Result<String, KubeError>> + Send + use<>, KubeError> {
        let kind = built_in_kind("v1", "Pod").expect("pods are in the table");
        let uri = format!("{}/log?{}", kind.path(Some(namespace.as_str()), Some(pod)), options.query());
        let call = Call::get(uri, format!("get the logs of pod/{pod} in namespace {namespace}"));
        let opening = tokio::time::timeout(call.limit, self.client().request_stream(call.request()));
        let reader = match cx.unless_cancelled(opening).await? {
            Ok(opened) => Box::pin(opened.map_err(|error| self.error(error, &call))?),
            Err(_) => return Err(KubeError::TimedOut { action: call.action, limit: call.limit }),
        };
        let cluster = self.clone();
        let lines = futures::stream::try_unfold((reader, Vec::new()), |(mut reader, mut line)| async move {
            Ok(next_line(&mut reader, &mut line).await?.map(|text| (text, (reader, line))))
        })
        .map(move |line: std::io::Result<String>| line.map_err(|error| cluster.error(kube::Error::ReadEvents(error), &call)));
        Ok(lines.take_until(cx.cancel.clone().cancelled_owned()).boxed())
    }
}

/// Returns the next line; none at the end. A line that is too long comes in pieces.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> std::io::Result<Option<String>> {
    line.clear();
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok((!line.is_empty()).then(|| text(line)));
        }
        let newline = available.iter().position(|byte| *byte == b'\n');
        let taken = newline.map_or(available.len(), |at| at + 1);
        line.extend_from_slice(&available[..taken]);
        reader.consume_unpin(taken);
        if newline.is_some() || line.len() >= LONGEST_LINE {
            return Ok(Some(text(line)));
        }
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_end_at_newlines_only() {
        let long = "x".repeat(LONGEST_LINE + 5);
        let log = format!("one\r\n\nthree \u{fe0f}\n{long}\nlast");
        let mut reader = futures::io::BufReader::new(log.as_bytes());
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while let Some(next) = next_line(&mut reader, &mut line).await.unwrap() {
            lines.push(next);
        }
        assert_eq!(lines.concat(), format!("onethree \u{fe0f}{long}last"));
        assert_eq!((lines[0].as_str(), lines[1].as_str(), lines.last().unwrap().as_str()), ("one", "", "last"));
    }

    #[test]
    fn options_become_a_query() {
        let options = LogOptions {
            container: Some("app".into()),
            follow: true,
            timestamps: true,
            since: Some("2026-01-02T03:04:05Z".into()),
            tail: Some(3),
            previous: false,
        };
        assert_eq!(
            options.query(),
            "follow=true&timestamps=true&previous=false&container=app&sinceTime=2026-01-02T03%3A04%3A05Z&tailLines=3"
        );
    }
}
