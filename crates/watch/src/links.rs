//! Where links lead, and where a path that is missing would come to exist.

use std::path::Path;
use std::path::PathBuf;

use crate::claims::Hold;
use crate::claims::Part;

/// More links in a chain than this are a loop; the kernel's own limit.
const MOST_LINKS: usize = 40;

/// Returns what must be watched to notice every change of the entries of a directory.
pub(crate) fn of_directory(path: &Path) -> Hold {
    match path.canonicalize() {
        Ok(place) if place.is_dir() => Hold { place, part: Part::Whole },
        _ => of_missing(path),
    }
}

/// Returns what must be watched to notice every change of a file, which may be a link, or missing.
pub(crate) fn of_file(path: &Path) -> Vec<Hold> {
    let mut holds = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(file) = next.take().filter(|_| holds.len() < MOST_LINKS) {
        let Some((place, name)) = real_parent(&file) else {
            holds.push(of_missing(&file));
            break;
        };
        next = file.read_link().ok().map(|target| place.join(target));
        holds.push(Hold { place, part: Part::Single(name) });
    }
    holds
}

/// Returns what must be watched to notice every change of what a link in a watched directory leads to; nothing if that is no file.
pub(crate) fn of_link(link: &Path) -> Vec<Hold> {
    if link.is_dir() {
        return Vec::new();
    }
    let mut holds = of_file(link);
    // The link itself is an entry of the directory.
    holds.remove(0);
    holds
}

/// Returns the nearest directory above `path` that exists, and its entry by which `path` would come to exist.
fn of_missing(path: &Path) -> Hold {
    let mut below = path;
    for above in path.ancestors().skip(1) {
        if above.is_dir() {
            let name = below.file_name().unwrap_or_default().to_owned();
            return Hold { place: above.canonicalize().unwrap_or_else(|_| above.to_owned()), part: Part::Awaited(name) };
        }
        below = above;
    }
    Hold { place: PathBuf::from("/"), part: Part::Awaited(below.as_os_str().to_owned()) }
}

fn real_parent(file: &Path) -> Option<(PathBuf, std::ffi::OsString)> {
    // `..` at the end of a link's text is the parent of a real directory.
    let file = if file.file_name().is_some() { file.to_owned() } else { file.canonicalize().ok()? };
    let place = file.parent()?.canonicalize().ok().filter(|place| place.is_dir())?;
    Some((place, file.file_name()?.to_owned()))
}
