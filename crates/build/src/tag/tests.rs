//! Every tagger; `gitCommit` against the git program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use devloop_model::Artifact;
use devloop_model::GitVariant;
use devloop_model::Requirement;

use super::*;
use crate::hash_index::HashIndex;
use crate::inputs::Gathered;
use crate::inputs::InputFile;
use crate::inputs::Inputs;
use crate::inputs::walk::Stat;
use crate::testing;

fn tagged(artifact: &Artifact, tagger: Tagger) -> String {
    let env = Env::new(BTreeMap::from([("VERSION".to_owned(), "1.2".to_owned())]));
    let now = "2026-03-04T05:06:07.089+01:00".parse().unwrap();
    let here = || TimeZone::get("Europe/Berlin").unwrap();
    let index = HashIndex::open(Path::new("/nonexistent"));
    let digests = Digests { artifacts: &[], gathered: &[], working_dir: Path::new("/"), index: &index };
    let tagging = Tagging { env: &env, now, here, git: &GitAnswers::default(), digests: &digests };
    let artifact = Artifact { tagger, ..artifact.clone() };
    tagging.tag(&artifact, 0).map_or_else(|error| format!("error: {error}"), |tag| tag.to_string())
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

#[test]
fn taggers_without_files() {
    let artifact = testing::docker("gcr.io/p/web", Path::new("/nowhere"));
    let date = |format: Option<&str>, zone: Option<&str>| Tagger::DateTime {
        format: format.map(str::to_owned),
        timezone: zone.map(str::to_owned),
    };
    let custom = |text: &str| Tagger::CustomTemplate {
        template: template(text),
        components: vec![
            ("FOO".to_owned(), Tagger::EnvTemplate(template("{{.VERSION}}"))),
            ("NEST".to_owned(), Tagger::CustomTemplate { template: template("x"), components: Vec::new() }),
            ("BROKEN".to_owned(), Tagger::EnvTemplate(template("{{.NONE}}"))),
        ],
    };
    for (tagger, expected) in [
        (Tagger::Sha256, "latest"),
        (Tagger::Fixed("v1".to_owned()), "v1"),
        (Tagger::EnvTemplate(template("{{.VERSION}}-x")), "1.2-x"),
        (
            Tagger::EnvTemplate(template("{{.IMAGE_NAME}}")),
            "error: `gcr.io/p/web` is not a valid tag: a tag has at most 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two",
        ),
        (Tagger::EnvTemplate(template("{{.NONE}}")), "error: the template `{{.NONE}}` names a variable that is not set"),
        (Tagger::EnvTemplate(template("")), "latest"),
        (Tagger::EnvTemplate(template(r#"{{default "bar" .FOO}}"#)), "bar"),
        (date(None, None), "2026-03-04_05-06-07.089_CET"),
        (date(None, Some("UTC")), "2026-03-04_04-06-07.089_UTC"),
        (date(Some("20060102"), Some("America/New_York")), "20260303"),
        (date(None, Some("Mars/Base")), "error: `Mars/Base` is not a known time zone"),
        (custom("{{.FOO}}_{{.SHA}}"), "1.2_latest"),
        (custom("{{.DATE}}-{{.FOO}}"), "2026-03-04_05-06-07.089_CET-1.2"),
        (custom("{{.FOO | upper}}"), "error: template `{{.FOO | upper}}`: undefined function: upper"),
        (custom("{{.NOPE}}"), "error: there is no tagger called `NOPE`; known are GIT, DATE, SHA, INPUT_DIGEST and those in `components`"),
        (custom("{{.NEST}}"), "error: the component `NEST` is a customTemplate itself"),
    ] {
        assert_eq!(tagged(&artifact, tagger.clone()), expected, "{tagger:?}");
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn every_variant_of_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir(root.join("web")).unwrap();
    fs::write(root.join("web/main.go"), "x").unwrap();
    git(root, &["init", "-q", "-b", "feature/x"]);
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "first"]);
    git(root, &["tag", "v1.0"]);
    let web = testing::docker("web", &root.join("web"));
    let tag =
        |variant, prefix: &str, ignore_changes| tagged(&web, Tagger::GitCommit { variant, prefix: prefix.to_owned(), ignore_changes });
    let expected = [
        (GitVariant::Tags, "v1.0".to_owned()),
        (GitVariant::CommitSha, git(root, &["rev-list", "-1", "HEAD"])),
        (GitVariant::AbbrevCommitSha, git(root, &["rev-list", "-1", "HEAD", "--abbrev-commit"])),
        (GitVariant::TreeSha, git(root, &["rev-parse", "HEAD:web/"])),
        (GitVariant::AbbrevTreeSha, git(root, &["rev-parse", "--short", "HEAD:web/"])),
        (GitVariant::Branches, "feature_x".to_owned()),
    ];
    for (variant, name) in &expected {
        assert_eq!(tag(*variant, "", false), *name, "{variant:?}");
    }
    fs::write(root.join("web/new.go"), "").unwrap();
    for (variant, name) in &expected {
        assert_eq!(tag(*variant, "", false), format!("{name}-dirty"), "{variant:?}");
        assert_eq!(tag(*variant, "pre-", true), format!("pre-{name}"), "{variant:?}");
    }
    let long = "x".repeat(120);
    assert_eq!(tag(GitVariant::CommitSha, &long, false).len(), 128);
    assert!(tag(GitVariant::CommitSha, &long, false).ends_with("-dirty"));
    git(root, &["checkout", "-q", "--detach"]);
    assert_eq!(tag(GitVariant::Branches, "", true), git(root, &["rev-list", "-1", "HEAD", "--abbrev-commit"]));
    // Without a commit there is a branch alone.
    let fresh = tempfile::tempdir().unwrap();
    git(fresh.path(), &["init", "-q", "-b", "master"]);
    let uncommitted = testing::docker("web", fresh.path());
    for (variant, _) in &expected {
        let tag = tagged(&uncommitted, Tagger::GitCommit { variant: *variant, prefix: String::new(), ignore_changes: true });
        assert_eq!(tag == "master", *variant == GitVariant::Branches, "{variant:?}: {tag}");
        assert_eq!(tag.starts_with("error: "), *variant != GitVariant::Branches, "{variant:?}: {tag}");
    }
    let outside = tempfile::tempdir().unwrap();
    let alone = testing::docker("web", outside.path());
    let text = tagged(&alone, Tagger::GitCommit { variant: GitVariant::Tags, prefix: String::new(), ignore_changes: false });
    assert_eq!(text.replace(outside.path().to_str().unwrap(), "[dir]"), "error: `[dir]` is not in a git repository");
}

#[test]
fn changes_of_one_repository_are_told_apart_by_context() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for context in ["apps/web", "apps/api", "apps/webby", "lib"] {
        fs::create_dir_all(root.join(context)).unwrap();
        fs::write(root.join(context).join("main.go"), "x").unwrap();
    }
    git(root, &["init", "-q", "-b", "main"]);
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "first"]);
    fs::write(root.join("apps/web/main.go"), "changed").unwrap();
    fs::create_dir_all(root.join("apps/fresh/deep")).unwrap();
    fs::write(root.join("apps/fresh/deep/new.go"), "").unwrap();
    fs::write(root.join("lib/new.go"), "").unwrap();
    let contexts = ["apps/web", "apps/api", "apps/webby", "apps/fresh/deep", "lib", "."];
    let tagger = Tagger::GitCommit { variant: GitVariant::Branches, prefix: String::new(), ignore_changes: false };
    for some in [&contexts[..4], &contexts[..5], &contexts[..]] {
        let artifact = |context: &&str| Arc::new(Artifact { tagger: tagger.clone(), ..testing::docker("web", &root.join(context)) });
        let answers = GitAnswers::of(&some.iter().map(artifact).collect::<Vec<_>>());
        for context in contexts {
            let status = git(&root.join(context), &["status", ".", "--porcelain"]);
            let tag = answers.tag(&root.join(context), GitVariant::Branches, "", false).unwrap();
            assert_eq!(tag.ends_with("-dirty"), !status.is_empty(), "{context} of {some:?}: {status}");
        }
    }
}

