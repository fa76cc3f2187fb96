//! Paths as addresses, and back.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::path::PathBuf;

use gen_lsp_types as lsp;

/// Returns the path of a `file` address of this machine; none for every other.
pub(crate) fn path_of(uri: &lsp::Uri) -> Option<PathBuf> {
    let rest = uri.0.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = path.split(['?', '#']).next().filter(|path| path.starts_with('/'))?;
    Some(devloop_config::clean_path(Path::new(&OsString::from_vec(decoded(path.as_bytes())))))
}

/// Returns the address of an absolute path.
pub(crate) fn uri_of(path: &Path) -> lsp::Uri {
    let mut text = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").expect("text can be written into text");
        }
    }
    lsp::Uri(text)
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            bytes.push((high * 16 + low) as u8);
            at += 3;
        } else {
            bytes.push(*byte);
            at += 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_after_the_way_there_and_back() {
        for (path, uri) in [("/a/b.yaml", "file:///a/b.yaml"), ("/ä b/100%.yaml", "file:///%C3%A4%20b/100%25.yaml")] {
            assert_eq!(uri_of(Path::new(path)).0, uri);
            assert_eq!(path_of(&lsp::Uri(uri.to_owned())), Some(PathBuf::from(path)));
        }
        let path = |uri: &str| path_of(&lsp::Uri(uri.to_owned()));
        assert_eq!(path("file://localhost/a/../b%2"), Some(PathBuf::from("/b%2")));
        assert_eq!((path("untitled:Untitled-1"), path("file://host/a"), path("git:/a"), path("file://")), (None, None, None, None));
    }
}
