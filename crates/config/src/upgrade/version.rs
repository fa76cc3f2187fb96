//! The versions of the schema, in the order they came.

use std::fmt;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(usize);

/// What every name starts with.
const PREFIX: &str = "skaffold/";

/// The newest version that Skaffold reads as well.
pub const NEWEST_OF_SKAFFOLD: &str = "skaffold/v4beta14";

/// The version of our own: the newest of Skaffold's, and more.
const OWN: &str = "devloop/v1";

const NAMES: [&str; 72] = [
    "v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4", "v1alpha5", "v1beta1", "v1beta2", "v1beta3", "v1beta4", "v1beta5", "v1beta6",
    "v1beta7", "v1beta8", "v1beta9", "v1beta10", "v1beta11", "v1beta12", "v1beta13", "v1beta14", "v1beta15", "v1beta16", "v1beta17", "v1",
    "v2alpha1", "v2alpha2", "v2alpha3", "v2alpha4", "v2beta1", "v2beta2", "v2beta3", "v2beta4", "v2beta5", "v2beta6", "v2beta7", "v2beta8",
    "v2beta9", "v2beta10", "v2beta11", "v2beta12", "v2beta13", "v2beta14", "v2beta15", "v2beta16", "v2beta17", "v2beta18", "v2beta19",
    "v2beta20", "v2beta21", "v2beta22", "v2beta23", "v2beta24", "v2beta25", "v2beta26", "v2beta27", "v2beta28", "v2beta29", "v3alpha1",
    "v3", "v4beta1", "v4beta2", "v4beta3", "v4beta4", "v4beta5", "v4beta6", "v4beta7", "v4beta8", "v4beta9", "v4beta10", "v4beta11",
    "v4beta12", "v4beta13", "v4beta14",
];

impl Version {
    /// The first of them.
    pub(crate) const OLDEST: Self = Self(0);
    /// The newest that Skaffold reads as well.
    pub(crate) const SKAFFOLD: Self = Self(NAMES.len() - 1);
    /// That of the types: our own.
    pub(crate) const LATEST: Self = Self(NAMES.len());

    /// Returns all, oldest first.
    pub(crate) fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..=NAMES.len()).map(Self)
    }

    /// Returns the version called so: `skaffold/v4beta14`, `devloop/v1`.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        if name == OWN { Some(Self::LATEST) } else { Self::of_short(name.strip_prefix(PREFIX)?) }
    }

    /// Returns the newest version that whoever reads this one reads too: Skaffold reads none of ours.
    pub(crate) fn newest(self) -> Self {
        self.max(Self::SKAFFOLD)
    }

    /// Returns the version of Skaffold's called so: `v4beta14`.
    pub(crate) fn of_short(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(Self)
    }

    /// Returns the last version of those that are called as `short` but for the number: `v2beta29` for `v2beta30`.
    pub(crate) fn last_of_family(short: &str) -> Option<Self> {
        let family = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let number = |name: &str| name[family(name).len()..].parse::<u32>().ok();
        let (wanted, at) = (family(short), number(short)?);
        let last = Self::all().rfind(|version| family(version.short()) == wanted)?;
        (number(last.short())? < at).then_some(last)
    }

    /// Returns its name, without what all of Skaffold's start with.
    pub(crate) fn short(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or(OWN)
    }

    /// Returns its place among all.
    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::LATEST { f.write_str(OWN) } else { write!(f, "{PREFIX}{}", self.short()) }
    }
}
