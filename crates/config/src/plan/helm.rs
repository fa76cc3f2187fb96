//! `manifests.helm` and `deploy.helm` to releases.

use devloop_model::HelmChart;
use devloop_model::HelmDeploy;
use devloop_model::HelmFile;
use devloop_model::HelmFlags;
use devloop_model::HelmPackage;
use devloop_model::HelmRelease;
use devloop_model::Template;
use serde_json::Value;

use super::convert::Converter;
use super::convert::set;
use crate::loaded::join;
use crate::schema;
use crate::schema::AnyMap;

impl Converter<'_> {
    /// Returns the releases that `helm template` renders: none that helm deploys, but for `devloop render`, which shows all.
    ///
    /// Facts: Skaffold's `pkg/skaffold/runner/renderer.go`.
    pub(super) fn helm_render(&mut self) -> Vec<HelmRelease> {
        let config = &self.module.config;
        if config.deploy.helm.is_none() || self.command == "render" { self.helm_releases() } else { Vec::new() }
    }

    /// Returns how helm deploys; where both lists have a release, that of `manifests.helm` counts.
    ///
    /// Facts: Skaffold's `pkg/skaffold/runner/deployer.go`, which forgets those that are in `deploy.helm` alone.
    pub(super) fn helm_deploy(&mut self) -> Option<HelmDeploy> {
        let deploy = self.module.config.deploy.helm.as_ref()?;
        let concurrency = deploy.concurrency.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        let hooks = self.deploy_hooks(&deploy.hooks);
        Some(HelmDeploy { releases: self.helm_releases(), concurrency, hooks })
    }

    fn helm_releases(&mut self) -> Vec<HelmRelease> {
        let config = &self.module.config;
        let rendered = config.manifests.helm.as_ref().map(|helm| ("/manifests/helm", &helm.releases, &helm.flags));
        let deployed = config.deploy.helm.as_ref().map(|helm| ("/deploy/helm", &helm.releases, &helm.flags));
        let mut names: Vec<&str> = Vec::new();
        let mut releases = Vec::new();
        for (pointer, list, flags) in rendered.into_iter().chain(deployed) {
            let known = names.len();
            for (index, release) in list.iter().enumerate().filter(|(_, release)| !names[..known].contains(&release.name.as_str())) {
                releases.push(self.helm_release(&format!("{pointer}/releases/{index}"), release, flags));
            }
            names.extend(list.iter().map(|release| release.name.as_str()));
        }
        releases
    }

    fn helm_release(&mut self, pointer: &str, release: &schema::HelmRelease, flags: &schema::HelmDeployFlags) -> HelmRelease {
        let at = |key: &str| format!("{pointer}/{key}");
        let chart = if release.remote_chart.is_empty() {
            HelmChart::Local(self.helm_file(&at("chartPath"), &release.chart_path))
        } else {
            HelmChart::Remote(release.remote_chart.clone())
        };
        let values_files = release.values_files.iter().enumerate();
        HelmRelease {
            name: self.template(&at("name"), &release.name),
            chart,
            repo: self.optional_template(&at("repo"), &release.repo),
            version: self.optional_template(&at("version"), &release.version),
            values_files: values_files.map(|(index, path)| self.helm_file(&format!("{pointer}/valuesFiles/{index}"), path)).collect(),
            namespace: self.optional_template(&at("namespace"), &release.namespace),
            set_values: flattened(&release.set_values),
            set_value_templates: self.value_templates(&at("setValueTemplates"), &release.set_value_templates),
            set_files: self.set_files(&at("setFiles"), &release.set_files),
            overrides: release.overrides.clone(),
            create_namespace: release.create_namespace.unwrap_or_default(),
            wait: release.wait,
            recreate_pods: release.recreate_pods,
            skip_build_dependencies: release.skip_build_dependencies,
            skip_tests: release.skip_tests,
            use_helm_secrets: release.use_helm_secrets,
            upgrade_on_change: release.upgrade_on_change,
            packaged: release.packaged.as_ref().map(|packaged| HelmPackage {
                version: self.optional_template(&at("packaged/version"), &packaged.version),
                app_version: self.optional_template(&at("packaged/appVersion"), &packaged.app_version),
            }),
            depends_on: release.depends_on.clone(),
            flags: helm_flags(flags),
            at: self.module.location(&at("name")),
        }
    }

    fn optional_template(&mut self, pointer: &str, text: &str) -> Option<Template> {
        set(text).map(|text| self.template(pointer, &text))
    }

    fn helm_file(&mut self, pointer: &str, path: &str) -> HelmFile {
        HelmFile { path: self.template(pointer, path), dir: self.module.module.dir.clone(), at: self.module.location(pointer) }
    }

    /// Keys are templates too; they are rendered in the order of what is written.
    fn value_templates(&mut self, pointer: &str, values: &AnyMap) -> Vec<(Template, Template)> {
        let flat = flattened(values);
        let mut templates = Vec::new();
        for (key, text) in &flat {
            let at = join(pointer, key);
            templates.push((self.template(&at, key), self.template(&at, text)));
        }
        templates
    }

    fn set_files(&mut self, pointer: &str, files: &schema::TextMap) -> Vec<(String, HelmFile)> {
        files.iter().map(|(key, path)| (key.clone(), self.helm_file(&join(pointer, key), path))).collect()
    }
}

