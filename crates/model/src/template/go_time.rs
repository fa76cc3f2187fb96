//! Points in time in the layouts of Go's package time: `2006-01-02 15:04:05.999 MST`.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::tz::TimeZone;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// One element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Month { long: bool },
    Weekday { long: bool },
    Number { field: Field, pad: Pad },
    ShortYear,
    HalfOfDay { capital: bool },
    Zone,
    Offset { z: bool, colon: bool, parts: u8 },
    Fraction { comma: bool, digits: usize, trim: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    YearDay,
    Hour,
    HalfHour,
    Minute,
    Second,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pad {
    None,
    Zero(usize),
    Space(usize),
}

const fn number(field: Field, pad: Pad) -> Element {
    Element::Number { field, pad }
}

const fn offset(z: bool, colon: bool, parts: u8) -> Element {
    Element::Offset { z, colon, parts }
}

/// Where one is the start of another, the longer stands first.
const ELEMENTS: [(&str, Element); 33] = [
    ("January", Element::Month { long: true }),
    ("Jan", Element::Month { long: false }),
    ("Monday", Element::Weekday { long: true }),
    ("Mon", Element::Weekday { long: false }),
    ("MST", Element::Zone),
    ("002", number(Field::YearDay, Pad::Zero(3))),
    ("01", number(Field::Month, Pad::Zero(2))),
    ("02", number(Field::Day, Pad::Zero(2))),
    ("03", number(Field::HalfHour, Pad::Zero(2))),
    ("04", number(Field::Minute, Pad::Zero(2))),
    ("05", number(Field::Second, Pad::Zero(2))),
    ("06", Element::ShortYear),
    ("15", number(Field::Hour, Pad::Zero(2))),
    ("1", number(Field::Month, Pad::None)),
    ("2006", number(Field::Year, Pad::Zero(4))),
    ("2", number(Field::Day, Pad::None)),
    ("__2", number(Field::YearDay, Pad::Space(3))),
    ("_2", number(Field::Day, Pad::Space(2))),
    ("3", number(Field::HalfHour, Pad::None)),
    ("4", number(Field::Minute, Pad::None)),
    ("5", number(Field::Second, Pad::None)),
    ("PM", Element::HalfOfDay { capital: true }),
    ("pm", Element::HalfOfDay { capital: false }),
    ("-07:00:00", offset(false, true, 3)),
    ("-07:00", offset(false, true, 2)),
    ("-070000", offset(false, false, 3)),
    ("-0700", offset(false, false, 2)),
    ("-07", offset(false, false, 1)),
    ("Z07:00:00", offset(true, true, 3)),
    ("Z07:00", offset(true, true, 2)),
    ("Z070000", offset(true, false, 3)),
    ("Z0700", offset(true, false, 2)),
    ("Z07", offset(true, false, 1)),
];

/// Returns what `layout` starts with, and how much of it that is.
fn element(layout: &str) -> Option<(Element, usize)> {
    // `_2006` is an underscore before a year.
    if layout.starts_with("_2006") {
        return None;
    }
    let starts = |name: &str| {
        let rest = layout.strip_prefix(name)?;
        let is_word = matches!(name, "Jan" | "Mon") && rest.starts_with(|c: char| c.is_ascii_lowercase());
        (!is_word).then_some(())
    };
    let found = ELEMENTS.iter().find(|(name, _)| starts(name).is_some());
    found.map(|(name, element)| (*element, name.len())).or_else(|| fraction(layout))
}

fn fraction(layout: &str) -> Option<(Element, usize)> {
    let rest = layout.strip_prefix(['.', ','])?;
    let digit = rest.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let after = rest.trim_start_matches(digit);
    if after.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = rest.len() - after.len();
    Some((Element::Fraction { comma: layout.starts_with(','), digits, trim: digit == '9' }, digits + 1))
}

/// Returns `time` in `layout`, as Go's `Time.Format` gives it.
pub fn format(layout: &str, time: &Zoned) -> String {
    let mut text = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        let used = if let Some((element, length)) = element(rest) {
            element.write(time, &mut text);
            length
        } else {
            text.push(first);
            first.len_utf8()
        };
        rest = &rest[used..];
    }
    text
}

