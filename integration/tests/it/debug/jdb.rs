//! The JDK's own debugger, driven by its prompt.

use std::io::Read as _;
use std::io::Write as _;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::channel;
use std::time::Instant;

use crate::session::PATIENCE;

/// A `jdb` that is attached to and has a breakpoint.
pub(super) struct Jdb {
    child: Child,
    output: Receiver<Vec<u8>>,
    /// What it said that was not looked at.
    said: String,
}

impl Jdb {
    /// Returns a debugger with a breakpoint in a line of a class, from 1.
    pub(super) fn attach(port: u16, class: &str, line: usize) -> Self {
        let mut command = Command::new("jdb");
        command.args(["-attach", &format!("127.0.0.1:{port}")]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("`jdb` of a JDK");
        let mut stdout = child.stdout.take().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut jdb = Self { child, output, said: String::new() };
        jdb.until("> ");
        jdb.say(&format!("stop at {class}:{line}"));
        jdb.until("Set breakpoint");
        jdb
    }

    /// Returns the value of a local variable, once the breakpoint is hit.
    pub(super) fn local(&mut self, name: &str) -> String {
        self.until("Breakpoint hit:");
        self.until("] ");
        self.say(&format!("print {name}"));
        self.until(&format!("{name} = "));
        self.until("\"\n") + "\""
    }

    pub(super) fn resume(&mut self) {
        self.say("cont");
    }

    fn say(&mut self, command: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
    }

    /// Waits for a text, and returns what came before it.
    fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.said.find(text) {
                let rest = self.said.split_off(at + text.len());
                let mut before = std::mem::replace(&mut self.said, rest);
                before.truncate(at);
                return before;
            }
            let more = self.output.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            self.said += &String::from_utf8_lossy(&more.unwrap_or_else(|error| panic!("no `{text}` ({error}) in {:?}", self.said)));
        }
    }
}

impl Drop for Jdb {
    /// Leaves the program to itself.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
