"""A small project under `devloop dev`, changed and looked at from outside."""
import json, os, signal, subprocess, sys, threading, time, urllib.request

import processes

PATIENCE = 180
MARK = "DEVLOOP_WATCHED"
SKAFFOLD = """apiVersion: skaffold/v4beta13
kind: Config
metadata: {name: watched}
build:
  artifacts: [{image: watched, context: app}]
  local: {push: true}
  tagPolicy: {inputDigest: {}}
manifests: {rawYaml: [k8s.yaml]}
"""
DOCKERFILE = """FROM localhost:5000/busybox
COPY . /app
RUN mkdir /www && cat /app/a /app/b /app/c > /www/index.html
CMD ["sh", "/app/start"]
"""
QUIET = "exec httpd -f -p 8080 -h /www\n"
# Every line is numbered, so that one that is lost or doubled is seen.
COUNTING = "(i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done) & " + QUIET
MANIFESTS = """apiVersion: apps/v1
kind: Deployment
metadata: {name: watched}
spec:
  selector: {matchLabels: {app: watched}}
  template:
    metadata: {labels: {app: watched}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: app, image: watched, readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: watched}
spec: {selector: {app: watched}, ports: [{port: 80, targetPort: 8080}]}
"""


def stop(why):
    sys.exit(f"{os.path.basename(sys.argv[0])}: {why}")


class Watched:
    """The project in a place, its session, and what that has said."""

    def __init__(self, place, start=QUIET):
        self.place, self.last, self.mark = place, 0, f"{os.getpid()}-{time.time()}"
        for path, text in (("skaffold.yaml", SKAFFOLD), ("k8s.yaml", MANIFESTS), ("app/Dockerfile", DOCKERFILE), ("app/start", start)):
            self.write(path, text)
        self.write_page(0)
        environment = place.environment | {MARK: self.mark, "SKAFFOLD_DEFAULT_REPO": f"localhost:5000/{place.namespace}"}
        command = [place.devloop, "dev", "--output", "json", "--port-forward=off"]
        self.process = subprocess.Popen(command, cwd=place.folder, env=environment, stdout=subprocess.PIPE, text=True)
        self.passes, self.failures, self.lines, self.changed = 0, [], {}, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.wait(lambda: self.passes, "pass")
        address = place.output("get", "service", "watched", "-n", place.namespace, "-o", "jsonpath={.spec.clusterIP}")
        self.url = f"http://{address}/"

    def read(self):
        for line in self.process.stdout:
            fact = json.loads(line)["fact"]
            with self.changed:
                if fact["type"] == "iterationEnded":
                    self.passes += 1
                    if fact["outcome"]["outcome"] == "failed":
                        self.failures.append(fact["outcome"])
                elif fact["type"] == "podLog":
                    self.lines.setdefault(fact["pod"], []).append(fact["line"])
                self.changed.notify_all()

    def wait(self, condition, what):
        with self.changed:
            if not self.changed.wait_for(condition, PATIENCE):
                stop(f"no {what} within {PATIENCE} s; passes that failed: {self.failures}")

    def write(self, path, text):
        file = f"{self.place.folder}/{path}"
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w") as f:
            f.write(text)

    def write_page(self, number):
        for name in "abc":
            self.write(f"app/{name}", f"{name}{number} ")

    def save(self):
        """Writes three files that were not so before."""
        self.last += 1
        self.write_page(self.last)

    def answer(self):
        try:
            return urllib.request.urlopen(self.url, timeout=1).read().decode()
        except OSError:
            return None

    def check_answer(self):
        """Waits until the last save is served."""
        wanted, until = "".join(f"{name}{self.last} " for name in "abc"), time.time() + PATIENCE
        while (found := self.answer()) != wanted:
            if self.process.poll() is not None or time.time() > until:
                stop(f"save {self.last} is not served, but {found!r}; passes that failed: {self.failures}")
            time.sleep(0.02)

    def usage(self):
        """Returns the memory of all its processes, and its own open files."""
        return processes.mebibytes(processes.tree(self.process.pid)), processes.descriptors(self.process.pid)

    def leave(self):
        """Ends the session with Ctrl-C; it has to end well and to leave nothing."""
        self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            stop("the session did not end within 60 s of Ctrl-C")
        until = time.time() + 10
        while left := processes.marked(MARK, self.mark):
            if time.time() > until:
                stop(f"processes are left: {left}")
            time.sleep(0.02)
        kept = self.place.output("get", "deployments,services", "-n", self.place.namespace, "-o", "name")
        if status or kept:
            stop(f"the session ended with {status}, and left {kept!r}")