impl Element {
    fn write(self, time: &Zoned, text: &mut String) {
        match self {
            Self::Month { long } => text.push_str(name(MONTHS[(time.month() as usize - 1) % 12], long)),
            Self::Weekday { long } => text.push_str(name(WEEKDAYS[time.weekday().to_monday_zero_offset() as usize % 7], long)),
            Self::Number { field, pad } => text.push_str(&pad.pad(field.of(time))),
            Self::ShortYear => text.push_str(&Pad::Zero(2).pad(i64::from(time.year().rem_euclid(100)))),
            Self::HalfOfDay { capital } => text.push_str(match (time.hour() >= 12, capital) {
                (true, true) => "PM",
                (true, false) => "pm",
                (false, true) => "AM",
                (false, false) => "am",
            }),
            Self::Zone => text.push_str(&zone(time)),
            Self::Offset { z: true, .. } if time.offset().is_zero() => text.push('Z'),
            Self::Offset { colon, parts, .. } => text.push_str(&offset_text(time.offset(), colon, parts)),
            Self::Fraction { comma, digits, trim } => {
                let nanoseconds = format!("{:09}", time.subsec_nanosecond());
                let kept = &nanoseconds[..digits.min(9)];
                let kept = if trim { kept.trim_end_matches('0') } else { kept };
                if !kept.is_empty() {
                    text.push(if comma { ',' } else { '.' });
                    text.push_str(kept);
                }
            }
        }
    }
}

impl Field {
    fn of(self, time: &Zoned) -> i64 {
        match self {
            Self::Year => time.year().into(),
            Self::Month => time.month().into(),
            Self::Day => time.day().into(),
            Self::YearDay => time.day_of_year().into(),
            Self::Hour => time.hour().into(),
            Self::HalfHour => (i64::from(time.hour()) + 11) % 12 + 1,
            Self::Minute => time.minute().into(),
            Self::Second => time.second().into(),
        }
    }
}

impl Pad {
    fn pad(self, number: i64) -> String {
        match self {
            Self::None => number.to_string(),
            Self::Zero(width) => format!("{number:0width$}"),
            Self::Space(width) => format!("{number:width$}"),
        }
    }
}

fn name(full: &str, long: bool) -> &str {
    if long { full } else { &full[..3] }
}

fn zone(time: &Zoned) -> String {
    let zone = time.time_zone();
    let known = zone.to_offset_info(time.timestamp()).abbreviation().to_owned();
    // A bare offset has no name in Go, which then prints the offset.
    if known.starts_with(['+', '-']) && zone.iana_name().is_none() { offset_text(time.offset(), false, 2) } else { known }
}

fn offset_text(offset: Offset, colon: bool, parts: u8) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let colon = if colon { ":" } else { "" };
    let all = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(|part| format!("{part:02}"));
    format!("{sign}{}", all[..usize::from(parts)].join(colon))
}

/// What was read of a time so far.
struct Read {
    year: i16,
    month: i8,
    day: i8,
    year_day: Option<i16>,
    hour: i8,
    afternoon: Option<bool>,
    minute: i8,
    second: i8,
    nanosecond: i32,
    offset: Option<Offset>,
    is_utc: bool,
}

/// Returns the time that `text` has in `layout`; in `local` where the layout has no zone. None if the text is not in that layout.
pub(super) fn parse(layout: &str, text: &str, local: &TimeZone) -> Option<Zoned> {
    let mut read = Read {
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        afternoon: None,
        minute: 0,
        second: 0,
        nanosecond: 0,
        offset: None,
        is_utc: false,
    };
    let (mut layout, mut text) = (layout, text);
    while let Some(first) = layout.chars().next() {
        if let Some((element, length)) = element(layout) {
            layout = &layout[length..];
            text = read.element(element, text, layout)?;
        } else {
            layout = &layout[first.len_utf8()..];
            text = text.strip_prefix(first)?;
        }
    }
    if text.is_empty() { read.finish(local) } else { None }
}

