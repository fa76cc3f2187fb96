//! What kaniko writes besides the image: its digest, its names, and archives of it.

use std::path::Path;

use devloop_clients::buildkit::ArchiveFormat;
use devloop_clients::buildkit::Output;
use devloop_model::Digest;

use super::Failure;
use super::flags::Flags;
use super::flags::path;

/// Under which name an image is archived that is to have none.
const UNNAMED: &str = "unset-repo/unset-image-name";

/// Returns where the image goes, in this order; `scratch` is for what is only unpacked.
///
/// # Errors
/// When it goes nowhere, as `--no-push` was not given.
pub(super) fn outputs(flags: &Flags, scratch: &Path) -> Result<Vec<Output>, Failure> {
    if flags.destination.is_empty() && !flags.no_push {
        return Err(Failure::usage("no `--destination` is given: name one, or say `--no-push`".to_owned()));
    }
    let names = || if flags.destination.is_empty() { vec![UNNAMED.to_owned()] } else { flags.destination.clone() };
    let mut all = Vec::new();
    if let Some(path) = path(&flags.tar_path) {
        all.push(Output::Archive { format: ArchiveFormat::Docker, path, names: names() });
    }
    let wants_digest = [&flags.digest_file, &flags.image_name_with_digest_file, &flags.image_name_tag_with_digest_file];
    let only_digest = flags.no_push && wants_digest.iter().any(|file| !file.is_empty());
    if !flags.oci_layout_path.is_empty() || only_digest {
        all.push(Output::Archive { format: ArchiveFormat::Oci, path: scratch.join("layout.tar"), names: names() });
    }
    if !flags.no_push {
        let insecure = flags.insecure || flags.skip_tls_verify;
        all.push(Output::Push { names: flags.destination.clone(), insecure });
    }
    if all.is_empty() {
        all.push(Output::Nowhere);
    }
    Ok(all)
}

/// Writes the files that are asked for.
///
/// # Errors
/// When one cannot be written.
pub(super) fn write(flags: &Flags, digest: Option<&Digest>, scratch: &Path) -> Result<(), Failure> {
    if let Some(directory) = path(&flags.oci_layout_path) {
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", directory.display()));
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let archive = std::fs::File::open(scratch.join("layout.tar")).map_err(failed)?;
        tar::Archive::new(archive).unpack(&directory).map_err(failed)?;
    }
    let Some(digest) = digest else { return Ok(()) };
    let files = [
        (&flags.digest_file, digest.to_string()),
        (&flags.image_name_with_digest_file, lines(flags, |name| format!("{}@{digest}", without_tag(name)))),
        (&flags.image_name_tag_with_digest_file, lines(flags, |name| format!("{name}@{digest}"))),
    ];
    for (file, text) in files.into_iter().filter(|(file, _)| !file.is_empty()) {
        std::fs::write(file, text).map_err(|error| Failure::new(format!("{file}: {error}")))?;
    }
    Ok(())
}

fn lines(flags: &Flags, line: impl Fn(&str) -> String) -> String {
    flags.destination.iter().map(|name| line(name) + "\n").collect()
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((image, tag)) if !tag.contains('/') => image,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn shown(line: &str) -> String {
        match outputs(&Flags::try_parse_from(line.split(' ')).unwrap(), Path::new("/s")) {
            Ok(outputs) => outputs.iter().map(|output| format!("{output:?}")).collect::<Vec<_>>().join("\n"),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn images_go_where_kaniko_puts_them() {
        insta::assert_snapshot!(shown("executor"), @"no `--destination` is given: name one, or say `--no-push`");
        insta::assert_snapshot!(shown("executor --no-push"), @"Nowhere");
        insta::assert_snapshot!(shown("executor -d r/a:1 --destination=r/b --insecure --tarPath /t --no-push=false"), @r#"
        Archive { format: Docker, path: "/t", names: ["r/a:1", "r/b"] }
        Push { names: ["r/a:1", "r/b"], insecure: true }
        "#);
        insta::assert_snapshot!(shown("executor --no-push --digest-file /d"), @r#"Archive { format: Oci, path: "/s/layout.tar", names: ["unset-repo/unset-image-name"] }"#);
    }

    #[test]
    fn names_are_written_as_kaniko_writes_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let flags = format!(
            "executor -d localhost:5000/a:1 -d r/b --digest-file {} --image-name-with-digest-file {} --image-name-tag-with-digest-file {}",
            file("d"),
            file("n"),
            file("t")
        );
        let digest = format!("sha256:{}", "a".repeat(64));
        write(&Flags::try_parse_from(flags.split(' ')).unwrap(), Some(&digest.parse().unwrap()), dir.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
        assert_eq!(read("d"), digest);
        assert_eq!(read("n"), format!("localhost:5000/a@{digest}\nr/b@{digest}\n"));
        assert_eq!(read("t"), format!("localhost:5000/a:1@{digest}\nr/b@{digest}\n"));
    }
}
