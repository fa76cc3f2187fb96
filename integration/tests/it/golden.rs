//! What examples render to, compared with files that are kept beside this one.
//!
//! `DEVLOOP_UPDATE_GOLDEN=1 integration/test golden` writes them anew.

use crate::context::TestContext;
use crate::context::root;

/// Compares what `devloop render` makes of an example with `golden/NAME.yaml`.
#[track_caller]
fn rendered(example: &str, name: &str, arguments: &[&str]) {
    let context = TestContext::new().with_example(example);
    let fixed = ["render", "--offline", "--digest-source=none", "--namespace="];
    let text = context.devloop(&[&fixed[..], arguments].concat()).success();
    let file = root().join("integration/tests/it/golden").join(format!("{name}.yaml"));
    if std::env::var_os("DEVLOOP_UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(text == kept, "{} is not what is rendered:\n{text}", file.display());
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run integration/test")]
fn overlays_of_kustomize() {
    rendered("kustomize", "kustomize-dev", &[]);
    rendered("kustomize", "kustomize-prod", &["-p", "prod"]);
}
