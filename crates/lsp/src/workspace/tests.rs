use super::*;
use crate::testing::Project;

const HEAD: &str = "apiVersion: skaffold/v4beta14\nkind: Config\n";

fn roots(project: &Project) -> Vec<String> {
    project.workspace.roots().iter().map(|path| project.relative(path)).collect()
}

#[test]
fn a_module_is_looked_at_as_a_part_of_what_requires_it() {
    let root = format!("{HEAD}requires: [{{path: cart}}]\n");
    let mut project = Project::new(&[("cart/skaffold.yaml", HEAD), ("skaffold.yaml", &root), ("alone/skaffold.yaml", HEAD)]);
    assert_eq!(roots(&project), ["skaffold.yaml"], "the one above requires it");
    project.open("alone/skaffold.yaml", HEAD);
    assert_eq!(roots(&project), ["alone/skaffold.yaml", "skaffold.yaml"]);
    project.open("skaffold.yaml", HEAD);
    assert_eq!(roots(&project), ["alone/skaffold.yaml", "cart/skaffold.yaml", "skaffold.yaml"], "it is not required any more");
    project.open("k8s/a.yaml", "apiVersion: v1\nkind: Pod\n");
    assert_eq!(roots(&project).len(), 3, "a manifest is no configuration");
}

#[test]
fn a_circle_has_one_root() {
    let to = |other: &str| format!("{HEAD}requires: [{{path: ../{other}}}, {{path: nowhere}}, {{git: {{repo: x}}}}, {{configs: [x]}}]\n");
    let (a, b) = (to("b"), to("a"));
    let mut project = Project::new(&[("b/skaffold.yaml", &b), ("a/skaffold.yaml", &a)]);
    assert_eq!(roots(&project), ["b/skaffold.yaml"]);
    project.open("a/skaffold.yaml", &a);
    assert_eq!(roots(&project), ["a/skaffold.yaml"]);
    let files = project.workspace.requirements(&project.dir.path().join("a/skaffold.yaml"));
    assert_eq!(files.len(), 2);
}

#[test]
fn a_document_that_has_no_file_can_be_worked_on() {
    let mut project = Project::new(&[("skaffold.yaml", HEAD)]);
    let uri = lsp::Uri("untitled:Untitled-1".to_owned());
    let path = project.workspace.open(uri.clone(), 1, HEAD.to_owned());
    assert_eq!(project.relative(&path), "untitled:Untitled-1");
    assert!(project.workspace.document(&uri).is_some_and(|document| document.is_configuration()));
    project.workspace.close(&uri);
    assert!(project.workspace.document(&uri).is_none());
}
