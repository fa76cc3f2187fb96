//! Two images side by side.

use std::collections::BTreeSet;

use super::Config;
use super::File;
use super::Image;
use super::Kind;
use super::Tree;

/// Files that containers get from whoever runs them. Builders differ in whether the empty places where these are
/// mounted stay in the image; what is mounted there never does.
const MOUNTED: [&str; 8] = ["dev", "proc", "sys", "etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"];

/// Returns in what `image` is not as `other`, one short line each: `bin/x: mode 0755, docker has 4755`.
///
/// Not looked at are times and history, which no two builds share, and what is at the paths of `leftovers`, places of
/// mounts, if it is empty or absent.
pub fn differences(image: &Image, other: &Image, leftovers: &[String]) -> Vec<String> {
    let paths: BTreeSet<&str> = image.files.paths().chain(other.files.paths()).collect();
    let is_place = |path: &str| MOUNTED.contains(&path) || leftovers.iter().any(|leftover| leftover == path);
    let is_empty_place = |path: &str| [&image.files, &other.files].iter().all(|files| is_empty_place(files, path, &is_place));
    let files = paths.into_iter().filter(|path| !is_empty_place(path)).flat_map(|path| of_file(path, &image.files, &other.files));
    files.chain(of_config(&image.config, &other.config)).collect()
}

/// Returns whether nothing is at a path but the places of mounts, or nothing at all.
fn is_empty_place(files: &Tree, path: &str, is_place: &impl Fn(&str) -> bool) -> bool {
    let is_empty = |path: &str| {
        files.get(path).is_none_or(|file| match file.kind {
            Kind::Directory => true,
            Kind::File { size, .. } => size == 0,
            Kind::Symlink(_) | Kind::Fifo | Kind::Device(_) => false,
        })
    };
    is_place(path) && is_empty(path) && files.below(path).all(|path| is_place(path) && is_empty(path))
}

fn of_file(path: &str, files: &Tree, others: &Tree) -> Vec<String> {
    let (file, other) = match (files.get(path), others.get(path)) {
        (Some(file), Some(other)) => (file, other),
        (Some(file), None) => return vec![format!("{path}: {}, docker has none", file.kind)],
        (None, Some(other)) => return vec![format!("{path}: missing, docker has {}", other.kind)],
        (None, None) => return Vec::new(),
    };
    let mut lines = Vec::new();
    let mut compare = |what: &str, own: String, docker: String| {
        if own != docker {
            lines.push(format!("{path}: {what}{own}, docker has {docker}"));
        }
    };
    if file.kind != other.kind {
        compare("", file.kind.to_string(), other.kind.to_string());
    }
    // A link has no permissions of its own.
    if !matches!((&file.kind, &other.kind), (Kind::Symlink(_), Kind::Symlink(_))) {
        compare("mode ", format!("{:04o}", file.mode), format!("{:04o}", other.mode));
    }
    let owner = |file: &File| format!("{}:{}", file.uid, file.gid);
    compare("owner ", owner(file), owner(other));
    let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
    compare("capability ", or_none(file.capability.as_deref()), or_none(other.capability.as_deref()));
    compare("other name ", or_none(files.other_name(path)), or_none(others.other_name(path)));
    lines
}

fn of_config(config: &Config, other: &Config) -> Vec<String> {
    let fields: BTreeSet<&str> = config.fields().chain(other.fields()).collect();
    let value = |config: &Config, field: &str| config.get(field).map_or_else(|| "none".to_owned(), ToString::to_string);
    fields
        .into_iter()
        .filter(|field| config.get(field) != other.get(field))
        .map(|field| format!("{field}: {}, docker has {}", value(config, field), value(other, field)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(files: &[(&str, File)], config: serde_json::Value) -> Image {
        let mut tree = Tree::default();
        for (path, file) in files {
            tree.insert(path, file.clone());
        }
        Image { files: tree, config: Config::of(&json!({ "config": config })) }
    }

    #[test]
    fn every_difference_is_a_line() {
        let file = |text: &str, mode| File::with_contents(text.as_bytes(), mode);
        let mut ours = image(
            &[
                ("a", file("x", 0o755)),
                ("b", file("x", 0o644)),
                ("c", File { kind: Kind::Symlink("a".to_owned()), ..File::directory() }),
                ("d", file("", 0o644)),
            ],
            json!({ "Cmd": ["sh"], "Env": ["A=1"], "WorkingDir": "/" }),
        );
        let theirs = image(
            &[
                ("a", file("x", 0o4755)),
                ("b", File { uid: 5, ..file("y", 0o644) }),
                ("c", File { mode: 0o777, kind: Kind::Symlink("b".to_owned()), ..File::directory() }),
                ("e", File::directory()),
            ],
            json!({ "Entrypoint": ["sh"], "Env": ["A=1"], "Labels": {} }),
        );
        ours.files.link("f", "a");
        insta::assert_snapshot!(differences(&ours, &theirs, &["d".to_owned()]).join("\n"), @r#"
        a: mode 0755, docker has 4755
        a: other name f, docker has none
        b: "x", docker has "y"
        b: owner 0:0, docker has 5:0
        c: a link to a, docker has a link to b
        e: missing, docker has a directory
        f: "x", docker has none
        Cmd: ["sh"], docker has none
        Entrypoint: none, docker has ["sh"]
        "#);
        assert_eq!(differences(&theirs, &theirs, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_place_of_a_mount_may_stay_behind_only_if_it_is_empty() {
        let secret = image(&[("run/secrets/token", File::with_contents(b"t0p", 0o400))], json!({}));
        let nothing = Image::default();
        let places = ["run".to_owned(), "run/secrets".to_owned(), "run/secrets/token".to_owned()];
        assert_eq!(differences(&secret, &nothing, &places).len(), 3);
        let empty = image(&[("cache", File::directory())], json!({}));
        assert_eq!(differences(&empty, &nothing, &["cache".to_owned()]), Vec::<String>::new());
    }
}
