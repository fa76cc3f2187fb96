//! A project in a temporary folder, a namespace of its own, and the real binary.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

/// A folder, a namespace and an environment that belong to one test.
pub(crate) struct TestContext {
    folder: tempfile::TempDir,
    namespace: String,
    variables: Vec<(String, String)>,
    /// The environment of kubectl: the cluster's administrator, whatever the test says to the binary.
    administrator: Vec<(String, String)>,
}

/// What a run of the binary gave.
#[must_use = "look at what it printed, or assert that it succeeded"]
pub(crate) struct Run {
    /// Exit status.
    pub(crate) code: i32,
    /// Standard output, with the folder and the namespace as `[FOLDER]` and `[NAMESPACE]`.
    pub(crate) stdout: String,
    /// Standard error, likewise.
    pub(crate) stderr: String,
}

impl Run {
    /// Returns standard output of a run that has to have succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Returns both streams of a run that has to have failed with status 1.
    #[track_caller]
    pub(crate) fn failure(self) -> (String, String) {
        assert_eq!(self.code, 1, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        (self.stdout, self.stderr)
    }
}

/// Returns a port that is free now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Returns the repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the environment that reaches the cluster, or stops with how to start it.
pub(crate) fn cluster_environment() -> Vec<(String, String)> {
    let devcluster = root().join("integration/cluster/devcluster");
    let printed = Command::new(&devcluster).arg("env").output().unwrap();
    let exports = String::from_utf8(printed.stdout).unwrap();
    let mut variables: Vec<(String, String)> = exports
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.replace("$PATH", &std::env::var("PATH").unwrap())))
        .collect();
    let kubeconfig = variables.iter().find(|(name, _)| name == "KUBECONFIG").map(|(_, value)| value);
    assert!(kubeconfig.is_some_and(|file| Path::new(file).exists()), "no test cluster: start it with `integration/cluster/devcluster up`");
    // kubectl keeps what it discovers under a home.
    variables.push(("HOME".to_owned(), std::env::temp_dir().join("devloop-it-home").display().to_string()));
    variables
}

/// Returns a program of `integration/tools/install`.
pub(crate) fn tool(name: &str) -> PathBuf {
    let variables = cluster_environment();
    let path = variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_str()).unwrap();
    path.split(':').map(|dir| Path::new(dir).join(name)).find(|file| file.exists()).expect("integration/tools/install builds it")
}

impl TestContext {
    /// Returns a context with an empty folder and a fresh namespace, which is deleted with it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("devloop-it-").tempdir().unwrap();
        let suffix = folder.path().file_name().unwrap().to_str().unwrap().to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let mut context =
            Self { folder, namespace: format!("it-{suffix}"), variables: cluster_environment(), administrator: cluster_environment() };
        for (name, value) in [("HOME", ""), ("XDG_CACHE_HOME", "cache"), ("XDG_CONFIG_HOME", "config")] {
            let value = context.folder.path().join(".state").join(value).display().to_string();
            context = context.with(name, &value);
        }
        let go_cache = Command::new("go").args(["env", "GOCACHE", "GOMODCACHE"]).output().unwrap();
        let printed = String::from_utf8(go_cache.stdout).unwrap();
        for (name, value) in ["GOCACHE", "GOMODCACHE"].iter().zip(printed.lines()) {
            context = context.with(name, value);
        }
        context = context.with("BASE", "localhost:5000").with("KO_DEFAULTBASEIMAGE", "localhost:5000/busybox");
        context.kubectl(&["create", "namespace", &context.namespace]);
        context
    }

    /// Copies an example into the folder.
    pub(crate) fn with_example(self, name: &str) -> Self {
        let from = format!("{}/.", root().join("examples").join(name).display());
        assert!(Command::new("cp").args(["-a", &from]).arg(self.path()).status().unwrap().success());
        self
    }

    /// Writes a file.
    pub(crate) fn with_file(self, path: &str, text: &str) -> Self {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        self
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a directory before all others on PATH.
    pub(crate) fn with_first_on_path(self, directory: &Path) -> Self {
        let path = self.variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()).unwrap();
        self.with("PATH", &format!("{}:{path}", directory.display()))
    }

    /// Makes the folder a git repository with one commit, tagged `v1`.
    pub(crate) fn with_git(self) -> Self {
        for arguments in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "first"], &["tag", "v1"]] {
            let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
            assert!(Command::new("git").args(identity).args(arguments).current_dir(self.path()).status().unwrap().success());
        }
        self
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the binary, ready to be started in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.path()).env_clear().envs(self.variables.iter().map(|(n, v)| (n, v)));
        command.env("SKAFFOLD_NAMESPACE", &self.namespace);
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn devloop(&self, arguments: &[&str]) -> Run {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        Run { code: status.code().unwrap_or(-1), stdout: self.filtered(&stdout), stderr: self.filtered(&stderr) }
    }

    /// Runs kubectl in the namespace and returns what it printed.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new("kubectl")
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .env_clear()
            .envs(self.administrator.iter().map(|(n, v)| (n, v)))
            .output()
            .unwrap();
        assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the docker command in the folder and returns what it printed.
    #[track_caller]
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker")
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(self.administrator.iter().map(|(n, v)| (n, v)))
            .output()
            .unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the answer of a service of the namespace, once it gives one.
    #[track_caller]
    pub(crate) fn answer(&self, service: &str) -> String {
        let address = self.kubectl(&["get", "service", service, "-o", "jsonpath={.spec.clusterIP}"]);
        let output = Command::new("curl")
            .args(["-sSf", "--retry", "20", "--retry-connrefused", "--retry-all-errors", "--retry-delay", "1", "--max-time", "30"])
            .arg(format!("http://{address}/"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{service}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs helm in the namespace, the one that the binary finds, and returns what it printed.
    #[track_caller]
    pub(crate) fn helm(&self, arguments: &[&str]) -> String {
        let output = self.helm_command(arguments).output().unwrap();
        assert!(output.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns helm, ready to be started in the namespace.
    pub(crate) fn helm_command(&self, arguments: &[&str]) -> Command {
        // A program is looked for on our own PATH, not on that of the child.
        let path = self.variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()).unwrap();
        let helm = path.split(':').map(|dir| Path::new(dir).join("helm")).find(|file| file.exists()).expect("integration/tools/install");
        let mut command = Command::new(helm);
        command.args(arguments).args(["--namespace", &self.namespace]).current_dir(self.path());
        command.env_clear().envs(self.variables.iter().map(|(n, v)| (n, v)));
        command
    }

    fn filtered(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).replace(&self.path().display().to_string(), "[FOLDER]");
        text.replace(&self.namespace, "[NAMESPACE]")
    }
}

impl Drop for TestContext {
    fn drop(&mut self) {
        let arguments = ["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"];
        Command::new("kubectl").args(arguments).env_clear().envs(self.administrator.iter().map(|(n, v)| (n, v))).output().ok();
    }
}

/// Returns the binary: `DEVLOOP_BIN`, or the one beside the tests.
pub(crate) fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("DEVLOOP_BIN") {
        return named.into();
    }
    let beside = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("devloop");
    assert!(beside.exists(), "build it first: `cargo build -p devloop`");
    beside
}
