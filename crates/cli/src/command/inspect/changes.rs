//! Flags and JSON of editors to changes of a configuration.

use devloop_config::BuildEnv;
use devloop_config::Change;
use devloop_config::Fields;
use serde_json::Value as Json;

use crate::args::BuildEnvAction;
use crate::args::ClusterFlags;
use crate::args::GoogleCloudBuildFlags;
use crate::args::LocalFlags;
use crate::args::ModifiedBuildEnv;
use crate::args::NewBuildEnv;
use crate::args::Switch;

/// Returns the change of a build environment; none where it is listed.
pub(super) fn of_build_env(action: &BuildEnvAction, profile: Option<String>) -> Option<Change> {
    match action {
        BuildEnvAction::List => None,
        BuildEnvAction::Add { env } => {
            let (env, fields) = match env {
                NewBuildEnv::Local(flags) => (BuildEnv::Local, local(flags)),
                NewBuildEnv::GoogleCloudBuild(flags) => (BuildEnv::GoogleCloudBuild, google_cloud_build(flags)),
                NewBuildEnv::Cluster(flags) => (BuildEnv::Cluster, cluster(flags)),
            };
            Some(Change::AddBuildEnv { env, fields, profile })
        }
        BuildEnvAction::Modify { strict, env: ModifiedBuildEnv::GoogleCloudBuild(flags) } => {
            Some(Change::ModifyBuildEnv { env: BuildEnv::GoogleCloudBuild, fields: google_cloud_build(flags), profile, strict: strict.0 })
        }
    }
}

/// Returns the requirements of `{"dependencies": […]}`; the key in any case, as Go reads it.
pub(super) fn of_requirements(json: &Json) -> Option<Change> {
    let (_, entries) = json.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case("dependencies"))?;
    Some(Change::AddRequirements(entries.as_array()?.clone()))
}

/// Fields that flags set: those that have a value.
#[derive(Default)]
struct Set(Fields);

impl Set {
    fn with(mut self, name: &str, value: Option<impl Into<Json>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    fn text(self, name: &str, value: Option<&String>) -> Self {
        self.with(name, value.filter(|text| !text.is_empty()).cloned())
    }

    /// A number that is negative is not set.
    fn count(self, name: &str, value: i64) -> Self {
        self.with(name, Some(value).filter(|value| *value >= 0))
    }

    fn switch(self, name: &str, value: Option<Switch>) -> Self {
        self.with(name, value.map(|value| value.0))
    }
}

fn local(flags: &LocalFlags) -> Fields {
    let set = Set::default().switch("push", flags.push).switch("tryImportMissing", flags.try_import_missing);
    let set = set.switch("useDockerCLI", flags.use_docker_cli).switch("useBuildkit", flags.use_buildkit);
    set.count("concurrency", flags.concurrency).0
}

fn google_cloud_build(flags: &GoogleCloudBuildFlags) -> Fields {
    let set = Set::default().text("projectId", flags.project_id.as_ref());
    let set = set.with("diskSizeGb", Some(flags.disk_size_gb).filter(|size| *size > 0));
    let set = set.text("machineType", flags.machine_type.as_ref()).text("timeout", flags.timeout.as_ref());
    let set = set.text("logging", flags.logging.as_ref()).text("logStreamingOption", flags.log_streaming_option.as_ref());
    set.count("concurrency", flags.concurrency).text("workerPool", flags.worker_pool.as_ref()).0
}

fn cluster(flags: &ClusterFlags) -> Fields {
    let docker = Set::default().text("path", flags.docker_config_path.as_ref());
    let docker = docker.text("secretName", flags.docker_config_secret_name.as_ref()).0;
    let set = Set::default().text("pullSecretPath", flags.pull_secret_path.as_ref());
    let set =
        set.text("pullSecretName", flags.pull_secret_name.as_ref()).text("pullSecretMountPath", flags.pull_secret_mount_path.as_ref());
    let set = set.text("namespace", flags.namespace.as_ref()).text("timeout", flags.timeout.as_ref());
    let set = set.with("dockerConfig", Some(docker).filter(|docker| !docker.is_empty()));
    let set = set.text("serviceAccount", flags.service_account.as_ref()).count("runAsUser", flags.run_as_user);
    let set = set.count("concurrency", flags.concurrency);
    let set = set.with("randomPullSecret", flags.random_pull_secret.0.then_some(true));
    set.with("randomDockerConfigSecret", flags.random_docker_config_secret.0.then_some(true)).0
}

#[cfg(test)]
mod tests {
    use devloop_model::Env;
    use serde_json::json;

    use super::*;
    use crate::args::Command;
    use crate::args::InspectSubject;
    use crate::args::parse;

    fn fields(line: &str) -> String {
        let words = shlex::split(&format!("devloop inspect build-env {line}")).unwrap();
        let parsed = parse(words.into_iter().map(Into::into), &Env::default()).unwrap();
        let Command::Inspect(inspect) = parsed.cli.command else { panic!("{line}") };
        let InspectSubject::BuildEnv { action } = &inspect.subject else { panic!("{line}") };
        match of_build_env(action, None) {
            Some(Change::AddBuildEnv { fields, env, .. } | Change::ModifyBuildEnv { fields, env, .. }) => {
                json!({ env.name(): fields }).to_string()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_the_fields_that_they_are_called_after() {
        insta::assert_snapshot!(fields("add local"), @r#"{"local":{}}"#);
        insta::assert_snapshot!(fields("add local --push --useBuildkit=false --tryImportMissing --useDockerCLI --concurrency 0"), @r#"{"local":{"push":true,"tryImportMissing":true,"useDockerCLI":true,"useBuildkit":false,"concurrency":0}}"#);
        insta::assert_snapshot!(fields("modify googleCloudBuild --projectId p --workerPool w --timeout 9s --machineType m --logStreamingOption STREAM_ON --logging LEGACY --diskSizeGb 10 --concurrency 2"), @r#"{"googleCloudBuild":{"projectId":"p","diskSizeGb":10,"machineType":"m","timeout":"9s","logging":"LEGACY","logStreamingOption":"STREAM_ON","concurrency":2,"workerPool":"w"}}"#);
        insta::assert_snapshot!(fields("add cluster --pullSecretName s --dockerConfigPath d --dockerConfigSecretName n --randomPullSecret --randomDockerConfigSecret=true --runAsUser 0 --serviceAccount a --namespace n --timeout 1m --pullSecretPath p --pullSecretMountPath m"), @r#"{"cluster":{"pullSecretPath":"p","pullSecretName":"s","pullSecretMountPath":"m","namespace":"n","timeout":"1m","dockerConfig":{"path":"d","secretName":"n"},"serviceAccount":"a","runAsUser":0,"randomPullSecret":true,"randomDockerConfigSecret":true}}"#);
    }

    #[test]
    fn requirements_are_read_as_go_reads_them() {
        assert_eq!(of_requirements(&json!({"Dependencies": [{"path": "a"}]})), Some(Change::AddRequirements(vec![json!({"path": "a"})])));
        assert_eq!(of_requirements(&json!({})), None);
    }
}
