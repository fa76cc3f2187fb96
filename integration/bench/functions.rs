//! Measurements of the functions that every session runs, by criterion: `cargo bench -p devloop-integration`.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use devloop_build::BuildOptions;
use devloop_clients::ClientSettings;
use devloop_clients::Clients;
use devloop_config::ConfigSource;
use devloop_config::NoFetch;
use devloop_config::Options;
use devloop_engine::Goal;
use devloop_engine::Graph;
use devloop_engine::Node;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::CacheOutcome;
use devloop_model::Cx;
use devloop_model::Digest;
use devloop_model::Env;
use devloop_model::EventKind;
use devloop_model::Identity;
use devloop_model::ImageName;
use devloop_model::Outcome;
use devloop_model::Plan;
use devloop_model::Reason;
use devloop_model::RebuildCause;
use devloop_model::Stage;
use devloop_model::State;
use devloop_model::StepId;
use devloop_model::Tag;
use devloop_render::RenderJob;
use devloop_ui::Redactor;
use tempfile::TempDir;

/// How many artifacts and Deployments a large repository has.
const MANY: usize = 100;

/// A project directory with what is written into it, and a cache of its own.
struct Project {
    dir: TempDir,
    cache: TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { dir: tempfile::tempdir().expect("a directory"), cache: tempfile::tempdir().expect("a directory") };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("it is in the project")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    fn plan(&self) -> Plan {
        let options = Options::new("run", self.dir.path(), Env::default());
        devloop_config::load(&ConfigSource::Search, &options, &NoFetch).expect("a configuration that is right")
    }

    fn options(&self) -> BuildOptions {
        BuildOptions::without_cluster(self.cache.path().to_owned(), self.dir.path().to_owned(), "build")
    }
}

/// One artifact whose Dockerfile copies `src`.
const ONE: &str = "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  artifacts:\n  - image: web\n  tagPolicy: {inputDigest: {}}\n";

