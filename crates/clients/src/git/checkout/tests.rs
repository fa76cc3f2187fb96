//! The git program, on repositories of this machine.

use std::fs;

use super::*;

/// A repository that others copy, and a cache.
struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    /// Makes a repository with one commit on `branch`, in which `file` has the text `first`.
    fn new(branch: &str) -> Self {
        let lab = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(lab.work()).unwrap();
        lab.git(&["init", "-q", "-b", branch]);
        lab.save("first");
        lab
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.work())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn save(&self, text: &str) {
        fs::write(self.work().join("file"), text).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", text]);
    }

    fn wanted(&self, reference: Option<&str>) -> RepoWanted {
        RepoWanted { repo: format!("file://{}", self.work().display()), reference: reference.map(str::to_owned), sync: true }
    }

    /// Returns the copies of a new process.
    fn process(&self, policy: SyncPolicy) -> Checkouts {
        let variables = [("PATH", std::env::var("PATH").unwrap()), ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned())];
        let env = Env::new(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        Checkouts::new(CheckoutSettings { dir: self.cache(), policy, env, cancel: CancellationToken::new() })
    }

    /// Returns what `file` has in the copy of a new process.
    fn file(&self, policy: SyncPolicy, wanted: &RepoWanted) -> String {
        read(&self.process(policy).get(wanted).unwrap())
    }

    /// Returns what is told, with the temporary directory called `DIR`.
    fn fault(&self, policy: SyncPolicy, wanted: &RepoWanted) -> String {
        let error = self.process(policy).get(wanted).unwrap_err().diagnostic().to_string();
        error.replace(&self.dir.path().display().to_string(), "DIR")
    }
}

fn read(tree: &Path) -> String {
    fs::read_to_string(tree.join("file")).unwrap()
}

#[test]
fn folders_are_named_as_skaffolds() {
    let shown = "https://github.com/GoogleContainerTools/skaffold.git";
    let name = folder_name(shown, Some("main"));
    assert_eq!(name.len(), NAME_LENGTH);
    assert_ne!(name, folder_name(shown, None));
    // printf '["a?b\\u0026c","v1"]\n' | sha256sum | xxd -r -p | base64 | tr +/ -_ | cut -c-32
    assert_eq!(folder_name("a?b&c", Some("v1")), "RQkE8we6acN6pUTg27XLyq1D7bTHTREm");
}

#[test]
fn a_branch_that_moved_is_seen_by_the_next_process() {
    let lab = Lab::new("main");
    lab.git(&["branch", "side"]);
    for reference in [None, Some("main"), Some("side")] {
        let wanted = lab.wanted(reference);
        assert_eq!(lab.file(SyncPolicy::Always, &wanted), "first", "{reference:?}");
        let process = lab.process(SyncPolicy::Always);
        let tree = process.get(&wanted).unwrap();
        lab.git(&["checkout", "-q", reference.unwrap_or("main")]);
        lab.save("second");
        fs::write(tree.join("file"), "changed by hand").unwrap();
        process.get(&wanted).unwrap();
        assert_eq!(read(&tree), "changed by hand", "once per process");
        assert_eq!(lab.file(SyncPolicy::Missing, &wanted), "changed by hand");
        assert_eq!(lab.file(SyncPolicy::Always, &RepoWanted { sync: false, ..wanted.clone() }), "changed by hand");
        assert_eq!(lab.file(SyncPolicy::Always, &wanted), "second");
        lab.git(&["reset", "-q", "--hard", "HEAD~1"]);
        assert_eq!(lab.file(SyncPolicy::Always, &wanted), "first", "a branch that was forced back");
    }
}

#[test]
fn tags_and_commits_are_references_too() {
    let lab = Lab::new("trunk");
    lab.git(&["tag", "v1"]);
    let commit = lab.git(&["rev-parse", "HEAD"]);
    lab.save("second");
    for reference in ["v1", &commit, &commit[..9]] {
        let wanted = lab.wanted(Some(reference));
        assert_eq!(lab.file(SyncPolicy::Always, &wanted), "first", "{reference}");
        assert_eq!(lab.file(SyncPolicy::Always, &wanted), "first", "{reference}");
    }
    lab.git(&["tag", "-f", "v1"]);
    assert_eq!(lab.file(SyncPolicy::Always, &lab.wanted(Some("v1"))), "second");
    let tree = lab.process(SyncPolicy::Never).get(&lab.wanted(Some("v1"))).unwrap();
    assert_eq!(fs::read_to_string(tree.join(".git/shallow")).unwrap().lines().count(), 2, "each time one commit alone");
}

#[test]
fn the_default_branch_is_master_then_main_then_the_repositorys_own() {
    let lab = Lab::new("trunk");
    let wanted = lab.wanted(None);
    assert_eq!(lab.file(SyncPolicy::Always, &wanted), "first");
    for branch in ["main", "master"] {
        lab.git(&["checkout", "-q", "-b", branch]);
        lab.save(branch);
        fs::remove_dir_all(lab.cache()).unwrap();
        lab.git(&["checkout", "-q", "trunk"]);
        assert_eq!(lab.file(SyncPolicy::Always, &wanted), branch);
    }
    lab.git(&["branch", "-q", "-D", "master"]);
    assert_eq!(lab.file(SyncPolicy::Always, &wanted), "main", "the branch of the copy is gone");
}

