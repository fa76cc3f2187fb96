//! Tests of images (`test[]`), each on its own: one runs when its image or what it depends on is another one.

use std::path::PathBuf;
use std::time::Duration;

use super::PathList;
use crate::ImageName;
use crate::Location;
use crate::Template;

/// How many letters of a command a test is called by.
const NAME_WIDTH: usize = 60;

/// One test of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The image: the name of an artifact, or of an image that is given to `devloop test`.
    pub image: ImageName,
    /// The directory that it runs in and that its paths start from: an absolute path.
    pub context: PathBuf,
    /// What it does.
    pub kind: TestKind,
    /// Where it stands in skaffold.yaml.
    pub at: Location,
}

/// What a test does.
#[derive(Debug, Clone, PartialEq)]
pub enum TestKind {
    /// It runs a command.
    Custom(CustomTest),
    /// It looks at what is in the image, as container-structure-test does.
    Structure(StructureTest),
}

/// `test[].custom[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomTest {
    /// The command, for `sh -c`.
    pub command: Template,
    /// How long it may take; none is for ever.
    pub timeout: Option<Duration>,
    /// What it depends on beside the image; none where the configuration does not say.
    pub dependencies: Option<TestDependencies>,
}

/// What a custom test depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestDependencies {
    /// Files by patterns.
    Paths(PathList),
    /// A command that prints them.
    Command(String),
}

/// `test[].structureTests` and `structureTestsArgs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructureTest {
    /// Files and patterns of files that say what has to be in the image.
    pub files: Vec<String>,
    /// More arguments of container-structure-test.
    pub args: Vec<String>,
}

impl Test {
    /// Returns what the test is called: its command, or the files that it reads.
    pub fn name(&self) -> String {
        let name = match &self.kind {
            TestKind::Custom(custom) => custom.command.source().trim().to_owned(),
            TestKind::Structure(structure) => structure.files.join(" "),
        };
        let line = name.lines().next().unwrap_or_default();
        if line.len() == name.len() && line.chars().count() <= NAME_WIDTH {
            return name;
        }
        format!("{}…", line.chars().take(NAME_WIDTH).collect::<String>().trim_end())
    }

    /// Returns whether both are the same, wherever they stand.
    pub fn is_same(&self, other: &Self) -> bool {
        *self == Self { at: self.at.clone(), ..other.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_called_by_the_first_line_of_its_command() {
        let name = |command: &str| {
            let custom = CustomTest { command: Template::parse(command).unwrap(), timeout: None, dependencies: None };
            let at = Location { file: "skaffold.yaml".into(), line: 1, column: 1, text: String::new(), width: 1, label: None };
            Test { image: ImageName::parse("web").unwrap(), context: "/p".into(), kind: TestKind::Custom(custom), at }.name()
        };
        assert_eq!(name("./test.sh {{.MODE}}"), "./test.sh {{.MODE}}");
        assert_eq!(name("set -e\n./test.sh"), "set -e…");
        assert_eq!(name(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
