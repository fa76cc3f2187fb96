//! The records that helm keeps of its releases, one object of the cluster per revision.
//!
//! Facts: `pkg/storage/driver/secrets.go`, `cfgmaps.go` and `util.go` of helm, the same in its versions 3 and 4.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use devloop_model::Cx;
use devloop_model::Namespace;
use devloop_model::ObjectKey;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::HelmError;
use crate::kube::Cluster;
use crate::kube::DeleteOptions;
use crate::kube::Detail;
use crate::kube::KubeError;
use crate::kube::Selection;
use crate::kube::built_in_kind;

/// The most that one record may unpack to; the API server keeps no object above 1 MiB, packed.
const LARGEST: u64 = 256 << 20;

/// Where records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In Secrets: the default.
    Secrets,
    /// In `ConfigMaps`.
    ConfigMaps,
}

/// One revision of a release.
#[derive(Debug, Clone, PartialEq)]
pub struct HelmRecord {
    /// Name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// Which revision.
    pub revision: u64,
    /// `deployed`, `failed`, `pending-upgrade` and their like.
    pub status: String,
    /// Name of its chart.
    pub chart: String,
    /// The manifests of its objects.
    pub manifest: String,
    /// What the chart says to its user.
    pub notes: String,
    /// When it was made.
    pub updated: String,
}

impl HelmRecord {
    /// Returns whether helm has begun with it and not ended.
    pub fn is_pending(&self) -> bool {
        self.status.starts_with("pending-")
    }

    /// Returns the name of the object that keeps it.
    fn object_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name, self.revision)
    }
}

impl Storage {
    /// Returns where helm keeps records in this environment.
    ///
    /// # Errors
    /// When it keeps them in no object of the cluster.
    pub fn of(cx: &Cx) -> Result<Self, HelmError> {
        match cx.env.get("HELM_DRIVER").unwrap_or_default() {
            "" | "secret" | "secrets" => Ok(Self::Secrets),
            "configmap" | "configmaps" => Ok(Self::ConfigMaps),
            driver => Err(HelmError::Driver { driver: driver.to_owned() }),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Secrets => "Secret",
            Self::ConfigMaps => "ConfigMap",
        }
    }

    /// Returns the revisions of these releases that none has replaced, and the last one of each among them, oldest first.
    ///
    /// # Errors
    /// When the cluster forbids it or does not answer, or a record cannot be read.
    pub async fn records(self, namespace: &Namespace, names: &[&str], cluster: &Cluster, cx: &Cx) -> Result<Vec<HelmRecord>, HelmError> {
        let selector = format!("owner=helm,status!=superseded,name in ({})", names.join(","));
        let kind = built_in_kind("v1", self.kind()).expect("it is in the table");
        let objects = cluster.list(&Selection::of(kind, Some(namespace.clone())).labels(selector), Detail::Full, cx).await?;
        let mut records = objects.iter().map(|object| self.record(namespace, object)).collect::<Result<Vec<_>, _>>()?;
        records.sort_by(|one, other| (&one.name, one.revision).cmp(&(&other.name, other.revision)));
        Ok(records)
    }

    /// Takes a revision back, so that the one before it is the last.
    ///
    /// # Errors
    /// When the cluster forbids it or does not answer.
    pub async fn remove(self, record: &HelmRecord, cluster: &Cluster, cx: &Cx) -> Result<(), KubeError> {
        let key = ObjectKey {
            group: String::new(),
            kind: self.kind().to_owned(),
            namespace: Some(record.namespace.clone()),
            name: record.object_name(),
        };
        cluster.delete("v1", &key, &DeleteOptions::default(), cx).await.map(drop)
    }

    fn record(self, namespace: &Namespace, object: &Value) -> Result<HelmRecord, HelmError> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let record = self.payload(object).and_then(|payload| of_payload(namespace, &payload));
        record.map_err(|why| HelmError::Record { name: name.to_owned(), why })
    }

    /// A Secret's data is base64 once more.
    fn payload(self, object: &Value) -> Result<Value, String> {
        let text = object["data"]["release"].as_str().ok_or("it has no `release`")?;
        let packed = match self {
            Self::Secrets => STANDARD.decode(text).map_err(|error| error.to_string())?,
            Self::ConfigMaps => text.as_bytes().to_vec(),
        };
        let packed = STANDARD.decode(packed).map_err(|error| error.to_string())?;
        // The first versions of helm did not pack.
        let json = if packed.starts_with(&[0x1f, 0x8b]) {
            let mut json = Vec::new();
            GzDecoder::new(packed.as_slice()).take(LARGEST).read_to_end(&mut json).map_err(|error| error.to_string())?;
            json
        } else {
            packed
        };
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    }
}

fn of_payload(namespace: &Namespace, payload: &Value) -> Result<HelmRecord, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(HelmRecord {
        name: payload["name"].as_str().ok_or("it has no `name`")?.to_owned(),
        namespace: namespace.clone(),
        revision: payload["version"].as_u64().ok_or("it has no `version`")?,
        status: text(&payload["info"]["status"]),
        chart: text(&payload["chart"]["metadata"]["name"]),
        manifest: text(&payload["manifest"]),
        notes: text(&payload["info"]["notes"]),
        updated: text(&payload["info"]["last_deployed"]),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn packed(payload: &Value) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(payload.to_string().as_bytes()).unwrap();
        STANDARD.encode(encoder.finish().unwrap())
    }

    #[test]
    fn records_are_read_as_helm_packs_them() {
        let payload = json!({
            "name": "web", "version": 3, "namespace": "shop", "manifest": "---\na: b\n",
            "info": {"status": "pending-upgrade", "notes": "hello", "last_deployed": "2026-01-02T03:04:05Z"},
            "chart": {"metadata": {"name": "app"}},
        });
        let namespace = Namespace("shop".into());
        let secret = json!({"metadata": {"name": "s"}, "data": {"release": STANDARD.encode(packed(&payload))}});
        let config_map = json!({"metadata": {"name": "s"}, "data": {"release": packed(&payload)}});
        let record = Storage::Secrets.record(&namespace, &secret).unwrap();
        assert_eq!((record.name.as_str(), record.revision, record.chart.as_str(), record.is_pending()), ("web", 3, "app", true));
        assert_eq!(record.object_name(), "sh.helm.release.v1.web.v3");
        assert_eq!(Storage::ConfigMaps.record(&namespace, &config_map).unwrap(), record);
    }

    #[test]
    fn what_is_no_record_is_told() {
        let object = json!({"metadata": {"name": "sh.helm.release.v1.web.v1"}, "data": {"release": "bm8="}});
        let error = Storage::Secrets.record(&Namespace("a".into()), &object).unwrap_err();
        insta::assert_snapshot!(error.diagnostic(), @r"
        error[helm/record]: helm's record `sh.helm.release.v1.web.v1` cannot be read
          Invalid padding
        ");
    }
}
