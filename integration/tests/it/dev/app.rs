//! The project that the tests change: a page served by a script, in an image built from a Dockerfile.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::context::TestContext;
use crate::session::Session;
use crate::session::looked;

const SKAFFOLD: &str = "apiVersion: skaffold/v4beta13
kind: Config
metadata: {name: NAME}
build:
  artifacts:
  - image: NAME
    context: web
  local: {push: true}
manifests: {rawYaml: ['k8s/*.yaml']}
";
/// What is run when the image is built, and when it starts, are files of the context, so that a save can break both.
const DOCKERFILE: &str = "FROM localhost:5000/busybox
COPY . /app
RUN sh /app/build
CMD [\"sh\", \"/app/start\"]
";
pub(crate) const START: &str = "exec httpd -f -p 8080 -h /app/www\n";

/// Returns the manifest of a Deployment and its Service.
pub(crate) fn manifest(name: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: {name}
        readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 8080}}]}}
"
    )
}

/// A project in a namespace and a repository of its own.
pub(crate) struct App {
    pub(crate) context: TestContext,
}

impl App {
    /// Returns a project `web` that serves `v1`.
    pub(crate) fn new() -> Self {
        let context = TestContext::new();
        let repository = format!("localhost:5000/{}", context.namespace());
        Self { context: context.with("SKAFFOLD_DEFAULT_REPO", &repository).with("DEVLOOP_INTERACTIVE", "false") }.project("", "web")
    }

    /// Adds a project in a folder.
    pub(crate) fn project(self, folder: &str, name: &str) -> Self {
        let at = |path: &str| Path::new(folder).join(path).display().to_string();
        self.write(&at("skaffold.yaml"), &SKAFFOLD.replace("NAME", name));
        self.write(&at("k8s/app.yaml"), &manifest(name));
        self.write(&at("web/Dockerfile"), DOCKERFILE);
        self.write(&at("web/build"), "");
        self.write(&at("web/start"), START);
        self.write(&at("web/www/index.html"), "v1");
        self
    }

    /// Writes a file in place.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.context.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// Changes a file in place.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.context.path().join(path)).unwrap();
        assert!(text.contains(from), "{path} has no `{from}`");
        self.write(path, &text.replace(from, to));
    }

    /// Saves a page, as some editors do: another file that is then named like it.
    pub(crate) fn save(&self, text: &str) {
        self.write("web/www/.index.html.swp", text);
        let folder = self.context.path().join("web/www");
        std::fs::rename(folder.join(".index.html.swp"), folder.join("index.html")).unwrap();
    }

    /// Starts a session, whose first pass has to go well.
    #[track_caller]
    pub(crate) fn dev(&self, arguments: &[&str]) -> Session {
        let mut session = Session::start(&self.context, arguments);
        session.succeeds();
        session
    }

    /// Waits until the service answers `text`.
    #[track_caller]
    pub(crate) fn serves(&self, text: &str) {
        self.service_answers("web", text);
    }

    /// Waits until a service answers `text`.
    #[track_caller]
    pub(crate) fn service_answers(&self, service: &str, text: &str) {
        let address = self.get(&format!("service/{service}"), "{.spec.clusterIP}");
        looked(&format!("answer `{text}`"), || (answer(&address).as_deref() == Some(text)).then_some(()));
    }

    /// Returns a field of an object.
    pub(crate) fn get(&self, object: &str, path: &str) -> String {
        self.context.kubectl(&["get", object, "-o", &format!("jsonpath={path}")])
    }

    /// Returns the name and UID of the pods that are to stay, by the label of their app.
    pub(crate) fn pods(&self, app: &str) -> Vec<(String, String)> {
        let format = "{range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.deletionTimestamp}{'\\n'}{end}";
        let pods = self.context.kubectl(&["get", "pods", "-l", &format!("app={app}"), "-o", &format!("jsonpath={format}")]);
        let fields = pods.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|fields| fields.len() == 2);
        fields.map(|fields| (fields[0].to_owned(), fields[1].to_owned())).collect()
    }

    /// Returns the only pod of an app.
    #[track_caller]
    pub(crate) fn pod(&self, app: &str) -> (String, String) {
        looked("single pod", || self.pods(app).try_into().ok().map(|[pod]: [_; 1]| pod))
    }

    /// Returns the names of the objects that deploys make, and are not about to go.
    pub(crate) fn objects(&self) -> Vec<String> {
        let format = "{range .items[*]}{.kind}/{.metadata.name} {.metadata.deletionTimestamp}{'\\n'}{end}";
        let all = self.context.kubectl(&["get", "deployments,services,configmaps", "-o", &format!("jsonpath={format}")]);
        let fields = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|fields| fields.len() == 1);
        let named = fields.map(|fields| fields[0].to_lowercase());
        named.filter(|name| !name.contains("kube-root-ca") && !name.contains("devloop-inventory")).collect()
    }
}

/// Returns what a web server answers, if it does so at once.
fn answer(address: &str) -> Option<String> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&format!("{address}:80").parse().ok()?, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}