fn many() -> Project {
    let (mut artifacts, mut manifests) = (String::new(), String::new());
    for number in 0..MANY {
        writeln!(artifacts, "  - image: svc{number}\n    context: svc{number}").expect("a string");
        writeln!(
            manifests,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: svc{number}, labels: {{tier: web}}}}\nspec:\n  replicas: 2\n  \
             selector: {{matchLabels: {{app: svc{number}}}}}\n  template:\n    metadata: {{labels: {{app: svc{number}}}}}\n    spec:\n      \
             containers:\n      - name: c\n        image: svc{number}\n        env: [{{name: PORT, value: \"8080\"}}]\n        \
             ports: [{{containerPort: 8080}}]"
        )
        .expect("a string");
    }
    let project = Project::new(&[
        (
            "skaffold.yaml",
            &format!(
                "apiVersion: skaffold/v4beta13\nkind: Config\nbuild:\n  artifacts:\n{artifacts}  tagPolicy: {{inputDigest: {{}}}}\n\
                 manifests: {{rawYaml: [k8s.yaml]}}\ndeploy: {{kubectl: {{}}}}\n"
            ),
        ),
        ("k8s.yaml", &manifests),
    ]);
    for number in 0..MANY {
        project.write(&format!("svc{number}/Dockerfile"), "FROM scratch\nCOPY . /\n");
    }
    project
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

fn quiet(stage: Stage) -> Cx {
    Cx::silent(StepId::of(stage))
}

/// Walks, stats and looks up: no file is read.
fn list_inputs(c: &mut Criterion, name: &str, project: &Project) {
    let runtime = runtime();
    let (options, clients, cx) = (project.options(), Clients::new(ClientSettings::default()), quiet(Stage::Prepare));
    let artifacts: Vec<Arc<Artifact>> = project.plan().artifacts.into_iter().map(Arc::new).collect();
    // Files that were just written are not trusted at once; until then nothing of them is kept.
    std::thread::sleep(Duration::from_millis(50));
    runtime.block_on(devloop_build::explain(&artifacts, &options, &clients, &cx)).expect("inputs");
    c.bench_function(name, |b| {
        b.iter(|| runtime.block_on(devloop_build::list_inputs(&artifacts[0], &options, &clients, &cx)).expect("inputs"));
    });
}

fn warm_hash_index(c: &mut Criterion) {
    let project = Project::new(&[("skaffold.yaml", ONE), ("Dockerfile", "FROM scratch\nCOPY src /src\n")]);
    for number in 0..10_000 {
        project.write(&format!("src/{}/{number}.txt", number / 100), &format!("{number}\n").repeat(50));
    }
    list_inputs(c, "inputs: 10,000 files that the hash index knows", &project);
}

fn dockerfile(c: &mut Criterion) {
    let stages: String = (0..20).fold(String::new(), |mut text, stage| {
        writeln!(text, "FROM scratch AS s{stage}\nARG DIR=src/{stage}\nCOPY ${{DIR}} go.* /in/\nRUN <<END\nmake all\nEND")
            .expect("a string");
        text
    });
    let copies: String = (0..20).fold(String::new(), |mut text, stage| {
        writeln!(text, "COPY --from=s{stage} /in /out/{stage}").expect("a string");
        text
    });
    let project = Project::new(&[
        ("skaffold.yaml", ONE),
        ("Dockerfile", &format!("{stages}FROM scratch\n{copies}")),
        (".dockerignore", "**/node_modules\n**/*.log\n!src/1/keep.log\n.git\ndocs/**/*.md\n"),
        ("go.mod", "module x\n"),
    ]);
    for number in 0..400 {
        project.write(&format!("src/{}/{number}.go", number % 20), "package x\n");
        project.write(&format!("src/{}/{number}.log", number % 20), "ignored\n");
        project.write(&format!("node_modules/{number}/index.js"), "ignored\n");
    }
    list_inputs(c, "inputs: a Dockerfile of 21 stages with .dockerignore", &project);
}

fn decide(c: &mut Criterion) {
    let images: Vec<ImageName> = (0..MANY).map(|number| ImageName::parse(&format!("svc{number}")).expect("a name")).collect();
    let graph = Graph {
        artifacts: images.iter().map(|image| Node { image: image.clone(), requires: Vec::new(), syncs: false, is_tested: false }).collect(),
        concurrency: 8,
        tests_at_once: 2,
    };
    let mut state = State::default();
    let finished = |step| EventKind::StepFinished { step, outcome: Outcome::Succeeded, duration: Duration::ZERO };
    state.apply(&finished(StepId::of(Stage::Prepare)));
    for image in &images {
        state.apply(&EventKind::CacheChecked {
            artifact: image.clone(),
            outcome: CacheOutcome::NotFound,
            causes: vec![RebuildCause::NeverBuilt],
            key: String::new(),
        });
    }
    let started = |step| EventKind::StepStarted { step, reason: Reason::FirstRun };
    for step in images.iter().take(MANY / 2).map(|image| StepId::build(image.clone())) {
        state.apply(&started(step.clone()));
        state.apply(&finished(step));
    }
    let goal = Goal::build().then(Stage::Render).then(Stage::Deploy);
    c.bench_function("decide: 100 artifacts, half of them built", |b| b.iter(|| devloop_engine::decide(&graph, &state, &goal)));
}

fn config(c: &mut Criterion) {
    let project = many();
    c.bench_function("config: 100 artifacts", |b| b.iter(|| project.plan()));
}

fn built(artifact: &Artifact) -> BuiltImage {
    BuiltImage {
        artifact: artifact.image.clone(),
        name: ImageName::parse(&format!("localhost:5000/{}", artifact.image)).expect("a name"),
        tag: Some(Tag::parse("v1").expect("a tag")),
        identity: Identity::Digest(Digest::parse(&format!("sha256:{}", "0".repeat(64))).expect("a digest")),
        runtime: None,
    }
}

fn render(c: &mut Criterion) {
    let (project, runtime, cx) = (many(), runtime(), quiet(Stage::Render));
    let plan = project.plan();
    let modules = plan.modules.iter().map(|module| module.render.clone()).collect();
    let job = RenderJob { modules, images: plan.artifacts.iter().map(built).collect(), ..RenderJob::default() };
    c.bench_function("render: 100 Deployments", |b| {
        b.iter(|| runtime.block_on(devloop_render::render(&job, None, &cx)).expect("manifests"));
    });
}

fn redact(c: &mut Criterion) {
    let redactor = Redactor::new(["hunter2-and-more".to_owned()]);
    let lines = [
        "#7 [build 3/4] RUN go build -trimpath -o /app ./cmd/web",
        "localhost:5000/web:v1.2.3-4-gdeadbee -> sha256:6f1c0e5d7a1b",
        "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
        "the build printed hunter2-and-more",
    ];
    c.bench_function("console: redaction of 4 lines", |b| {
        b.iter(|| lines.iter().map(|line| redactor.text(line).len()).sum::<usize>());
    });
}

fn measured() -> Criterion {
    Criterion::default().sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = functions;
    config = measured();
    targets = warm_hash_index, dockerfile, decide, config, render, redact
}
criterion_main!(functions);
