//! Credentials for a registry, as `docker login` and credential helpers keep them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use devloop_model::Cx;
use devloop_model::Env;
use serde::Deserialize;

use crate::process::Command;

/// How long a credential helper may take; some ask the user or the network.
const HELPER_DEADLINE: Duration = Duration::from_secs(20);
/// The name under which Docker Hub's credentials are kept.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// Base64 with or without padding: both are found in real files.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What proves who we are.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A user and a password.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// A token that the registry's token server exchanges.
    IdentityToken(String),
}

impl fmt::Debug for Secret {
    /// Never the secret itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { username, .. } => write!(f, "Password({username})"),
            Self::IdentityToken(_) => f.write_str("IdentityToken"),
        }
    }
}

/// The credentials for one registry, and where they were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The secret; none where there is none for this registry.
    pub secret: Option<Secret>,
    /// For an error: which credentials these are, `user bob of /root/.docker/config.json`.
    pub origin: String,
}

/// The parts of docker's `config.json` that this program reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DockerConfig {
    auths: BTreeMap<String, Login>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
    /// The docker context that is in use.
    pub(crate) current_context: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

impl Login {
    fn secret(&self) -> Option<Secret> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.is_empty()) {
            return Some(Secret::IdentityToken(token.clone()));
        }
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            let text = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
            let (username, password) = text.split_once(':')?;
            return Some(Secret::Password { username: username.to_owned(), password: password.trim_end_matches('\0').to_owned() });
        }
        Some(Secret::Password { username: self.username.clone()?, password: self.password.clone()? })
    }
}

/// Returns the directory of docker's configuration, by docker's own rule.
pub(crate) fn docker_config_dir(env: &Env) -> Option<PathBuf> {
    let set = |name| env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")))
}

/// Returns docker's configuration; an absent or broken file is an empty one, and the reason is the second part.
pub(crate) async fn docker_config(dir: &Path) -> (DockerConfig, Option<String>) {
    match tokio::fs::read(dir.join("config.json")).await {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(config) => (config, None),
            Err(error) => (DockerConfig::default(), Some(format!("it is not valid: {error}"))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (DockerConfig::default(), Some("it does not exist".to_owned())),
        Err(error) => (DockerConfig::default(), Some(error.to_string())),
    }
}

/// Returns the credentials for `host`, so that a registry, the daemon and a build can be given them.
///
/// The order is docker's (`cli/config/configfile`): the helper of this registry, else the store, else the file.
pub(crate) async fn find(host: &str, env: &Env, cx: &Cx) -> Credentials {
    let Some(dir) = docker_config_dir(env) else {
        return Credentials { secret: None, origin: "no credentials: neither DOCKER_CONFIG nor HOME is set".to_owned() };
    };
    let file = dir.join("config.json");
    let (config, problem) = docker_config(&dir).await;
    let keys = keys_of(host);
    let helper = keys.iter().find_map(|key| config.cred_helpers.get(key)).or(config.creds_store.as_ref());
    let mut origin = match problem {
        Some(problem) => format!("no credentials: `{}` was looked at, {problem}", file.display()),
        None => format!("no credentials: `{}` has none for `{host}`", file.display()),
    };
    if let Some(helper) = helper.filter(|helper| !helper.is_empty()) {
        match ask_helper(helper, keys[0].as_str(), env, cx).await {
            Ok(secret) => return Credentials { origin: describe(&secret, &format!("`docker-credential-{helper}`")), secret: Some(secret) },
            Err(why) => origin = format!("no credentials: {why}"),
        }
    }
    match keys.iter().find_map(|key| config.auths.get(key)).and_then(Login::secret) {
        Some(secret) => Credentials { origin: describe(&secret, &format!("`{}`", file.display())), secret: Some(secret) },
        None => Credentials { secret: None, origin },
    }
}

/// Returns the credentials for every registry that docker's configuration names, by its key there.
pub(crate) async fn all(env: &Env, cx: &Cx) -> BTreeMap<String, Credentials> {
    let Some(dir) = docker_config_dir(env) else { return BTreeMap::new() };
    let (config, _) = docker_config(&dir).await;
    let mut found = BTreeMap::new();
    for key in config.auths.keys().chain(config.cred_helpers.keys()) {
        let host = if key == HUB_KEY { "docker.io" } else { key.trim_start_matches("https://").split('/').next().unwrap_or(key) };
        let credentials = find(host, env, cx).await;
        if credentials.secret.is_some() {
            found.insert(key.clone(), credentials);
        }
    }
    found
}

/// The names under which credentials of a host may be kept; the first is the one that helpers are asked for.
fn keys_of(host: &str) -> Vec<String> {
    if matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        return vec![HUB_KEY.to_owned(), "index.docker.io".to_owned(), "docker.io".to_owned(), "registry-1.docker.io".to_owned()];
    }
    let mut keys = vec![host.to_owned()];
    for scheme in ["https://", "http://"] {
        for path in ["", "/", "/v1/", "/v2/"] {
            keys.push(format!("{scheme}{host}{path}"));
        }
    }
    keys
}