fn helm_flags(flags: &schema::HelmDeployFlags) -> HelmFlags {
    HelmFlags {
        global: flags.global.clone(),
        install: flags.install.clone(),
        upgrade: flags.upgrade.clone(),
        dependency_build: flags.dep_build.clone(),
        template: flags.template.clone(),
    }
}

/// Returns values by the keys of `helm --set`, sorted: `image.tag`, `hosts[0].name`. What is empty is left out.
///
/// Facts: `FlatMap` in Skaffold's `pkg/skaffold/schema/util/util.go`; nothing is `null` here, which is how helm takes a value out.
fn flattened(values: &AnyMap) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for (key, value) in values {
        flatten(key.clone(), value, &mut flat);
    }
    flat.sort();
    flat
}

fn flatten(key: String, value: &Value, flat: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => entries.iter().for_each(|(name, value)| flatten(format!("{key}.{name}"), value, flat)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| flatten(format!("{key}[{index}]"), value, flat)),
        Value::String(text) => flat.push((key, text.clone())),
        other => flat.push((key, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::tests::plan_of;

    #[test]
    fn nested_values_are_flattened() {
        let Value::Object(values) = json!({"b": {"c": [1, {"d": true}], "e": null, "none": {}}, "a.x": "1.10"}) else { panic!() };
        let flat: Vec<String> = flattened(&values).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(flat, ["a.x=1.10", "b.c[0]=1", "b.c[1].d=true", "b.e=null"]);
    }

    #[test]
    fn helm_deploys_the_releases_of_both_lists() {
        let plan = plan_of(
            r"
manifests: {helm: {flags: {template: [--validate]}, releases: [{name: a, chartPath: rendered}, {name: only-rendered, chartPath: r}]}}
deploy: {helm: {flags: {upgrade: [--atomic]}, releases: [{name: a, chartPath: deployed}, {name: b, remoteChart: redis}]}}
",
        );
        let module = &plan.modules[0];
        assert!(module.render.helm.is_empty() && module.deploy.kubectl.is_none());
        let helm = module.deploy.helm.as_ref().unwrap();
        let shown = |release: &HelmRelease| {
            let chart = match &release.chart {
                HelmChart::Local(file) => file.path.source().to_owned(),
                HelmChart::Remote(name) => format!("remote {name}"),
            };
            format!("{}: {chart} {:?} {}", release.name, release.flags.upgrade, release.upgrades())
        };
        let shown: Vec<String> = helm.releases.iter().map(shown).collect();
        assert_eq!(shown, ["a: rendered [] true", "only-rendered: r [] true", r#"b: remote redis ["--atomic"] false"#]);
        assert_eq!(helm.concurrency, None);
    }

    #[test]
    fn kubectl_applies_what_helm_renders() {
        let plan = plan_of("manifests: {helm: {releases: [{name: a, chartPath: chart}]}}\ndeploy: {kubectl: {}}\n");
        let module = &plan.modules[0];
        assert_eq!((module.render.helm.len(), module.deploy.helm.is_none(), module.deploy.kubectl.is_some()), (1, true, true));
    }

    #[test]
    fn concurrency_is_what_is_written() {
        for (written, concurrency) in [("concurrency: 3, ", Some(3)), ("concurrency: 1, ", Some(1)), ("concurrency: 0, ", None), ("", None)]
        {
            let plan = plan_of(&format!("deploy: {{helm: {{{written}releases: [{{name: a, chartPath: c}}]}}}}\n"));
            assert_eq!(plan.modules[0].deploy.helm.as_ref().unwrap().concurrency, concurrency, "{written}");
        }
    }
}
