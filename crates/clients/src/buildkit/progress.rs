//! BuildKit's stream of vertices and logs, in the lines of its plain progress.

use std::collections::HashMap;
use std::collections::VecDeque;

use bollard::moby::buildkit::v1::StatusResponse;
use bollard::moby::buildkit::v1::Vertex;
use bollard::moby::buildkit::v1::VertexLog;
use devloop_model::Cx;
use devloop_model::Stream;

use crate::docker::LAST_LINES;

/// What a build has shown so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: HashMap<String, Step>,
    shown: usize,
    failed: Option<String>,
}

#[derive(Debug, Default)]
struct Step {
    /// Number in the order of starting; none until it starts.
    number: Option<usize>,
    name: String,
    done: bool,
    partial: Vec<u8>,
    last_lines: VecDeque<String>,
}

impl Trace {
    /// Takes an update: says what is new in it.
    pub(super) fn apply(&mut self, update: &StatusResponse, cx: &Cx) {
        for vertex in &update.vertexes {
            self.announce(vertex, cx);
        }
        for log in &update.logs {
            self.log(log, cx);
        }
        for vertex in &update.vertexes {
            self.finish(vertex, cx);
        }
        for status in update.statuses.iter().filter(|status| status.total > 0) {
            cx.progress(format!("{} {}", self.name_of(&status.vertex), status.id), status.current as u64, Some(status.total as u64), true);
        }
        if !update.vertexes.is_empty() {
            let done = self.steps.values().filter(|step| step.done).count();
            cx.progress("build", done as u64, Some(self.steps.len() as u64), false);
        }
    }

    /// Returns the step that failed and its last lines.
    pub(super) fn into_failure(mut self) -> (Option<String>, Vec<String>) {
        let step = self.failed.take().and_then(|digest| self.steps.remove(&digest));
        step.map_or((None, Vec::new()), |step| (Some(step.name), step.last_lines.into()))
    }

    fn name_of(&self, digest: &str) -> &str {
        self.steps.get(digest).map_or("", |step| step.name.as_str())
    }

    fn announce(&mut self, vertex: &Vertex, cx: &Cx) {
        let shown = &mut self.shown;
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        step.name.clone_from(&vertex.name);
        if step.number.is_none() && (vertex.started.is_some() || vertex.cached) {
            *shown += 1;
            step.number = Some(*shown);
            cx.log(Stream::Stdout, format!("#{shown} {}", vertex.name));
        }
    }

    fn log(&mut self, log: &VertexLog, cx: &Cx) {
        let Some(step) = self.steps.get_mut(&log.vertex) else { return };
        let stream = if log.stream == 2 { Stream::Stderr } else { Stream::Stdout };
        step.partial.extend_from_slice(&log.msg);
        while let Some(end) = step.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = step.partial.drain(..=end).collect();
            step.say(&line, stream, cx);
        }
    }

    fn finish(&mut self, vertex: &Vertex, cx: &Cx) {
        let Some(step) = self.steps.get_mut(&vertex.digest) else { return };
        let (Some(number), Some(completed), false) = (step.number, &vertex.completed, step.done) else { return };
        step.done = true;
        let rest = std::mem::take(&mut step.partial);
        if !rest.is_empty() {
            step.say(&rest, Stream::Stdout, cx);
        }
        if !vertex.error.is_empty() {
            cx.log(Stream::Stderr, format!("#{number} ERROR: {}", plain_message(&vertex.error)));
            // Steps that run beside the failing one end as cancelled: they are not why.
            if !vertex.error.contains("context canceled") || self.failed.is_none() {
                self.failed = Some(vertex.digest.clone());
            }
        } else if vertex.cached {
            cx.log(Stream::Stdout, format!("#{number} CACHED"));
        } else {
            let seconds = vertex
                .started
                .as_ref()
                .map_or(0.0, |started| (completed.seconds - started.seconds) as f64 + f64::from(completed.nanos - started.nanos) / 1e9);
            cx.log(Stream::Stdout, format!("#{number} DONE {seconds:.1}s"));
        }
    }
}

