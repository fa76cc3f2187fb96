//! kaniko's flags as a request to BuildKit.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use devloop_clients::docker::BuildRequest;
use devloop_model::BuildSecret;
use devloop_model::Env;
use devloop_model::ImageRef;
use devloop_model::SecretSource;

use super::Failure;
use super::context::Context;
use super::flags::Flags;

/// Returns what BuildKit is asked for.
///
/// # Errors
/// When a flag has a value that it cannot have, or there is no Dockerfile.
pub(super) fn request(flags: &Flags, context: &Context, env: &Env) -> Result<BuildRequest, Failure> {
    let (directory, remote, dockerfile, files) = match context {
        Context::Git(address) => (PathBuf::from("/"), Some(address.clone()), PathBuf::from(&flags.dockerfile), Vec::new()),
        Context::Directory(directory) => {
            let dockerfile = dockerfile(&flags.dockerfile, directory)?;
            let files =
                devloop_build::context_files(directory, &dockerfile).map_err(|error| Failure::new(error.diagnostic().to_string()))?;
            (directory.clone(), None, dockerfile, files)
        }
    };
    let named = flags.destination.first().map_or("unset-repo/unset-image-name", String::as_str);
    let tag: ImageRef = named.parse().map_err(|error| Failure::usage(format!("`--destination={named}`: {error}")))?;
    let (cache_from, cache_to) = caches(flags, &tag)?;
    let mut export = BTreeMap::new();
    if !flags.compression.is_empty() {
        export.insert("compression".to_owned(), flags.compression.clone());
    }
    if let Some(level) = flags.compression_level.filter(|level| *level >= 0) {
        export.insert("compression-level".to_owned(), level.to_string());
    }
    for (name, value) in pairs("annotation", &flags.annotation)? {
        export.insert(format!("annotation.{name}"), value);
    }
    Ok(BuildRequest {
        context: directory,
        remote_context: remote,
        files,
        dockerfile,
        tag,
        platforms: flags.custom_platform.clone(),
        build_args: build_args(flags, env),
        target: Some(flags.target.clone()).filter(|target| !target.is_empty()),
        network: None,
        add_hosts: Vec::new(),
        labels: pairs("label", &flags.label)?,
        cache_from,
        cache_to,
        no_cache: false,
        // The BuildKit beside the executor has no base image yet.
        pull: false,
        export,
        reproducible: flags.reproducible,
        squash: false,
        secrets: flags.secret.iter().map(|secret| self::secret(secret)).collect::<Result<_, _>>()?,
        ssh: None,
        use_buildkit: None,
    })
}

/// A path as it is, else one of the context.
fn dockerfile(named: &str, context: &Path) -> Result<PathBuf, Failure> {
    let candidates = [context.join(named), PathBuf::from(named)];
    let found = candidates.iter().find(|path| path.is_file()).and_then(|path| std::path::absolute(path).ok());
    found.ok_or_else(|| Failure::new(format!("there is no Dockerfile `{named}`, neither in the context nor on this machine")))
}

/// An argument without a value is that of the environment.
fn build_args(flags: &Flags, env: &Env) -> BTreeMap<String, String> {
    let argument = |text: &String| match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => Some((text.clone(), env.get(text)?.to_owned())),
    };
    flags.build_arg.iter().filter_map(argument).collect()
}

fn pairs(flag: &str, texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("`--{flag}={text}` is not NAME=VALUE"))),
    };
    texts.iter().map(pair).collect()
}

/// Reads `id=NAME,src=PATH` or `id=NAME,env=NAME`.
fn secret(text: &str) -> Result<BuildSecret, Failure> {
    let fields: BTreeMap<&str, &str> = text.split(',').filter_map(|field| field.split_once('=')).collect();
    let source = match (fields.get("src").or(fields.get("source")), fields.get("env")) {
        (Some(path), None) => Some(SecretSource::File(PathBuf::from(path))),
        (None, Some(name)) => Some(SecretSource::Env((*name).to_owned())),
        _ => None,
    };
    match (fields.get("id"), source) {
        (Some(id), Some(source)) => Ok(BuildSecret { id: (*id).to_owned(), source }),
        _ => Err(Failure::usage(format!("`--secret={text}` is neither id=NAME,src=PATH nor id=NAME,env=NAME"))),
    }
}

