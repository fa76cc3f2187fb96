//! Labels of the command line, on every object and pod template.

use std::collections::BTreeMap;

use devloop_model::Manifest;
use serde_json::Value;

use super::Fields;

/// Adds `labels` to every `metadata` that may be rewritten; a label that is there already is kept.
pub(crate) fn set_labels(manifests: &mut [Manifest], labels: &BTreeMap<String, String>, fields: &Fields) {
    if labels.is_empty() {
        return;
    }
    for manifest in manifests {
        let Some(fields) = fields.of(&manifest.object) else { continue };
        fields.labels(&mut manifest.object, &mut |present| {
            for (name, value) in labels {
                present.entry(name).or_insert_with(|| Value::from(&**value));
            }
        });
    }
}
