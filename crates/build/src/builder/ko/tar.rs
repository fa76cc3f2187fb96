//! Tar archives, byte for byte as Go's `archive/tar` writes them, so that layers have ko's own diff IDs.

use std::io;
use std::io::Read;
use std::io::Write;

const BLOCK: usize = 512;
const NAME: usize = 100;
const PREFIX: usize = 155;
/// The largest number that an eleven-digit octal field holds.
const MAX_OCTAL: u64 = 0o77_777_777_777;

/// Writes an archive whose members all have mode 0555, owner 0 and one modification time.
#[derive(Debug)]
pub(super) struct Archive<W> {
    out: W,
    modified: u64,
}

/// A record of a PAX extended header.
type Record<'a> = (&'a str, &'a str);

impl<W: Write> Archive<W> {
    /// Returns an empty archive; `modified` is in seconds since 1970.
    pub(super) fn new(out: W, modified: u64) -> Self {
        Self { out, modified }
    }

    /// Adds a directory; ko names them without a slash at the end.
    pub(super) fn directory(&mut self, name: &str) -> io::Result<()> {
        self.header(name, 0, b'5', &[])
    }

    /// Adds a file of exactly `size` bytes, with extra PAX records.
    pub(super) fn file(&mut self, name: &str, size: u64, content: impl Read, records: &[Record<'_>]) -> io::Result<()> {
        self.header(name, size, b'0', records)?;
        let copied = io::copy(&mut content.take(size), &mut self.out)?;
        if copied < size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("`{name}` became shorter while it was read")));
        }
        self.pad(size)
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])
    }

    /// The choice of `Header.allowedFormats`: USTAR where it fits, else a PAX header in front.
    fn header(&mut self, name: &str, size: u64, kind: u8, records: &[Record<'_>]) -> io::Result<()> {
        let split = split_ustar(name);
        let fits = (name.is_ascii() && name.len() <= NAME) || split.is_some();
        if fits && size <= MAX_OCTAL && records.is_empty() {
            let (prefix, rest) = split.unwrap_or(("", name));
            return self.out.write_all(&Block::new(rest, 0o555, size, self.modified, kind).with_devices().with_prefix(prefix).checked());
        }
        let size_text = size.to_string();
        let mut all: Vec<Record<'_>> = records.to_vec();
        if !name.is_ascii() || name.len() > NAME {
            all.push(("path", name));
        }
        if size > MAX_OCTAL {
            all.push(("size", &size_text));
        }
        all.sort_unstable();
        let data: String = all.iter().map(|(key, value)| pax_record(key, value)).collect();
        let (directory, file) = name.rsplit_once('/').map_or(("", name), |(directory, file)| (&name[..=directory.len()], file));
        let extended = format!("{directory}PaxHeaders.0/{file}");
        self.out.write_all(&Block::new(cut(&ascii(&extended)), 0, data.len() as u64, 0, b'x').checked())?;
        self.out.write_all(data.as_bytes())?;
        self.pad(data.len() as u64)?;
        // A size that does not fit is written as 0; the record in front has the true one.
        let size = if size > MAX_OCTAL { 0 } else { size };
        self.out.write_all(&Block::new(cut(&ascii(name)), 0o555, size, self.modified, kind).with_devices().checked())
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = (size % BLOCK as u64) as usize;
        if over > 0 { self.out.write_all(&[0; BLOCK][over..]) } else { Ok(()) }
    }
}

/// Splits a long name between the prefix and name fields of USTAR, if it has a `/` in a place that fits.
fn split_ustar(name: &str) -> Option<(&str, &str)> {
    if name.len() <= NAME || !name.is_ascii() {
        return None;
    }
    let (prefix, _) = name[..name.len().min(PREFIX + 1)].rsplit_once('/')?;
    let rest = &name[prefix.len() + 1..];
    (!prefix.is_empty() && !rest.is_empty() && rest.len() <= NAME).then_some((prefix, rest))
}

/// One header block.
struct Block([u8; BLOCK]);

impl Block {
    fn new(name: &str, mode: u64, size: u64, modified: u64, kind: u8) -> Self {
        let mut block = Self([0; BLOCK]);
        block.put(0, name);
        for (at, width, number) in [(100, 7, mode), (108, 7, 0), (116, 7, 0), (124, 11, size), (136, 11, modified)] {
            block.put(at, &format!("{number:0width$o}"));
        }
        block.0[156] = kind;
        block.put(257, "ustar\0");
        block.put(263, "00");
        block
    }

    /// Adds the device numbers, which a PAX header does not have.
    fn with_devices(mut self) -> Self {
        self.put(329, "0000000");
        self.put(337, "0000000");
        self
    }

    fn with_prefix(mut self, prefix: &str) -> Self {
        self.put(345, prefix);
        self
    }

    fn checked(mut self) -> [u8; BLOCK] {
        self.0[148..156].fill(b' ');
        let sum: u32 = self.0.iter().map(|&byte| u32::from(byte)).sum();
        self.put(148, &format!("{sum:06o}\0 "));
        self.0
    }

    fn put(&mut self, at: usize, text: &str) {
        self.0[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
}

/// Returns a record with its own length in front, the digits of the length included.
fn pax_record(key: &str, value: &str) -> String {
    let bare = key.len() + value.len() + 3;
    let mut size = bare + bare.to_string().len();
    if bare + size.to_string().len() != size {
        size = bare + size.to_string().len();
    }
    format!("{size} {key}={value}\n")
}

fn ascii(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii() && *c != '\0').collect()
}

/// Cuts a name to its field, and then never right behind a `/`.
fn cut(ascii: &str) -> &str {
    if ascii.len() > NAME { ascii[..NAME].trim_end_matches('/') } else { ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        assert_eq!(pax_record("path", "a"), "9 path=a\n");
        for length in 0..1100 {
            let record = pax_record("k", &"v".repeat(length));
            let (size, _) = record.split_once(' ').unwrap();
            assert_eq!(size.parse::<usize>().unwrap(), record.len());
        }
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let error = Archive::new(Vec::new(), 0).file("a", 3, &b"ab"[..], &[]).unwrap_err();
        assert_eq!(error.to_string(), "`a` became shorter while it was read");
    }

    #[test]
    fn members_read_back_by_their_names() {
        let long = format!("/var/run/ko/{}/{}", "a".repeat(90), "b".repeat(120));
        let names = ["/var".to_owned(), "/var/grüße".to_owned(), format!("/{}/{}", "a".repeat(90), "b".repeat(30)), long];
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes, 7);
        for name in &names {
            archive.file(name, 513, io::repeat(b'x'), &[]).unwrap();
        }
        archive.finish().unwrap();
        let mut reader = tar::Archive::new(&bytes[..]);
        let read: Vec<String> = reader
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!((entry.header().mode().unwrap(), entry.header().mtime().unwrap(), entry.size()), (0o555, 7, 513));
                String::from_utf8(entry.path_bytes().into_owned()).unwrap()
            })
            .collect();
        assert_eq!(read, names);
    }
}
