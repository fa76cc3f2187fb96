//! Which caches a build reads and writes, those in directories of this machine with what BuildKit has to know of them
//! (`client/solve.go`, `parseCacheOptions`).

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use bollard::moby::buildkit::v1::CacheOptionsEntry;
use oci_spec::image::ANNOTATION_REF_NAME;
use oci_spec::image::Descriptor;
use oci_spec::image::ImageIndex;
use oci_spec::image::ImageIndexBuilder;
use oci_spec::image::MediaType;
use oci_spec::image::OciLayoutBuilder;
use oci_spec::image::SCHEMA_VERSION;

use crate::docker::BuildRequest;
use crate::docker::DockerError;
use crate::docker::root_cause;

/// The caches of one build.
#[derive(Debug, Clone, Default)]
pub(super) struct Caches {
    pub(super) imports: Vec<CacheOptionsEntry>,
    pub(super) exports: Vec<CacheOptionsEntry>,
    /// The directories among them, by what BuildKit calls them.
    pub(super) stores: BTreeMap<String, PathBuf>,
}

impl Caches {
    /// Returns the caches that a build names. A directory that has no cache yet is none to read.
    ///
    /// # Errors
    /// When a directory is not named, or cannot be made or read.
    pub(super) fn of(request: &BuildRequest) -> Result<Self, DockerError> {
        let mut caches = Self::default();
        for text in &request.cache_from {
            let mut cache = entry(text);
            if cache.r#type == "local" {
                let directory = caches.store(&mut cache, "src", text)?;
                match manifest_of(&directory, tag(&cache))? {
                    Some(digest) => cache.attrs.entry("digest".to_owned()).or_insert(digest),
                    None => continue,
                };
            }
            caches.imports.push(cache);
        }
        for text in &request.cache_to {
            let mut cache = entry(text);
            if cache.r#type == "local" {
                let directory = caches.store(&mut cache, "dest", text)?;
                fs::create_dir_all(&directory).map_err(|error| failed(&directory, &error))?;
            }
            caches.exports.push(cache);
        }
        Ok(caches)
    }

    /// Returns the directory that an entry names, and makes it one of the stores.
    fn store(&mut self, cache: &mut CacheOptionsEntry, attribute: &'static str, text: &str) -> Result<PathBuf, DockerError> {
        let Some(named) = cache.attrs.get(attribute).filter(|named| !named.is_empty()) else {
            return Err(DockerError::Unsupported {
                setting: format!("the cache `{text}`"),
                needs: "a directory",
                help: "write `type=local,src=DIRECTORY` to read one and `type=local,dest=DIRECTORY` to write one",
            });
        };
        let directory = std::path::absolute(named).map_err(|error| failed(Path::new(named), &error))?;
        self.stores.insert(format!("local:{named}"), directory.clone());
        Ok(directory)
    }

    /// Writes into each directory which manifest is its cache now.
    ///
    /// # Errors
    /// When an index cannot be read or written.
    pub(super) fn exported(&self, manifest: &str) -> Result<(), DockerError> {
        for cache in self.exports.iter().filter(|cache| cache.r#type == "local") {
            let directory = &self.stores[&format!("local:{}", cache.attrs["dest"])];
            record(directory, tag(cache), manifest).map_err(|error| failed(directory, &error))?;
        }
        Ok(())
    }
}

/// Reads an image name, or buildx's `type=registry,ref=name`.
fn entry(text: &str) -> CacheOptionsEntry {
    if !text.contains('=') {
        return CacheOptionsEntry { r#type: "registry".to_owned(), attrs: HashMap::from([("ref".to_owned(), text.to_owned())]) };
    }
    let mut attrs: HashMap<String, String> = text
        .split(',')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.trim().to_lowercase(), value.to_owned()))
        .collect();
    CacheOptionsEntry { r#type: attrs.remove("type").unwrap_or_else(|| "registry".to_owned()), attrs }
}

fn tag(cache: &CacheOptionsEntry) -> &str {
    cache.attrs.get("tag").map_or("latest", String::as_str)
}

