//! The bytes of a terminal to keys.

use devloop_model::Key;

const ESCAPE: u8 = 0x1b;

/// Longer sequences than this are none.
const LONGEST: usize = 32;

/// Decodes bytes as they come, in whatever pieces.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    waiting: Vec<u8>,
}

/// What the bytes so far begin with.
enum Decoded {
    /// A key, or nothing that is known, of so many bytes.
    Done(Option<Key>, usize),
    /// More bytes are needed.
    More,
}

impl Decoder {
    /// Returns the keys that are complete with these bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.waiting.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while let Decoded::Done(key, length) = decode(&self.waiting) {
            self.waiting.drain(..length);
            keys.extend(key);
        }
        keys
    }

    /// Returns whether the next bytes decide what the last ones were.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Returns what was pressed if no more bytes come: escape begins every sequence, and is a key itself.
    pub(crate) fn end(&mut self) -> Vec<Key> {
        let escaped = self.waiting.first() == Some(&ESCAPE);
        let rest = std::mem::take(&mut self.waiting);
        let mut keys = Vec::new();
        if escaped {
            keys.push(Key::Escape);
            keys.extend(self.push(&rest[1..]));
            self.waiting.clear();
        }
        keys
    }
}

fn decode(bytes: &[u8]) -> Decoded {
    match bytes {
        [] => Decoded::More,
        [ESCAPE, rest @ ..] => escaped(rest),
        [b'\r' | b'\n', ..] => Decoded::Done(Some(Key::Enter), 1),
        [b'\t', ..] => Decoded::Done(Some(Key::Tab), 1),
        [0x7f | 0x08, ..] => Decoded::Done(Some(Key::Backspace), 1),
        [control @ 0x01..=0x1a, ..] => Decoded::Done(Some(Key::Control(char::from(control - 1 + b'a'))), 1),
        [0x00..=0x1f, ..] => Decoded::Done(None, 1),
        _ => character(bytes),
    }
}

/// Decodes what follows an escape: `[` and `O` begin sequences, all else is a key pressed with alt, or escape before it.
fn escaped(rest: &[u8]) -> Decoded {
    match rest {
        [] | [b'[' | b'O'] => Decoded::More,
        [b'O', last, ..] => Decoded::Done(cursor(*last), 3),
        [b'[', sequence @ ..] => match sequence.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
            Some(end) => Decoded::Done(control_sequence(&sequence[..end], sequence[end]), end + 3),
            None if sequence.len() > LONGEST => Decoded::Done(None, sequence.len() + 2),
            None => Decoded::More,
        },
        _ => Decoded::Done(Some(Key::Escape), 1),
    }
}

fn control_sequence(parameters: &[u8], last: u8) -> Option<Key> {
    // What follows a semicolon is which modifier was held.
    let number = parameters.split(|byte| *byte == b';').next().unwrap_or_default();
    match (number, last) {
        (b"1" | b"7", b'~') => Some(Key::Home),
        (b"4" | b"8", b'~') => Some(Key::End),
        (b"3", b'~') => Some(Key::Delete),
        (b"5", b'~') => Some(Key::PageUp),
        (b"6", b'~') => Some(Key::PageDown),
        (b"" | b"1", last) => cursor(last),
        _ => None,
    }
}

fn cursor(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        _ => return None,
    })
}

fn character(bytes: &[u8]) -> Decoded {
    let longest = &bytes[..bytes.len().min(4)];
    let (valid, error) = match std::str::from_utf8(longest) {
        Ok(text) => (text, None),
        Err(error) => (std::str::from_utf8(&longest[..error.valid_up_to()]).unwrap_or_default(), Some(error)),
    };
    match (valid.chars().next(), error.map(|error| error.error_len())) {
        (Some(first), _) => Decoded::Done(Some(Key::Char(first)), first.len_utf8()),
        (None, Some(Some(wrong))) => Decoded::Done(None, wrong),
        (None, _) => Decoded::More,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_keys() {
        for (bytes, keys) in [
            (&b"rq"[..], vec![Key::Char('r'), Key::Char('q')]),
            ("ä€😀".as_bytes(), vec![Key::Char('ä'), Key::Char('€'), Key::Char('😀')]),
            (b"\r\n\t", vec![Key::Enter, Key::Enter, Key::Tab]),
            (b"\x7f\x08", vec![Key::Backspace, Key::Backspace]),
            (b"\x04\x12\x0c", vec![Key::Control('d'), Key::Control('r'), Key::Control('l')]),
            (b"\x1b[A\x1b[B\x1bOC\x1bOD", vec![Key::Up, Key::Down, Key::Right, Key::Left]),
            (
                b"\x1b[H\x1b[F\x1b[5~\x1b[6~\x1b[3~\x1b[1~\x1b[4~",
                vec![Key::Home, Key::End, Key::PageUp, Key::PageDown, Key::Delete, Key::Home, Key::End],
            ),
            (b"\x1b[1;5Aq", vec![Key::Up, Key::Char('q')]),
            // A report that nobody asked for, and a key that is not known.
            (b"\x1b[24;80Rq\x1b[15~q", vec![Key::Char('q'), Key::Char('q')]),
            // Escape, then a key.
            (b"\x1bq", vec![Key::Escape, Key::Char('q')]),
            // Not UTF-8.
            (b"\xffq\xc3q", vec![Key::Char('q'), Key::Char('q')]),
            (b"\0q", vec![Key::Char('q')]),
        ] {
            let mut decoder = Decoder::default();
            assert_eq!(decoder.push(bytes), keys, "{bytes:?}");
            assert!(!decoder.is_waiting(), "{bytes:?}");
            let mut decoder = Decoder::default();
            let one_by_one: Vec<Key> = bytes.iter().flat_map(|byte| decoder.push(&[*byte])).collect();
            assert_eq!(one_by_one, keys, "{bytes:?} one by one");
        }
    }

    #[test]
    fn escape_is_a_key_when_nothing_follows() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"\x1b"), []);
        assert!(decoder.is_waiting());
        assert_eq!(decoder.end(), [Key::Escape]);
        assert!(!decoder.is_waiting());
        assert_eq!(decoder.push(b"\x1b["), []);
        assert_eq!(decoder.end(), [Key::Escape, Key::Char('[')]);
        assert_eq!(decoder.push(b"\xc3"), []);
        assert_eq!(decoder.end(), [], "half a character is none");
    }

    #[test]
    fn a_sequence_without_an_end_does_not_swallow_keys_for_ever() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(&[b"\x1b[".as_slice(), &[b'1'; LONGEST + 1]].concat()), []);
        assert_eq!(decoder.push(b"q"), [Key::Char('q')]);
    }
}
