//! The table of `integration/dockerfiles`: every way to build makes the image that docker makes.
//!
//! `DEVLOOP_TABLE=word` runs the rows alone that have the word in their name.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use devloop_clients::registry::Registry;
use devloop_clients::registry::RegistrySettings;
use devloop_integration::image::Image;
use devloop_integration::image::Images;
use devloop_integration::image::differences;
use devloop_integration::table::Case;
use devloop_integration::table::Way;
use devloop_integration::table::cases;
use devloop_integration::table::push_bases;
use devloop_integration::table::secret_variable;
use devloop_model::Cx;
use devloop_model::Env;
use devloop_model::ImageRef;
use devloop_model::Stage;
use devloop_model::StepId;
use futures::StreamExt as _;
use tokio::process::Child;
use tokio::process::Command;

use crate::context::TestContext;
use crate::context::cluster_environment;
use crate::context::root;

/// Builds at once.
const AT_ONCE: usize = 4;
const DEADLINE: Duration = Duration::from_mins(5);
/// The base image that `push_bases` may have changed.
const LAYERS: &str = "localhost:5000/table/base/layers";
/// The image that builder pods run, and kaniko pods.
const BUILDER_IMAGE: &str = "localhost:5000/devloop-builder:it";

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn the_daemons_buildkit_builds_every_dockerfile_of_the_table() {
    Table::new().await.judge(Way::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn docker_build_without_buildkit_makes_the_same_images() {
    Table::new().await.judge(Way::Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn the_builder_pod_makes_the_same_images() {
    Table::new().await.judge(Way::BuilderPod).await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(cluster), ignore = "needs the test cluster: run `integration/test`")]
async fn kaniko_pods_make_the_same_images() {
    Table::new().await.judge(Way::KanikoPod).await;
}

/// The rows, and what building them needs.
struct Table {
    context: TestContext,
    agent: Agent,
    images: Images,
    /// The image of kaniko pods, by its digest: a node keeps what it has under a tag.
    executor: String,
    rows: Vec<Case>,
}

impl Table {
    async fn new() -> Self {
        let env = Env::new(cluster_environment().into_iter().collect::<BTreeMap<_, _>>());
        let (registry, cx) = (Registry::new(RegistrySettings { insecure: Vec::new(), env }), Cx::silent(StepId::of(Stage::Build)));
        push_bases(&registry, &cx).await.unwrap();
        let builder: ImageRef = BUILDER_IMAGE.parse().unwrap();
        let digest = registry.digest(&builder, &cx).await.unwrap().expect("`integration/test` makes the image");
        let executor = format!("{}@{digest}", builder.name);
        // The daemon goes on with the base that it has, unless it is told to look.
        run(Command::new("docker").args(["pull", "--quiet", LAYERS]).envs(cluster_environment())).await.unwrap();
        let (context, only) = (TestContext::new(), std::env::var("DEVLOOP_TABLE").unwrap_or_default());
        let rows = cases(&root().join("integration/dockerfiles")).unwrap().into_iter().filter(|case| case.name.contains(&only)).collect();
        let agent = Agent::start(&context.path().join("agent")).await;
        Self { context, agent, executor, images: Images::new(registry, cx), rows }
    }

    /// Builds every row, and fails with all that is not as it has to be.
    async fn judge(&self, way: Way) {
        let faults = futures::stream::iter(&self.rows).map(|case| self.faults(case, way)).buffered(AT_ONCE);
        let faults: Vec<String> = faults.flat_map(futures::stream::iter).collect().await;
        assert!(faults.is_empty(), "{} faults of {} rows:\n{}", faults.len(), self.rows.len(), faults.join("\n"));
    }

    async fn faults(&self, case: &Case, way: Way) -> Vec<String> {
        let faults = match (self.build(case, way).await, &case.fails, case.cannot.get(&way)) {
            (Ok(_), Some(text), _) => vec![format!("is built, and has to fail with `{text}`")],
            (Ok(_), None, Some(reason)) => vec![format!("is built, though {reason}")],
            (Err(said), Some(text), None) if !said.contains(text) => vec![format!("fails without `{text}`:\n{said}")],
            (Err(_), Some(_), _) | (Err(_), None, Some(_)) => Vec::new(),
            (Err(said), None, None) => vec![format!("fails:\n{said}")],
            (Ok(image), None, None) => self.compare(&image, case, way).await.unwrap_or_else(|error| vec![error]),
        };
        faults.into_iter().map(|fault| format!("{}: {fault}", case.name)).collect()
    }

    async fn compare(&self, image: &ImageRef, case: &Case, way: Way) -> Result<Vec<String>, String> {
        let image = self.images.read(image).await.map_err(|error| error.to_string())?;
        let found = differences(&image, &self.reference(case).await?, &case.leftovers);
        let known = case.differs.get(&way).map(|known| known.lines.as_slice()).unwrap_or_default();
        let unknown = found.iter().filter(|line| !known.contains(line)).cloned();
        let gone = known.iter().filter(|line| !found.contains(line)).map(|line| format!("no longer differs in `{line}`"));
        Ok(unknown.chain(gone).collect())
    }

    /// Returns what has to come of a row: what is written there, or what docker makes of it.
    async fn reference(&self, case: &Case) -> Result<Image, String> {
        let Some(expected) = &case.expected else {
            let image = self.build(case, Way::Docker).await.map_err(|said| format!("docker fails:\n{said}"))?;
            return self.images.read(&image).await.map_err(|error| error.to_string());
        };
        let base = match &expected.base {
            Some(base) => self.images.read(&base.parse().unwrap()).await.map_err(|error| error.to_string())?,
            None => Image::default(),
        };
        expected.image(base)
    }

    /// Builds a row, and returns the image as the registry has it, or what the builder said when it failed.
    async fn build(&self, case: &Case, way: Way) -> Result<ImageRef, String> {
        let folder = tempfile::tempdir().unwrap();
        case.make_context(&folder.path().join("context")).unwrap();
        match way {
            Way::Classic => self.docker_build(case, folder.path()).await,
            Way::Docker | Way::BuilderPod | Way::KanikoPod => self.devloop_build(case, way, folder.path()).await,
        }
    }

    async fn docker_build(&self, case: &Case, folder: &Path) -> Result<ImageRef, String> {
        let image = format!("localhost:5000/table/{}/{}", Way::Classic.name(), case.name);
        let mut command = self.command("docker", folder);
        command.env("DOCKER_BUILDKIT", "0").args(["build", "--tag", &image]);
        for (name, value) in &case.args {
            command.arg("--build-arg").arg(format!("{name}={value}"));
        }
        if let Some(target) = &case.target {
            command.args(["--target", target]);
        }
        run(command.arg("context")).await?;
        run(self.command("docker", folder).args(["push", "--quiet", &image])).await?;
        Ok(image.parse().unwrap())
    }

    async fn devloop_build(&self, case: &Case, way: Way, folder: &Path) -> Result<ImageRef, String> {
        std::fs::write(folder.join("skaffold.yaml"), way.skaffold_yaml(case, &self.executor).to_string()).unwrap();
        let repository = format!("localhost:5000/table/{}", way.name());
        let arguments = ["build", "--cache-artifacts=false", "--file-output", "built.json", "--default-repo", &repository];
        let mut command = Command::from(self.context.command(&arguments));
        if way == Way::BuilderPod {
            command.args(["--builder-image", BUILDER_IMAGE]);
        }
        command.current_dir(folder).env("SSH_AUTH_SOCK", &self.agent.socket);
        command.envs(case.secrets.iter().map(|(id, value)| (secret_variable(id), value)));
        run(&mut command).await?;
        let built: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("built.json")).unwrap()).unwrap();
        Ok(built["builds"][0]["tag"].as_str().unwrap().parse().unwrap())
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).envs(cluster_environment());
        command
    }
}

/// Runs a program to its end, and returns the last that it said if it failed.
async fn run(command: &mut Command) -> Result<(), String> {
    let child = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Output { status, stdout, stderr } = tokio::time::timeout(DEADLINE, child).await.map_err(|_| "not done in time")?.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let lines: Vec<&str> = said.lines().collect();
    if status.success() { Ok(()) } else { Err(lines[lines.len().saturating_sub(20)..].join("\n")) }
}

/// An SSH agent with one key, which ends with this.
struct Agent {
    socket: std::path::PathBuf,
    _process: Child,
}

impl Agent {
    async fn start(folder: &Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        let (socket, key) = (folder.join("socket"), folder.join("key"));
        let process = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key)).await.unwrap();
        // The agent makes its socket before it says so.
        let has_key = async { while run(Command::new("ssh-add").arg(&key).env("SSH_AUTH_SOCK", &socket)).await.is_err() {} };
        tokio::time::timeout(DEADLINE, has_key).await.unwrap();
        Self { socket, _process: process }
    }
}
