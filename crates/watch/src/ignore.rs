//! Files that editors and desktops make for themselves beside the one that is edited.

/// Returns whether a file of this name is an editor's own: a swap file, a lock, a backup, a file that is about to be renamed.
///
/// A save makes and removes several of them; none is ever an input, and the name that is saved gets an event of its own.
pub(crate) fn is_ephemeral(name: &str) -> bool {
    is_vim(name) || is_emacs(name) || STARTS.iter().any(|start| name.starts_with(start)) || ENDS.iter().any(|end| name.ends_with(end))
}

/// How such names begin: `GLib` (gedit, GNOME Builder), NFS and FUSE files removed while open, Sublime Text, `LibreOffice`, macOS.
const STARTS: [&str; 7] = [".goutputstream-", ".nfs0", ".fuse_hidden", ".subl", ".~lock.", ".DS_Store", "._.DS_Store"];

/// How such names end: backups of most editors, `JetBrains`' safe write, Kate, Visual Studio's and vim's undo.
const ENDS: [&str; 5] = ["~", "___jb_tmp___", "___jb_old___", ".kate-swp", ".un~"];

/// vim's swap files, and the number it makes to find out whether a directory can be written to.
fn is_vim(name: &str) -> bool {
    let swap = |rest: &str| matches!(rest.as_bytes(), [b'a'..=b'p' | b'x']);
    name == "4913" || (name.starts_with('.') && name.rsplit_once(".sw").is_some_and(|(_, rest)| swap(rest)))
}

/// Emacs' locks and auto-saves.
fn is_emacs(name: &str) -> bool {
    name.starts_with(".#") || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_make_for_themselves_does_not_count() {
        for name in [
            ".main.go.swp",
            ".main.go.swx",
            ".swp",
            ".bashrc.swo",
            "4913",
            "main.go~",
            ".main.go.un~",
            ".#main.go",
            "#main.go#",
            "main.go___jb_tmp___",
            "main.go___jb_old___",
            ".DS_Store",
            ".goutputstream-AB12CD",
            ".main.go.kate-swp",
            ".nfs000000000012d68700000001",
            ".fuse_hidden0000000a00000001",
            ".subl3f2.tmp",
            ".~lock.table.ods#",
        ] {
            assert!(is_ephemeral(name), "{name}");
        }
    }

    #[test]
    fn what_people_write_counts() {
        for name in
            ["main.go", "4914", ".env", "logo.swf", ".logo.swz", "a.sw", "#", "#notes", ".dockerignore", "~/x", "sw", ".goreleaser.yaml"]
        {
            assert!(!is_ephemeral(name), "{name}");
        }
    }
}
