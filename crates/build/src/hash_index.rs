//! Stat key to content hash, on disk, so that a file that did not change is not read again.
//!
//! The file is a header and records of one size, sorted by key and searched where they lie: nothing
//! is parsed on the way to a first answer.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use md5::Digest as _;
use md5::Md5;

use crate::inputs::InputKind;
use crate::inputs::walk::Stat;

const MAGIC: &[u8; 16] = b"devloop-hashes-1";
const HEADER: usize = MAGIC.len() + 32;
const RECORD: usize = 16 + 4 * 8 + 32 + 16 + 4;
const KEY: usize = 16;
/// Records that nothing asked for since are dropped.
const KEPT_DAYS: u32 = 30;
/// How old the day of a record that is used may get before it is written again.
const REFRESH_DAYS: u32 = 7;
/// What the clock of a file system moves by, at most, where it counts nanoseconds.
const FINE_TICK: i64 = 20_000_000;
/// The same, where it counts seconds.
const COARSE_TICK: i64 = 2_000_000_000;

/// Hashes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// BLAKE3 of the content.
    pub(crate) content: [u8; 32],
    /// MD5 of the path, relative to the context, and the content.
    pub(crate) md5: [u8; 16],
}

/// The index; shared by threads, and by processes through its file.
#[derive(Debug)]
pub(crate) struct HashIndex {
    file: PathBuf,
    records: Vec<u8>,
    fresh: Mutex<Vec<[u8; RECORD]>>,
    today: u32,
}

impl HashIndex {
    /// Returns the index in `cache_dir`; one that is missing, damaged or of another version is empty.
    pub(crate) fn open(cache_dir: &Path) -> Self {
        let file = cache_dir.join("hashes");
        let records = load(&file);
        Self { file, records, fresh: Mutex::default(), today: (now() / 86_400_000_000_000) as u32 }
    }

    /// Returns the hashes of the file at `path` in `context`, from the index if its state is that of
    /// `stat`, else by reading it; none if it is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn hash(&self, context: &Path, path: &str, stat: &Stat) -> io::Result<Option<Hashes>> {
        match stat.kind {
            InputKind::File => {}
            InputKind::EmptyDirectory => return Ok(Some(Hashes { content: *blake3::hash(b"").as_bytes(), md5: Md5::digest(path).into() })),
            InputKind::Symlink => return hash_link(context, path),
        }
        let key = key(context, path);
        if let Some(record) = self.find(&key).filter(|record| record[KEY..KEY + 32] == state(stat)) {
            if u32_at(record, RECORD - 4) + REFRESH_DAYS < self.today {
                self.remember(renewed(record, self.today));
            }
            return Ok(Some(hashes_of(record)));
        }
        self.read(&key, context, path)
    }

    fn read(&self, key: &[u8; KEY], context: &Path, path: &str) -> io::Result<Option<Hashes>> {
        let started = now();
        let mut file = match File::open(context.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let before = Stat::of(&file.metadata()?);
        let hashes = hash_content(&mut file, path)?;
        // A file that changes while it is read, or so short a time ago that a further change may not
        // move its clock, is read again next time.
        if let Some(stat) =
            before.filter(|before| Stat::of_file(&file).ok().flatten().as_ref() == Some(before) && !is_racy(before, started))
        {
            self.remember(record(key, &stat, &hashes, self.today));
        }
        Ok(Some(hashes))
    }

    fn remember(&self, record: [u8; RECORD]) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    fn find(&self, key: &[u8; KEY]) -> Option<&[u8]> {
        let at = |index: usize| &self.records[index * RECORD..(index + 1) * RECORD];
        let (mut low, mut high) = (0, self.records.len() / RECORD);
        while low < high {
            let middle = usize::midpoint(low, high);
            match at(middle)[..KEY].cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(at(middle)),
            }
        }
        None
    }

    /// Writes what was learned, together with what other processes learned since, in one rename.
    ///
    /// # Errors
    /// When the cache directory cannot be written.
    pub(crate) fn save(&self) -> io::Result<()> {
        let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        if fresh.is_empty() {
            return Ok(());
        }
        let on_disk = load(&self.file);
        let mut all: Vec<&[u8]> = fresh.iter().map(<[u8; RECORD]>::as_slice).chain(on_disk.chunks_exact(RECORD)).collect();
        // The sort keeps fresh records before old ones of the same key, and the first stays.
        all.sort_by(|a, b| a[..KEY].cmp(&b[..KEY]));
        all.dedup_by(|later, first| later[..KEY] == first[..KEY]);
        all.retain(|record| u32_at(record, RECORD - 4) + KEPT_DAYS >= self.today);
        store(&self.file, &all.concat())
    }
}

