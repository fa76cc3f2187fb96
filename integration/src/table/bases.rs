//! Base images that no Dockerfile makes: layers with every oddity that the image specification has a word for.

use std::io;
use std::io::Write as _;

use devloop_clients::registry::Blob;
use devloop_clients::registry::PushImage;
use devloop_clients::registry::PushLayer;
use devloop_clients::registry::Registry;
use devloop_clients::registry::RemoteImage;
use devloop_clients::registry::digest_of;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use serde_json::json;
use tar::Builder;
use tar::EntryType;
use tar::Header;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// `cap_net_raw+ep`, as the kernel keeps it.
const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// What this machine is not.
const OTHER: &str = "s390x";

/// Pushes `table/base/layers` and `table/base/index` to the registry that has busybox.
///
/// # Errors
/// When the registry does not take them.
pub async fn push_bases(registry: &Registry, cx: &Cx) -> io::Result<()> {
    let busybox = registry.image(&latest("busybox")?, None, cx).await.map_err(io::Error::other)?;
    let layers = [lower_layer()?, upper_layer()?];
    let mut config = busybox.config.clone();
    // A volume whose directory is in no layer.
    config["config"]["Volumes"] = json!({ "/not/there": {} });
    push(registry, "table/base/layers:latest", Some(&busybox), &layers, config, cx).await?;

    let mut marker = Layer::new();
    marker.add("marker", EntryType::Regular, 0o644, OTHER.as_bytes(), None)?;
    let config = json!({ "architecture": OTHER, "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": [] } });
    // Never under the name of the index: somebody may build from that at the same time.
    let other = push(registry, "table/base/index:part-other", None, &[marker.finish()?], config, cx).await?;
    let own = push(registry, "table/base/index:part-own", Some(&busybox), &[], busybox.config.clone(), cx).await?;
    let entry = |architecture: &Value, (digest, size): &(Digest, usize)| json!({ "mediaType": MANIFEST, "digest": digest, "size": size, "platform": { "os": "linux", "architecture": architecture } });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(&json!(OTHER), &other), entry(&busybox.config["architecture"], &own)] });
    // Of one name the daemon keeps one platform: what asks for another has a name of its own.
    for name in ["latest", "other"] {
        let reference = format!("localhost:5000/table/base/index:{name}").parse().map_err(io::Error::other)?;
        registry.push_manifest(&reference, index.to_string().into(), INDEX, cx).await.map_err(io::Error::other)?;
    }
    Ok(())
}

fn latest(repository: &str) -> io::Result<ImageRef> {
    format!("localhost:5000/{repository}:latest").parse().map_err(io::Error::other)
}

/// What the upper layer hides, replaces and leaves.
fn lower_layer() -> io::Result<Vec<u8>> {
    let mut layer = Layer::new();
    for directory in ["kept", "hidden", "opaque", "opaque/below", "swapped", "swapped/directory"] {
        layer.add(directory, EntryType::Directory, 0o755, b"", None)?;
    }
    for file in ["kept/stays", "kept/goes", "hidden/file", "opaque/old", "opaque/below/older", "swapped/directory/file"] {
        layer.add(file, EntryType::Regular, 0o644, file.as_bytes(), None)?;
    }
    layer.add("swapped/link", EntryType::Symlink, 0o777, b"", Some("../kept"))?;
    layer.add("hard", EntryType::Directory, 0o1777, b"", None)?;
    layer.add("hard/first", EntryType::Regular, 0o640, b"one file", None)?;
    layer.add("hard/second", EntryType::Link, 0o640, b"", Some("hard/first"))?;
    layer.add("hard/third", EntryType::Link, 0o640, b"", Some("hard/first"))?;
    layer.add("setuid", EntryType::Regular, 0o6755, b"setuid", None)?;
    layer.capability()?;
    layer.add("capable", EntryType::Regular, 0o755, b"capable", None)?;
    layer.add("pipe", EntryType::Fifo, 0o600, b"", None)?;
    layer.finish()
}

fn upper_layer() -> io::Result<Vec<u8>> {
    let mut layer = Layer::new();
    for whiteout in ["kept/.wh.goes", ".wh.hidden", "opaque/.wh..wh..opq"] {
        layer.add(whiteout, EntryType::Regular, 0, b"", None)?;
    }
    for (directory, mode) in [("kept", 0o755), ("opaque", 0o750), ("swapped", 0o755), ("hard", 0o1777)] {
        layer.add(directory, EntryType::Directory, mode, b"", None)?;
    }
    layer.add("opaque/new", EntryType::Regular, 0o644, b"new", None)?;
    layer.add("swapped/link", EntryType::Directory, 0o755, b"", None)?;
    layer.add("swapped/link/inside", EntryType::Regular, 0o644, b"inside", None)?;
    layer.add("swapped/directory", EntryType::Symlink, 0o777, b"", Some("link"))?;
    layer.add("hard/third", EntryType::Regular, 0o640, b"another file", None)?;
    layer.finish()
}

struct Layer(Builder<Vec<u8>>);

impl Layer {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn add(&mut self, path: &str, kind: EntryType, mode: u32, bytes: &[u8], target: Option<&str>) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        match target {
            Some(target) => self.0.append_link(&mut header, path, target),
            None => self.0.append_data(&mut header, path, bytes),
        }
    }

    /// Gives the next file a capability.
    fn capability(&mut self) -> io::Result<()> {
        self.0.append_pax_extensions([("SCHILY.xattr.security.capability", NET_RAW.as_slice())])
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        self.0.into_inner()
    }
}

/// Pushes an image of `base` and more layers, and returns its digest and the size of its manifest.
async fn push(
    registry: &Registry,
    name: &str,
    base: Option<&RemoteImage>,
    archives: &[Vec<u8>],
    mut config: Value,
    cx: &Cx,
) -> io::Result<(Digest, usize)> {
    let busybox: ImageName = "localhost:5000/busybox".parse().map_err(io::Error::other)?;
    let (mut layers, mut descriptors) = (Vec::new(), Vec::new());
    for layer in base.iter().flat_map(|image| image.manifest.layers()) {
        let digest: Digest = layer.digest().to_string().parse().map_err(io::Error::other)?;
        layers.push(PushLayer { digest: digest.clone(), size: layer.size(), blob: Blob::InRepository(busybox.clone()) });
        descriptors.push(json!({ "mediaType": LAYER, "digest": digest, "size": layer.size() }));
    }
    let mut diff_ids = config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
    for archive in archives {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(archive)?;
        let (blob, size) = encoder.finish().map(|blob| (blob.clone(), blob.len() as u64))?;
        descriptors.push(json!({ "mediaType": LAYER, "digest": digest_of(&blob), "size": size }));
        layers.push(PushLayer { digest: digest_of(&blob), size, blob: Blob::Bytes(blob.into()) });
        diff_ids.push(json!(digest_of(archive)));
    }
    config["rootfs"]["diff_ids"] = diff_ids.into();
    // It says what each layer was made by, and there are more of them now.
    config.as_object_mut().map(|fields| fields.shift_remove("history"));
    let config = config.to_string();
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": descriptors,
        "config": { "mediaType": CONFIG, "digest": digest_of(config.as_bytes()), "size": config.len() } });
    let manifest = manifest.to_string();
    let size = manifest.len();
    let image = PushImage { manifest: manifest.into(), media_type: MANIFEST.to_owned(), config: config.into(), layers };
    let target = format!("localhost:5000/{name}").parse().map_err(io::Error::other)?;
    let digest = registry.push(&target, image, cx).await.map_err(io::Error::other)?;
    Ok((digest, size))
}