fn gathered(index: &HashIndex, context: &Path, paths: &[&str]) -> Gathered {
    let file = |path: &&str| {
        let stat = Stat::of(&context.join(path).symlink_metadata().unwrap()).unwrap();
        let hashes = index.hash(context, path, &stat).unwrap().unwrap();
        InputFile { path: (*path).into(), kind: stat.kind, mode: stat.mode, hash: hashes.content, md5: hashes.md5 }
    };
    let inputs = Inputs { context: context.to_owned(), files: paths.iter().map(file).collect(), ..Inputs::default() };
    Gathered { inputs, ..Gathered::default() }
}

/// Skaffold's digests of small trees (`pkg/skaffold/tag/input_digest.go`), made once by its steps.
#[test]
fn input_digests_are_these() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::write(root.join("main.go"), "package main\n").unwrap();
    std::os::unix::fs::symlink("main.go", root.join("link")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let index = HashIndex::open(cache.path());
    let web = testing::custom("web", root);
    let digest = |paths: &[&str]| {
        let gathered = [gathered(&index, root, paths)];
        Digests { artifacts: &[Arc::new(web.clone())], gathered: &gathered, working_dir: root, index: &index }.of(0).unwrap()
    };
    assert_eq!(digest(&[]), "38e0b9de817f645c4bec37c0d4a3e58baecccb040f5718dc069a72c7385a0bed");
    assert_eq!(digest(&["main.go"]), "67d210eea6c500921967ae27361cea2f95ee336296d6a183f99f7d216b3b4f81");
    // Of a link, its path counts alone.
    let before = digest(&["link", "main.go"]);
    fs::remove_file(root.join("link")).unwrap();
    std::os::unix::fs::symlink("elsewhere", root.join("link")).unwrap();
    assert_eq!(digest(&["link", "main.go"]), before);
    assert_eq!(before, shell(root, &[("/dev/null", "link"), ("main.go", "main.go")]));
}

