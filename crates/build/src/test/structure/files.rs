//! Files of an image, against what they have to be (container-structure-test's `pkg/types/v2/file_*.go`).

use devloop_clients::docker::FileKind;
use devloop_clients::docker::FoundFile;

use super::file::ContentTest;
use super::file::ExistenceTest;
use super::file::Who;
use super::pattern::Pattern;

/// How much of a text a fault quotes.
const QUOTED: usize = 200;

impl ExistenceTest {
    /// Returns what is wrong with what is at the path.
    pub(super) fn faults(&self, found: Option<&FoundFile>) -> Vec<String> {
        let path = &self.path;
        let Some(file) = found else {
            return self.should_exist.then(|| format!("`{path}` does not exist")).into_iter().collect();
        };
        if !self.should_exist {
            return vec![format!("`{path}` exists")];
        }
        let mode = go_mode(file);
        let mut faults = Vec::new();
        if !self.permissions.is_empty() && self.permissions != mode {
            faults.push(format!("`{path}` is `{mode}`, not `{}`", self.permissions));
        }
        let bits = match self.is_executable_by {
            None => 0,
            Some(Who::Any) => 0o111,
            Some(Who::Owner) => 0o100,
            Some(Who::Group) => 0o010,
            Some(Who::Other) => 0o001,
        };
        if bits != 0 && file.mode & bits == 0 {
            faults.push(format!("`{path}` is `{mode}`, which its {} cannot execute", who(self.is_executable_by)));
        }
        for (what, wanted, found) in [("user", self.uid, file.uid), ("group", self.gid, file.gid)] {
            faults.extend(wanted.filter(|wanted| *wanted != found).map(|wanted| format!("`{path}` is of {what} {found}, not {wanted}")));
        }
        faults
    }
}

fn who(who: Option<Who>) -> &'static str {
    match who {
        Some(Who::Owner) => "owner",
        Some(Who::Group) => "group",
        Some(Who::Other) => "others",
        Some(Who::Any) | None => "users",
    }
}

impl ContentTest {
    /// Returns what is wrong with the content of what is at the path.
    pub(super) fn faults(&self, found: Option<&FoundFile>) -> Vec<String> {
        let path = &self.path;
        let Some(file) = found else { return vec![format!("`{path}` does not exist")] };
        if file.kind != FileKind::File {
            return vec![format!("`{path}` is no file that has content")];
        }
        let content = String::from_utf8_lossy(&file.content);
        unmatched("its content", &content, &self.expected_contents, &self.excluded_contents)
    }
}

/// Returns which of `expected` are not in a text, and which of `excluded` are; the text is called `what`.
pub(super) fn unmatched(what: &str, text: &str, expected: &[Pattern], excluded: &[Pattern]) -> Vec<String> {
    let missing = expected.iter().filter(|pattern| !pattern.fits(text));
    let missing = missing.map(|pattern| format!("`{}` does not match {what}, which is {}", pattern.as_str(), quoted(text)));
    let there = excluded.iter().filter(|pattern| pattern.fits(text));
    missing.chain(there.map(|pattern| format!("`{}` matches {what}, which is {}", pattern.as_str(), quoted(text)))).collect()
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "empty".to_owned();
    }
    let shown: String = text.trim_end().chars().take(QUOTED).collect();
    let more = if text.trim_end().chars().count() > QUOTED { "…" } else { "" };
    format!("{shown:?}{more}")
}

/// Returns permissions as Go's `os.FileMode` writes them: `-rw-r--r--`, `drwxr-xr-x`, `urwxr-xr-x`.
fn go_mode(file: &FoundFile) -> String {
    let kind = match file.kind {
        FileKind::Directory => "d",
        FileKind::Symlink(_) => "L",
        FileKind::Other => "?",
        FileKind::File => "",
    };
    let special = [(0o4000, 'u'), (0o2000, 'g'), (0o1000, 't')].into_iter().filter(|(bit, _)| file.mode & bit != 0);
    let special: String = special.map(|(_, letter)| letter).collect();
    let before = if kind.is_empty() && special.is_empty() { "-".to_owned() } else { format!("{kind}{special}") };
    let letters = "rwxrwxrwx".chars().enumerate();
    before + &letters.map(|(at, letter)| if file.mode & (0o400 >> at) == 0 { '-' } else { letter }).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kind: FileKind, mode: u32, content: &str) -> FoundFile {
        FoundFile { kind, mode, uid: 1000, gid: 50, content: content.into() }
    }

    #[test]
    fn modes_are_written_as_in_go() {
        let link = FileKind::Symlink("/x".into());
        for (kind, mode, expected) in [
            (FileKind::File, 0o644, "-rw-r--r--"),
            (FileKind::Directory, 0o755, "drwxr-xr-x"),
            (FileKind::Directory, 0o1777, "dtrwxrwxrwx"),
            (FileKind::File, 0o4755, "urwxr-xr-x"),
            (FileKind::File, 0o6711, "ugrwx--x--x"),
            (link, 0o777, "Lrwxrwxrwx"),
        ] {
            assert_eq!(go_mode(&file(kind, mode, "")), expected);
        }
    }

    #[test]
    fn a_file_is_what_it_has_to_be_or_is_told() {
        let app = file(FileKind::File, 0o750, "");
        for (test, found, expected) in [
            ("", Some(&app), ""),
            ("", None, "`/app` does not exist"),
            ("shouldExist: false", None, ""),
            ("shouldExist: false", Some(&app), "`/app` exists"),
            ("{permissions: -rwxr-x---, uid: 1000, gid: 50, isExecutableBy: group}", Some(&app), ""),
            ("permissions: drwxr-xr-x", Some(&app), "`/app` is `-rwxr-x---`, not `drwxr-xr-x`"),
            ("isExecutableBy: other", Some(&app), "`/app` is `-rwxr-x---`, which its others cannot execute"),
            ("{uid: 0, gid: 0}", Some(&app), "`/app` is of user 1000, not 0; `/app` is of group 50, not 0"),
        ] {
            let rest = test.trim_start_matches('{').trim_end_matches('}');
            let test: ExistenceTest = serde_saphyr::from_str(&format!("{{name: app, path: /app, {rest}}}")).unwrap();
            assert_eq!(test.faults(found).join("; "), expected, "{test:?}");
        }
    }

    #[test]
    fn contents_match_or_are_quoted() {
        let faults = |test: &str, found: Option<&FoundFile>| {
            serde_saphyr::from_str::<ContentTest>(&format!("{{name: c, path: /c, {test}}}")).unwrap().faults(found).join("; ")
        };
        let found = file(FileKind::File, 0o644, "one\ntwo\n");
        assert_eq!(faults("expectedContents: ['t.o'], excludedContents: [three]", Some(&found)), "");
        assert_eq!(faults("expectedContents: [three]", Some(&found)), r#"`three` does not match its content, which is "one\ntwo""#);
        assert_eq!(faults("excludedContents: [one]", Some(&found)), r#"`one` matches its content, which is "one\ntwo""#);
        assert_eq!(faults("excludedContents: [one]", None), "`/c` does not exist");
        assert_eq!(faults("", Some(&file(FileKind::Directory, 0o755, ""))), "`/c` is no file that has content");
    }
}
