//! Where the files of a build come from, in kaniko's words (`pkg/buildcontext`).

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use devloop_clients::http;
use devloop_model::Cx;

use super::Failure;
use super::flags;

/// What an archive from the web may take.
const DOWNLOAD: http::Limits = http::Limits { deadline: Duration::from_mins(10), size: 1 << 30 };

/// Where files are.
#[derive(Debug)]
pub(super) enum Context {
    /// In a directory.
    Directory(PathBuf),
    /// In a git repository, in BuildKit's words: `https://host/repo.git#ref:path`.
    Git(String),
}

/// Returns the context that `--context` names, unpacked below `scratch` if it is an archive.
///
/// # Errors
/// When it is of a kind that is not understood, or cannot be read.
pub(super) async fn open(context: &str, sub_path: &str, git: &str, scratch: &Path, cx: &Cx) -> Result<Context, Failure> {
    if let Some(why) = flags::refused_context(context) {
        return Err(Failure::usage(why));
    }
    if let Some(repository) = context.strip_prefix("git://") {
        return Ok(Context::Git(git_address(repository, sub_path, git, cx.env.get("GIT_PULL_METHOD").unwrap_or("https"))));
    }
    if let Some(archive) = context.strip_prefix("tar://") {
        let reader: Box<dyn Read + Send> = if archive == "stdin" { Box::new(io::stdin()) } else { Box::new(open_file(archive)?) };
        return unpacked(reader, sub_path, scratch);
    }
    if context.starts_with("https://") || context.starts_with("http://") {
        let archive = http::fetch(context, DOWNLOAD, cx).await.map_err(|error| Failure::new(error.diagnostic().to_string()))?;
        return unpacked(Box::new(io::Cursor::new(archive)), sub_path, scratch);
    }
    if let Some((scheme, _)) = context.split_once("://").filter(|(scheme, _)| *scheme != "dir") {
        return Err(Failure::usage(format!("`{scheme}://` is no kind of context: use dir://, tar://, git:// or https://")));
    }
    let directory = inside(Path::new(context.strip_prefix("dir://").unwrap_or(context)), sub_path)?;
    if !directory.is_dir() {
        return Err(Failure::new(format!("the context `{}` is no directory", directory.display())));
    }
    Ok(Context::Directory(directory))
}

fn open_file(path: &str) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::new(format!("{path}: {error}")))
}

/// Returns `directory/sub_path`, which does not lead out of it.
fn inside(directory: &Path, sub_path: &str) -> Result<PathBuf, Failure> {
    let leads_out = Path::new(sub_path).components().any(|part| matches!(part, std::path::Component::ParentDir));
    if leads_out {
        return Err(Failure::usage(format!("`--context-sub-path={sub_path}` leads out of the context")));
    }
    Ok(directory.join(sub_path.trim_start_matches('/')))
}

fn unpacked(reader: Box<dyn Read + Send>, sub_path: &str, scratch: &Path) -> Result<Context, Failure> {
    let failed = |error: io::Error| Failure::new(format!("the context cannot be unpacked: {error}"));
    let directory = scratch.join("context");
    std::fs::create_dir(&directory).map_err(failed)?;
    let mut reader = io::BufReader::new(reader);
    let is_gzip = io::BufRead::fill_buf(&mut reader).map_err(failed)?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn Read> = if is_gzip { Box::new(flate2::read::MultiGzDecoder::new(reader)) } else { Box::new(reader) };
    let mut archive = tar::Archive::new(plain);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    archive.unpack(&directory).map_err(failed)?;
    Ok(Context::Directory(inside(&directory, sub_path)?))
}

/// Turns kaniko's `host/repo#ref#commit` into BuildKit's address of a repository.
fn git_address(repository: &str, sub_path: &str, git: &str, method: &str) -> String {
    let mut parts = repository.split('#');
    let address = parts.next().unwrap_or_default();
    let branch = git.split(',').find_map(|option| option.strip_prefix("branch=")).filter(|branch| !branch.is_empty());
    let (name, commit) = (parts.next().filter(|name| !name.is_empty()), parts.next().filter(|commit| !commit.is_empty()));
    let reference = commit.or(name).or(branch).unwrap_or_default();
    // BuildKit knows a repository by its end, or by a fragment.
    let address = format!("{}.git", address.strip_suffix(".git").unwrap_or(address));
    let sub_path = if sub_path.is_empty() { String::new() } else { format!(":{}", sub_path.trim_start_matches('/')) };
    let fragment = format!("{reference}{sub_path}");
    if fragment.is_empty() { format!("{method}://{address}") } else { format!("{method}://{address}#{fragment}") }
}

#[cfg(test)]
mod tests {
    use devloop_model::Stage;
    use devloop_model::StepId;

    use super::*;

    #[test]
    fn repositories_are_named_in_buildkits_words() {
        for (repository, sub_path, git, address) in [
            ("github.com/a/b", "", "", "https://github.com/a/b.git"),
            ("github.com/a/b.git#refs/heads/main", "", "", "https://github.com/a/b.git#refs/heads/main"),
            ("github.com/a/b.git#refs/heads/main#deadbeef", "sub/dir", "", "https://github.com/a/b.git#deadbeef:sub/dir"),
            ("h/r.git", "", "branch=dev,single-branch=true", "https://h/r.git#dev"),
            ("h/r.git", "/x", "", "https://h/r.git#:x"),
        ] {
            assert_eq!(git_address(repository, sub_path, git, "https"), address);
        }
    }

    #[tokio::test]
    async fn contexts_are_opened() {
        let scratch = tempfile::tempdir().unwrap();
        let (source, cx) = (scratch.path().join("source"), Cx::silent(StepId::of(Stage::Build)));
        std::fs::create_dir_all(source.join("sub")).unwrap();
        std::fs::write(source.join("sub/Dockerfile"), "FROM scratch").unwrap();
        let archive = scratch.path().join("c.tar.gz");
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(File::create(&archive).unwrap(), flate2::Compression::fast()));
        tar.append_dir_all(".", &source).unwrap();
        tar.into_inner().unwrap().finish().unwrap();
        for context in [format!("dir://{}", source.display()), source.display().to_string(), format!("tar://{}", archive.display())] {
            let Context::Directory(directory) = open(&context, "sub", "", scratch.path(), &cx).await.unwrap() else { panic!() };
            assert!(directory.join("Dockerfile").is_file(), "{context}");
        }
        let mut shown = Vec::new();
        for (context, sub_path) in [("gs://b/c", ""), ("ftp://x", ""), ("dir:///no/such", ""), ("tar:///no/such", ""), ("dir:///", "../x")]
        {
            shown.push(open(context, sub_path, "", scratch.path(), &cx).await.unwrap_err().to_string());
        }
        insta::assert_snapshot!(shown.join("\n"), @r"
        contexts of Google Cloud Storage cannot be read here: give the archive by a signed https:// address, or as tar://FILE
        `ftp://` is no kind of context: use dir://, tar://, git:// or https://
        the context `/no/such/` is no directory
        /no/such: No such file or directory (os error 2)
        `--context-sub-path=../x` leads out of the context
        ");
    }
}
