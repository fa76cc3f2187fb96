//! Copies of repositories that modules are taken from, kept by the git program: libgit2 is built here without TLS and SSH, and only
//! git has the user's credential helpers.

mod error;
mod lock;

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::Stage;
use devloop_model::StepId;
use sha2::Digest as _;
use tokio_util::sync::CancellationToken;

pub use self::error::CheckoutError;
use self::lock::locked;
use crate::process::Command;
use crate::process::ProcessError;

/// How long git may take to bring a repository.
const DEADLINE: Duration = Duration::from_mins(10);
/// How long the name of a copy's directory is.
const NAME_LENGTH: usize = 32;
/// Branches that are tried where no reference is given, the better first. Source: skaffold `pkg/skaffold/git/gitutil.go`.
const DEFAULT_BRANCHES: [&str; 2] = ["master", "main"];
/// From how many digits on a reference may be a commit.
const SHORTEST_COMMIT: usize = 7;
/// Variables that would lead git to the repository whose hook we may run in.
const OF_ANOTHER_REPOSITORY: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// When a copy is made and brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Each time.
    Always,
    /// Where there is none yet.
    Missing,
    /// Not at all.
    Never,
}

/// A repository, and what of it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoWanted {
    /// Its address, as git takes it.
    pub repo: String,
    /// The branch, tag or commit; none for the default branch.
    pub reference: Option<String>,
    /// Whether a copy that is there may be brought up to date.
    pub sync: bool,
}

/// Where copies are, and when git is asked.
#[derive(Debug, Clone)]
pub struct CheckoutSettings {
    /// The directory of all copies.
    pub dir: PathBuf,
    /// When a copy is made and brought up to date.
    pub policy: SyncPolicy,
    /// The environment.
    pub env: Env,
    /// Cancelled when nobody waits for a copy any more.
    pub cancel: CancellationToken,
}

/// The copies of a process: each is brought up to date once, however often it is asked for.
#[derive(Debug, Clone)]
pub struct Checkouts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: CheckoutSettings,
    known: Mutex<HashMap<PathBuf, Slot>>,
}

/// A copy, held while git works on it.
type Slot = Arc<tokio::sync::Mutex<Seen>>;

/// What this process did for a copy.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    #[default]
    No,
    Present,
    UpToDate,
}

impl Checkouts {
    /// Returns the copies in a directory; nothing is looked at yet.
    pub fn new(settings: CheckoutSettings) -> Self {
        // git runs in the copies: a relative path would start there. Only an empty one cannot be made absolute.
        let dir = std::path::absolute(&settings.dir).unwrap_or(settings.dir);
        let settings = CheckoutSettings { dir, ..settings };
        Self(Arc::new(Inner { settings, known: Mutex::default() }))
    }

    /// Returns the work tree of a repository, after git made the copy or brought it up to date.
    ///
    /// The thread waits: configuration is read outside of any runtime, or on a thread where waiting does no harm.
    ///
    /// # Errors
    /// When there is no copy and none may be made, or git fails.
    pub fn get(&self, wanted: &RepoWanted) -> Result<PathBuf, CheckoutError> {
        let copy = Copy::new(&self.0.settings, wanted);
        let (tree, slot, syncs) = (copy.tree.clone(), self.slot(&copy.tree), wanted.sync);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|source| CheckoutError::Io { directory: copy.tree.clone(), source })?;
            runtime.block_on(copy.obtain(slot, syncs))
        };
        // A runtime may not be started in a thread that has one.
        let done = std::thread::spawn(work).join();
        done.unwrap_or(Err(CheckoutError::Interrupted)).map(|()| tree)
    }

    fn slot(&self, tree: &Path) -> Slot {
        // A panic in another fetch leaves a whole map behind.
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(tree.to_owned()).or_default())
    }
}

/// One copy of a repository.
struct Copy {
    address: String,
    reference: Option<String>,
    policy: SyncPolicy,
    parent: PathBuf,
    tree: PathBuf,
    cx: Cx,
}

impl Copy {
    fn new(settings: &CheckoutSettings, wanted: &RepoWanted) -> Self {
        let address = absolute(&wanted.repo);
        let tree = settings.dir.join(folder_name(&address, wanted.reference.as_deref()));
        let (address, env) = apart(address, quiet(&settings.env));
        let cx = Cx::new(StepId::of(Stage::Prepare), env, EventSink::none(), settings.cancel.clone());
        Self { address, reference: wanted.reference.clone(), policy: settings.policy, parent: settings.dir.clone(), tree, cx }
    }

