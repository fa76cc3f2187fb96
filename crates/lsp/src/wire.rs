//! Messages on their way in and out: JSON after a header that says how long it is.
//!
//! The crate `lsp-server` takes any length that a header says; here it has a limit, and what is no message is answered.

use std::io;
use std::io::BufRead;
use std::io::Read as _;
use std::io::Write;

use serde::Serialize;
use serde_json::Value as Json;

/// No message of an editor is larger: the largest has the text of one file.
const MAX_BODY: usize = 64 << 20;
/// Nor is a line of a header longer.
const MAX_HEADER: u64 = 4 << 10;

/// What came in.
#[derive(Debug, PartialEq)]
pub(crate) enum Incoming {
    /// A request, a notification or a response.
    Message(Json),
    /// A body that is no JSON.
    Malformed(String),
}

/// Returns the next message; none at the end of the input.
///
/// # Errors
/// When the input cannot be read, or has no header that says how long a message is: the next one cannot be found then.
pub(crate) fn read(input: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\n').ok_or_else(|| invalid("a header that does not end"))?.trim_end_matches('\r');
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without a colon"))?;
        if name.trim().eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.filter(|length| *length <= MAX_BODY).ok_or_else(|| invalid("no Content-Length that could be right"))?;
    let mut body = Vec::new();
    if input.take(length as u64).read_to_end(&mut body)? < length {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&body).map_or_else(|error| Incoming::Malformed(error.to_string()), Incoming::Message)))
}

/// Writes a message.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn write(output: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    write!(output, "Content-Length: {}\r\n\r\n", body.len())?;
    output.write_all(&body)?;
    output.flush()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> (Vec<Incoming>, Option<String>) {
        let mut messages = Vec::new();
        loop {
            match read(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, None),
                Err(error) => return (messages, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn a_message_is_as_long_as_its_header_says() {
        let mut bytes = Vec::new();
        write(&mut bytes, &serde_json::json!({"a": "ä"})).unwrap();
        assert_eq!(bytes, "Content-Length: 10\r\n\r\n{\"a\":\"ä\"}".as_bytes());
        bytes.extend(b"content-type: x\ncontent-length:2\n\n{}Content-Length: 3\r\n\r\nxyzContent-Length: 9\r\n\r\n{");
        let (messages, error) = all(&bytes);
        let [first, second, Incoming::Malformed(_)] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!((first, second), (&Incoming::Message(serde_json::json!({"a": "ä"})), &Incoming::Message(serde_json::json!({}))));
        assert_eq!(error, None);
    }

    #[test]
    fn what_is_no_header_ends_the_input() {
        let endless = format!("Content-Length: 1{}", " ".repeat(10_000));
        for bad in ["nonsense\r\n\r\n", "\r\n", "Content-Length: -1\r\n\r\n", "Content-Length: 99999999999999\r\n\r\n{}", &endless] {
            let (messages, error) = all(bad.as_bytes());
            assert!(messages.is_empty() && error.is_some(), "{bad}");
        }
    }
}
