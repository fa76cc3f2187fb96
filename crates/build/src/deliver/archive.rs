//! An image as the daemon saves it and others make it for `docker load`, and as an OCI layout with only the layers that are wanted.

mod push;

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::io::Error;
use std::io::Read;
use std::io::Result;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

/// The annotation by which containerd names what it imports.
const NAME_ANNOTATION: &str = "io.containerd.image.name";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// An archive that `docker save` wrote (`image-spec` of moby, version 1.2, and its successor with an OCI layout in it).
#[derive(Debug)]
pub(crate) struct Saved {
    file: File,
    names: Vec<String>,
    config: Vec<u8>,
    layers: Vec<Layer>,
}

/// A layer, and where in the archive it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Layer {
    digest: String,
    media_type: &'static str,
    at: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    offset: u64,
    size: u64,
}

/// One entry of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedManifest {
    config: PathBuf,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<PathBuf>,
}

impl Saved {
    /// Returns what is in a saved archive of one image.
    pub(crate) fn read(file: File) -> Result<Self> {
        let spans = list(&file)?;
        let span = |path: &Path| spans.get(path).copied().ok_or_else(|| Error::other(format!("the archive has no `{}`", path.display())));
        let manifests: Vec<SavedManifest> = serde_json::from_slice(&content(&file, span(Path::new("manifest.json"))?)?)?;
        let manifest = manifests.into_iter().next().ok_or_else(|| Error::other("the archive holds no image"))?;
        let config = content(&file, span(&manifest.config)?)?;
        let parsed: Value = serde_json::from_slice(&config)?;
        let diff_ids = parsed["rootfs"]["diff_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
        if diff_ids.len() != manifest.layers.len() {
            return Err(Error::other("the archive has another number of layers than its configuration"));
        }
        let mut layers = Vec::new();
        for (path, diff_id) in manifest.layers.iter().zip(diff_ids) {
            let at = span(path)?;
            let (media_type, is_plain) = sniff(&file, at)?;
            // A layer that is kept compressed is named by the digest of what is stored.
            let stored = path.strip_prefix("blobs/sha256").ok().map(|hex| format!("sha256:{}", hex.display()));
            let digest = stored.filter(|_| !is_plain).or_else(|| diff_id.as_str().map(str::to_owned));
            layers.push(Layer { digest: digest.ok_or_else(|| Error::other("a diff ID is no text"))?, media_type, at });
        }
        Ok(Self { file, names: manifest.repo_tags.unwrap_or_default(), config, layers })
    }

    /// Returns the names that the archive gives the image.
    pub(crate) fn names(self) -> Vec<String> {
        self.names
    }

    /// Writes the image as an OCI layout called `name`, without the layers that are `present` where it goes.
    pub(super) fn write_layout(&self, name: &str, present: &HashSet<&str>, out: impl Write) -> Result<()> {
        let config = descriptor(CONFIG_TYPE, &digest(&self.config), self.config.len() as u64);
        let layers: Vec<Value> = self.layers.iter().map(|layer| descriptor(layer.media_type, &layer.digest, layer.at.size)).collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers }).to_string();
        let mut named = descriptor(MANIFEST_TYPE, &digest(manifest.as_bytes()), manifest.len() as u64);
        named["annotations"] = json!({ NAME_ANNOTATION: name });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [named] }).to_string();

        let mut archive = tar::Builder::new(out);
        add(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        add(&mut archive, "index.json", index.as_bytes())?;
        add(&mut archive, &blob(&digest(manifest.as_bytes())), manifest.as_bytes())?;
        add(&mut archive, &blob(&digest(&self.config)), &self.config)?;
        let mut written = HashSet::new();
        for layer in self.layers.iter().filter(|layer| !present.contains(layer.digest.as_str())) {
            if written.insert(&layer.digest) {
                let reader = reader_at(&self.file, layer.at)?;
                archive.append_data(&mut header(layer.at.size), blob(&layer.digest), reader)?;
            }
        }
        archive.into_inner()?.flush()
    }
}

/// Returns where each file of an archive is; a link to another layer, as older daemons write for a repeated one, counts as that layer.
fn list(file: &File) -> Result<HashMap<PathBuf, Span>> {
    let mut archive = tar::Archive::new(BufReader::new(file.try_clone()?));
    let (mut spans, mut links) = (HashMap::new(), Vec::new());
    rewind(file)?;
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        if let Some(target) = entry.link_name()? {
            links.push((path.clone(), normal(&path.parent().unwrap_or(Path::new("")).join(target))));
        } else {
            spans.insert(path, Span { offset: entry.raw_file_position(), size: entry.size() });
        }
    }
    for (path, target) in links {
        if let Some(span) = spans.get(&target).copied() {
            spans.insert(path, span);
        }
    }
    Ok(spans)
}

