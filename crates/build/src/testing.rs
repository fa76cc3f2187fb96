//! Artifacts and servers for tests.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use devloop_model::Artifact;
use devloop_model::BuildPlace;
use devloop_model::Builder;
use devloop_model::CustomBuild;
use devloop_model::CustomDependencies;
use devloop_model::Cx;
use devloop_model::DockerBuild;
use devloop_model::Env;
use devloop_model::EventSink;
use devloop_model::ImageName;
use devloop_model::Location;
use devloop_model::PathList;
use devloop_model::Stage;
use devloop_model::StepId;
use devloop_model::Tagger;
use devloop_model::Template;
use tokio_util::sync::CancellationToken;

pub(crate) fn artifact(image: &str, context: &Path, builder: Builder) -> Artifact {
    Artifact {
        image: ImageName::parse(image).unwrap(),
        context: context.to_owned(),
        builder,
        tagger: Tagger::Sha256,
        requires: Vec::new(),
        platforms: Vec::new(),
        runtime: None,
        sync: None,
        hooks: devloop_model::Hooks::default(),
        place: BuildPlace::default(),
        at: Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: format!("image: {image}"), width: 1, label: None },
    }
}

pub(crate) fn docker(image: &str, context: &Path) -> Artifact {
    artifact(image, context, Builder::Docker(DockerBuild { dockerfile: "Dockerfile".into(), ..DockerBuild::default() }))
}

pub(crate) fn custom(image: &str, context: &Path) -> Artifact {
    let dependencies = CustomDependencies::Paths(PathList { paths: vec![".".to_owned()], ignore: Vec::new() });
    artifact(image, context, Builder::Custom(CustomBuild { command: Template::parse("true").unwrap(), dependencies }))
}

/// A step whose programs are found on `path`.
pub(crate) fn cx_with_path(path: &str) -> Cx {
    let env = Env::new([("PATH".to_owned(), path.to_owned())].into());
    Cx::new(StepId::of(Stage::Build), env, EventSink::none(), CancellationToken::new())
}

/// An answer over HTTP.
pub(crate) struct Reply {
    status: u16,
    headers: String,
    body: String,
}

impl Reply {
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self { status, headers: String::new(), body: body.to_owned() }
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self { headers: format!("{}{name}: {value}\r\n", self.headers), ..self }
    }
}

/// A server on loopback that answers each `METHOD /path`, and remembers them; it ends with the test's process.
pub(crate) struct Server {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    /// `METHOD /path?query`.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                // One whose client has gone away has nothing to answer.
                std::thread::spawn(move || drop(serve(stream, &log, &*answer)));
            }
        });
        Self { address, asked }
    }

    /// Returns what was asked, without queries.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked_with_queries().iter().map(|line| line.split('?').next().unwrap_or_default().to_owned()).collect()
    }

    /// Returns what was asked.
    pub(crate) fn asked_with_queries(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> Reply) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split(' ');
    let asked = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let line = asked.split('?').next().unwrap_or_default().to_owned();
    let (mut length, mut header) = (0, String::new());
    while reader.read_line(&mut header)? > 2 {
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        header.clear();
    }
    reader.read_exact(&mut vec![0; length])?;
    log.lock().unwrap().push(asked);
    let Reply { status, headers, body } = answer(&line);
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
    if line.starts_with("HEAD") { Ok(()) } else { stream.write_all(body.as_bytes()) }
}