/// Returns what cached steps are taken from, and written to. A cache that cannot be written fails no build, as with kaniko.
fn caches(flags: &Flags, tag: &ImageRef) -> Result<(Vec<String>, Vec<String>), Failure> {
    if !flags.cache {
        return Ok((Vec::new(), Vec::new()));
    }
    let repository = match (flags.cache_repo.as_str(), flags.destination.is_empty()) {
        ("", true) => return Err(Failure::usage("`--cache` with `--no-push` needs `--cache-repo`".to_owned())),
        ("", false) => format!("{}/cache", tag.name),
        (named, _) => named.to_owned(),
    };
    if let Some(directory) = repository.strip_prefix("oci:") {
        let from = format!("type=local,src={directory}");
        let to = format!("type=local,dest={directory},mode=max,ignore-error=true");
        return Ok((vec![from], if flags.no_push_cache { Vec::new() } else { vec![to] }));
    }
    let insecure = if flags.insecure || flags.skip_tls_verify { ",registry.insecure=true" } else { "" };
    let from = format!("type=registry,ref={repository}:buildkit{insecure}");
    let to = format!("type=registry,ref={repository}:buildkit,mode=max,ignore-error=true{insecure}");
    Ok((vec![from], if flags.no_push_cache { Vec::new() } else { vec![to] }))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn of(line: &str) -> Result<BuildRequest, Failure> {
        let env = Env::new(BTreeMap::from([("TOKEN".to_owned(), "t".to_owned())]));
        request(&Flags::try_parse_from(line.split(' ')).unwrap(), &Context::Git("https://h/r.git".to_owned()), &env)
    }

    #[test]
    fn flags_are_put_in_buildkits_words() {
        let request = of(
            "executor -d r.io/a:1 --build-arg A=1 --build-arg TOKEN --build-arg NONE --label l=x=y --cache --secret id=n,src=/f --secret \
             id=e,env=TOKEN --custom-platform linux/arm64 --compression zstd --compression-level 3 --annotation k=v --reproducible --target dev",
        )
        .unwrap();
        let shown = (&request.build_args, &request.labels, &request.cache_from, &request.cache_to, &request.export, &request.secrets);
        insta::assert_debug_snapshot!(shown, @r#"
        (
            {
                "A": "1",
                "TOKEN": "t",
            },
            {
                "l": "x=y",
            },
            [
                "type=registry,ref=r.io/a/cache:buildkit",
            ],
            [
                "type=registry,ref=r.io/a/cache:buildkit,mode=max,ignore-error=true",
            ],
            {
                "annotation.k": "v",
                "compression": "zstd",
                "compression-level": "3",
            },
            [
                BuildSecret {
                    id: "n",
                    source: File(
                        "/f",
                    ),
                },
                BuildSecret {
                    id: "e",
                    source: Env(
                        "TOKEN",
                    ),
                },
            ],
        )
        "#);
        assert!(request.reproducible && request.target.as_deref() == Some("dev") && request.platforms[0].arch() == "arm64");
    }

    #[test]
    fn caches_are_where_they_are_asked_for() {
        for (line, from, to) in [
            ("executor -d r.io/a", "", ""),
            ("executor -d r.io/a --cache=true --cache-repo r.io/c --no-push-cache", "type=registry,ref=r.io/c:buildkit", ""),
            ("executor -d r.io/a --cache --cache-repo oci:/c", "type=local,src=/c", "type=local,dest=/c,mode=max,ignore-error=true"),
        ] {
            let request = of(line).unwrap();
            assert_eq!((request.cache_from.join(" "), request.cache_to.join(" ")), (from.to_owned(), to.to_owned()), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        let mut shown = Vec::new();
        for line in ["executor --no-push --cache", "executor -d r --label x", "executor -d r --secret id=a", "executor -d R:"] {
            shown.push(of(line).unwrap_err().to_string());
        }
        insta::assert_snapshot!(shown.join("\n"), @r"
        `--cache` with `--no-push` needs `--cache-repo`
        `--label=x` is not NAME=VALUE
        `--secret=id=a` is neither id=NAME,src=PATH nor id=NAME,env=NAME
        `--destination=R:`: `` is not a valid tag: a tag has at most 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two
        ");
    }
}