fn describe(secret: &Secret, place: &str) -> String {
    match secret {
        Secret::Password { username, .. } => format!("the credentials of user `{username}` from {place}"),
        Secret::IdentityToken(_) => format!("the identity token from {place}"),
    }
}

/// What a helper answers to `get` (`docker/docker-credential-helpers`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    #[serde(default)]
    username: String,
    secret: String,
}

async fn ask_helper(helper: &str, server: &str, env: &Env, cx: &Cx) -> Result<Secret, String> {
    let program = format!("docker-credential-{helper}");
    let mut cx = cx.clone();
    cx.env = env.clone();
    let output = Command::new(&program).arg("get").input(server).deadline(HELPER_DEADLINE).output(&cx).await;
    let output = output.map_err(|error| format!("`{program}` has none for `{server}` ({error})"))?;
    let answer: HelperAnswer =
        serde_json::from_slice(&output.stdout).map_err(|_| format!("`{program}` did not answer `get` with JSON that has a `Secret`"))?;
    Ok(match answer.username.as_str() {
        "<token>" => Secret::IdentityToken(answer.secret),
        _ => Secret::Password { username: answer.username, password: answer.secret },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;

    async fn find_in(config: &str, host: &str) -> (Credentials, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        let helper = dir.path().join("docker-credential-fake");
        std::fs::write(&helper, "#!/bin/sh\nread -r host || true\n[ \"$host\" = known.io ] || { echo 'credentials not found'; exit 1; }\necho '{\"ServerURL\":\"known.io\",\"Username\":\"eve\",\"Secret\":\"s3\"}'\n").unwrap();
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let env = Env::new(BTreeMap::from([("DOCKER_CONFIG".to_owned(), dir.path().display().to_string()), ("PATH".to_owned(), path)]));
        (find(host, &env, &Cx::silent(StepId::of(Stage::Build))).await, dir)
    }

    fn password(username: &str, password: &str) -> Secret {
        Secret::Password { username: username.to_owned(), password: password.to_owned() }
    }

    #[tokio::test]
    async fn credentials_are_found_where_docker_keeps_them() {
        let file = r#"{"auths":{"a.io":{"auth":"Ym9iOnB3OjE"},"https://b.io/v1/":{"auth":"Ym9iOnB3"},"c.io":{"identitytoken":"t"},
            "https://index.docker.io/v1/":{"auth":"aHViOnB3"},"d.io":{"username":"u","password":"p"},"e.io":{}},"credHelpers":{"known.io":"fake","other.io":"fake"}}"#;
        for (host, secret) in [
            ("a.io", Some(password("bob", "pw:1"))),
            ("b.io", Some(password("bob", "pw"))),
            ("c.io", Some(Secret::IdentityToken("t".to_owned()))),
            ("registry-1.docker.io", Some(password("hub", "pw"))),
            ("d.io", Some(password("u", "p"))),
            ("e.io", None),
            ("known.io", Some(password("eve", "s3"))),
            ("other.io", None),
            ("nowhere.io", None),
        ] {
            assert_eq!(find_in(file, host).await.0.secret, secret, "{host}");
        }
    }

    #[tokio::test]
    async fn the_store_is_asked_before_the_file() {
        let file = r#"{"auths":{"known.io":{"auth":"Ym9iOnB3"},"file.io":{"auth":"Ym9iOnB3"}},"credsStore":"fake"}"#;
        assert_eq!(find_in(file, "known.io").await.0.secret, Some(password("eve", "s3")));
        assert_eq!(find_in(file, "file.io").await.0.secret, Some(password("bob", "pw")));
    }

    #[tokio::test]
    async fn the_origin_names_what_was_used_and_no_secret() {
        let shown =
            |(credentials, dir): (Credentials, tempfile::TempDir)| credentials.origin.replace(&dir.path().display().to_string(), "DIR");
        let file = r#"{"auths":{"a.io":{"auth":"Ym9iOnB3"}},"credHelpers":{"known.io":"fake","x.io":"gone"}}"#;
        insta::assert_snapshot!(shown(find_in(file, "a.io").await), @"the credentials of user `bob` from `DIR/config.json`");
        insta::assert_snapshot!(shown(find_in(file, "known.io").await), @"the credentials of user `eve` from `docker-credential-fake`");
        insta::assert_snapshot!(shown(find_in(file, "x.io").await), @"no credentials: `docker-credential-gone` has none for `x.io` (`docker-credential-gone` was not found on PATH)");
        insta::assert_snapshot!(shown(find_in("{}", "a.io").await), @"no credentials: `DIR/config.json` has none for `a.io`");
        insta::assert_snapshot!(shown(find_in("{", "a.io").await), @"no credentials: `DIR/config.json` was looked at, it is not valid: EOF while parsing an object at line 1 column 1");
    }
}