    async fn obtain(self, slot: Slot, syncs: bool) -> Result<(), CheckoutError> {
        let mut seen = slot.lock().await;
        let wants = if syncs && self.policy == SyncPolicy::Always { Seen::UpToDate } else { Seen::Present };
        if *seen >= wants {
            return Ok(());
        }
        if !self.is_there() || wants == Seen::UpToDate {
            if self.policy == SyncPolicy::Never {
                return Err(CheckoutError::Missing { repo: self.address.clone() });
            }
            create_private(&self.parent).map_err(|source| CheckoutError::Io { directory: self.parent.clone(), source })?;
            let lock = self.tree.with_added_extension("lock");
            let _lock = locked(&lock, &self.cx).await?;
            // Another process may have made it meanwhile.
            if self.is_there() {
                self.update(wants).await?;
            } else {
                self.create().await?;
            }
            *seen = Seen::UpToDate;
        }
        *seen = (*seen).max(wants);
        Ok(())
    }

    fn is_there(&self) -> bool {
        self.tree.join(".git").exists()
    }

    /// Makes the copy beside its place, so that what is interrupted leaves nothing that looks like one.
    async fn create(&self) -> Result<(), CheckoutError> {
        let io = |source| CheckoutError::Io { directory: self.parent.clone(), source };
        let folder = tempfile::Builder::new().prefix("new-").tempdir_in(&self.parent).map_err(io)?;
        let tree = folder.path().join("tree");
        let reference = match &self.reference {
            Some(reference) => reference.clone(),
            None => self.default_branch().await?,
        };
        tracing::debug!(to = %self.tree.display(), reference, "cloning");
        let branch = format!("--branch={reference}");
        let words = ["clone", "--quiet", "--depth=1", &branch, "--", &self.address];
        match self.run(git(&words).arg(&tree)).await {
            Ok(_) => {}
            // Only branches and tags can be cloned; a commit is fetched.
            Err(error) if error.is_unknown_reference() && is_commit(&reference) => {
                if tree.exists() {
                    std::fs::remove_dir_all(&tree).map_err(io)?;
                }
                self.run(git(&["init", "--quiet", "--"]).arg(&tree)).await?;
                self.run(within(&tree, &["remote", "add", "--", "origin", &self.address])).await?;
                self.bring_commit(&tree, &reference).await?;
            }
            Err(error) => return Err(error),
        }
        if self.tree.exists() {
            // No repository: what somebody left of one.
            std::fs::remove_dir_all(&self.tree).map_err(io)?;
        }
        std::fs::rename(&tree, &self.tree).map_err(io)
    }

    /// Brings a copy up to date, where that is wanted; its files are what the reference has, whatever was changed in them.
    async fn update(&self, wants: Seen) -> Result<(), CheckoutError> {
        if wants != Seen::UpToDate {
            return Ok(());
        }
        self.bring_wanted(&self.tree).await.map_err(CheckoutError::with_copy)
    }

    async fn bring_wanted(&self, tree: &Path) -> Result<(), CheckoutError> {
        match &self.reference {
            Some(commit) if is_commit(commit) && self.head(tree).await?.starts_with(&commit.to_lowercase()) => Ok(()),
            Some(reference) => match self.bring(tree, reference).await {
                Err(error) if error.is_unknown_reference() && is_commit(reference) => self.bring_commit(tree, reference).await,
                result => result,
            },
            None => {
                // The branch that it has saves a question; when that is gone, another has become the default.
                let branch = self.run(within(tree, &["symbolic-ref", "--quiet", "--short", "HEAD"])).await;
                if let Ok(branch) = branch {
                    match self.bring(tree, &branch).await {
                        Err(error) if error.is_unknown_reference() => {}
                        result => return result,
                    }
                }
                let branch = self.default_branch().await?;
                self.bring(tree, &branch).await?;
                self.run(within(tree, &["checkout", "--quiet", "-B", &branch])).await.map(drop)
            }
        }
    }

    async fn bring(&self, tree: &Path, reference: &str) -> Result<(), CheckoutError> {
        self.run(within(tree, &["fetch", "--quiet", "--depth=1", "--", &self.address, reference])).await?;
        self.reset(tree, "FETCH_HEAD").await
    }

    /// Brings a commit: by its whole hash, which a server may refuse, else with everything there is.
    async fn bring_commit(&self, tree: &Path, commit: &str) -> Result<(), CheckoutError> {
        if self.bring(tree, commit).await.is_ok() {
            return Ok(());
        }
        let everything = ["fetch", "--quiet", "--tags", "--force", "--", &self.address, "+refs/heads/*:refs/remotes/origin/*"];
        self.run(within(tree, &everything)).await?;
        self.reset(tree, &format!("{commit}^{{commit}}")).await.map_err(|error| match error {
            CheckoutError::Interrupted => error,
            _ => CheckoutError::NoReference { repo: self.address.clone(), reference: commit.to_owned() },
        })
    }

