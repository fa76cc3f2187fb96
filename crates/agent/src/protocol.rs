//! What the agent and devloop say to one another, over standard input and output.
//!
//! devloop sends requests, each a length and so many bytes, a file's content behind its request; the agent says hello once, and
//! answers each end of a batch with what failed. Numbers are big-endian.

use std::io;
use std::io::Read;

/// What the agent says first: its name and the version of this protocol.
pub const HELLO: &[u8; 16] = b"devloop-agent/01";
/// The longest message without a file's content.
const LONGEST: u32 = 1 << 20;

/// What devloop asks for; paths are absolute, from the root that the agent serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A file, whose content follows; it is seen once the batch ends.
    Put {
        /// Where.
        path: String,
        /// Permission bits.
        mode: u32,
        /// How many bytes follow.
        size: u64,
    },
    /// A symbolic link.
    Link {
        /// Where.
        path: String,
        /// What it points to.
        target: String,
    },
    /// A directory, if it is not there yet.
    Directory {
        /// Where.
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// A file or a directory with all that is in it is deleted, if it is there; a path that ends in `/` means a directory that is
    /// deleted only if it is empty.
    Delete {
        /// Where.
        path: String,
    },
    /// All of a batch was said.
    End,
}

/// One request of a batch that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The path, as it was asked for.
    pub path: String,
    /// Whether the agent's user is not allowed to, rather than that it cannot be done.
    pub denied: bool,
    /// Why, in the system's words.
    pub why: String,
}

impl Request {
    /// Returns the message, without the content that follows it.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        match self {
            Self::Put { path, mode, size } => {
                body.push(b'p');
                put_text(&mut body, path);
                body.extend(mode.to_be_bytes());
                body.extend(size.to_be_bytes());
            }
            Self::Link { path, target } => {
                body.push(b'l');
                put_text(&mut body, path);
                put_text(&mut body, target);
            }
            Self::Directory { path, mode } => {
                body.push(b'm');
                put_text(&mut body, path);
                body.extend(mode.to_be_bytes());
            }
            Self::Delete { path } => {
                body.push(b'd');
                put_text(&mut body, path);
            }
            Self::End => body.push(b'e'),
        }
        with_length(body)
    }

    /// Returns the next request; none at the end of the input.
    ///
    /// # Errors
    /// When the input breaks off or is not this protocol.
    pub fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut length = [0; 4];
        if input.read(&mut length[..1])? == 0 {
            return Ok(None);
        }
        input.read_exact(&mut length[1..])?;
        let body = read_body(input, u32::from_be_bytes(length))?;
        let mut rest = body.as_slice();
        let [kind] = array(&mut rest)?;
        let request = match kind {
            b'p' => Self::Put {
                path: take_text(&mut rest)?,
                mode: u32::from_be_bytes(array(&mut rest)?),
                size: u64::from_be_bytes(array(&mut rest)?),
            },
            b'l' => Self::Link { path: take_text(&mut rest)?, target: take_text(&mut rest)? },
            b'm' => Self::Directory { path: take_text(&mut rest)?, mode: u32::from_be_bytes(array(&mut rest)?) },
            b'd' => Self::Delete { path: take_text(&mut rest)? },
            b'e' => Self::End,
            _ => return Err(strange("there is no such request")),
        };
        Ok(Some(request))
    }
}

/// Returns the answer to the end of a batch.
pub fn encode_failures(failures: &[Failure]) -> Vec<u8> {
    let mut body = Vec::new();
    for failure in failures {
        // What does not fit is not needed to know that it failed.
        if body.len() + failure.path.len() + failure.why.len() + 16 > LONGEST as usize {
            break;
        }
        put_text(&mut body, &failure.path);
        body.push(u8::from(failure.denied));
        put_text(&mut body, &failure.why);
    }
    with_length(body)
}

/// Returns what failed, from an answer without its length.
///
/// # Errors
/// When it is not this protocol.
pub fn decode_failures(mut body: &[u8]) -> io::Result<Vec<Failure>> {
    let mut failures = Vec::new();
    while !body.is_empty() {
        let path = take_text(&mut body)?;
        let [denied] = array(&mut body)?;
        failures.push(Failure { path, denied: denied != 0, why: take_text(&mut body)? });
    }
    Ok(failures)
}

/// Returns the length of an answer that starts with these bytes.
///
/// # Errors
/// When no answer is that long.
pub fn answer_length(bytes: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(bytes);
    if length > LONGEST { Err(strange("a message is too long")) } else { Ok(length as usize) }
}

fn with_length(body: Vec<u8>) -> Vec<u8> {
    let mut message = (body.len() as u32).to_be_bytes().to_vec();
    message.extend(body);
    message
}

fn read_body(input: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut body = vec![0; answer_length(length.to_be_bytes())?];
    input.read_exact(&mut body)?;
    Ok(body)
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend((text.len() as u32).to_be_bytes());
    body.extend(text.as_bytes());
}

fn take_text(rest: &mut &[u8]) -> io::Result<String> {
    let length = u32::from_be_bytes(array(rest)?) as usize;
    let (text, behind) = rest.split_at_checked(length).ok_or_else(|| strange("a text breaks off"))?;
    *rest = behind;
    String::from_utf8(text.to_vec()).map_err(|_| strange("a text is not UTF-8"))
}

fn array<const N: usize>(rest: &mut &[u8]) -> io::Result<[u8; N]> {
    let (head, behind) = rest.split_first_chunk().ok_or_else(|| strange("a message breaks off"))?;
    *rest = behind;
    Ok(*head)
}

fn strange(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let requests = [
            Request::Put { path: "/a".into(), mode: 0o755, size: 1 << 40 },
            Request::Link { path: "/l".into(), target: "../x".into() },
            Request::Directory { path: "/é".into(), mode: 0o700 },
            Request::Delete { path: String::new() },
            Request::End,
        ];
        let bytes: Vec<u8> = requests.iter().flat_map(Request::encode).collect();
        let mut input = bytes.as_slice();
        for request in requests {
            assert_eq!(Request::read(&mut input).unwrap(), Some(request));
        }
        assert_eq!(Request::read(&mut input).unwrap(), None);
        let failures = vec![
            Failure { path: "/a".into(), denied: true, why: "no".into() },
            Failure { path: "/b".into(), denied: false, why: "full".into() },
        ];
        let answer = encode_failures(&failures);
        assert_eq!(answer_length(*answer.first_chunk().unwrap()).unwrap(), answer.len() - 4);
        assert_eq!(decode_failures(&answer[4..]).unwrap(), failures);
    }

    #[test]
    fn what_is_not_this_protocol_is_refused() {
        let whole = Request::Put { path: "/a".into(), mode: 0, size: 0 }.encode();
        for bytes in [
            &b"\xff\xff\xff\xff"[..],
            b"\0\0\0\x01x",
            b"\0\0\0\0",
            b"\0\0\0\x05d\0\0\0\x09",
            &whole[..whole.len() - 1],
            b"\0\0\0\x06d\0\0\0\x01\xff",
        ] {
            assert!(Request::read(&mut &*bytes).is_err(), "{bytes:?}");
        }
        assert!(decode_failures(b"\0\0\0\x01a").is_err());
    }
}