#[test]
fn threads_that_want_the_same_fetch_it_once() {
    let lab = Lab::new("main");
    let process = lab.process(SyncPolicy::Always);
    let wanted = lab.wanted(None);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| process.get(&wanted).unwrap())).collect();
        let trees: Vec<PathBuf> = all.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(trees.iter().all(|tree| *tree == trees[0] && read(tree) == "first"));
    });
    let others = [lab.process(SyncPolicy::Always), lab.process(SyncPolicy::Always)];
    fs::remove_dir_all(lab.cache()).unwrap();
    std::thread::scope(|scope| others.iter().for_each(|process| drop(scope.spawn(|| process.get(&wanted).unwrap()))));
    let left = fs::read_dir(lab.cache()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with("new-")).count(), 0, "nothing half done stays");
}

#[test]
fn what_is_not_to_be_had_is_told() {
    let lab = Lab::new("main");
    insta::assert_snapshot!(lab.fault(SyncPolicy::Never, &lab.wanted(None)), @r"
    error[config/fetch-off]: there is no copy of `file://DIR/work`, and none may be fetched
    help: `--sync-remote-cache=missing` fetches what is missing, and leaves the rest as it is
    ");
    insta::assert_snapshot!(lab.fault(SyncPolicy::Always, &lab.wanted(Some("v9"))), @r"
    error[config/no-reference]: `file://DIR/work` has no branch, tag or commit `v9`
    help: check `ref`, which is `master`, else `main`, where it is not given
    ");
    insta::assert_snapshot!(lab.fault(SyncPolicy::Always, &lab.wanted(Some("00c0ffee"))), @r"
    error[config/no-reference]: `file://DIR/work` has no branch, tag or commit `00c0ffee`
    help: check `ref`, which is `master`, else `main`, where it is not given
    ");
    let gone = RepoWanted { repo: "file:///no/such/repository".to_owned(), ..lab.wanted(None) };
    insta::assert_snapshot!(lab.fault(SyncPolicy::Always, &gone), @r"
    error[config/fetch]: `file:///no/such/repository` could not be fetched
      fatal: '/no/such/repository' does not appear to be a git repository
      fatal: Could not read from remote repository.
    help: check `repo`, and that `git ls-remote` can read it without asking for a password
    ");
    assert_eq!(lab.file(SyncPolicy::Always, &lab.wanted(None)), "first");
    assert_eq!(lab.file(SyncPolicy::Never, &lab.wanted(None)), "first", "what is there needs no fetch");
    fs::rename(lab.work(), lab.dir.path().join("moved")).unwrap();
    insta::assert_snapshot!(lab.fault(SyncPolicy::Always, &lab.wanted(None)), @r"
    error[config/fetch]: `file://DIR/work` could not be fetched
      fatal: 'DIR/work' does not appear to be a git repository
      fatal: Could not read from remote repository.
    help: `--sync-remote-cache=missing` works with the copy from before
    ");
}

#[test]
fn a_token_in_an_address_is_not_told() {
    let lab = Lab::new("main");
    let wanted = |repo: &str| RepoWanted { repo: repo.to_owned(), ..lab.wanted(None) };
    let fault = lab.fault(SyncPolicy::Always, &wanted("https://me:s3cr3t@127.0.0.1:1/a.git"));
    assert!(fault.contains("https://127.0.0.1:1/a.git") && !fault.contains("s3cr3t"), "{fault}");
    assert!(!lab.fault(SyncPolicy::Never, &wanted("https://s3cr3t@host/a.git")).contains("s3cr3t"));
}

#[test]
fn nothing_is_fetched_for_nobody() {
    let lab = Lab::new("main");
    let process = lab.process(SyncPolicy::Always);
    process.0.settings.cancel.cancel();
    assert!(matches!(process.get(&lab.wanted(None)), Err(CheckoutError::Interrupted)));
}

#[test]
fn credentials_are_no_arguments_and_not_kept() {
    let env = |given: &[(&str, &str)]| Env::new(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
    let (plain, found) = apart("https://me:t0ken@host/a.git".to_owned(), env(&[("GIT_CONFIG_COUNT", "1")]));
    assert_eq!(plain, "https://host/a.git");
    assert_eq!(found.get("GIT_CONFIG_COUNT"), Some("2"));
    assert_eq!(found.get("GIT_CONFIG_KEY_1"), Some("url.https://me:t0ken@host/a.git.insteadOf"));
    assert_eq!(found.get("GIT_CONFIG_VALUE_1"), Some("https://host/a.git"));
    for address in ["git@host:a", "/srv/a", "https://host/a@b"] {
        let (same, found) = apart(address.to_owned(), env(&[]));
        assert_eq!((same.as_str(), found.get("GIT_CONFIG_COUNT")), (address, None));
    }
}