impl Read {
    /// Reads one element and returns what follows it.
    fn element<'a>(&mut self, element: Element, text: &'a str, layout: &str) -> Option<&'a str> {
        match element {
            Element::Month { long } => {
                let (at, rest) = named(&MONTHS, long, text)?;
                self.month = at as i8 + 1;
                Some(rest)
            }
            Element::Weekday { long } => named(&WEEKDAYS, long, text).map(|(_, rest)| rest),
            Element::Number { field, pad } => self.number(field, pad, text, layout),
            Element::ShortYear => {
                let (year, rest) = digits(text, 2, 2)?;
                self.year = if year >= 69 { 1900 + year as i16 } else { 2000 + year as i16 };
                Some(rest)
            }
            Element::HalfOfDay { capital } => {
                let (half, rest) = text.split_at_checked(2)?;
                let half = if capital { half.to_owned() } else { half.to_ascii_uppercase() };
                self.afternoon = Some(match half.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                Some(rest)
            }
            Element::Zone => {
                let end = text.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(text.len());
                self.is_utc = &text[..end] == "UTC";
                // Go takes names of three and four letters, and offsets where there is no name.
                if (3..=4).contains(&end) { Some(&text[end..]) } else { self.offset(false, 2, text) }
            }
            Element::Offset { z: true, .. } if text.starts_with('Z') => {
                self.is_utc = true;
                Some(&text[1..])
            }
            Element::Offset { colon, parts, .. } => self.offset(colon, parts, text),
            Element::Fraction { trim: true, .. } if !text.starts_with(['.', ',']) => Some(text),
            Element::Fraction { digits, trim, .. } => self.fraction(text, if trim { None } else { Some(digits) }),
        }
    }

    fn number<'a>(&mut self, field: Field, pad: Pad, text: &'a str, layout: &str) -> Option<&'a str> {
        let (least, most) = match pad {
            Pad::None => (1, 2),
            Pad::Zero(width) => (width, width),
            Pad::Space(width) => (1, width),
        };
        let text = if matches!(pad, Pad::Space(_)) { text.trim_start_matches(' ') } else { text };
        let (number, mut rest) = digits(text, least, most)?;
        match field {
            Field::Year => self.year = i16::try_from(number).ok()?,
            Field::Month => self.month = number as i8,
            Field::Day => self.day = number as i8,
            Field::YearDay => self.year_day = Some(number as i16),
            Field::HalfHour if number > 12 => return None,
            Field::Hour | Field::HalfHour => self.hour = number as i8,
            Field::Minute => self.minute = number as i8,
            Field::Second => {
                self.second = number as i8;
                // A fraction may follow the seconds though the layout has none.
                let has_fraction = rest.starts_with(['.', ',']) && rest[1..].starts_with(|c: char| c.is_ascii_digit());
                if has_fraction && !matches!(element(layout), Some((Element::Fraction { .. }, _))) {
                    rest = self.fraction(rest, None)?;
                }
            }
        }
        Some(rest)
    }

    fn fraction<'a>(&mut self, text: &'a str, width: Option<usize>) -> Option<&'a str> {
        let rest = text.strip_prefix(['.', ','])?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let end = width.map_or(Some(end), |width| (width <= end).then_some(width))?;
        self.nanosecond = format!("{:0<9}", &rest[..end]).get(..9)?.parse().ok()?;
        Some(&rest[end..])
    }

    fn offset<'a>(&mut self, colon: bool, parts: u8, text: &'a str) -> Option<&'a str> {
        let mut rest = text.strip_prefix(['+', '-'])?;
        let mut seconds = 0;
        for part in 0..parts {
            if part > 0 && colon {
                rest = rest.strip_prefix(':')?;
            }
            let (number, after) = digits(rest, 2, 2)?;
            seconds += number * [3600, 60, 1][usize::from(part)];
            rest = after;
        }
        self.offset = Some(Offset::from_seconds(if text.starts_with('-') { -seconds } else { seconds }).ok()?);
        Some(rest)
    }

    fn finish(self, local: &TimeZone) -> Option<Zoned> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = match self.year_day {
            Some(day) => Date::new(self.year, 1, 1).ok()?.with().day_of_year(day).build().ok()?,
            None => Date::new(self.year, self.month, self.day).ok()?,
        };
        let time = jiff::civil::Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        let civil = DateTime::from_parts(date, time);
        let Some(offset) = self.offset else {
            let zone = if self.is_utc { TimeZone::UTC } else { local.clone() };
            return civil.to_zoned(zone).ok();
        };
        let timestamp: Timestamp = offset.to_timestamp(civil).ok()?;
        let zone = match offset {
            offset if local.to_offset(timestamp) == offset => local.clone(),
            offset if offset.is_zero() => TimeZone::UTC,
            offset => TimeZone::fixed(offset),
        };
        Some(timestamp.to_zoned(zone))
    }
}

fn named<'a>(names: &[&str], long: bool, text: &'a str) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(at, full)| {
        let name = name(full, long);
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (at, &text[name.len()..]))
    })
}

fn digits(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if end < least { None } else { Some((text[..end].parse().ok()?, &text[end..])) }
}
