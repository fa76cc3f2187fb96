//! An archive on its way into a file: packed, and known by its digests, without ever being in memory as a whole.

use std::io;
use std::io::Write;

use devloop_clients::registry::digest_from;
use devloop_model::Digest;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use sha2::Digest as _;
use sha2::Sha256;

/// How much is compressed at a time; each piece is a gzip member of its own, so that all cores work.
pub(crate) const PIECE: usize = 256 << 10;

/// Takes an archive, and writes it packed.
pub(crate) struct Packer<W> {
    out: W,
    level: Compression,
    /// As many pieces as are packed side by side; the bytes of the archive that are not packed yet.
    batch: Vec<u8>,
    batch_bytes: usize,
    archive: Sha256,
    packed: Sha256,
    packed_bytes: u64,
}

/// What a whole archive became.
pub(crate) struct Packed<W> {
    /// What it was written to.
    pub(crate) out: W,
    /// Digest of the archive.
    pub(crate) diff_id: Digest,
    /// Digest of the packed archive.
    pub(crate) digest: Digest,
    /// Size of the packed archive.
    pub(crate) size: u64,
}

impl<W: Write + Send> Packer<W> {
    /// Returns a packer that has taken nothing yet.
    pub(crate) fn new(out: W, level: Compression) -> Self {
        let batch_bytes = PIECE * rayon::current_num_threads().max(2);
        let (archive, packed) = (Sha256::new(), Sha256::new());
        Self { out, level, batch: Vec::with_capacity(batch_bytes), batch_bytes, archive, packed, packed_bytes: 0 }
    }

    /// Packs what is left, and returns what became of the whole.
    pub(crate) fn finish(mut self) -> io::Result<Packed<W>> {
        self.pack()?;
        let (diff_id, digest) = (digest_from(&self.archive.finalize()), digest_from(&self.packed.finalize()));
        Ok(Packed { out: self.out, diff_id, digest, size: self.packed_bytes })
    }

    fn pack(&mut self) -> io::Result<()> {
        let Self { out, level, batch, archive, packed, packed_bytes, .. } = self;
        let members = || batch.par_chunks(PIECE).map(|piece| member(piece, *level)).collect::<io::Result<Vec<_>>>();
        let ((), members) = rayon::join(|| archive.update(&*batch), members);
        for member in members? {
            let ((), written) = rayon::join(|| packed.update(&member), || out.write_all(&member));
            written?;
            *packed_bytes += member.len() as u64;
        }
        batch.clear();
        Ok(())
    }
}

impl<W: Write + Send> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.batch_bytes - self.batch.len());
        self.batch.extend_from_slice(&bytes[..taken]);
        if self.batch.len() == self.batch_bytes {
            self.pack()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn member(piece: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(piece.len()), level);
    encoder.write_all(piece)?;
    encoder.finish()
}
