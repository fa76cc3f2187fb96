//! What of a Go file decides which files belong to the program: its head and its directives.

/// Returns the part of a Go file that `go list` looks at: everything up to the last import, and
/// each `//go:embed` and `//go:build` line. Equal shapes mean that the listing stands, so that an
/// edited function body costs no `go list`. Source: go/build `readGoInfo`.
pub(in crate::inputs) fn of(source: &[u8]) -> Vec<u8> {
    let head = head_length(source);
    let mut shape = source[..head].to_vec();
    for line in source[head..].split(|&byte| byte == b'\n') {
        let line = line.trim_ascii_start();
        if line.starts_with(b"//go:embed") || line.starts_with(b"//go:build") || line.starts_with(b"// +build") {
            shape.push(b'\n');
            shape.extend_from_slice(line.trim_ascii_end());
        }
    }
    shape
}

/// Returns where the last import ends; the whole file when its head is not understood, so that any
/// change of it counts.
fn head_length(source: &[u8]) -> usize {
    let mut scan = Scan { source, at: 0 };
    parse_head(&mut scan).unwrap_or(source.len())
}

fn parse_head(scan: &mut Scan<'_>) -> Option<usize> {
    if source_is_marked(scan.source) {
        scan.at = 3;
    }
    (scan.token()? == b"package").then_some(())?;
    scan.token()?;
    let mut end = scan.at;
    loop {
        match scan.token() {
            Some(b";") => {}
            Some(b"import") => {
                parse_import(scan)?;
                end = scan.at;
            }
            _ => return Some(end),
        }
    }
}

fn source_is_marked(source: &[u8]) -> bool {
    source.starts_with(&[0xEF, 0xBB, 0xBF])
}

fn parse_import(scan: &mut Scan<'_>) -> Option<()> {
    let mut token = scan.token()?;
    if token == b"(" {
        while scan.token()? != b")" {}
        return Some(());
    }
    // A name, `.` or `_` may stand before the path.
    if !token.starts_with(b"\"") && !token.starts_with(b"`") {
        token = scan.token()?;
    }
    (token.starts_with(b"\"") || token.starts_with(b"`")).then_some(())
}

struct Scan<'a> {
    source: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// Returns the next token, without comments and space; none at the end, or where a comment or
    /// a string does not end.
    fn token(&mut self) -> Option<&'a [u8]> {
        self.skip()?;
        let rest = &self.source[self.at..];
        let length = match *rest.first()? {
            quote @ (b'"' | b'`') => rest[1..].iter().position(|&byte| byte == quote)? + 2,
            byte if is_word(byte) => rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len()),
            _ => 1,
        };
        self.at += length;
        Some(&rest[..length])
    }

    fn skip(&mut self) -> Option<()> {
        loop {
            let rest = &self.source[self.at..];
            if rest.starts_with(b"//") {
                self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
            } else if rest.starts_with(b"/*") {
                self.at += rest.windows(2).skip(2).position(|pair| pair == b"*/")? + 4;
            } else if rest.first().is_some_and(u8::is_ascii_whitespace) {
                self.at += 1;
            } else {
                return Some(());
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_body_keeps_the_shape() {
        let head = "// Doc.\npackage main\n\nimport (\n\t\"fmt\" // why\n\n\t. \"os\"\n)\nimport x `net/http`\n";
        for (body, same) in [
            ("func main() {}\n", true),
            ("func main() { fmt.Println(\"import\") }\n", true),
            ("// import \"c\"\nvar s = \"x\"\n", true),
            ("//go:embed a.txt\nvar s string\n", false),
            ("import \"embed\"\nfunc main() {}\n", false),
            ("/* \n//go:embed a.txt\n*/ func main() {}\n", false),
        ] {
            let changed = format!("{head}{body}");
            let original = format!("{head}func main() {{ println(1) }}\n");
            assert_eq!(of(changed.as_bytes()) == of(original.as_bytes()), same, "{body}");
        }
    }

    #[test]
    fn a_changed_head_changes_the_shape() {
        let original = of(b"package main\nimport \"fmt\"\nfunc main() {}\n");
        for changed in [
            "package other\nimport \"fmt\"\nfunc main() {}\n",
            "package main\nimport \"os\"\nfunc main() {}\n",
            "//go:build linux\n\npackage main\nimport \"fmt\"\nfunc main() {}\n",
            "package main; import \"fmt\"; import \"os\"\nfunc main() {}\n",
            "package main\nimport \"fmt\"\nimport \"C\"\nfunc main() {}\n",
        ] {
            assert_ne!(of(changed.as_bytes()), original, "{changed}");
        }
    }

    #[test]
    fn a_head_that_is_not_go_is_the_whole_file() {
        for source in ["package main\nimport (\n\"fmt\"\n", "/* never ends", "", "hello world", "package main\nimport \"fmt\nfunc\n"] {
            assert_eq!(of(source.as_bytes()), source.as_bytes(), "{source}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_input_is_too_strange(source: Vec<u8>) {
            of(&source);
        }
    }
}