fn normal(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(result.pop()),
            Component::Normal(part) => result.push(part),
            _ => {}
        }
    }
    result
}

fn rewind(mut file: &File) -> Result<()> {
    file.seek(SeekFrom::Start(0)).map(drop)
}

/// Opens the file anew: several nodes read one archive at once, and a shared position would mix them up.
fn reader_at(file: &File, at: Span) -> Result<impl Read> {
    Ok(SpanReader { file: file.try_clone()?, at })
}

/// Reads a span at positions of its own.
struct SpanReader {
    file: File,
    at: Span,
}

impl Read for SpanReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        use std::os::unix::fs::FileExt as _;
        let length = buffer.len().min(self.at.size as usize);
        let read = self.file.read_at(&mut buffer[..length], self.at.offset)?;
        self.at = Span { offset: self.at.offset + read as u64, size: self.at.size - read as u64 };
        Ok(read)
    }
}

fn content(file: &File, at: Span) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader_at(file, at)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the media type of a layer by its first bytes, and whether it is not compressed.
fn sniff(file: &File, at: Span) -> Result<(&'static str, bool)> {
    let start = content(file, Span { size: at.size.min(4), ..at })?;
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => ("application/vnd.oci.image.layer.v1.tar+gzip", false),
        [0x28, 0xb5, 0x2f, 0xfd] => ("application/vnd.oci.image.layer.v1.tar+zstd", false),
        _ => ("application/vnd.oci.image.layer.v1.tar", true),
    })
}

fn descriptor(media_type: &str, digest: &str, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

fn digest(bytes: &[u8]) -> String {
    devloop_clients::registry::digest_of(bytes).to_string()
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn add(archive: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) -> Result<()> {
    archive.append_data(&mut header(bytes.len() as u64), path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive as Docker 20.10 writes it, with a link where a layer is repeated.
    fn saved() -> Saved {
        let diff_ids = [digest(b"layer one"), digest(b"layer two"), digest(b"layer one")];
        let config = json!({ "rootfs": { "type": "layers", "diff_ids": diff_ids } }).to_string();
        let file = tempfile::tempfile().unwrap();
        let mut archive = tar::Builder::new(&file);
        add(&mut archive, "a/layer.tar", b"layer one").unwrap();
        add(&mut archive, "b/layer.tar", b"layer two").unwrap();
        let mut link = header(0);
        link.set_entry_type(tar::EntryType::Symlink);
        archive.append_link(&mut link, "c/layer.tar", "../a/layer.tar").unwrap();
        add(&mut archive, "c.json", config.as_bytes()).unwrap();
        add(
            &mut archive,
            "manifest.json",
            br#"[{"Config":"c.json","RepoTags":["web:v1"],"Layers":["a/layer.tar","b/layer.tar","c/layer.tar"]}]"#,
        )
        .unwrap();
        archive.finish().unwrap();
        drop(archive);
        Saved::read(file).unwrap()
    }

    fn names(layout: &[u8]) -> Vec<String> {
        tar::Archive::new(layout).entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn only_missing_layers_are_packed() {
        let saved = saved();
        let (one, two) = (digest(b"layer one"), digest(b"layer two"));
        for (present, expected) in
            [(vec![], vec![&one, &two]), (vec![one.as_str()], vec![&two]), (vec![one.as_str(), two.as_str()], vec![])]
        {
            let mut layout = Vec::new();
            saved.write_layout("docker.io/library/web:v1", &present.into_iter().collect(), &mut layout).unwrap();
            let names = names(&layout);
            assert_eq!(names[..2], ["oci-layout", "index.json"]);
            assert_eq!(names[4..].to_vec(), expected.into_iter().map(|digest| blob(digest)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_layout_names_the_image_and_all_its_layers() {
        let mut layout = Vec::new();
        saved().write_layout("docker.io/library/web:v1", &HashSet::new(), &mut layout).unwrap();
        let mut texts = HashMap::new();
        for entry in tar::Archive::new(layout.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            texts.insert(entry.path().unwrap().display().to_string(), text);
        }
        let index: Value = serde_json::from_str(&texts["index.json"]).unwrap();
        assert_eq!(index["manifests"][0]["annotations"][NAME_ANNOTATION], "docker.io/library/web:v1");
        let manifest: Value = serde_json::from_str(&texts[&blob(index["manifests"][0]["digest"].as_str().unwrap())]).unwrap();
        let layers: Vec<&str> = manifest["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap()).collect();
        assert_eq!(layers, [digest(b"layer one"), digest(b"layer two"), digest(b"layer one")]);
        assert_eq!(texts[&blob(layers[1])], "layer two");
    }
}
