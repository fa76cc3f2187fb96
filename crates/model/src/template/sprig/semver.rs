//! Versions and the constraints of Masterminds/semver 3.3.

use std::cmp::Ordering;
use std::sync::LazyLock;

use gotmpl::TemplateError;
use gotmpl::Value;
use regex::Captures;
use regex::Regex;

use super::Call;
use super::Function;
use super::Result;
use super::dict;

pub(super) const FUNCTIONS: &[Function] = &[("semver", 1, Some(1), semver), ("semverCompare", 2, Some(2), compare)];

const SUFFIX: &str = r"(-[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*)?(\+[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*)?";
const OPERATORS: &str = r"=|!=|>=|=>|<=|=<|~>|>|<|~|\^|";
const WILD: &str = r"v?([0-9xX*]+)(\.[0-9xX*]+)?(\.[0-9xX*]+)?";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    prerelease: String,
    metadata: String,
}

/// The mapping has the names of the methods in Go; as text it is not the version.
fn semver(call: &Call<'_>) -> Result {
    let original = call.text(0)?;
    let version = Version::parse(original).ok_or_else(|| call.fault("invalid semantic version"))?;
    let [major, minor, patch] = version.numbers.map(|number| Value::Int(number.cast_signed()));
    dict([
        ("Major".into(), major),
        ("Minor".into(), minor),
        ("Patch".into(), patch),
        ("Prerelease".into(), Value::String(version.prerelease.as_str().into())),
        ("Metadata".into(), Value::String(version.metadata.as_str().into())),
        ("Original".into(), Value::String(original.into())),
        ("String".into(), Value::String(version.text().into())),
    ])
}

fn compare(call: &Call<'_>) -> Result {
    let either = constraints(call)?;
    let version = Version::parse(call.text(1)?).ok_or_else(|| call.fault("invalid semantic version"))?;
    Ok(Value::Bool(either.iter().any(|all| all.iter().all(|constraint| constraint.allows(&version)))))
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        static VERSION: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(&format!(r"^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?{SUFFIX}$")).expect("a constant pattern"));
        let found = VERSION.captures(text)?;
        let number = |at| found.get(at).map_or(Some(0), |part: regex::Match<'_>| part.as_str().trim_start_matches('.').parse().ok());
        let prerelease = found.get(4).map_or("", |part| &part.as_str()[1..]);
        let padded = |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        if prerelease.split('.').any(padded) {
            return None;
        }
        let metadata = found.get(5).map_or("", |part| &part.as_str()[1..]);
        Some(Self { numbers: [number(1)?, number(2)?, number(3)?], prerelease: prerelease.to_owned(), metadata: metadata.to_owned() })
    }

    fn text(&self) -> String {
        let [major, minor, patch] = self.numbers;
        let part = |sign: &str, part: &str| if part.is_empty() { String::new() } else { format!("{sign}{part}") };
        format!("{major}.{minor}.{patch}{}{}", part("-", &self.prerelease), part("+", &self.metadata))
    }

    /// Precedence by Semantic Versioning 2.0 §11.
    fn precedence(&self, other: &Self) -> Ordering {
        let prerelease = match (self.prerelease.as_str(), other.prerelease.as_str()) {
            (a, b) if a == b => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (a, b) => prerelease_order(a, b),
        };
        self.numbers.cmp(&other.numbers).then(prerelease)
    }
}

fn prerelease_order(a: &str, b: &str) -> Ordering {
    let part = |(a, b): (&str, &str)| match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    };
    let by_part = a.split('.').zip(b.split('.')).map(part).find(|order| order.is_ne());
    by_part.unwrap_or_else(|| a.split('.').count().cmp(&b.split('.').count()))
}

/// One constraint: an operator and a version whose last parts may be open.
struct Constraint {
    operator: String,
    version: Version,
    /// Whether any part is open.
    open: bool,
    open_minor: bool,
    open_patch: bool,
}

