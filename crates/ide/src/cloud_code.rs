//! What a launch configuration of Cloud Code (`cloudcode.kubernetes`) asks for.

use std::path::PathBuf;

use serde_json::Value;

use crate::PathMap;
use crate::jsonc;

/// The settings of a launch configuration of Cloud Code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudCode {
    /// Its name.
    pub name: String,
    /// How many more there are, which are not followed.
    pub others: usize,
    /// The configuration, relative to the workspace.
    pub config: Option<PathBuf>,
    /// The profile.
    pub profile: Option<String>,
    /// Whether changes are acted on.
    pub watch: Option<bool>,
    /// Whether what was created is deleted at the end.
    pub clean_up: Option<bool>,
    /// Whether ports are forwarded.
    pub port_forward: Option<bool>,
    /// The repository before image names.
    pub registry: Option<String>,
    /// Where the files of images are.
    sources: Vec<(String, PathMap)>,
}

impl CloudCode {
    /// Returns the settings of the first configuration of Cloud Code that starts a session; none if there is none, or the text cannot be
    /// understood.
    pub fn of(launch: &str) -> Option<Self> {
        let document = jsonc::value(launch)?;
        let configurations = document.get("configurations")?.as_array()?;
        let mut ours = configurations.iter().filter(|one| one["type"] == "cloudcode.kubernetes" && one["request"] == "launch");
        let first = ours.next()?;
        let text = |name: &str| first[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let switch = |name: &str| first[name].as_bool();
        Some(Self {
            name: text("name").unwrap_or_default(),
            others: ours.count(),
            config: text("skaffoldConfig").map(|path| local(&path)),
            profile: text("profile"),
            watch: switch("watch"),
            clean_up: switch("cleanUp"),
            port_forward: switch("portForward"),
            registry: text("imageRegistry"),
            sources: first["debug"].as_array().into_iter().flatten().flat_map(sources).collect(),
        })
    }

    /// Returns the arguments of `devloop debug` that ask for the same, without those that name configuration and profile.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(watch) = self.watch {
            arguments.extend(["build", "sync", "deploy"].map(|stage| format!("--auto-{stage}={watch}")));
        }
        arguments.extend(self.clean_up.map(|clean_up| format!("--cleanup={clean_up}")));
        // Debuggers need their ports in any case.
        arguments.extend(self.port_forward.map(|all| format!("--port-forward={}", if all { "user,services,debug" } else { "debug" })));
        arguments.extend(self.registry.as_ref().map(|registry| format!("--default-repo={registry}")));
        arguments
    }

    /// Returns where the files of an image are; empty if it does not say.
    pub fn maps(&self, image: &str) -> Vec<PathMap> {
        let is_same = |other: &str| {
            let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
            ends(image, other) || ends(other, image)
        };
        self.sources.iter().filter(|(other, _)| is_same(other)).map(|(_, map)| map.clone()).collect()
    }
}

/// `sourceFileMap` has directories of this machine with those in the container; tools put other things there too.
fn sources(debug: &Value) -> Vec<(String, PathMap)> {
    let Some(image) = debug["image"].as_str() else { return Vec::new() };
    let pairs = debug["sourceFileMap"].as_object().into_iter().flatten();
    let pairs = pairs.filter_map(|(here, there)| Some((here, there.as_str()?))).filter(|(_, there)| there.starts_with('/'));
    pairs.map(|(here, there)| (image.to_owned(), PathMap { local: local(here), remote: trimmed(there) })).collect()
}

fn trimmed(path: &str) -> String {
    if path == "/" { path.to_owned() } else { path.trim_end_matches('/').to_owned() }
}

/// Returns a path relative to the workspace, as far as it says so.
fn local(path: &str) -> PathBuf {
    let rest = ["${workspaceFolder}", "${workspaceRoot}"].iter().find_map(|variable| path.strip_prefix(variable));
    rest.map_or_else(|| path.into(), |rest| rest.trim_matches('/').into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAUNCH: &str = r#"{
      // what Cloud Code wrote
      "configurations": [
        {"name": "Attach", "type": "cloudcode.kubernetes", "request": "attach"},
        {
          "name": "Kubernetes: Run/Debug",
          "type": "cloudcode.kubernetes",
          "request": "launch",
          "skaffoldConfig": "${workspaceFolder}/shop/skaffold.yaml",
          "profile": "dev",
          "watch": true,
          "cleanUp": false,
          "portForward": true,
          "imageRegistry": "gcr.io/mine",
          "debug": [
            {"image": "shop/web", "containerName": "web", "sourceFileMap": {"${workspaceFolder}/shop/web/": "/usr/src/app/", "justMyCode": false}},
            {"image": "empty", "sourceFileMap": {"${workspaceFolder}": ""}},
            {"image": "root", "sourceFileMap": {"${workspaceFolder}": "/"}},
          ],
        },
        {"name": "prod", "type": "cloudcode.kubernetes", "request": "launch"},
      ],
    }"#;

    #[test]
    fn the_first_that_starts_a_session_is_followed() {
        let found = CloudCode::of(LAUNCH).unwrap();
        assert_eq!((found.name.as_str(), found.others), ("Kubernetes: Run/Debug", 1));
        assert_eq!((found.config.as_deref(), found.profile.as_deref()), (Some("shop/skaffold.yaml".as_ref()), Some("dev")));
        insta::assert_snapshot!(found.arguments().join("\n"), @r"
        --auto-build=true
        --auto-sync=true
        --auto-deploy=true
        --cleanup=false
        --port-forward=user,services,debug
        --default-repo=gcr.io/mine
        ");
    }

    #[test]
    fn what_it_does_not_say_is_left_to_devloop() {
        for (settings, arguments) in [
            ("", &[][..]),
            (r#", "watch": false"#, &["--auto-build=false", "--auto-sync=false", "--auto-deploy=false"]),
            (r#", "portForward": false, "cleanUp": true"#, &["--cleanup=true", "--port-forward=debug"]),
            (r#", "imageRegistry": "", "debug": false"#, &[]),
        ] {
            let text = format!(r#"{{"configurations": [{{"type": "cloudcode.kubernetes", "request": "launch"{settings}}}]}}"#);
            assert_eq!(CloudCode::of(&text).unwrap().arguments(), arguments, "{settings}");
        }
        for text in ["", "{", "[]", "{}", r#"{"configurations": [{"type": "go", "request": "launch"}]}"#] {
            assert_eq!(CloudCode::of(text), None, "{text}");
        }
    }

    #[test]
    fn images_are_the_same_with_and_without_their_repository() {
        let found = CloudCode::of(LAUNCH).unwrap();
        let web = [PathMap { local: "shop/web".into(), remote: "/usr/src/app".into() }];
        for (image, maps) in
            [("shop/web", &web[..]), ("web", &web), ("gcr.io/mine/shop/web", &web), ("my-web", &[]), ("b/web", &[]), ("empty", &[])]
        {
            assert_eq!(found.maps(image), maps, "{image}");
        }
        assert_eq!(found.maps("root"), [PathMap { local: "".into(), remote: "/".into() }]);
    }
}
