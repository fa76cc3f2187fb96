//! Functions on time: a point in time is the text that Go prints for it.

use gotmpl::TemplateError;
use gotmpl::Value;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::super::go_time;
use super::Call;
use super::Function;
use super::Result;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("now", 0, Some(0), |c| show(&Timestamp::now().to_zoned(local(c)))),
    ("date", 2, Some(2), |c| in_zone(c, c.text(0)?, c.get(1), local(c))),
    ("date_in_zone", 3, Some(3), |c| in_zone(c, c.text(0)?, c.get(1), zone(c, c.text(2)?))),
    ("dateInZone", 3, Some(3), |c| in_zone(c, c.text(0)?, c.get(1), zone(c, c.text(2)?))),
    ("htmlDate", 1, Some(1), |c| in_zone(c, "2006-01-02", c.get(0), local(c))),
    ("htmlDateInZone", 2, Some(2), |c| in_zone(c, "2006-01-02", c.get(0), zone(c, c.text(1)?))),
    ("date_modify", 2, Some(2), |c| modify(c).or_else(|_| show(&time(c, 1)?))),
    ("dateModify", 2, Some(2), |c| modify(c).or_else(|_| show(&time(c, 1)?))),
    ("must_date_modify", 2, Some(2), modify),
    ("mustDateModify", 2, Some(2), modify),
    ("toDate", 2, Some(2), |c| read(c).or_else(|_| text("0001-01-01 00:00:00 +0000 UTC"))),
    ("mustToDate", 2, Some(2), read),
    ("unixEpoch", 1, Some(1), |c| text(time(c, 0)?.timestamp().as_second().to_string())),
    ("ago", 1, Some(1), ago),
    ("durationRound", 1, Some(1), |c| text(rounded(duration(c, c.get(0)).unwrap_or_default()))),
    ("duration", 1, Some(1), |c| text(go_duration(SignedDuration::from_secs(seconds(c.get(0)))))),
];

/// Go's layout of a time as text.
const LAYOUT: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

fn show(time: &Zoned) -> Result {
    text(go_time::format(LAYOUT, time))
}

/// Returns the zone that `TZ` names, or that of the machine.
fn local(call: &Call<'_>) -> TimeZone {
    match call.variables.get("TZ").map(String::as_str) {
        None => TimeZone::system(),
        Some("") => TimeZone::UTC,
        Some(name) => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    }
}

/// Returns the zone called `name`; one that is not known is UTC.
fn zone(call: &Call<'_>, name: &str) -> TimeZone {
    match name {
        "" | "UTC" => TimeZone::UTC,
        "Local" => local(call),
        name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    }
}

fn point(call: &Call<'_>, value: &Value) -> Option<Zoned> {
    match value {
        Value::Int(seconds) => Some(Timestamp::from_second(*seconds).ok()?.to_zoned(local(call))),
        Value::String(text) => go_time::parse(LAYOUT, text, &local(call)),
        _ => None,
    }
}

fn time(call: &Call<'_>, at: usize) -> std::result::Result<Zoned, TemplateError> {
    match call.get(at) {
        Value::String(_) => point(call, call.get(at)).ok_or_else(|| call.wrong_type(at, "time.Time")),
        _ => Err(call.wrong_type(at, "time.Time")),
    }
}

/// What is no time is now, as in Sprig.
fn in_zone(call: &Call<'_>, layout: &str, value: &Value, zone: TimeZone) -> Result {
    let time = point(call, value).unwrap_or_else(|| Timestamp::now().to_zoned(TimeZone::UTC));
    text(go_time::format(layout, &time.with_time_zone(zone)))
}

fn modify(call: &Call<'_>) -> Result {
    let time = time(call, 1)?;
    let by = parse_duration(call.text(0)?).ok_or_else(|| call.fault(format!("invalid duration {:?}", call.get(0))))?;
    show(&time.checked_add(by).map_err(|error| call.fault(error))?)
}

fn read(call: &Call<'_>) -> Result {
    let time = go_time::parse(call.text(0)?, call.text(1)?, &local(call));
    show(&time.ok_or_else(|| call.fault(format!("cannot parse `{}` as `{}`", call.get(1), call.get(0))))?)
}

fn ago(call: &Call<'_>) -> Result {
    let since = point(call, call.get(0)).map_or(SignedDuration::ZERO, |then| Timestamp::now().duration_since(then.timestamp()));
    let nanoseconds = since.as_nanos() + 500_000_000;
    text(go_duration(SignedDuration::from_secs(nanoseconds.div_euclid(1_000_000_000) as i64)))
}

/// An integer is seconds: Sprig takes only its 64-bit one, which cannot be told apart here.
fn seconds(value: &Value) -> i64 {
    match value {
        Value::Int(seconds) => *seconds,
        Value::String(text) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

fn duration(call: &Call<'_>, value: &Value) -> Option<SignedDuration> {
    match value {
        Value::Int(nanoseconds) => Some(SignedDuration::from_nanos(*nanoseconds)),
        Value::String(text) => {
            let since = || Some(Timestamp::now().duration_since(point(call, value)?.timestamp()));
            parse_duration(text).or_else(since)
        }
        _ => None,
    }
}

fn rounded(duration: SignedDuration) -> String {
    const UNITS: [(u64, &str); 6] = [(365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let size = duration.unsigned_abs();
    let unit = UNITS.iter().find(|(seconds, _)| size > std::time::Duration::from_secs(*seconds));
    unit.map_or_else(|| "0s".to_owned(), |(seconds, name)| format!("{}{name}", size.as_secs() / seconds))
}

/// Returns the duration that Go's `time.ParseDuration` reads: `1h30m`, `-1.5s`; none for any other text.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(unit_at);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let unit = match &after[..end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 6e10,
            "h" => 3.6e12,
            _ => return None,
        };
        nanoseconds += number.parse::<f64>().ok()? * unit;
        rest = &after[end..];
    }
    let is_number = text.contains(|c: char| c.is_ascii_digit());
    (is_number && nanoseconds < i64::MAX as f64).then(|| SignedDuration::from_nanos((sign * nanoseconds) as i64))
}

/// Returns whole seconds as `time.Duration` prints them.
fn go_duration(duration: SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    let seconds = duration.as_secs().unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}