/// Returns the constraints: one list has to hold as a whole.
fn constraints(call: &Call<'_>) -> std::result::Result<Vec<Vec<Constraint>>, TemplateError> {
    static RANGE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&format!(r"\s*({WILD}{SUFFIX})\s+-\s+({WILD}{SUFFIX})\s*")).expect("a constant pattern"));
    static VALID: LazyLock<Regex> = LazyLock::new(|| {
        let one = format!(r"(?:{OPERATORS})\s*{WILD}{SUFFIX}");
        Regex::new(&format!(r"^\s*{one}\s*(?:(?:\s+|,\s*){one}\s*)*$")).expect("a constant pattern")
    });
    static EACH: LazyLock<Regex> = LazyLock::new(|| Regex::new(&format!(r"({OPERATORS})\s*{WILD}{SUFFIX}")).expect("a constant pattern"));
    let text = RANGE.replace_all(call.text(0)?, ">= $1, <= $7 ");
    let lists = text.split("||").map(|list| {
        let fault = || call.fault(format!("improper constraint: {list}"));
        if !VALID.is_match(list) {
            return Err(fault());
        }
        EACH.captures_iter(list).map(|found| Constraint::new(&found).ok_or_else(fault)).collect()
    });
    lists.collect()
}

impl Constraint {
    fn new(found: &Captures<'_>) -> Option<Self> {
        let part = |at| found.get(at).map_or("", |part: regex::Match<'_>| part.as_str().trim_start_matches('.'));
        let is_open = |part: &str| part.is_empty() || matches!(part, "x" | "X" | "*");
        let (major, minor, patch, prerelease) = (part(2), part(3), part(4), part(5));
        let (version, open_minor, open_patch) = match (is_open(major), is_open(minor), is_open(patch)) {
            (true, ..) => (format!("0.0.0{prerelease}"), false, false),
            (false, true, _) => (format!("{major}.0.0{prerelease}"), true, false),
            (false, false, true) => (format!("{major}.{minor}.0{prerelease}"), false, true),
            (false, false, false) => (format!("{major}.{minor}.{patch}{prerelease}"), false, false),
        };
        let open = is_open(major) || open_minor || open_patch;
        Some(Self { operator: part(1).to_owned(), version: Version::parse(&version)?, open, open_minor, open_patch })
    }

    fn allows(&self, version: &Version) -> bool {
        let order = version.precedence(&self.version);
        // A version before a release is only wanted where the constraint names one too.
        let is_unasked = !version.prerelease.is_empty() && self.version.prerelease.is_empty();
        if is_unasked && (self.operator != "!=" || self.open) {
            return false;
        }
        match self.operator.as_str() {
            "!=" => self.differs(version),
            ">" if self.open_minor => version.numbers[0] > self.version.numbers[0],
            ">" if self.open_patch => version.numbers[..2] > self.version.numbers[..2],
            ">" => order.is_gt(),
            "<" => order.is_lt(),
            ">=" | "=>" => order.is_ge(),
            "<=" | "=<" if self.open => {
                version.numbers[0] < self.version.numbers[0]
                    || version.numbers[0] == self.version.numbers[0] && (self.open_minor || version.numbers[1] <= self.version.numbers[1])
            }
            "<=" | "=<" => order.is_le(),
            "^" => order.is_ge() && self.is_compatible(version),
            "~" | "~>" => self.is_near(version),
            _ if self.open => self.is_near(version),
            _ => order.is_eq(),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let [major, minor, _] = self.version.numbers;
        if self.open_minor {
            return version.numbers[0] != major;
        }
        if self.open_patch {
            return version.numbers[..2] != [major, minor] || version.prerelease != self.version.prerelease;
        }
        version.precedence(&self.version).is_ne()
    }

    /// `~`: the same minor version, or major version where only that is given.
    fn is_near(&self, version: &Version) -> bool {
        if version.precedence(&self.version).is_lt() {
            return false;
        }
        if self.version.numbers == [0, 0, 0] && !self.open_minor && !self.open_patch {
            return true;
        }
        version.numbers[0] == self.version.numbers[0] && (self.open_minor || version.numbers[1] == self.version.numbers[1])
    }

    /// `^`: the leftmost number that is not 0 stays.
    fn is_compatible(&self, version: &Version) -> bool {
        let [major, minor, patch] = self.version.numbers;
        if major > 0 || self.open_minor {
            return version.numbers[0] == major;
        }
        if version.numbers[0] > 0 {
            return false;
        }
        if minor > 0 || self.open_patch {
            return version.numbers[1] == minor;
        }
        version.numbers[1] == 0 && version.numbers[2] == patch
    }
}
