//! Names of images, in the parts that the container world gives them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// A repository name without tag or digest, as the user wrote it: `gcr.io/p/web` or `web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ImageName(String);

/// A tag: `v1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Tag(String);

/// A content digest of a manifest: `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Digest(String);

/// The ID of an image in a container daemon: `sha256:…` of its configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ImageId(String);

/// A full reference: name, and a tag, a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImageRef {
    /// The repository.
    pub name: ImageName,
    /// The tag, if one is written.
    pub tag: Option<Tag>,
    /// The digest, if one is written.
    pub digest: Option<Digest>,
}

/// An operating system and architecture: `linux/amd64`, `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Platform(String);

/// Why a text is no image name, tag, digest or reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {why}")]
pub struct ImageNameError {
    text: String,
    what: &'static str,
    why: &'static str,
}

fn invalid(text: &str, what: &'static str, why: &'static str) -> ImageNameError {
    ImageNameError { text: text.to_owned(), what, why }
}

impl ImageName {
    /// Returns the name if `text` is one by the distribution reference grammar.
    ///
    /// # Errors
    /// When `text` is empty, has a tag or digest, or characters that a repository cannot have.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let what = "image name";
        if text.is_empty() {
            return Err(invalid(text, what, "it is empty"));
        }
        if let Some(import_path) = text.strip_prefix(KO_SCHEME) {
            return if is_import_path(import_path) {
                Ok(Self(text.to_owned()))
            } else {
                Err(invalid(text, what, "`ko://` is followed by a Go import path"))
            };
        }
        if text.contains('@') {
            return Err(invalid(text, what, "it has a digest"));
        }
        let (domain, path) = split_domain(text);
        if path.contains(':') {
            return Err(invalid(text, what, "it has a tag"));
        }
        if domain.is_some_and(|d| !d.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))) {
            return Err(invalid(text, what, "its registry has characters that a host name cannot have"));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid(text, what, "a repository must be lower case"));
        }
        let component = |c: &str| {
            !c.is_empty()
                && c.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
                && c.starts_with(|ch: char| ch.is_ascii_alphanumeric())
                && c.ends_with(|ch: char| ch.is_ascii_alphanumeric())
        };
        if !path.split('/').all(component) {
            return Err(invalid(text, what, "a repository has lower-case letters, digits and single `.`, `_`, `-` between `/`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the registry host, with its port, if the name starts with one.
    pub fn domain(&self) -> Option<&str> {
        split_domain(&self.0).0
    }

    /// Returns the name without its registry.
    pub fn path(&self) -> &str {
        split_domain(&self.0).1
    }

    /// Returns the Go import path of a `ko://` name: ko's way to name an image by the program in it
    /// (<https://ko.build/features/k8s/>).
    pub fn import_path(&self) -> Option<&str> {
        self.0.strip_prefix(KO_SCHEME)
    }

    /// Returns the name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a name that is a Go import path starts with.
const KO_SCHEME: &str = "ko://";

fn is_import_path(text: &str) -> bool {
    text.split('/').all(|element| !element.is_empty() && element.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-~+".contains(&b)))
}

/// Splits off what Docker takes as the registry: a first component with a dot or a colon, or
/// `localhost`.
fn split_domain(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        _ if text.starts_with(KO_SCHEME) => (None, text),
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase()) => {
            (Some(first), rest)
        }
        _ => (None, text),
    }
}

impl Tag {
    /// Returns the tag if `text` is one: at most 128 of `[A-Za-z0-9_.-]`, not starting with `.` or `-`.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            && !text.starts_with(['.', '-']);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid(text, "tag", "a tag has at most 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two"))
        }
    }

    /// Returns the tag as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_sha256(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

impl Digest {
    /// Returns the digest if `text` is `sha256:` and 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        if is_sha256(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid(text, "digest", "a digest is `sha256:` and 64 hexadecimal digits"))
        }
    }

    /// Returns the digest with its algorithm.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the hexadecimal digits alone.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }
}

impl ImageId {
    /// Returns the ID if `text` is `sha256:` and 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        if is_sha256(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid(text, "image ID", "an image ID is `sha256:` and 64 hexadecimal digits"))
        }
    }

    /// Returns the ID with its algorithm.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the hexadecimal digits alone.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }
}

impl ImageRef {
    /// Returns the reference in `text`: `name[:tag][@digest]`.
    ///
    /// # Errors
    /// When one of the parts is not valid.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last..].rfind(':') {
            Some(at) => (&rest[..last + at], Some(Tag::parse(&rest[last + at + 1..])?)),
            None => (rest, None),
        };
        Ok(Self { name: ImageName::parse(name)?, tag, digest })
    }

    /// Returns the reference of `name` with `tag`.
    pub fn tagged(name: ImageName, tag: Tag) -> Self {
        Self { name, tag: Some(tag), digest: None }
    }

    /// Returns this reference pinned to `digest`.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }
}

