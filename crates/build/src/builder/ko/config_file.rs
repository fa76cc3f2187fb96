//! `.ko.yaml`: ko's own configuration file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use devloop_model::Diagnostic;
use devloop_model::Env;
use serde::Deserialize;
use serde::Deserializer;

use crate::BuildError;

/// The keys that decide about an image; others are ko's own business (<https://ko.build/configuration/>).
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConfigFile {
    #[serde(skip)]
    pub(super) path: Option<PathBuf>,
    pub(super) default_base_image: Option<String>,
    pub(super) base_image_overrides: BTreeMap<String, String>,
    #[serde(deserialize_with = "list")]
    pub(super) default_env: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub(super) default_flags: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) default_ldflags: Vec<String>,
    pub(super) builds: Vec<BuildEntry>,
}

/// How one program is built.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct BuildEntry {
    pub(super) dir: String,
    pub(super) main: String,
    #[serde(deserialize_with = "list")]
    pub(super) env: Vec<String>,
    #[serde(deserialize_with = "words")]
    pub(super) flags: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) ldflags: Vec<String>,
    #[serde(deserialize_with = "words")]
    linux_capabilities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![text],
        Some(OneOrMany::Many(texts)) => texts,
    })
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(OneOrMany::Many(texts)) => texts,
    })
}

impl ConfigFile {
    /// Returns the configuration that holds in `dir`: `KO_CONFIG_PATH`, else `.ko.yaml` in it, else nothing.
    /// Source: ko `pkg/commands/options/build.go` (`LoadConfig`).
    ///
    /// # Errors
    /// When it cannot be read, is not valid, or asks for something that is not done.
    pub(super) fn find(dir: &Path, env: &Env) -> Result<Self, BuildError> {
        let path = match env.get("KO_CONFIG_PATH").filter(|path| !path.is_empty()) {
            Some(path) if dir.join(path).is_dir() => dir.join(path).join(".ko.yaml"),
            Some(path) => dir.join(path),
            None => {
                let path = dir.join(".ko.yaml");
                if !path.is_file() {
                    return Ok(Self::default());
                }
                path
            }
        };
        let text = fs::read_to_string(&path).map_err(|source| BuildError::Read { path: path.clone(), source })?;
        Self::parse(&text)
            .map_err(|why| Diagnostic::error("build/ko-config", format!("`{}` is not valid", path.display())).because(why).into())
            .map(|config| Self { path: Some(path), ..config })
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        match config.builds.iter().find(|entry| !entry.linux_capabilities.is_empty()) {
            Some(_) => Err("`linux_capabilities` is not supported: the program would run without them".to_owned()),
            None => Ok(config),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_a_list_or_words() {
        let config = ConfigFile::parse(
            "defaultBaseImage: busybox\nbaseImageOverrides:\n  example.com/A: alpine\nunknown: 1\nbuilds:\n- id: a\n  main: ./cmd/a\n  flags: -v -tags x\n  ldflags: -s -w\n  env: [A=1]\n- flags:\n  - -a\n",
        )
        .unwrap();
        assert_eq!(config.default_base_image.as_deref(), Some("busybox"));
        assert_eq!(config.base_image_overrides["example.com/A"], "alpine");
        let entry = &config.builds[0];
        assert_eq!(
            (entry.flags.join("|"), entry.ldflags.join("|"), entry.env.join("|")),
            ("-v|-tags|x".into(), "-s -w".into(), "A=1".into())
        );
        assert_eq!(config.builds[1].flags, ["-a"]);
    }

    #[test]
    fn nothing_is_no_configuration() {
        assert_eq!(ConfigFile::parse("\n").unwrap(), ConfigFile::default());
        assert_eq!(ConfigFile::find(Path::new("/nowhere"), &Env::default()).unwrap(), ConfigFile::default());
    }

    #[test]
    fn what_would_be_lost_is_an_error() {
        let why = ConfigFile::parse("builds:\n- linux_capabilities: net_bind_service\n").unwrap_err();
        insta::assert_snapshot!(why, @"`linux_capabilities` is not supported: the program would run without them");
    }
}