    async fn reset(&self, tree: &Path, to: &str) -> Result<(), CheckoutError> {
        self.run(within(tree, &["reset", "--quiet", "--hard", to])).await.map(drop)
    }

    async fn head(&self, tree: &Path) -> Result<String, CheckoutError> {
        self.run(within(tree, &["rev-parse", "HEAD"])).await
    }

    /// Returns `master`, else `main`, else what the repository itself calls its default.
    async fn default_branch(&self) -> Result<String, CheckoutError> {
        let listed = self.run(git(&["ls-remote", "--symref", "--", &self.address, "HEAD", "refs/heads/master", "refs/heads/main"])).await?;
        let has = |name: &str| listed.lines().any(|line| line.split_once('\t').is_some_and(|(_, found)| found == name));
        let known = DEFAULT_BRANCHES.into_iter().find(|branch| has(&format!("refs/heads/{branch}"))).map(str::to_owned);
        let own = || listed.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD").map(str::to_owned));
        known.or_else(own).ok_or_else(|| CheckoutError::NoDefaultBranch { repo: self.address.clone() })
    }

    /// Runs git and returns what it printed.
    async fn run(&self, command: Command) -> Result<String, CheckoutError> {
        match command.deadline(DEADLINE).output(&self.cx).await {
            Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            Err(ProcessError::Cancelled) => Err(CheckoutError::Interrupted),
            Err(source) => Err(CheckoutError::of_git(&self.address, self.reference.as_deref(), source)),
        }
    }
}

fn git(arguments: &[&str]) -> Command {
    Command::new("git").args(arguments)
}

/// Returns git for one work tree: never for a repository around it, which a broken copy would lead to.
fn within(tree: &Path, arguments: &[&str]) -> Command {
    let mut own = std::ffi::OsString::from("--git-dir=");
    own.push(tree.join(".git"));
    let mut work = std::ffi::OsString::from("--work-tree=");
    work.push(tree);
    Command::new("git").arg(own).arg(work).args(arguments).dir(tree)
}

/// Returns an environment in which git asks nobody, and says what is wrong in the words that we know.
fn quiet(env: &Env) -> Env {
    let own = env.iter().filter(|(name, _)| !OF_ANOTHER_REPOSITORY.contains(name));
    let mut variables: std::collections::BTreeMap<String, String> = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // ssh would ask at the terminal, which the child does not have; a program with a window may still be asked.
    variables.entry("SSH_ASKPASS".to_owned()).or_insert_with(|| "false".to_owned());
    for (name, value) in [("SSH_ASKPASS_REQUIRE", "force"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    Env::new(variables)
}

/// Returns a web address without its credentials, and the environment in which git puts them back: arguments of processes are for
/// everyone to read, and what git keeps of an address stays on disk.
fn apart(address: String, env: Env) -> (String, Env) {
    let Some((scheme, rest)) = address.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https")) else {
        return (address, env);
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let Some((_, host)) = authority.rsplit_once('@') else { return (address, env) };
    let plain = format!("{scheme}://{host}{path}");
    let count: usize = env.get("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or_default();
    let env = env.with([
        (format!("GIT_CONFIG_KEY_{count}"), format!("url.{address}.insteadOf")),
        (format!("GIT_CONFIG_VALUE_{count}"), plain.clone()),
        ("GIT_CONFIG_COUNT".to_owned(), (count + 1).to_string()),
    ]);
    (plain, env)
}

/// Returns the address; a path that starts at the working directory is made a whole one, which the copy can be named after.
fn absolute(repo: &str) -> String {
    if !repo.starts_with("./") && !repo.starts_with("../") {
        return repo.to_owned();
    }
    // One that is not there is told by git.
    std::fs::canonicalize(repo).map_or_else(|_| repo.to_owned(), |path| path.display().to_string())
}

/// Returns the name of a copy's directory, as Skaffold names it: both can work with one cache.
///
/// Go's encoder ends its text with a newline, and escapes three characters that others leave.
fn folder_name(repo: &str, reference: Option<&str>) -> String {
    let inputs = serde_json::json!([repo, reference.unwrap_or_default()]).to_string();
    let inputs = inputs.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    let digest = sha2::Sha256::digest(format!("{inputs}\n"));
    let mut name = base64::engine::general_purpose::URL_SAFE.encode(digest);
    name.truncate(NAME_LENGTH);
    name
}

fn is_commit(reference: &str) -> bool {
    reference.len() >= SHORTEST_COMMIT && reference.chars().all(|c| c.is_ascii_hexdigit())
}

/// Makes a directory that only the user can look into: what is in a private repository is for nobody else.
fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(test)]
mod tests;