fn failed(path: &Path, error: &(dyn std::error::Error + 'static)) -> DockerError {
    DockerError::Cache { path: path.to_owned(), why: root_cause(error) }
}

fn is_tagged(manifest: &Descriptor, tag: &str) -> bool {
    manifest.annotations().as_ref().and_then(|annotations| annotations.get(ANNOTATION_REF_NAME)).is_some_and(|name| name == tag)
}

/// Returns the digest of the manifest that a directory has under a tag.
fn manifest_of(directory: &Path, tag: &str) -> Result<Option<String>, DockerError> {
    let path = directory.join("index.json");
    if !path.exists() {
        return Ok(None);
    }
    let index = ImageIndex::from_file(&path).map_err(|error| failed(&path, &error))?;
    Ok(index.manifests().iter().find(|manifest| is_tagged(manifest, tag)).map(|manifest| manifest.digest().to_string()))
}

/// Puts a manifest into the index of an image layout, in the place of the one of that tag.
fn record(directory: &Path, tag: &str, manifest: &str) -> io::Result<()> {
    let invalid = |error: oci_spec::OciSpecError| io::Error::other(root_cause(&error));
    let path = directory.join("index.json");
    let mut index = if path.exists() {
        ImageIndex::from_file(&path).map_err(invalid)?
    } else {
        let builder = ImageIndexBuilder::default().schema_version(SCHEMA_VERSION).media_type(MediaType::ImageIndex);
        builder.manifests(Vec::new()).build().map_err(invalid)?
    };
    let mut descriptor: Descriptor = serde_json::from_str(manifest)?;
    descriptor.set_annotations(Some(HashMap::from([(ANNOTATION_REF_NAME.to_owned(), tag.to_owned())])));
    let mut manifests = index.manifests().clone();
    manifests.retain(|other| !is_tagged(other, tag));
    manifests.push(descriptor);
    index.set_manifests(manifests);
    let layout = OciLayoutBuilder::default().image_layout_version("1.0.0").build().map_err(invalid)?;
    layout.to_file(directory.join("oci-layout")).map_err(invalid)?;
    let mut next = tempfile::NamedTempFile::new_in(directory)?;
    index.to_writer(&mut next).map_err(invalid)?;
    next.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildkit::session::tests::request;

    #[test]
    fn a_directory_is_read_once_it_has_been_written() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("cache");
        let mut request = request("/c");
        request.cache_from = vec![format!("type=local,src={}", cache.display()), "web:old".to_owned()];
        request.cache_to = vec![format!("type=local,dest={},mode=max", cache.display())];
        let caches = Caches::of(&request).unwrap();
        assert_eq!(caches.imports.iter().map(|it| it.r#type.as_str()).collect::<Vec<_>>(), ["registry"]);
        assert_eq!(caches.stores, BTreeMap::from([(format!("local:{}", cache.display()), cache.clone())]));
        for digit in ["1", "2"] {
            let digest = format!("sha256:{}", digit.repeat(64));
            let manifest = format!(r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":3}}"#);
            caches.exported(&manifest).unwrap();
            let again = Caches::of(&request).unwrap();
            assert_eq!(again.imports[0].attrs["digest"], digest);
        }
        let index = ImageIndex::from_file(cache.join("index.json")).unwrap();
        assert_eq!(index.manifests().len(), 1, "the second took the place of the first");
        assert!(cache.join("oci-layout").exists());
    }

    #[test]
    fn what_is_no_cache_is_said() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("index.json"), "{").unwrap();
        let mut request = request("/c");
        let mut said = |from: &str| {
            request.cache_from = vec![from.to_owned()];
            let text = Caches::of(&request).unwrap_err().diagnostic().to_string();
            text.replace(directory.path().to_str().unwrap(), "/dir")
        };
        insta::assert_snapshot!(said("type=local,dest=/c"), @r"
        error[docker/unsupported-setting]: the cache `type=local,dest=/c` needs a directory
        help: write `type=local,src=DIRECTORY` to read one and `type=local,dest=DIRECTORY` to write one
        ");
        let broken = format!("type=local,src={}", directory.path().display());
        insta::assert_snapshot!(said(&broken), @r"
        error[docker/cache]: the cache in `/dir/index.json` cannot be used
          EOF while parsing an object at line 1 column 1
        help: name a directory that you may write to, or remove the cache
        ");
    }
}
