//! Compiles the agent as one static program, which devloop carries to where it runs.
//!
//! Where that does not work (another system than Linux without a musl target) the program is empty, and files are synced with tar.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    let source = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../agent/src");
    println!("cargo::rerun-if-changed={}", source.display());
    let directory = variable("OUT_DIR");
    let program = Path::new(&directory).join("agent");
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    let targets = [format!("{arch}-unknown-linux-musl"), format!("{arch}-unknown-linux-gnu")];
    if !targets.iter().any(|target| compile(&source, Path::new(&directory), target)) {
        println!("cargo::warning=the sync agent cannot be compiled here: files will be synced with tar");
        fs::write(&program, []).expect("the output directory can be written");
    }
}

/// Returns whether the agent could be compiled for `target`.
fn compile(source: &Path, directory: &Path, target: &str) -> bool {
    let rustc = || {
        let mut command = Command::new(variable("RUSTC"));
        command
            .args(["--edition=2024", "--target", target, "-Ctarget-feature=+crt-static", "-Copt-level=s", "-Cpanic=abort"])
            .current_dir(directory);
        command
    };
    let library = rustc().args(["--crate-type=rlib", "--crate-name=devloop_agent"]).arg(source.join("lib.rs")).output();
    let is_done = |output: std::io::Result<std::process::Output>| output.is_ok_and(|output| output.status.success());
    is_done(library)
        && is_done(
            rustc()
                .args(["--crate-name=agent", "--extern=devloop_agent=libdevloop_agent.rlib", "-Cstrip=symbols", "-Clto", "-oagent"])
                .arg(source.join("main.rs"))
                .output(),
        )
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it")
}
