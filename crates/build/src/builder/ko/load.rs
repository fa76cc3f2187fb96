//! A ko image into a container daemon, without a registry for it.

use std::fs::File;
use std::io;
use std::io::Seek as _;
use std::path::Path;
use std::path::PathBuf;

use devloop_clients::docker::Docker;
use devloop_clients::registry::Registry;
use devloop_clients::registry::digest_of;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::Digest;
use devloop_model::ImageId;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::KoBuild;
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::Built;
use super::KoJob;
use super::blocking;
use super::build_all;
use super::layer::Packing;
use super::layer_error;
use crate::BuildError;

/// How much of an archive is sent at a time.
const CHUNK: usize = 256 << 10;

/// Returns the ID of the image, built and loaded into the daemon, and the name that it has there.
///
/// # Errors
/// When the settings are wrong, `go build` fails, there are several platforms, or the daemon does
/// not take the image.
pub(crate) async fn load(
    spec: &KoBuild,
    job: KoJob<'_>,
    registry: &Registry,
    docker: &Docker,
    cx: &Cx,
) -> Result<(ImageId, ImageRef), BuildError> {
    let reference = ImageRef { name: local_name(&job.reference.name)?, ..job.reference.clone() };
    let built = build_all(spec, job, Packing::Compressed, registry, cx).await?;
    let [only] = built.as_slice() else {
        return Err(Diagnostic::error(
            "build/ko-platforms",
            format!("an image for {} platforms cannot be loaded into a container daemon", built.len()),
        )
        .help("name one platform, or push the image: `build.local.push: true`")
        .into());
    };
    let id = digest_of(&only.image.config).to_string();
    let id = ImageId::parse(&id).expect("a digest has the form of an ID");
    if docker.image_id(id.as_str(), cx).await?.is_some() {
        docker.tag(id.as_str(), &reference, cx).await?;
        return Ok((id, reference));
    }
    // A daemon that has the base's layers takes an archive without them.
    if send(only, &reference, &[], docker, cx).await.is_err() {
        cx.unless_cancelled(async {}).await?;
        let (_directory, base) = download_base(only, registry, cx).await?;
        send(only, &reference, &base, docker, cx).await?;
    }
    match docker.image_id(&reference.to_string(), cx).await? {
        Some(id) => Ok((id, reference)),
        None => Err(Diagnostic::error("build/ko-load", format!("the container daemon took `{reference}` but does not have it")).into()),
    }
}

/// Returns the name that a daemon can have: `ko://` left out, lower case, as Skaffold's `SanitizeImageName`.
fn local_name(name: &ImageName) -> Result<ImageName, BuildError> {
    let Some(import_path) = name.import_path() else { return Ok(name.clone()) };
    ImageName::parse(&import_path.to_lowercase()).map_err(|error| {
        Diagnostic::error("build/ko-name", format!("`{name}` gives no name for an image"))
            .because(error.to_string())
            .help("set a default repository: `--default-repo`")
            .into()
    })
}

/// Returns the base's layers as files, which stand in a directory of their own.
async fn download_base(built: &Built, registry: &Registry, cx: &Cx) -> Result<(tempfile::TempDir, Vec<PathBuf>), BuildError> {
    let directory = tempfile::tempdir().map_err(|source| layer_error("the base", &source))?;
    let layers = built.base.manifest.layers().iter().enumerate().map(|(number, layer)| {
        let file = directory.path().join(format!("{number}.tar.gz"));
        async move {
            let digest = Digest::parse(layer.digest().as_ref()).map_err(|error| Diagnostic::error("build/ko-base", error.to_string()))?;
            registry.download(&built.base_name.name, &digest, &file, cx).await?;
            Ok::<_, BuildError>(file)
        }
    });
    let files = futures::future::try_join_all(layers).await?;
    Ok((directory, files))
}

async fn send(built: &Built, reference: &ImageRef, base: &[PathBuf], docker: &Docker, cx: &Cx) -> Result<(), BuildError> {
    let names: Vec<String> = (0..built.base.manifest.layers().len()).map(|number| format!("base-{number}.tar.gz")).collect();
    let own = [("kodata.tar.gz", built.kodata.file.clone()), ("program.tar.gz", built.program.file.clone())];
    let layers: Vec<&str> = names.iter().map(String::as_str).chain(own.iter().map(|(name, _)| *name)).collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": [reference.to_string()], "Layers": layers }]);
    let files: Vec<(String, PathBuf)> =
        names.iter().cloned().zip(base.iter().cloned()).chain(own.into_iter().map(|(name, file)| (name.to_owned(), file))).collect();
    let config = built.image.config.clone();
    let archive = blocking(move || {
        archive(&[("manifest.json", manifest.to_string().as_bytes()), ("config.json", &config)], &files)
            .map_err(|source| layer_error("the image", &source))
    });
    let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(archive.await?), CHUNK);
    Ok(docker.load(stream, cx).await?)
}

/// Returns an archive in Docker's format (<https://github.com/moby/docker-image-spec>), in a file without a name.
fn archive(texts: &[(&str, &[u8])], files: &[(String, PathBuf)]) -> io::Result<File> {
    let mut builder = ::tar::Builder::new(tempfile::tempfile()?);
    for (name, text) in texts {
        let mut header = ::tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *text)?;
    }
    for (name, file) in files {
        builder.append_path_with_name(Path::new(file), name)?;
    }
    let mut file = builder.into_inner()?;
    file.rewind()?;
    Ok(file)
}