/// The digests were made with md5sum and sha256sum, by the steps of Skaffold's tagger.
#[test]
fn input_digests_are_those_of_skaffold() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (path, text) in [
        ("web/Dockerfile", "FROM a\n"),
        ("web/main.go", "package main\n"),
        ("web/.dockerignore", "x"),
        ("base/Dockerfile", "FROM b\n"),
        ("Dockerfile", "FROM c\n"),
    ] {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    }
    fs::create_dir(root.join("web/empty")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let index = HashIndex::open(cache.path());
    let mut web = testing::docker("web", &root.join("web"));
    let base = testing::docker("base", &root.join("base"));
    let files = gathered(&index, &root.join("web"), &[".dockerignore", "Dockerfile", "empty", "main.go"]);
    let required = gathered(&index, &root.join("base"), &["Dockerfile"]);
    let digest = |web: &Artifact| {
        let artifacts = [Arc::new(web.clone()), Arc::new(base.clone())];
        Digests { artifacts: &artifacts, gathered: &[files.clone(), required.clone()], working_dir: root, index: &index }.of(0).unwrap()
    };
    assert_eq!(
        digest(&web),
        shell(
            root,
            &[("Dockerfile", "../Dockerfile"), ("web/Dockerfile", "Dockerfile"), ("web/empty", "empty"), ("web/main.go", "main.go")]
        )
    );
    web.requires = vec![Requirement { image: base.image.clone(), alias: "BASE".to_owned() }];
    assert_eq!(
        digest(&web),
        shell(
            root,
            &[
                ("Dockerfile", "../Dockerfile"),
                ("base/Dockerfile", "../base/Dockerfile"),
                ("web/Dockerfile", "Dockerfile"),
                ("web/empty", "empty"),
                ("web/main.go", "main.go")
            ]
        )
    );
}

/// The same digest by other programs: each file as it lies in `root`, and the path that is hashed with it.
fn shell(root: &Path, entries: &[(&str, &str)]) -> String {
    let list = entries
        .iter()
        .map(|(file, path)| format!("( printf %s '{path}'; test -d '{file}' || cat '{file}' ) | md5sum | cut -c1-32"))
        .collect::<Vec<_>>()
        .join("\n");
    let script = format!("({list}) | sed 's/.*/\"&\"/' | paste -sd, | sed 's/.*/[&]/' | sha256sum | cut -c1-64");
    let output = Command::new("sh").args(["-c", &script]).current_dir(root).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
