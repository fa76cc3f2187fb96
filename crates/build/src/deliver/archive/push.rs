//! An archive of an image, for a registry.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;

use devloop_clients::registry::Blob;
use devloop_clients::registry::PushImage;
use devloop_clients::registry::PushLayer;
use devloop_clients::registry::digest_from;
use flate2::Compression;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

use super::CONFIG_TYPE;
use super::Layer;
use super::MANIFEST_TYPE;
use super::Saved;
use super::descriptor;
use super::digest;
use super::reader_at;
use crate::builder::packer::Packer;

const PLAIN_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const PACKED_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Saved {
    /// Returns the image as a registry takes it, with its layers as files in `directory`; those that are not compressed yet are.
    ///
    /// # Errors
    /// When the archive cannot be read, or the files not be written.
    pub(crate) fn to_push(&self, directory: &Path) -> io::Result<PushImage> {
        let (mut layers, mut descriptors) = (Vec::new(), Vec::new());
        for (number, layer) in self.layers.iter().enumerate() {
            let (layer, media_type) = self.layer_to_push(layer, &directory.join(number.to_string()))?;
            descriptors.push(descriptor(media_type, layer.digest.as_str(), layer.size));
            layers.push(layer);
        }
        let config = descriptor(CONFIG_TYPE, &digest(&self.config), self.config.len() as u64);
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": descriptors }).to_string();
        Ok(PushImage { manifest: manifest.into(), media_type: MANIFEST_TYPE.to_owned(), config: self.config.clone().into(), layers })
    }

    fn layer_to_push(&self, layer: &Layer, file: &Path) -> io::Result<(PushLayer, &'static str)> {
        let mut reader = reader_at(&self.file, layer.at)?;
        let (out, blob) = (File::create(file)?, Blob::File(file.to_owned()));
        if layer.media_type == PLAIN_TYPE {
            let mut packer = Packer::new(out, Compression::fast());
            io::copy(&mut reader, &mut packer)?;
            let packed = packer.finish()?;
            return Ok((PushLayer { digest: packed.digest, size: packed.size, blob }, PACKED_TYPE));
        }
        // Its name may be that of what it unpacks to.
        let mut hashed = Hashed(out, Sha256::new());
        let size = io::copy(&mut reader, &mut hashed)?;
        Ok((PushLayer { digest: digest_from(&hashed.1.finalize()), size, blob }, layer.media_type))
    }
}

/// A file, and the hash of what is written to it.
struct Hashed(File, Sha256);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