impl Step {
    fn say(&mut self, bytes: &[u8], stream: Stream, cx: &Cx) {
        let text = String::from_utf8_lossy(bytes);
        // A progress bar rewrites its line: what is left of it is what counts.
        let line = text.trim_end_matches(['\n', '\r']).rsplit('\r').next().unwrap_or_default();
        cx.log(stream, format!("#{} {line}", self.number.unwrap_or_default()));
        self.last_lines.push_back(line.to_owned());
        if self.last_lines.len() > LAST_LINES {
            self.last_lines.pop_front();
        }
    }
}

/// Returns a message without the names of the layers that it went through.
pub(super) fn plain_message(message: &str) -> String {
    let mut rest = message;
    for layer in [
        "failed to solve with frontend dockerfile.v0: ",
        "failed to solve: ",
        "failed to build LLB: ",
        "rpc error: code = Unknown desc = ",
        "failed to create LLB definition: ",
    ] {
        while let Some((_, after)) = rest.split_once(layer) {
            rest = after;
        }
    }
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use devloop_model::Env;
    use devloop_model::EventKind;
    use devloop_model::EventSink;
    use devloop_model::Stage;
    use devloop_model::StepId;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn vertex(name: &str, started: bool, completed: bool, cached: bool, error: &str) -> StatusResponse {
        let mut vertex = Vertex { digest: name.to_owned(), name: name.to_owned(), cached, error: error.to_owned(), ..Vertex::default() };
        vertex.started = started.then(Default::default);
        vertex.completed = completed.then(Default::default);
        if let Some(completed) = &mut vertex.completed {
            (completed.seconds, completed.nanos) = (1, 500_000_000);
        }
        StatusResponse { vertexes: vec![vertex], ..StatusResponse::default() }
    }

    fn log(name: &str, text: &str) -> StatusResponse {
        let log = VertexLog { vertex: name.to_owned(), msg: text.as_bytes().to_owned(), stream: 1, ..VertexLog::default() };
        StatusResponse { logs: vec![log], ..StatusResponse::default() }
    }

    #[test]
    fn updates_read_as_plain_progress() {
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let cx = Cx::new(StepId::of(Stage::Build), Env::default(), EventSink::new(sender), CancellationToken::new());
        let mut trace = Trace::default();
        for update in [
            vertex("[1/3] FROM busybox", false, false, false, ""),
            vertex("[1/3] FROM busybox", true, true, true, ""),
            vertex("[2/3] RUN make", true, false, false, ""),
            log("[2/3] RUN make", "10%\r100%\nfirst ha"),
            vertex("[other 1/1] RUN sleep", true, false, false, ""),
            log("[2/3] RUN make", "lf\noops"),
            vertex("[2/3] RUN make", true, true, false, "executor failed running [/bin/sh -c make]: exit code: 2"),
            vertex("[other 1/1] RUN sleep", true, true, false, "context canceled"),
            vertex("done", true, true, false, ""),
        ] {
            trace.apply(&update, &cx);
        }
        drop(cx);
        let mut lines = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let EventKind::StepLog { line, .. } = event {
                lines.push(line);
            }
        }
        insta::assert_snapshot!(lines.join("\n"), @r"
        #1 [1/3] FROM busybox
        #1 CACHED
        #2 [2/3] RUN make
        #2 100%
        #3 [other 1/1] RUN sleep
        #2 first half
        #2 oops
        #2 ERROR: executor failed running [/bin/sh -c make]: exit code: 2
        #3 ERROR: context canceled
        #4 done
        #4 DONE 1.5s
        ");
        let (step, last_lines) = trace.into_failure();
        assert_eq!(step.as_deref(), Some("[2/3] RUN make"));
        assert_eq!(last_lines, ["100%", "first half", "oops"]);
    }

    #[test]
    fn messages_lose_the_names_of_layers() {
        assert_eq!(
            plain_message("failed to solve with frontend dockerfile.v0: failed to build LLB: executor failed running [x]: exit code: 1"),
            "executor failed running [x]: exit code: 1"
        );
        assert_eq!(plain_message("failed to solve: rpc error: code = Unknown desc = y"), "y");
        assert_eq!(plain_message("plain"), "plain");
    }
}