/// Operating systems that stand for themselves.
const SYSTEMS: [&str; 4] = ["linux", "windows", "darwin", "freebsd"];
/// Architectures that stand for themselves.
const ARCHITECTURES: [&str; 10] = ["386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "wasm"];

fn not_a_platform(text: &str) -> ImageNameError {
    invalid(text, "platform", "a platform is `os/architecture`, for example `linux/amd64`")
}

/// Returns an architecture in Go's words, and the variant that its name says (containerd's `normalizeArch`).
fn architecture(name: &str) -> (&str, Option<&'static str>) {
    match name {
        "i386" => ("386", None),
        "x86_64" | "x86-64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        other => (other, None),
    }
}

fn with_variant(os: &str, arch: &str, variant: Option<&str>) -> String {
    let (arch, said) = architecture(arch);
    match (arch, variant.or(said)) {
        // What every one of them is.
        ("arm64", Some("8" | "v8")) | ("amd64", Some("v1")) | (_, None) => format!("{os}/{arch}"),
        ("arm", Some(number @ ("5" | "6" | "7" | "8"))) => format!("{os}/arm/v{number}"),
        (_, Some(variant)) => format!("{os}/{arch}/{variant}"),
    }
}

impl Platform {
    /// Returns the platform if `text` is `os/arch` or `os/arch/variant`, in any of the spellings of architectures; an operating system alone
    /// is that of this machine's architecture, an architecture alone that of Linux (containerd's `platforms.Parse`).
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let is_word = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b));
        if text == "all" {
            return Err(invalid(text, "platform", "name each of them, for example `linux/amd64,linux/arm64`"));
        }
        if !parts.iter().all(is_word) {
            return Err(not_a_platform(text));
        }
        Ok(Self(match *parts {
            [os] if SYSTEMS.contains(&os) => format!("{os}/{}", Self::host_architecture()),
            [arch] if ARCHITECTURES.contains(&architecture(arch).0) => with_variant("linux", arch, None),
            [os, arch] => with_variant(os, arch, None),
            [os, arch, variant] => with_variant(os, arch, Some(variant)),
            _ => return Err(not_a_platform(text)),
        }))
    }

    /// Returns what images are built for and run on where nobody says more: Linux on this machine's architecture.
    #[must_use]
    pub fn host() -> Self {
        Self(format!("linux/{}", Self::host_architecture()))
    }

    /// Returns this machine's architecture in Go's words, which all of Docker uses.
    pub fn host_architecture() -> &'static str {
        match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        }
    }

    /// Returns the operating system.
    pub fn os(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Returns the architecture, in Go's words: `amd64`, `arm64`.
    pub fn arch(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    /// Returns those of `wanted` that are among `known`; a variant counts where both name one.
    pub fn common(wanted: &[Self], known: &[Self]) -> Vec<Self> {
        let is_same = |a: &Self, b: &Self| {
            (a.os(), a.arch()) == (b.os(), b.arch()) && (a.variant().is_none() || b.variant().is_none() || a.variant() == b.variant())
        };
        wanted.iter().filter(|one| known.iter().any(|other| is_same(one, other))).cloned().collect()
    }

    /// Returns the variant, for example `v7`.
    pub fn variant(&self) -> Option<&str> {
        self.0.split('/').nth(2)
    }

    /// Returns the platform as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_type {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $type {
            type Err = ImageNameError;
            fn from_str(text: &str) -> Result<Self, ImageNameError> {
                Self::parse(text)
            }
        }
    )*};
}
text_type!(ImageName, Tag, Digest, ImageId, Platform);

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageRef {
    type Err = ImageNameError;
    fn from_str(text: &str) -> Result<Self, ImageNameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_what_containerd_reads() {
        let host = format!("linux/{}", Platform::host_architecture());
        for (text, platform) in [
            ("linux/amd64", "linux/amd64"),
            ("LINUX/AMD64", "linux/amd64"),
            ("linux", &*host),
            ("arm64", "linux/arm64"),
            ("aarch64", "linux/arm64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm/7", "linux/arm/v7"),
            ("armhf", "linux/arm/v7"),
            ("windows/amd64", "windows/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/new", "linux/new"),
        ] {
            assert_eq!(Platform::parse(text).map(|platform| platform.to_string()), Ok(platform.to_owned()), "{text}");
        }
        for text in ["", "all", "bogus", "linux/", "/amd64", "linux amd64", "linux/amd64/v1/x"] {
            assert!(Platform::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn references_parse_into_their_parts() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, domain, path, tag, has_digest) in [
            ("web", None, "web", None, false),
            ("library/web:v1", None, "library/web", Some("v1"), false),
            ("localhost:5000/web", Some("localhost:5000"), "web", None, false),
            ("localhost/web:1", Some("localhost"), "web", Some("1"), false),
            ("gcr.io/p/q/web:v1.2-x_y", Some("gcr.io"), "p/q/web", Some("v1.2-x_y"), false),
            (&format!("10.0.0.1:5000/a@{digest}"), Some("10.0.0.1:5000"), "a", None, true),
            (&format!("a/b:c@{digest}"), None, "a/b", Some("c"), true),
        ] {
            let parsed = ImageRef::parse(text).unwrap();
            assert_eq!(parsed.name.domain(), domain, "{text}");
            assert_eq!(parsed.name.path(), path, "{text}");
            assert_eq!(parsed.tag.as_ref().map(Tag::as_str), tag, "{text}");
            assert_eq!(parsed.digest.is_some(), has_digest, "{text}");
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in ["", "Web", "a//b", "/a", "a/", "a:", "a:b:c", "a@sha256:short", "a b", "-a", "a:.x", "reg.io/Web"] {
            assert!(ImageRef::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_go_import_path_is_a_name() {
        let reference = ImageRef::parse("ko://example.com/Shop/cmd/web:v1").unwrap();
        assert_eq!((reference.name.import_path(), reference.name.domain()), (Some("example.com/Shop/cmd/web"), None));
        assert_eq!(reference.to_string(), "ko://example.com/Shop/cmd/web:v1");
        assert_eq!(ImageName::parse("example.com/web").unwrap().import_path(), None);
        assert!(ImageName::parse("ko://").is_err());
        assert!(ImageName::parse("ko://a b").is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_printed_reference_parses_to_itself(name in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}", tag in "[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}") {
            let reference = ImageRef::tagged(ImageName::parse(&name).unwrap(), Tag::parse(&tag).unwrap());
            proptest::prop_assert_eq!(ImageRef::parse(&reference.to_string()).unwrap(), reference);
        }
    }
}
