use std::time::Duration;

use super::*;

const DIRECT: &str = "src/main/jib/etc/x.conf";
const PAGE: &str = "target/classes/a.txt";
const CLASS: &str = "target/classes/A.class";

/// What is compiled, each file with the second it was written in.
fn compiled(generated: &[(&str, u64)]) -> Compiled {
    let mut compiled = Compiled::default();
    compiled.map.files.insert(DIRECT.to_owned(), vec!["/etc/x.conf".to_owned()]);
    for (path, second) in generated {
        compiled.map.files.insert((*path).to_owned(), vec![format!("/app/{path}")]);
        compiled.generated.insert((*path).to_owned(), at(*second));
    }
    compiled
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

#[test]
fn what_was_compiled_since_is_copied_and_what_was_not_is_built() {
    let before = compiled(&[(CLASS, 1), (PAGE, 1)]);
    for (now, before, changed, expected) in [
        // The image has what is not known: all that is compiled goes, if anything was.
        (&[(CLASS, 1), (PAGE, 7)][..], None, &["src/a.txt"][..], Some("target/classes/A.class target/classes/a.txt")),
        (&[(CLASS, 1), (PAGE, 1)], None, &["lib/x.jar"], None),
        (&[(CLASS, 1), (PAGE, 7)], Some(&before), &["src/a.txt"], Some(PAGE)),
        (&[(CLASS, 1), (PAGE, 7)], Some(&before), &["src/a.txt", DIRECT], Some("src/main/jib/etc/x.conf target/classes/a.txt")),
        (&[(CLASS, 1), (PAGE, 1)], Some(&before), &["lib/x.jar", DIRECT], None),
        (&[(CLASS, 1), (PAGE, 1)], Some(&before), &[DIRECT], Some(DIRECT)),
        (&[(CLASS, 1)], Some(&before), &["src/A.java"], Some("-target/classes/a.txt")),
        (&[(CLASS, 1), (PAGE, 1), ("target/classes/B.class", 0)], Some(&before), &["src/A.java"], Some("target/classes/B.class")),
    ] {
        let files: Vec<ChangedFile> = changed.iter().map(|path| ChangedFile { path: (*path).to_owned(), deleted: false }).collect();
        let sign = |file: ChangedFile| format!("{}{}", if file.deleted { "-" } else { "" }, file.path);
        let copied = compiled(now).since(before, &files, at(5));
        let copied = copied.map(|files| files.into_iter().map(sign).collect::<Vec<_>>().join(" "));
        assert_eq!(copied.as_deref(), expected, "{now:?} {changed:?}");
    }
}

#[test]
fn an_answer_is_the_line_after_its_mark() {
    let text = "[INFO] x\nBEGIN JIB JSON: SYNCMAP/1\r\n{\"generated\":[{\"src\":\"/w/A\",\"dest\":\"/app/A\"}],\"direct\":[]}\n[INFO] y";
    let found = answer(text).unwrap();
    assert_eq!((found.generated[0].dest.as_str(), found.direct.len()), ("/app/A", 0));
    assert!(answer("BEGIN JIB JSON\n{}").is_none());
}
