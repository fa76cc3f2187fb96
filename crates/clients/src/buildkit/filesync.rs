//! The files of a build, by BuildKit's synchronisation protocol (`tonistiigi/fsutil`): we name every entry,
//! the builder asks for the content of those that it does not have.

use std::path::Path;
use std::path::PathBuf;
use std::pin::Pin;

use bollard::fsutil::types::Packet;
use bollard::fsutil::types::Stat;
use bollard::fsutil::types::packet::PacketType;
use bollard::moby::filesync::v1::file_sync_server::FileSync;
use devloop_model::Cx;
use futures::Stream;
use futures::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::sync::mpsc::Sender;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;
use tonic::metadata::MetadataMap;

use super::session::DOCKERFILE_NAME;
use super::session::Fault;
use crate::docker::BuildRequest;
use crate::docker::DockerError;
use crate::docker::Entry;
use crate::docker::EntryKind;
use crate::docker::list_entries;

/// How much of a file is sent at a time.
const CHUNK: usize = 32 << 10;
/// How many packets may wait to be sent.
const WAITING_PACKETS: usize = 64;
/// How many files are read at once.
const PARALLEL_FILES: usize = 8;
/// Bits of Go's `os.FileMode`, which the protocol uses instead of the system's.
const GO_DIRECTORY: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
const GO_SET_UID: u32 = 1 << 23;
const GO_SET_GID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

/// The two directories that a Dockerfile build asks for.
#[derive(Debug, Clone)]
pub(super) struct Files {
    context: PathBuf,
    paths: Vec<PathBuf>,
    dockerfile: PathBuf,
    fault: Fault,
    cx: Cx,
}

/// An entry, and where its content is.
#[derive(Debug, Clone)]
struct Offered {
    entry: Entry,
    at: PathBuf,
}

impl Files {
    pub(super) fn new(request: &BuildRequest, fault: Fault, cx: &Cx) -> Self {
        Self {
            context: request.context.clone(),
            paths: request.files.clone(),
            dockerfile: request.dockerfile.clone(),
            fault,
            cx: cx.clone(),
        }
    }

    /// Returns these files for a request that follows some paths alone. Before a context, BuildKit asks for its ignore file: it is not told
    /// of all others for that. Any other request is for what the Dockerfile uses, which is all that there is here.
    fn only(&self, followed: &[String]) -> Self {
        let mut files = self.clone();
        if !followed.is_empty() && followed.iter().all(|path| path.ends_with(".dockerignore")) {
            files.paths.retain(|path| followed.iter().any(|followed| path == Path::new(followed)));
        }
        files
    }

    /// Returns the entries of a directory by the name that the frontend gives it.
    fn offered(&self, directory: &str) -> Result<Vec<Offered>, DockerError> {
        if directory != "dockerfile" {
            let entries = list_entries(&self.context, &self.paths)?;
            return Ok(entries.into_iter().map(|entry| Offered { at: self.context.join(&entry.path), entry }).collect());
        }
        let failed = |error: std::io::Error| DockerError::File { path: self.dockerfile.clone(), why: error.to_string() };
        let metadata = self.dockerfile.metadata().map_err(failed)?;
        let entry = Entry::read(DOCKERFILE_NAME.to_owned(), &self.dockerfile, &metadata).map_err(failed)?;
        Ok(entry.map(|entry| Offered { entry, at: self.dockerfile.clone() }).into_iter().collect())
    }

    /// Talks to the receiver until it has what it wants.
    async fn send(
        self,
        directory: String,
        mut incoming: Streaming<Packet>,
        out: Sender<Result<Packet, Status>>,
    ) -> Result<(), DockerError> {
        let files = self.clone();
        let name = directory.clone();
        let offered = tokio::task::spawn_blocking(move || files.offered(&name)).await;
        let offered = offered.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let names = offered.iter().map(|file| packet(PacketType::PacketStat, 0, Some(stat_of(&file.entry)), Vec::new()));
        let names: Vec<Packet> = names.chain([packet(PacketType::PacketStat, 0, None, Vec::new())]).collect();
        let naming = async {
            for name in names {
                // A receiver that is gone has failed for its own reason, and says so.
                if out.send(Ok(name)).await.is_err() {
                    break;
                }
            }
        };
        let (wanted, requests) = mpsc::channel::<u32>(offered.len().max(1));
        let listening = async move {
            while let Some(Ok(packet)) = incoming.next().await {
                match packet.r#type() {
                    PacketType::PacketReq => wanted.send(packet.id).await.unwrap_or_default(),
                    PacketType::PacketFin | PacketType::PacketErr => break,
                    PacketType::PacketStat | PacketType::PacketData => {}
                }
            }
        };
        let requests = futures::stream::unfold(requests, |mut requests| async { requests.recv().await.map(|id| (id, requests)) });
        let (cx, out, offered) = (&self.cx, &out, &offered);
        let answers = requests.map(|id| async move {
            let Some(file) = offered.get(id as usize) else { return Ok(0) };
            let sent = send_content(id, &file.at, out)
                .await
                .map_err(|error| DockerError::File { path: file.at.clone(), why: error.to_string() })?;
            Ok::<u64, DockerError>(sent)
        });
        let sending = async {
            let mut answers = std::pin::pin!(answers.buffer_unordered(PARALLEL_FILES));
            let mut bytes = 0;
            while let Some(sent) = answers.next().await {
                bytes += sent?;
                cx.progress(format!("send {directory}"), bytes, None, true);
            }
            Ok(())
        };
        let ((), (), result) = tokio::join!(naming, listening, sending);
        out.send(Ok(packet(PacketType::PacketFin, 0, None, Vec::new()))).await.ok();
        result
    }
}

