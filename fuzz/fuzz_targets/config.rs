//! Any bytes as a skaffold.yaml: read, upgraded, with all its profiles, to a plan and to the effective configuration.

#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_config::Options;
use devloop_config::effective_yaml;
use devloop_config::load;
use devloop_config::names;
use devloop_model::Env;
use libfuzzer_sys::fuzz_target;

/// An empty directory: what a configuration requires by path is not there.
static DIR: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().expect("a directory can be made").keep());

fn options(command: &str, profiles: Vec<String>) -> Options {
    let env = Env::new(BTreeMap::from([("STAGE".to_owned(), "prod".to_owned()), ("HOME".to_owned(), "/home/me".to_owned())]));
    Options { profiles, kube_context: Some("kind-kind".to_owned()), ..Options::new(command, &*DIR, env) }
}

fuzz_target!(|bytes: &[u8]| {
    let root = ConfigSource::Text { name: "skaffold.yaml".into(), text: String::from_utf8_lossy(bytes).into_owned() };
    let profiles: Vec<String> = names(&root, &DIR).profiles.into_iter().collect();
    for command in ["dev", "verify"] {
        let options = options(command, profiles.clone());
        match load(&root, &options, &NoFetch) {
            Ok(plan) => drop(plan),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        if let Ok(text) = effective_yaml(&root, &options, &NoFetch, None) {
            // What is written can be read, and means the same.
            let again = ConfigSource::Text { name: "effective.yaml".into(), text: text.clone() };
            let options = self::options(command, Vec::new());
            let twice = effective_yaml(&again, &options, &NoFetch, None).unwrap_or_else(|error| panic!("{error}\n\n{text}"));
            assert_eq!(text, twice);
        }
    }
});