fn load(file: &Path) -> Vec<u8> {
    let Ok(mut bytes) = fs::read(file) else { return Vec::new() };
    let is_whole = bytes.len() >= HEADER
        && bytes.starts_with(MAGIC)
        && (bytes.len() - HEADER).is_multiple_of(RECORD)
        && bytes[MAGIC.len()..HEADER] == *blake3::hash(&bytes[HEADER..]).as_bytes();
    if !is_whole {
        return Vec::new();
    }
    bytes.drain(..HEADER);
    bytes
}

fn store(file: &Path, records: &[u8]) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut next = tempfile::NamedTempFile::new_in(directory)?;
    next.write_all(MAGIC)?;
    next.write_all(blake3::hash(records).as_bytes())?;
    next.write_all(records)?;
    next.persist(file)?;
    Ok(())
}

/// The same file is hashed with another path from another context, so both are in the key.
fn key(context: &Path, path: &str) -> [u8; KEY] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(context.as_os_str().as_encoded_bytes()).update(b"\0").update(path.as_bytes());
    let mut key = [0; KEY];
    hasher.finalize_xof().fill(&mut key);
    key
}

fn state(stat: &Stat) -> [u8; 32] {
    let mut state = [0; 32];
    state[..8].copy_from_slice(&stat.size.to_le_bytes());
    state[8..16].copy_from_slice(&stat.mtime.to_le_bytes());
    state[16..24].copy_from_slice(&stat.ctime.to_le_bytes());
    state[24..].copy_from_slice(&stat.inode.to_le_bytes());
    state
}

fn record(key: &[u8; KEY], stat: &Stat, hashes: &Hashes, day: u32) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..KEY].copy_from_slice(key);
    record[KEY..48].copy_from_slice(&state(stat));
    record[48..80].copy_from_slice(&hashes.content);
    record[80..96].copy_from_slice(&hashes.md5);
    record[96..].copy_from_slice(&day.to_le_bytes());
    record
}

fn renewed(old: &[u8], day: u32) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record.copy_from_slice(old);
    record[96..].copy_from_slice(&day.to_le_bytes());
    record
}

fn hashes_of(record: &[u8]) -> Hashes {
    let mut hashes = Hashes { content: [0; 32], md5: [0; 16] };
    hashes.content.copy_from_slice(&record[48..80]);
    hashes.md5.copy_from_slice(&record[80..96]);
    hashes
}

fn u32_at(record: &[u8], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&record[at..at + 4]);
    u32::from_le_bytes(bytes)
}

/// Every write moves the ctime, and nothing but the clock sets it.
fn is_racy(stat: &Stat, now: i64) -> bool {
    let tick = if stat.ctime % 1_000_000_000 == 0 { COARSE_TICK } else { FINE_TICK };
    stat.ctime + tick > now
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}

fn hash_link(context: &Path, path: &str) -> io::Result<Option<Hashes>> {
    match fs::read_link(context.join(path)) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => Ok(None),
        target => {
            Ok(Some(Hashes { content: *blake3::hash(target?.as_os_str().as_encoded_bytes()).as_bytes(), md5: Md5::digest(path).into() }))
        }
    }
}

fn hash_content(file: &mut File, path: &str) -> io::Result<Hashes> {
    let mut content = blake3::Hasher::new();
    let mut md5 = Md5::new();
    md5.update(path);
    let mut buffer = [0; 16 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Hashes { content: *content.finalize().as_bytes(), md5: md5.finalize().into() }),
            count => {
                content.update(&buffer[..count]);
                md5.update(&buffer[..count]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
