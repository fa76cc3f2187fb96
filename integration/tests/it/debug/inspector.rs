//! A client of the V8 inspector's protocol, over its websocket.
//!
//! Source: chromedevtools.github.io/devtools-protocol, the Debugger domain.

use std::process::Command;

use futures::SinkExt as _;
use futures::StreamExt as _;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::session::PATIENCE;

/// A connection to an inspector that has a breakpoint.
pub(super) struct Inspector {
    runtime: tokio::runtime::Runtime,
    socket: WebSocketStream<TcpStream>,
    sent: u64,
    /// The frame in which the program stands.
    frame: Option<String>,
}

impl Inspector {
    /// Returns an inspector with a breakpoint in a line of a script, from 1.
    pub(super) fn attach(port: u16, script: &str, line: usize) -> Self {
        let listed =
            Command::new("curl").args(["-sS", "--max-time", "30", &format!("http://127.0.0.1:{port}/json/list")]).output().unwrap();
        let targets: Value = serde_json::from_slice(&listed.stdout).unwrap_or_else(|error| panic!("{error}: {listed:?}"));
        let id = targets[0]["id"].as_str().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let socket = runtime.block_on(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio_tungstenite::client_async(format!("ws://127.0.0.1:{port}/{id}"), stream).await.unwrap().0
        });
        let mut inspector = Self { runtime, socket, sent: 0, frame: None };
        inspector.request("Debugger.enable", &json!({}));
        let set = inspector.request("Debugger.setBreakpointByUrl", &json!({"url": format!("file://{script}"), "lineNumber": line - 1}));
        assert!(set["locations"].as_array().is_some_and(|locations| !locations.is_empty()), "{set}");
        inspector
    }

    /// Returns the value of an expression where the program stands, once it does.
    pub(super) fn evaluate(&mut self, expression: &str) -> String {
        while self.frame.is_none() {
            let message = self.receive();
            self.note(&message);
        }
        let asked = json!({"callFrameId": self.frame, "expression": expression});
        self.request("Debugger.evaluateOnCallFrame", &asked)["result"]["value"].as_str().unwrap().to_owned()
    }

    pub(super) fn resume(&mut self) {
        self.frame = None;
        self.request("Debugger.resume", &json!({}));
    }

    fn request(&mut self, method: &str, parameters: &Value) -> Value {
        self.sent += 1;
        let text = json!({"id": self.sent, "method": method, "params": parameters}).to_string();
        self.runtime.block_on(self.socket.send(Message::text(text))).unwrap();
        loop {
            let message = self.receive();
            self.note(&message);
            if message["id"] == self.sent {
                assert!(message["error"].is_null(), "{message}");
                return message["result"].clone();
            }
        }
    }

    fn note(&mut self, message: &Value) {
        if message["method"] == "Debugger.paused" {
            self.frame = message["params"]["callFrames"][0]["callFrameId"].as_str().map(str::to_owned);
        }
    }

    fn receive(&mut self) -> Value {
        let socket = &mut self.socket;
        let next = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, socket.next()).await });
        let message = next.unwrap().unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }
}
