//! `requires`: other configurations.

use schemars::JsonSchema;
use serde::Deserialize;

/// A configuration that has to be there first.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("x-one-of" = {"source": ["path", "git", "googleCloudStorage", "googleCloudBuildRepoV2"]}))]
pub struct ConfigDependency {
    /// Names of the configurations in that file; all if none is named.
    pub configs: Vec<String>,
    /// Path of the file, or of its directory.
    #[schemars(extend("x-path" = true))]
    pub path: String,
    /// A git repository that has the file.
    pub git: Option<GitInfo>,
    /// A Cloud Storage bucket that has the file.
    pub google_cloud_storage: Option<GoogleCloudStorageInfo>,
    /// A Cloud Build repository that has the file.
    #[serde(rename = "googleCloudBuildRepoV2")]
    pub google_cloud_build_repo_v2: Option<GoogleCloudBuildRepoV2Info>,
    /// Profiles that are active there.
    pub active_profiles: Vec<ProfileDependency>,
}

/// A profile of a required configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["name"]))]
pub struct ProfileDependency {
    /// Its name there.
    pub name: String,
    /// Profiles of this configuration that activate it; always active if none is named.
    pub activated_by: Vec<String>,
}

/// A git repository.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["repo"]))]
pub struct GitInfo {
    /// Its URL.
    pub repo: String,
    /// Path of the file in it; `skaffold.yaml` by default.
    pub path: String,
    /// Branch, tag or commit; `main` or `master` by default.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Whether it is fetched again when it is there already; yes by default.
    pub sync: Option<bool>,
}

/// A Cloud Storage bucket.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GoogleCloudStorageInfo {
    /// `gs://bucket/directory`.
    pub source: String,
    /// Path of the file in it; `skaffold.yaml` by default.
    pub path: String,
    /// Whether it is fetched again when it is there already; yes by default.
    pub sync: Option<bool>,
}

/// A repository of Cloud Build, second generation.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(extend("required" = ["projectID", "region", "connection", "repo"]))]
pub struct GoogleCloudBuildRepoV2Info {
    /// Project of the repository.
    #[serde(rename = "projectID")]
    pub project_id: String,
    /// Region of the repository.
    pub region: String,
    /// Connection of the repository.
    pub connection: String,
    /// Name of the repository.
    pub repo: String,
    /// Path of the file in it; `skaffold.yaml` by default.
    pub path: String,
    /// Branch, tag or commit; `main` or `master` by default.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Whether it is fetched again when it is there already; yes by default.
    pub sync: Option<bool>,
}
