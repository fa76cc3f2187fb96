//! Fields that are right, but that this version does not act on: never silence.

use devloop_model::Diagnostic;
use devloop_model::Severity;

use crate::loaded::Loaded;

/// The command that runs none, and tells what the others would.
const TELLS_ALL: &str = "diagnose";

/// Which stages a command runs: what concerns another stage is no matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stages {
    builds: bool,
    renders: bool,
    deploys: bool,
    watches: bool,
}

impl Stages {
    fn of(command: &str) -> Self {
        let is = |commands: &[&str]| commands.contains(&command);
        Self {
            builds: is(&["build", "run", "dev", "debug", TELLS_ALL]),
            renders: is(&["render", "deploy", "run", "dev", "debug", "delete", TELLS_ALL]),
            deploys: is(&["deploy", "run", "dev", "debug", "delete", TELLS_ALL]),
            watches: is(&["dev", "debug", TELLS_ALL]),
        }
    }
}

/// Returns an error for each field that is left out and changes the result of `command`, and a warning for each that does not.
pub(crate) fn diagnostics(module: &Loaded, command: &str) -> Vec<Diagnostic> {
    let stages = Stages::of(command);
    let mut report = Report { module, diagnostics: Vec::new() };
    if stages.builds {
        report.build();
    }
    if stages.renders {
        report.render();
    }
    if stages.deploys {
        report.deploy();
    }
    report.warnings(command, stages);
    if command == TELLS_ALL {
        report.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Warning);
    }
    report.diagnostics
}

/// Returns a warning for each artifact that cannot be synced, because others are built from it: a change of it is a change of them.
pub(crate) fn synced_bases(modules: &[Loaded], command: &str) -> Vec<Diagnostic> {
    if !Stages::of(command).watches {
        return Vec::new();
    }
    let artifacts = || modules.iter().flat_map(|module| &module.config.build.artifacts);
    let built_from = |image: &str| artifacts().find(|artifact| artifact.requires.iter().any(|required| required.image == image));
    let mut found = Vec::new();
    for module in modules {
        let synced = module.config.build.artifacts.iter().enumerate().filter(|(_, artifact)| artifact.sync.is_some());
        for (index, artifact) in synced {
            if let Some(other) = built_from(&artifact.image) {
                let what = format!(
                    "`sync` of `{}` has no effect: `{}` is built from it, so that every change is built",
                    artifact.image, other.image
                );
                found.push(no_effect(module, &format!("/build/artifacts/{index}/sync"), what));
            }
        }
    }
    found
}

fn no_effect(module: &Loaded, pointer: &str, what: String) -> Diagnostic {
    Diagnostic::warning("config/no-effect", what).at(module.key_span(pointer).location(None))
}

struct Report<'m> {
    module: &'m Loaded,
    diagnostics: Vec<Diagnostic>,
}

