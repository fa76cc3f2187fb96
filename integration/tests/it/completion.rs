//! Completion as a shell asks for it: a live bash that read the script.

use std::process::Command;

use crate::context::binary;

const CONFIG: &str = "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: shop}\nrequires: [{path: cart}]\nbuild:\n  artifacts: [{image: web}, {image: worker}]\nprofiles: [{name: production}, {name: staging}]\n";

/// Returns what bash offers for the last word of a line.
fn offered(folder: &std::path::Path, line: &str) -> Vec<String> {
    let script = r#"
        source <(devloop completion bash)
        function=$(complete -p devloop | sed 's/.* -F \([^ ]*\) .*/\1/')
        read -ra COMP_WORDS <<< "$LINE"
        case $LINE in *' ') COMP_WORDS+=('') ;; esac
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9
        "$function" devloop "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2> /dev/null
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let program = binary();
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("bash").args(["--norc", "-c", script]).current_dir(folder).env("PATH", path).env("LINE", line).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut words: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(|word| word.trim().to_owned()).collect();
    words.retain(|word| !word.is_empty());
    words.sort();
    words
}

#[test]
#[cfg_attr(not(cluster), ignore = "needs the binary: run integration/test")]
fn a_live_bash_completes_commands_flags_and_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("cart")).unwrap();
    std::fs::write(folder.path().join("skaffold.yaml"), CONFIG).unwrap();
    let cart = "apiVersion: skaffold/v4beta13\nkind: Config\nmetadata: {name: cart}\nbuild: {artifacts: [{image: cart-api}]}\n";
    std::fs::write(folder.path().join("cart/skaffold.yaml"), cart).unwrap();
    for (line, words) in [
        ("devloop ru", &["run"][..]),
        ("devloop build --file-o", &["--file-output"]),
        ("devloop run -p ", &["production", "staging"]),
        ("devloop run -p st", &["staging"]),
        ("devloop run -p production,", &["production,production", "production,staging"]),
        ("devloop run -m ", &["cart", "shop"]),
        ("devloop build -b w", &["web", "worker"]),
        ("devloop build -b c", &["cart-api"]),
        ("devloop run -f cart/skaffold.yaml -m ", &["cart"]),
        ("devloop completion z", &["zsh"]),
    ] {
        assert_eq!(offered(folder.path(), line), words, "{line}");
    }
}
