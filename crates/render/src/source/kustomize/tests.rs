use std::collections::BTreeMap;
use std::collections::BTreeSet;

use devloop_model::Env;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Template;

use super::*;

fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn relative(dir: &Path, paths: &BTreeSet<PathBuf>) -> Vec<String> {
    paths.iter().map(|path| path.strip_prefix(dir).unwrap().display().to_string()).collect()
}

#[test]
fn every_file_that_is_read_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let overlay = "resources: [../base, ns.yaml, https://example.com/x.yaml, 'github.com/org/repo//deploy?ref=v1', later.yaml]
components: [../components/debug]
patches: [{path: patch.yaml}, {patch: '[]', target: {kind: Deployment}}]
patchesStrategicMerge: [old.yaml, 'apiVersion: v1\n\nkind: Service\n']
patchesJson6902: [{path: json.yaml, target: {kind: Service, name: web, version: v1}}]
replacements: [{path: replace.yaml}, {source: {kind: ConfigMap}}]
configMapGenerator:
- {name: settings, files: [app.ini, renamed=files/other.ini], envs: [a.env], env: b.env, literals: [x=y]}
secretGenerator: [{name: keys, files: [key.pem]}]
openapi: {path: api.json}
helmGlobals: {chartHome: ../charts}
helmCharts: [{name: cache, valuesFile: values.yaml, additionalValuesFiles: [more.yaml]}, {name: far, repo: 'https://example.com'}]
generators: [plugin.yaml]
";
    write(dir.path(), "overlay/kustomization.yaml", overlay);
    write(dir.path(), "base/Kustomization", "resources: [web.yaml]\ncrds: [crd.yaml]\nconfigurations: [names.yaml]\n");
    write(dir.path(), "components/debug/kustomization.yml", "kind: Component\npatches: [{path: debug.yaml}]\n");
    let found = inputs(&dir.path().join("overlay"));
    insta::assert_snapshot!(relative(dir.path(), &found.files).join("\n"), @r"
    base/Kustomization
    base/crd.yaml
    base/names.yaml
    base/web.yaml
    components/debug/debug.yaml
    components/debug/kustomization.yml
    overlay/a.env
    overlay/api.json
    overlay/app.ini
    overlay/b.env
    overlay/files/other.ini
    overlay/json.yaml
    overlay/key.pem
    overlay/kustomization.yaml
    overlay/later.yaml
    overlay/more.yaml
    overlay/ns.yaml
    overlay/old.yaml
    overlay/patch.yaml
    overlay/plugin.yaml
    overlay/replace.yaml
    overlay/values.yaml
    ");
    assert_eq!(relative(dir.path(), &found.charts), ["charts/cache"]);
    assert_eq!(found.circle, None);
}

#[test]
fn a_circle_is_found_and_a_base_that_comes_twice_is_none() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a/kustomization.yaml", "resources: [../b]\n");
    write(dir.path(), "b/kustomization.yaml", "resources: [../a]\n");
    write(dir.path(), "top/kustomization.yaml", "resources: [../left, ../right]\n");
    for side in ["left", "right"] {
        write(dir.path(), &format!("{side}/kustomization.yaml"), "resources: [../base]\n");
    }
    write(dir.path(), "base/kustomization.yaml", "resources: []\n");
    let circle = inputs(&dir.path().join("a")).circle.unwrap();
    assert_eq!(circle, ["a", "b", "a"].map(|name| dir.path().join(name)));
    assert_eq!(inputs(&dir.path().join("top")).circle, None);
}

/// Returns why the kustomization `path` of a project cannot be rendered, without any program on PATH.
async fn error(dir: &Path, path: &str) -> String {
    let entry = KustomizePath { path: Template::parse(path).unwrap(), at: None };
    let module = RenderSpec {
        dir: dir.to_owned(),
        kustomize: Some(KustomizeSpec { paths: vec![entry], build_args: Vec::new() }),
        ..RenderSpec::default()
    };
    let env = Env::new(BTreeMap::from([("PATH".to_owned(), dir.display().to_string())]));
    let cx = Cx::silent(StepId::of(Stage::Render)).with_env(env);
    let error = kustomize(&module, &Vars::default(), &cx).await.unwrap_err();
    error.diagnostic().to_string().replace(&dir.display().to_string(), "[DIR]")
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "base/kustomization.yaml", "resources: []\n");
    write(dir.path(), "plain/deployment.yaml", "");
    insta::assert_snapshot!(error(dir.path(), "gone").await, @r"
    error[render/no-kustomization]: there is no kustomization in `gone`
      there is no such directory
    help: paths in `manifests.kustomize.paths` are directories, and start where those of `rawYaml` do
    ");
    insta::assert_snapshot!(error(dir.path(), "plain").await, @r"
    error[render/no-kustomization]: there is no kustomization in `plain`
      it has no `kustomization.yaml`
    help: paths in `manifests.kustomize.paths` are directories, and start where those of `rawYaml` do
    ");
    insta::assert_snapshot!(error(dir.path(), "base").await, @r"
    error[render/no-kustomize]: neither `kustomize` nor `kubectl` was found on PATH
    help: install kubectl, which has Kustomize built in, or Kustomize itself: https://kubectl.docs.kubernetes.io/installation/kustomize
    ");
}