impl Report<'_> {
    fn error(&mut self, pointer: &str, does_not: &str, help: &str) {
        let what = format!("this version of devloop {does_not}");
        let error = self.module.key_span(pointer).error("config/unsupported", what);
        self.diagnostics.push(if help.is_empty() { error } else { error.help(help) });
    }

    fn warning(&mut self, pointer: &str, what: String) {
        self.diagnostics.push(no_effect(self.module, pointer, what));
    }

    fn build(&mut self) {
        let build = &self.module.config.build;
        if build.google_cloud_build.is_some() {
            self.error("/build/googleCloudBuild", "does not build on Google Cloud Build", "use `local`, for example in a profile");
        }
        for (index, artifact) in build.artifacts.iter().enumerate() {
            let pointer = |key: &str| format!("/build/artifacts/{index}/{key}");
            if artifact.kaniko.is_some() && build.cluster.is_none() {
                let help = "set `build.cluster: {}`, or use `docker`";
                self.error(&pointer("kaniko"), "builds with kaniko in the cluster alone, and there is no `build.cluster`", help);
            }
            let builders = [
                (artifact.jib.is_some(), "jib", "Jib"),
                (artifact.bazel.is_some(), "bazel", "Bazel"),
                (artifact.buildpacks.is_some(), "buildpacks", "buildpacks"),
            ];
            for (_, key, name) in builders.iter().filter(|(is_set, ..)| *is_set && build.cluster.is_some()) {
                let does_not = format!("builds with {name} on this machine alone, not in the cluster");
                self.error(&pointer(key), &does_not, "use `build.local`, for example in a profile, or `docker`");
            }
        }
    }

    fn render(&mut self) {
        let manifests = &self.module.config.manifests;
        let sources = [(!manifests.kpt.is_empty(), "kpt", "does not render with kpt")];
        for (_, key, does_not) in sources.iter().filter(|(is_set, ..)| *is_set) {
            self.error(&format!("/manifests/{key}"), does_not, "render to files first, and name them in `manifests.rawYaml`");
        }
        if !manifests.transform.is_empty() {
            self.error("/manifests/transform", "does not run kpt functions on manifests", "");
        }
        if !manifests.validate.is_empty() {
            self.error("/manifests/validate", "does not run kpt functions on manifests", "");
        }
    }

    fn deploy(&mut self) {
        let deploy = &self.module.config.deploy;
        let deployers = [
            (deploy.kpt.is_some(), "kpt", "does not deploy with kpt"),
            (deploy.cloudrun.is_some(), "cloudrun", "does not deploy to Cloud Run"),
        ];
        for (_, key, does_not) in deployers.iter().filter(|(is_set, ..)| *is_set) {
            self.error(&format!("/deploy/{key}"), does_not, "use `kubectl`, for example in a profile");
        }
    }

    /// What `helm template` does not do: its manifests are applied by kubectl.
    fn helm_that_only_renders(&mut self) {
        let releases = self.module.config.manifests.helm.iter().flat_map(|helm| helm.releases.iter().enumerate());
        for (index, release) in releases {
            let fields = [
                ("createNamespace", release.create_namespace == Some(true)),
                ("wait", release.wait),
                ("recreatePods", release.recreate_pods),
                ("upgradeOnChange", release.upgrade_on_change.is_some()),
                ("packaged", release.packaged.is_some()),
                ("dependsOn", !release.depends_on.is_empty()),
            ];
            for (field, _) in fields.iter().filter(|(_, is_set)| *is_set) {
                let what = format!(
                    "`{field}` of release `{}` has no effect: its manifests are applied by kubectl; set `deploy.helm` to let helm deploy it",
                    release.name
                );
                self.warning(&format!("/manifests/helm/releases/{index}/{field}"), what);
            }
        }
    }

    fn warnings(&mut self, command: &str, stages: Stages) {
        let config = &self.module.config;
        if stages.builds
            && !stages.watches
            && let Some(index) = config.build.artifacts.iter().position(|artifact| artifact.sync.is_some() && artifact.buildpacks.is_none())
        {
            self.warning(&format!("/build/artifacts/{index}/sync"), format!("`sync` has no effect under `{command}`"));
        }
        for (index, artifact) in config.build.artifacts.iter().enumerate().filter(|_| stages.watches) {
            // That of buildpacks is a default, and nobody's wish.
            let tells = artifact.jib.is_some() || artifact.buildpacks.is_some();
            if !tells && artifact.sync.as_ref().is_some_and(|sync| sync.auto == Some(true)) {
                let what =
                    format!("`sync.auto` of `{}` has no effect: only Jib tells where its files are; a save is built", artifact.image);
                self.warning(&format!("/build/artifacts/{index}/sync/auto"), what);
            }
        }
        if stages.deploys && config.deploy.helm.is_none() {
            self.helm_that_only_renders();
        }
        if command == "debug" && config.deploy.docker.is_some() {
            self.warning(
                "/deploy/docker",
                "containers of the container daemon run without debuggers: only those of a cluster get them".to_owned(),
            );
        }
        if stages.renders && !config.manifests.output.is_empty() {
            self.warning("/manifests/output", "this version of devloop does not write manifests to `manifests.output`".to_owned());
        }
    }
}
