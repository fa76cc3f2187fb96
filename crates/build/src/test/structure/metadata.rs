//! What the configuration of an image says, against what it has to say
//! (container-structure-test's `pkg/types/v2/metadata.go`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::file::MetadataTest;
use super::file::Variable;
use super::pattern::Pattern;

/// What a container of an image is started with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ImageConfig {
    pub(super) env: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    ports: Vec<String>,
    volumes: Vec<String>,
    workdir: String,
    user: String,
}

impl ImageConfig {
    /// Returns what a configuration in the shape of the OCI specification says.
    pub(super) fn of(image: &Value) -> Self {
        let config = &image["config"];
        let text = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
        // The specification has sets as mappings to nothing, the daemon's client as lists.
        let list = |key: &str| -> Vec<String> {
            let keys = config[key].as_object().into_iter().flat_map(|map| map.keys().cloned());
            config[key].as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).chain(keys).collect()
        };
        let pair = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels = config["Labels"].as_object().into_iter().flatten();
        Self {
            env: list("Env").iter().filter_map(pair).collect(),
            labels: labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
            entrypoint: list("Entrypoint"),
            cmd: list("Cmd"),
            ports: list("ExposedPorts").iter().map(|port| port.split('/').next().unwrap_or_default().to_owned()).collect(),
            volumes: list("Volumes"),
            workdir: text("WorkingDir"),
            user: text("User"),
        }
    }
}

impl MetadataTest {
    /// Returns whether it asks for nothing, and so is no test.
    pub(super) fn is_empty(&self) -> bool {
        let lists = [&self.exposed_ports, &self.unexposed_ports, &self.volumes, &self.unmounted_volumes];
        let variables = [&self.env_vars, &self.unbound_env_vars, &self.labels];
        lists.iter().all(|list| list.is_empty())
            && variables.iter().all(|list| list.is_empty())
            && self.entrypoint.is_none()
            && self.cmd.is_none()
            && self.workdir.is_empty()
            && self.user.is_empty()
    }

    /// Returns what is wrong with `image`.
    pub(super) fn faults(&self, image: &ImageConfig) -> Vec<String> {
        let mut faults = Vec::new();
        for variable in &self.env_vars {
            faults.extend(variable.fault("variable", image.env.get(&variable.key)));
        }
        let unwanted = self.unbound_env_vars.iter().filter(|variable| image.env.contains_key(&variable.key));
        faults.extend(unwanted.map(|variable| format!("variable `{}` is set", variable.key)));
        for label in &self.labels {
            faults.extend(label.fault("label", image.labels.get(&label.key)));
        }
        for (what, wanted, found) in [("entrypoint", &self.entrypoint, &image.entrypoint), ("command", &self.cmd, &image.cmd)] {
            faults
                .extend(wanted.as_ref().filter(|wanted| *wanted != found).map(|wanted| format!("its {what} is {found:?}, not {wanted:?}")));
        }
        for (what, wanted, found) in [("working directory", &self.workdir, &image.workdir), ("user", &self.user, &image.user)] {
            faults.extend((!wanted.is_empty() && wanted != found).then(|| format!("its {what} is `{found}`, not `{wanted}`")));
        }
        faults.extend(missing(&self.exposed_ports, &image.ports).map(|port| format!("port {port} is not exposed")));
        faults.extend(there(&self.unexposed_ports, &image.ports).map(|port| format!("port {port} is exposed")));
        faults.extend(missing(&self.volumes, &image.volumes).map(|volume| format!("`{volume}` is no volume")));
        faults.extend(there(&self.unmounted_volumes, &image.volumes).map(|volume| format!("`{volume}` is a volume")));
        faults
    }
}

fn missing<'w>(wanted: &'w [String], found: &[String]) -> impl Iterator<Item = &'w String> {
    wanted.iter().filter(|wanted| !found.contains(wanted))
}

fn there<'w>(wanted: &'w [String], found: &[String]) -> impl Iterator<Item = &'w String> {
    wanted.iter().filter(|wanted| found.contains(wanted))
}

impl Variable {
    fn fault(&self, what: &str, found: Option<&String>) -> Option<String> {
        let Self { key, value, is_regex } = self;
        let Some(found) = found else { return Some(format!("{what} `{key}` is not set")) };
        if !is_regex {
            return (found != value).then(|| format!("{what} `{key}` is `{found}`, not `{value}`"));
        }
        match Pattern::parse(value) {
            Ok(pattern) => (!pattern.fits(found)).then(|| format!("{what} `{key}` is `{found}`, which `{value}` does not match")),
            Err(why) => Some(format!("`{value}` is no regular expression: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image() -> ImageConfig {
        ImageConfig::of(&json!({ "config": {
            "Env": ["PATH=/bin", "MODE=a=b"],
            "Labels": { "vendor": "ACME" },
            "Entrypoint": ["/app"],
            "ExposedPorts": { "8080/tcp": {} },
            "Volumes": ["/data"],
            "WorkingDir": "/srv",
            "User": "app",
        } }))
    }

    fn faults(test: &str) -> Vec<String> {
        let test: MetadataTest = serde_saphyr::from_str(test).unwrap();
        assert!(!test.is_empty(), "{test:?}");
        test.faults(&image())
    }

    #[test]
    fn what_is_as_wanted_is_no_fault() {
        let test = "
envVars: [{key: MODE, value: a=b}, {key: PATH, value: ^/b, isRegex: true}]
unboundEnvVars: [{key: DEBUG}]
labels: [{key: vendor, value: AC.E, isRegex: true}]
entrypoint: [/app]
cmd: []
exposedPorts: ['8080']
unexposedPorts: ['80']
volumes: [/data]
unmountedVolumes: [/tmp]
workdir: /srv
user: app
";
        assert_eq!(faults(test), [""; 0]);
        assert!(MetadataTest::default().is_empty());
    }

    #[test]
    fn what_differs_is_told() {
        for (test, fault) in [
            ("envVars: [{key: MODE, value: a}]", "variable `MODE` is `a=b`, not `a`"),
            ("envVars: [{key: X, value: a}]", "variable `X` is not set"),
            ("envVars: [{key: MODE, value: '^b', isRegex: true}]", "variable `MODE` is `a=b`, which `^b` does not match"),
            ("envVars: [{key: MODE, value: 'b(', isRegex: true}]", "`b(` is no regular expression: unclosed group"),
            ("unboundEnvVars: [{key: PATH}]", "variable `PATH` is set"),
            ("labels: [{key: vendor, value: acme}]", "label `vendor` is `ACME`, not `acme`"),
            ("entrypoint: [/app, -v]", r#"its entrypoint is ["/app"], not ["/app", "-v"]"#),
            ("cmd: [serve]", r#"its command is [], not ["serve"]"#),
            ("exposedPorts: [80]", "port 80 is not exposed"),
            ("unexposedPorts: [8080]", "port 8080 is exposed"),
            ("volumes: [/tmp]", "`/tmp` is no volume"),
            ("unmountedVolumes: [/data]", "`/data` is a volume"),
            ("workdir: /", "its working directory is `/srv`, not `/`"),
            ("user: root", "its user is `app`, not `root`"),
        ] {
            assert_eq!(faults(test), [fault], "{test}");
        }
    }
}
