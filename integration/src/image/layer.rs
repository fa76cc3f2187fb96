//! One layer: what a tar archive adds to, and takes from, the layers below it.

use std::io;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use sha2::Digest as _;
use tar::Archive;
use tar::Entry;
use tar::EntryType;

use super::tree::File;
use super::tree::Kind;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
const CAPABILITY: &str = "SCHILY.xattr.security.capability";
/// Contents up to this size are kept, so that a difference can show them.
const SHOWN: usize = 200;

/// What one entry of a layer does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Nothing of the layers below is left at this path.
    Remove(String),
    /// Nothing of the layers below is left in this directory.
    Empty(String),
    /// This is at the path now.
    Add(String, File),
    /// The path is one more name of the file that is at the other.
    Link(String, String),
}

/// The entries of a layer, in the archive's order.
#[derive(Debug, Clone, Default)]
pub struct Layer(pub(super) Vec<Change>);

impl Layer {
    /// Returns the layer of a blob, compressed or not.
    ///
    /// # Errors
    /// When it is no tar archive, or an entry is of a kind that no file system has.
    pub fn read(blob: &[u8]) -> io::Result<Self> {
        let archive = decompressed(blob)?;
        let mut archive = Archive::new(archive.as_slice());
        let changes = archive.entries()?.map(|entry| change(entry?));
        Ok(Self(changes.filter_map(Result::transpose).collect::<io::Result<_>>()?))
    }
}

fn decompressed(mut blob: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    match blob {
        [0x1f, 0x8b, ..] => {
            MultiGzDecoder::new(blob).read_to_end(&mut archive)?;
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            // A stream may be several frames.
            while !blob.is_empty() {
                StreamingDecoder::new(&mut blob).map_err(io::Error::other)?.read_to_end(&mut archive)?;
            }
        }
        _ => archive.extend_from_slice(blob),
    }
    Ok(archive)
}

/// Returns what an entry does; none for the root, which builders write or leave out as they like.
fn change(mut entry: Entry<'_, &[u8]>) -> io::Result<Option<Change>> {
    let path = normalized(&entry.path_bytes());
    if path.is_empty() {
        return Ok(None);
    }
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
    if name == OPAQUE {
        return Ok(Some(Change::Empty(parent.to_owned())));
    }
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        return Ok(Some(Change::Remove(if parent.is_empty() { hidden.to_owned() } else { format!("{parent}/{hidden}") })));
    }
    let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
    if entry.header().entry_type() == EntryType::Link {
        return Ok(Some(Change::Link(path, normalized(target.unwrap_or_default().as_bytes()))));
    }
    let capability = capability(&mut entry)?;
    let kind = kind(&mut entry, target)?;
    let header = entry.header();
    let mode = header.mode()? & 0o7777;
    Ok(Some(Change::Add(path, File { kind, mode, uid: header.uid()?, gid: header.gid()?, capability })))
}

fn kind(entry: &mut Entry<'_, &[u8]>, target: Option<String>) -> io::Result<Kind> {
    let header = entry.header();
    let device = || io::Result::Ok((header.device_major()?.unwrap_or_default(), header.device_minor()?.unwrap_or_default()));
    match header.entry_type() {
        EntryType::Directory => Ok(Kind::Directory),
        EntryType::Symlink => Ok(Kind::Symlink(target.unwrap_or_default())),
        EntryType::Fifo => Ok(Kind::Fifo),
        EntryType::Char | EntryType::Block => Ok(Kind::Device(device()?)),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            Ok(contents(&bytes))
        }
        other => Err(io::Error::other(format!("an entry of type {other:?}"))),
    }
}

/// Returns the kind of a file with these contents.
pub(super) fn contents(bytes: &[u8]) -> Kind {
    let text = (bytes.len() <= SHOWN).then(|| String::from_utf8(bytes.to_vec()).ok()).flatten();
    let sha256 = hex(&sha2::Sha256::digest(bytes));
    Kind::File { size: bytes.len() as u64, sha256, text }
}

fn capability(entry: &mut Entry<'_, &[u8]>) -> io::Result<Option<String>> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(None) };
    for extension in extensions {
        let extension = extension?;
        if extension.key() == Ok(CAPABILITY) {
            return Ok(Some(hex(extension.value_bytes())));
        }
    }
    Ok(None)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

/// Returns a path without the ways to say where it starts: `./bin/sh` and `/bin/sh` are `bin/sh`.
fn normalized(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}
