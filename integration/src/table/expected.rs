//! An image written down: what the base has, and what is changed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::image::File;
use crate::image::Image;
use crate::image::Kind;

/// What comes of a Dockerfile, for syntax that the daemon is too old for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The image that it is based on; nothing is `scratch`.
    pub base: Option<String>,
    /// What is at these paths, in place of what the base has there.
    pub files: BTreeMap<String, ExpectedFile>,
    /// Fields of the configuration, in place of the base's; null is none.
    pub config: BTreeMap<String, Value>,
}

/// What is at one path: a file with a text, unless it is said to be something else.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedFile {
    text: String,
    dir: bool,
    pipe: bool,
    gone: bool,
    link: Option<String>,
    mode: Option<String>,
    owner: Option<String>,
}

impl Expected {
    /// Returns the image, given its base.
    ///
    /// # Errors
    /// Says which file's mode or owner is not one.
    pub fn image(&self, base: Image) -> Result<Image, String> {
        let mut image = base;
        for (path, expected) in &self.files {
            if expected.gone {
                image.files.remove(path);
                continue;
            }
            image.files.insert(path, expected.file().ok_or_else(|| format!("{path}: not a mode, or not an owner as 0:0"))?);
        }
        for (field, value) in &self.config {
            image.config.set(field, value.clone());
        }
        Ok(image)
    }
}

impl ExpectedFile {
    fn file(&self) -> Option<File> {
        let mut file = match &self.link {
            Some(target) => File { kind: Kind::Symlink(target.clone()), mode: 0o777, ..File::directory() },
            None if self.dir => File::directory(),
            None if self.pipe => File { kind: Kind::Fifo, mode: 0o644, ..File::directory() },
            None => File::with_contents(self.text.as_bytes(), 0o644),
        };
        if let Some(mode) = &self.mode {
            file.mode = u32::from_str_radix(mode, 8).ok()?;
        }
        if let Some(owner) = &self.owner {
            let (uid, gid) = owner.split_once(':')?;
            (file.uid, file.gid) = (uid.parse().ok()?, gid.parse().ok()?);
        }
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::differences;

    #[test]
    fn what_is_written_replaces_what_the_base_has() {
        let mut base = Image::default();
        base.files.insert("etc", File::directory());
        base.files.insert("etc/motd", File::with_contents(b"hi", 0o644));
        let expected: Expected = serde_saphyr::from_str(
            "files:\n  etc/motd: {gone: true}\n  etc: {dir: true, mode: '0700', owner: '1:2'}\n  x: {link: etc}\nconfig: {User: web}\n",
        )
        .unwrap();
        let image = expected.image(base.clone()).unwrap();
        insta::assert_snapshot!(differences(&image, &base, &[]).join("\n"), @r#"
        etc: mode 0700, docker has 0755
        etc: owner 1:2, docker has 0:0
        etc/motd: missing, docker has "hi"
        x: a link to etc, docker has none
        User: "web", docker has none
        "#);
    }
}
