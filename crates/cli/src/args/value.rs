//! Values of flags, read as Go's pflag reads them, so that scripts written for Skaffold keep working.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A boolean flag: `--flag` alone means true, and `--flag=false` is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Switch(pub(crate) bool);

/// A list flag: each occurrence holds one line of comma-separated values, quoted where a value has a comma.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct List(pub(crate) Vec<String>);

/// A duration in Go's notation: `60s`, `1m30s`, `1.5h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GoDuration(pub(crate) Duration);

/// Why a value is not what its flag wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// Not one of Go's booleans.
    #[error("expected `true` or `false`")]
    Switch,
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// Not a duration.
    #[error("expected a duration such as `60s`, `1m30s` or `500ms`")]
    Duration,
    /// No unit.
    #[error("the unit is missing: write `{0}s` for seconds")]
    Unit(String),
    /// Below zero.
    #[error("a negative duration makes no sense here")]
    Negative,
}

impl FromStr for Switch {
    type Err = ValueError;

    /// Takes what Go's `strconv.ParseBool` takes.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Self(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Self(false)),
            _ => Err(ValueError::Switch),
        }
    }
}

impl FromStr for List {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut values = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (value, after) = if let Some(quoted) = rest.strip_prefix('"') {
                unquote(quoted)?
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            };
            values.push(value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        Ok(Self(values))
    }
}

/// Returns the text up to the closing quote, with doubled quotes made single, and what follows.
fn unquote(text: &str) -> Result<(String, &str), ValueError> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or(ValueError::Quote)?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                value.push('"');
                rest = after;
            }
            None => return Ok((value, rest)),
        }
    }
}

impl List {
    /// Returns all values of all occurrences, in order.
    pub(crate) fn flatten(lists: &[Self]) -> Vec<String> {
        lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
    }
}

impl FromStr for GoDuration {
    type Err = ValueError;

    /// Takes what Go's `time.ParseDuration` takes, down to the nanosecond, except negative values.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.starts_with('-') {
            return Err(ValueError::Negative);
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if rest.is_empty() {
            return Err(ValueError::Duration);
        }
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(number_end);
            let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            if unit.is_empty() && !number.is_empty() {
                return Err(ValueError::Unit(text.to_owned()));
            }
            let nanoseconds = nanoseconds(number, unit).ok_or(ValueError::Duration)?;
            total = total.checked_add(nanoseconds).ok_or(ValueError::Duration)?;
            rest = after;
        }
        Ok(Self(total))
    }
}

/// Returns `number` of `unit`, exact in its whole part.
fn nanoseconds(number: &str, unit: &str) -> Option<Duration> {
    let nanos_per_unit: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    let whole = Duration::from_nanos(whole.checked_mul(nanos_per_unit)?);
    whole.checked_add(Duration::from_nanos((fraction * nanos_per_unit as f64) as u64))
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_durations() {
        for (text, milliseconds) in [
            ("60s", 60_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("500ms", 500),
            ("0", 0),
            ("+2s", 2_000),
            (".5s", 500),
            ("1h2m3s4ms", 3_723_004),
            ("100us", 0),
        ] {
            assert_eq!(text.parse::<GoDuration>().unwrap().0.as_millis(), milliseconds, "{text}");
        }
        assert_eq!("1us".parse::<GoDuration>().unwrap().0, Duration::from_micros(1));
        for (text, error) in [
            ("", ValueError::Duration),
            ("s", ValueError::Duration),
            ("1x", ValueError::Duration),
            ("1.2.3s", ValueError::Duration),
            (".s", ValueError::Duration),
            ("60", ValueError::Unit("60".into())),
            ("-1s", ValueError::Negative),
            ("99999999999999999999h", ValueError::Duration),
        ] {
            assert_eq!(text.parse::<GoDuration>(), Err(error), "{text}");
        }
    }

    #[test]
    fn lists_are_lines_of_comma_separated_values() {
        for (text, values) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a,b=c", vec!["a", "b=c"]),
            (r#""a,b",c"#, vec!["a,b", "c"]),
            (r#""say ""hi""""#, vec![r#"say "hi""#]),
        ] {
            assert_eq!(text.parse::<List>().unwrap().0, values, "{text}");
        }
        assert_eq!(r#""open"#.parse::<List>(), Err(ValueError::Quote));
    }

    #[test]
    fn switches_are_go_booleans() {
        for (text, value) in [("true", true), ("1", true), ("T", true), ("False", false), ("0", false)] {
            assert_eq!(text.parse::<Switch>().unwrap().0, value, "{text}");
        }
        assert_eq!("yes".parse::<Switch>(), Err(ValueError::Switch));
    }
}
