//! Durations in Go's notation, which flags and skaffold.yaml use.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration in Go's notation: `60s`, `1m30s`, `1.5h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoDurationError {
    /// Not a duration.
    #[error("expected a duration such as `60s`, `1m30s` or `500ms`")]
    NotOne,
    /// No unit.
    #[error("the unit is missing: write `{0}s` for seconds")]
    Unit(String),
    /// Below zero.
    #[error("a negative duration makes no sense here")]
    Negative,
}

impl FromStr for GoDuration {
    type Err = GoDurationError;

    /// Takes what Go's `time.ParseDuration` takes, down to the nanosecond, except negative values.
    fn from_str(text: &str) -> Result<Self, GoDurationError> {
        if text.starts_with('-') {
            return Err(GoDurationError::Negative);
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if rest.is_empty() {
            return Err(GoDurationError::NotOne);
        }
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(number_end);
            let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(unit_end);
            if unit.is_empty() && !number.is_empty() {
                return Err(GoDurationError::Unit(text.to_owned()));
            }
            let nanoseconds = nanoseconds(number, unit).ok_or(GoDurationError::NotOne)?;
            total = total.checked_add(nanoseconds).ok_or(GoDurationError::NotOne)?;
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
            ("", GoDurationError::NotOne),
            ("s", GoDurationError::NotOne),
            ("1x", GoDurationError::NotOne),
            ("1.2.3s", GoDurationError::NotOne),
            (".s", GoDurationError::NotOne),
            ("60", GoDurationError::Unit("60".into())),
            ("-1s", GoDurationError::Negative),
            ("99999999999999999999h", GoDurationError::NotOne),
        ] {
            assert_eq!(text.parse::<GoDuration>(), Err(error), "{text}");
        }
    }
}
