//! Tests of `verify` and custom actions.

use std::time::Duration;

use devloop_model::JobSettings;
use devloop_model::Task;
use devloop_model::TaskGroup;
use devloop_model::TaskPlace;

use super::convert::Converter;
use super::convert::set;
use crate::schema::ExecutionMode;
use crate::schema::KubernetesClusterVerifier;
use crate::schema::VerifyContainer;

impl Converter<'_> {
    /// Returns the tests of `verify`: each runs whatever becomes of the others.
    pub(super) fn verify(&mut self) -> Vec<TaskGroup> {
        let module = self.module;
        let mut groups = Vec::new();
        for (index, test) in module.config.verify.iter().enumerate() {
            let pointer = format!("/verify/{index}");
            groups.push(TaskGroup {
                name: test.name.clone(),
                tasks: vec![self.task(&format!("{pointer}/container"), &test.name, &test.container)],
                fail_fast: false,
                timeout: self.timeout(&pointer, test.timeout),
                place: self.place(&pointer, &test.execution_mode),
                at: module.location(&format!("{pointer}/name")),
            });
        }
        groups
    }

    /// Returns the custom actions.
    pub(super) fn custom_actions(&mut self) -> Vec<TaskGroup> {
        let module = self.module;
        let mut groups = Vec::new();
        for (index, action) in module.config.custom_actions.iter().enumerate() {
            let pointer = format!("/customActions/{index}");
            let task =
                |(at, container): (usize, &VerifyContainer)| self.task(&format!("{pointer}/containers/{at}"), &container.name, container);
            groups.push(TaskGroup {
                name: action.name.clone(),
                tasks: action.containers.iter().enumerate().map(task).collect(),
                fail_fast: action.fail_fast.unwrap_or(true),
                timeout: self.timeout(&pointer, action.timeout),
                place: self.place(&pointer, &action.execution_mode),
                at: module.location(&format!("{pointer}/name")),
            });
        }
        groups
    }

    fn task(&self, pointer: &str, name: &str, container: &VerifyContainer) -> Task {
        Task {
            name: name.to_owned(),
            container: container.name.clone(),
            image: container.image.clone(),
            command: container.command.clone(),
            args: container.args.clone(),
            env: container.env.iter().map(|variable| (variable.name.clone(), variable.value.clone())).collect(),
            at: self.module.location(&format!("{pointer}/image")),
        }
    }

    /// Returns how long tasks may take; 0 is for ever, as in Skaffold.
    fn timeout(&mut self, pointer: &str, seconds: Option<i64>) -> Option<Duration> {
        let pointer = format!("{pointer}/timeout");
        let seconds = seconds?;
        if seconds < 0 {
            let what = format!("{} cannot be negative", self.module.subject(&pointer));
            self.faults.push(self.module.error("config/negative", &pointer, what));
        }
        (seconds > 0).then(|| Duration::from_secs(seconds.unsigned_abs()))
    }

    fn place(&mut self, pointer: &str, mode: &ExecutionMode) -> TaskPlace {
        match &mode.kubernetes_cluster {
            Some(cluster) => TaskPlace::Cluster(Box::new(self.job(&format!("{pointer}/executionMode/kubernetesCluster"), cluster))),
            None => TaskPlace::Daemon { use_local_images: mode.local.as_ref().is_some_and(|local| local.use_local_images) },
        }
    }

    fn job(&mut self, pointer: &str, cluster: &KubernetesClusterVerifier) -> JobSettings {
        let overrides = set(&cluster.overrides).and_then(|text| {
            let pointer = format!("{pointer}/overrides");
            match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(value) if value.is_object() => Some((value, self.module.location(&pointer))),
                read => {
                    let why = read.map_or_else(|error| error.to_string(), |_| "it is no object".to_owned());
                    let what = format!("{} is no JSON that can be merged into a Job", self.module.subject(&pointer));
                    self.faults.push(self.module.error("config/overrides", &pointer, what).because(why));
                    None
                }
            }
        });
        let manifest = set(&cluster.job_manifest_path);
        let manifest = manifest.map(|path| (self.absolute(&path), self.module.location(&format!("{pointer}/jobManifestPath"))));
        JobSettings { overrides, manifest }
    }
}