#[async_trait::async_trait]
impl FileSync for Files {
    type DiffCopyStream = Pin<Box<dyn Stream<Item = Result<Packet, Status>> + Send>>;
    type TarStreamStream = Pin<Box<dyn Stream<Item = Result<Packet, Status>> + Send>>;

    async fn diff_copy(&self, request: Request<Streaming<Packet>>) -> Result<Response<Self::DiffCopyStream>, Status> {
        let directory = request.metadata().get("dir-name").and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
        let (sender, packets) = mpsc::channel(WAITING_PACKETS);
        let files = self.only(&followed(request.metadata()));
        tokio::spawn(async move {
            let (fault, out) = (files.fault.clone(), sender.clone());
            if let Err(error) = files.send(directory, request.into_inner(), sender).await {
                out.send(Err(fault.set(error))).await.ok();
            }
        });
        Ok(Response::new(Box::pin(futures::stream::unfold(packets, |mut packets| async {
            packets.recv().await.map(|packet| (packet, packets))
        }))))
    }

    async fn tar_stream(&self, _request: Request<Streaming<Packet>>) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("DiffCopy is spoken"))
    }
}

/// Returns the paths that a request follows (BuildKit's `session/filesync`, `followpaths`).
fn followed(metadata: &MetadataMap) -> Vec<String> {
    metadata.get_all("followpaths").iter().filter_map(|path| path.to_str().ok().map(str::to_owned)).collect()
}

/// Sends the content of a file and an empty packet as its end; returns how much it was.
async fn send_content(id: u32, at: &Path, out: &Sender<Result<Packet, Status>>) -> std::io::Result<u64> {
    let mut file = tokio::fs::File::open(at).await?;
    let mut sent = 0;
    loop {
        let mut data = vec![0; CHUNK];
        let read = file.read(&mut data).await?;
        data.truncate(read);
        sent += read as u64;
        if out.send(Ok(packet(PacketType::PacketData, id, None, data))).await.is_err() || read == 0 {
            return Ok(sent);
        }
    }
}

fn packet(kind: PacketType, id: u32, stat: Option<Stat>, data: Vec<u8>) -> Packet {
    Packet { r#type: kind.into(), stat, id, data }
}

/// Returns an entry in the protocol's words; it belongs to root, as `docker build` has it.
fn stat_of(entry: &Entry) -> Stat {
    let bits = [(0o4000, GO_SET_UID), (0o2000, GO_SET_GID), (0o1000, GO_STICKY)];
    let special: u32 = bits.iter().filter(|(bit, _)| entry.mode & bit != 0).map(|(_, go)| go).sum();
    let (kind, size, linkname) = match &entry.kind {
        EntryKind::Directory => (GO_DIRECTORY, 0, String::new()),
        EntryKind::File(size) => (0, size.cast_signed(), String::new()),
        EntryKind::Link(target) => (GO_SYMLINK, 0, target.clone()),
    };
    Stat {
        path: entry.path.clone(),
        mode: kind | special | (entry.mode & 0o777),
        size,
        mod_time: entry.modified,
        linkname,
        ..Stat::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_the_ignore_file_is_told_of_no_other() {
        let mut request = crate::buildkit::session::tests::request("/c");
        request.files = ["a", ".dockerignore", "dir/b"].map(PathBuf::from).into();
        let files = Files::new(&request, Fault::default(), &Cx::silent(devloop_model::StepId::of(devloop_model::Stage::Build)));
        let count = |paths: &[&str]| files.only(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()).paths.len();
        assert_eq!((count(&[".dockerignore"]), count(&["Dockerfile.dockerignore"]), count(&[]), count(&["a"])), (1, 0, 3, 3));
    }

    #[test]
    fn modes_are_those_of_go() {
        let entry = |kind, mode| Entry { path: "p".to_owned(), kind, mode, modified: 7 };
        for (entry, mode, size, link) in [
            (entry(EntryKind::Directory, 0o1777), 0x8010_01ff, 0, ""),
            (entry(EntryKind::File(3), 0o4755), 0x0080_01ed, 3, ""),
            (entry(EntryKind::Link("t".to_owned()), 0o777), 0x0800_01ff, 0, "t"),
        ] {
            let stat = stat_of(&entry);
            assert_eq!((stat.mode, stat.size, stat.linkname.as_str(), stat.uid, stat.mod_time), (mode, size, link, 0, 7));
        }
    }
}
