//! A client of the Debug Adapter Protocol, as small as an IDE can be.
//!
//! Source: the specification at microsoft.github.io/debug-adapter-protocol.

use std::collections::VecDeque;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::session::PATIENCE;

/// A connection to a debugger that speaks DAP.
pub(super) struct Dap {
    stream: BufReader<TcpStream>,
    sent: u64,
    /// What came while something else was waited for.
    kept: VecDeque<Value>,
}

/// Where a thread stands.
pub(super) struct Frame {
    pub(super) id: i64,
    pub(super) thread: i64,
    pub(super) path: PathBuf,
    pub(super) line: usize,
}

impl Dap {
    /// Returns a debugger that is attached to and has a breakpoint.
    pub(super) fn attach(port: u16, mut arguments: Value, file: &Path, line: usize) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut dap = Self { stream: BufReader::new(stream), sent: 0, kept: VecDeque::new() };
        dap.request("initialize", &json!({"adapterID": "test", "clientID": "test", "linesStartAt1": true, "pathFormat": "path"}));
        arguments["request"] = json!("attach");
        // Some answer only when all is configured.
        let attached = dap.send("attach", &arguments);
        dap.event("initialized");
        let set = dap.request("setBreakpoints", &json!({"source": {"path": file}, "breakpoints": [{"line": line}]}));
        assert_eq!(set["breakpoints"][0]["verified"], true, "{set}");
        dap.request("configurationDone", &json!({}));
        dap.response(attached);
        dap
    }

    /// Waits until a breakpoint is hit.
    pub(super) fn stopped(&mut self) -> Frame {
        let stopped = self.event("stopped");
        assert_eq!(stopped["reason"], "breakpoint", "{stopped}");
        let thread = stopped["threadId"].as_i64().unwrap();
        let stack = self.request("stackTrace", &json!({"threadId": thread, "levels": 1}));
        let frame = &stack["stackFrames"][0];
        Frame {
            id: frame["id"].as_i64().unwrap(),
            thread,
            path: frame["source"]["path"].as_str().unwrap().into(),
            line: usize::try_from(frame["line"].as_u64().unwrap()).unwrap(),
        }
    }

    /// Returns the value of a local variable, as a debugger shows it.
    pub(super) fn variable(&mut self, frame: i64, name: &str) -> String {
        let scopes = self.request("scopes", &json!({"frameId": frame}));
        let variables = self.request("variables", &json!({"variablesReference": scopes["scopes"][0]["variablesReference"]}));
        let found = variables["variables"].as_array().unwrap().iter().find(|variable| variable["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {variables}"))["value"].as_str().unwrap().to_owned()
    }

    pub(super) fn resume(&mut self, thread: i64) {
        self.request("continue", &json!({"threadId": thread}));
    }

    /// Leaves the program to itself.
    pub(super) fn disconnect(mut self) {
        self.send("disconnect", &json!({"terminateDebuggee": false}));
    }

    fn send(&mut self, command: &str, arguments: &Value) -> u64 {
        self.sent += 1;
        let text = json!({"seq": self.sent, "type": "request", "command": command, "arguments": arguments}).to_string();
        let stream = self.stream.get_mut();
        stream.write_all(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes()).unwrap();
        self.sent
    }

    fn request(&mut self, command: &str, arguments: &Value) -> Value {
        let sent = self.send(command, arguments);
        self.response(sent)
    }

    fn response(&mut self, to: u64) -> Value {
        let message = self.until(|message| message["type"] == "response" && message["request_seq"] == to);
        assert_eq!(message["success"], true, "{message}");
        message["body"].clone()
    }

    fn event(&mut self, name: &str) -> Value {
        self.until(|message| message["type"] == "event" && message["event"] == name)["body"].clone()
    }

    fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&is_it) {
            return self.kept.remove(at).unwrap();
        }
        loop {
            let message = self.receive();
            if is_it(&message) {
                return message;
            }
            self.kept.push_back(message);
        }
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "the debugger closed the connection after {:?}", self.kept);
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}
