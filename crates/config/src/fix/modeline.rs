//! The comment that tells editors with the YAML language server which schema a file has.

use crate::upgrade::Version;

const START: &str = "# yaml-language-server:";

/// Returns `text` with the versions in the name of its schema followed to the newer ones.
pub(super) fn followed(text: &str, versions: &[(Version, Version)]) -> String {
    let Some(line) = text.lines().find(|line| line.starts_with(START)) else { return text.to_owned() };
    let Some((from, to)) = versions.first() else { return text.to_owned() };
    let whole = line.replace(&from.to_string(), &to.to_string());
    let is_file = |rest: &str| rest.is_empty() || rest.starts_with('.') || rest.starts_with(char::is_whitespace);
    let name = format!("/{}", from.short());
    let now = match line.find(&name) {
        _ if whole != line => whole,
        // Skaffold has no file of this name.
        Some(at) if *to != Version::LATEST && is_file(&line[at + name.len()..]) => line.replacen(&name, &format!("/{}", to.short()), 1),
        _ => return text.to_owned(),
    };
    text.replacen(line, &now, 1)
}

/// Returns `text` with this schema at its head, in the place of another one.
pub(super) fn headed(text: &str, schema: &str) -> String {
    let now = format!("{START} $schema={schema}");
    match text.lines().find(|line| line.starts_with(START)) {
        Some(line) => text.replacen(line, &now, 1),
        None => format!("{now}\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(line: &str, to: Version) -> String {
        followed(&format!("{line}\nkind: Config\n"), &[(Version::of_short("v2beta2").unwrap(), to)]).lines().next().unwrap().to_owned()
    }

    #[test]
    fn the_schema_follows_the_version() {
        for (line, skaffold, own) in [
            ("$schema=https://x/schemas/v2beta2.json", "$schema=https://x/schemas/v4beta14.json", "$schema=https://x/schemas/v2beta2.json"),
            ("$schema=schemas/skaffold/v2beta2.json", "$schema=schemas/skaffold/v4beta14.json", "$schema=schemas/devloop/v1.json"),
            ("$schema=https://x/v2beta29.json", "$schema=https://x/v2beta29.json", "$schema=https://x/v2beta29.json"),
            ("$schema=mine.json", "$schema=mine.json", "$schema=mine.json"),
        ] {
            let line = format!("{START} {line}");
            assert_eq!(follow(&line, Version::SKAFFOLD), format!("{START} {skaffold}"));
            assert_eq!(follow(&line, Version::LATEST), format!("{START} {own}"));
        }
    }

    #[test]
    fn a_schema_stands_at_the_head_once() {
        let once = headed("# mine\nkind: Config\n", "a.json");
        assert_eq!(once, "# yaml-language-server: $schema=a.json\n# mine\nkind: Config\n");
        assert_eq!(headed(&once, "b.json"), "# yaml-language-server: $schema=b.json\n# mine\nkind: Config\n");
    }
}
