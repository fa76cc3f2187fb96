//! Sets the `cluster` cfg when the test cluster is there: tests that need it are reported as ignored otherwise.
fn main() {
    println!("cargo::rustc-check-cfg=cfg(cluster)");
    println!("cargo::rerun-if-env-changed=DEVLOOP_TEST_CLUSTER");
    if std::env::var_os("DEVLOOP_TEST_CLUSTER").is_some() {
        println!("cargo::rustc-cfg=cluster");
    }
}
