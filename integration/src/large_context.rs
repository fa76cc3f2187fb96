//! A context that is too large to be sent again for every change.

use std::fs;
use std::io;
use std::path::Path;

/// Files of one folder, and folders of one folder.
const WIDTH: usize = 100;

/// Writes a context of `files` small files, each unlike the others, and a Dockerfile that copies them all.
///
/// # Errors
/// When a file cannot be written.
pub fn write_large_context(to: &Path, files: usize) -> io::Result<()> {
    fs::write(to.join("Dockerfile"), "FROM localhost:5000/busybox\nCOPY tree /tree\nRUN find /tree -type f | wc -l >/count\n")?;
    for folder in 0..files.div_ceil(WIDTH) {
        let path = to.join(format!("tree/{:03}/{:02}", folder / WIDTH, folder % WIDTH));
        fs::create_dir_all(&path)?;
        for file in folder * WIDTH..files.min((folder + 1) * WIDTH) {
            fs::write(path.join(format!("{:02}.txt", file % WIDTH)), format!("file {file}\n"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }

    #[test]
    fn it_has_as_many_files_as_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        write_large_context(folder.path(), 12_345).unwrap();
        assert_eq!(count(&folder.path().join("tree")), 12_345);
        assert_eq!(fs::read_to_string(folder.path().join("tree/001/23/44.txt")).unwrap(), "file 12344\n");
    }
}
