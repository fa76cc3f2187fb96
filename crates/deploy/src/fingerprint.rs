//! Short digests that tell whether an apply would change anything, without making it.
//!
//! The same manifest over the same live state is the same object: what was applied last time and has not moved since
//! needs no write, and no server-side merge to find that out.

use serde_json::Value;
use sha2::Digest as _;
use sha2::Sha256;

/// Returns a digest of what is to be applied.
pub(crate) fn of_manifest(object: &Value) -> String {
    digest([object])
}

/// Returns a digest of what the cluster has, without what it writes by itself: `status`, and metadata that the manifest
/// does not name.
pub(crate) fn of_live(live: &Value, manifest: &Value) -> String {
    let metadata = ["labels", "annotations"].into_iter().flat_map(|field| {
        let named = manifest["metadata"][field].as_object().into_iter().flat_map(serde_json::Map::keys);
        named.map(move |key| &live["metadata"][field][key.as_str()])
    });
    let content =
        live.as_object().into_iter().flatten().filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status" | "apiVersion" | "kind"));
    digest(metadata.chain(content.map(|(_, value)| value)))
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a Value>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.to_string());
        hash.update([0]);
    }
    let bytes = hash.finalize();
    bytes.iter().take(12).fold(String::with_capacity(24), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
        text
    })
}

/// Returns a digest of a text, short enough for a name.
pub(crate) fn of_text(text: &str) -> String {
    let mut digest = digest([&Value::from(text)]);
    digest.truncate(10);
    digest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_cluster_writes_by_itself_does_not_count() {
        let manifest = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"x": 1}});
        let live = json!({"metadata": {"labels": {"a": "1"}, "resourceVersion": "1"}, "spec": {"x": 1, "y": 2}, "status": {"r": 0}});
        for (other, same) in [
            (
                json!({"metadata": {"labels": {"a": "1"}, "resourceVersion": "2", "annotations": {"rev": "1"}}, "spec": {"x": 1, "y": 2}, "status": {"r": 1}}),
                true,
            ),
            (json!({"metadata": {"labels": {"a": "2"}}, "spec": {"x": 1, "y": 2}}), false),
            (json!({"metadata": {}, "spec": {"x": 1, "y": 2}}), false),
            (json!({"metadata": {"labels": {"a": "1"}}, "spec": {"x": 1, "y": 3}}), false),
        ] {
            assert_eq!(of_live(&live, &manifest) == of_live(&other, &manifest), same, "{other}");
        }
    }
}
