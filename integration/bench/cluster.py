"""What the measurements share: a release build, the test cluster, a namespace and a folder of their own."""
import os, re, shutil, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(here))


def shell(command):
    return subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True).stdout


def release_build():
    """Returns the binary that is measured: DEVLOOP_BIN, or a fresh release build."""
    if "DEVLOOP_BIN" in os.environ:
        return os.environ["DEVLOOP_BIN"]
    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "devloop", "--manifest-path", f"{root}/Cargo.toml"], check=True)
    target = re.search(r'"target_directory":"([^"]+)"', shell(f"cd {root} && cargo metadata --format-version 1 --no-deps"))[1]
    return f"{target}/release/devloop"


class Place:
    """A namespace and a folder, both deleted in the end, and an environment that has nothing of the user's."""

    def __init__(self, namespace):
        self.devloop = release_build()
        self.environment = dict(os.environ)
        for line in shell(f"{root}/integration/cluster/devcluster env").splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            self.environment[name] = value.replace("$PATH", os.environ["PATH"])
        self.folder = tempfile.mkdtemp(prefix="devloop-bench-")
        self.namespace = namespace
        self.environment |= {
            "GOCACHE": shell("go env GOCACHE").strip(),
            "XDG_CACHE_HOME": f"{self.folder}/cache",
            "XDG_CONFIG_HOME": f"{self.folder}/config",
            "BASE": "localhost:5000",
            "DEVLOOP_NAMESPACE": namespace,
        }

    def __enter__(self):
        self.kubectl("create", "namespace", self.namespace)
        return self

    def __exit__(self, *_):
        self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=true")
        shutil.rmtree(self.folder, ignore_errors=True)

    def copy(self, source, name):
        """Returns a copy of a project."""
        return shutil.copytree(source, f"{self.folder}/{name}")

    def monorepo(self):
        """Returns a repository of 100 artifacts with 200 files each."""
        subprocess.run([f"{here}/make-monorepo", f"{self.folder}/many", "100", "200"], check=True)
        return f"{self.folder}/many"

    def kubectl(self, *arguments):
        self.output(*arguments)

    def output(self, *arguments):
        """Returns what kubectl prints."""
        run = subprocess.run(["kubectl", *arguments], env=self.environment, check=True, stdout=subprocess.PIPE, text=True)
        return run.stdout.strip()


def table(rows):
    print("| what | Skaffold | goal | devloop |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()
