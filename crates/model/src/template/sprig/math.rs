//! Functions on numbers.

use gotmpl::TemplateError;
use gotmpl::Value;

use super::Call;
use super::Function;
use super::Result;
use super::go;
use super::go::to_float;
use super::go::to_int;
use super::list;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("atoi", 1, Some(1), |c| Ok(Value::Int(c.text(0)?.parse().unwrap_or(0)))),
    ("int64", 1, Some(1), |c| Ok(Value::Int(to_int(c.get(0))))),
    ("int", 1, Some(1), |c| Ok(Value::Int(to_int(c.get(0))))),
    ("float64", 1, Some(1), |c| Ok(Value::Float(to_float(c.get(0))))),
    ("toDecimal", 1, Some(1), |c| Ok(Value::Int(i64::from_str_radix(&go::show(c.get(0)), 8).unwrap_or(0)))),
    ("add1", 1, Some(1), |c| fold(c, Some(1), i64::checked_add)),
    ("add", 0, None, |c| fold(c, Some(0), i64::checked_add)),
    ("sub", 2, Some(2), |c| fold(c, None, i64::checked_sub)),
    ("mul", 1, None, |c| fold(c, Some(1), i64::checked_mul)),
    ("div", 2, Some(2), |c| fold(c, None, i64::checked_div)),
    ("mod", 2, Some(2), |c| fold(c, None, i64::checked_rem)),
    ("biggest", 1, None, |c| fold(c, None, |a, b| Some(a.max(b)))),
    ("max", 1, None, |c| fold(c, None, |a, b| Some(a.max(b)))),
    ("min", 1, None, |c| fold(c, None, |a, b| Some(a.min(b)))),
    ("maxf", 1, None, |c| Ok(Value::Float(floats(c).fold(f64::NEG_INFINITY, f64::max)))),
    ("minf", 1, None, |c| Ok(Value::Float(floats(c).fold(f64::INFINITY, f64::min)))),
    ("add1f", 1, Some(1), |c| decimals(c, Some(1.0), Decimal::add)),
    ("addf", 0, None, |c| decimals(c, Some(0.0), Decimal::add)),
    ("subf", 1, None, |c| decimals(c, None, Decimal::sub)),
    ("mulf", 1, None, |c| decimals(c, None, Decimal::mul)),
    ("divf", 1, None, |c| decimals(c, None, Decimal::div)),
    ("floor", 1, Some(1), |c| Ok(Value::Float(to_float(c.get(0)).floor()))),
    ("ceil", 1, Some(1), |c| Ok(Value::Float(to_float(c.get(0)).ceil()))),
    ("round", 2, Some(3), round),
    ("until", 1, Some(1), until),
    ("untilStep", 3, Some(3), |c| list(steps(c, c.int(0)?, c.int(1)?, c.int(2)?)?.into_iter().map(Value::Int))),
    ("seq", 0, None, seq),
];

fn floats<'a>(call: &'a Call<'_>) -> impl Iterator<Item = f64> + 'a {
    call.arguments.iter().map(to_float)
}

/// Joins all arguments by `join`, after `first` where that is a number.
fn fold(call: &Call<'_>, first: Option<i64>, join: fn(i64, i64) -> Option<i64>) -> Result {
    let mut numbers = first.into_iter().chain(call.arguments.iter().map(to_int));
    let start = numbers.next().unwrap_or(0);
    let joined = numbers.try_fold(start, join);
    joined.map(Value::Int).ok_or_else(|| call.fault("integer divide by zero, or a result beyond 64 bits"))
}

fn round(call: &Call<'_>) -> Result {
    let places = call.int(1)?;
    let limit = if call.len() == 3 { to_float(call.get(2)) } else { 0.5 };
    let power = 10f64.powf(places as f64);
    let shifted = power * to_float(call.get(0));
    let rounded = if shifted.fract() >= limit { shifted.ceil() } else { shifted.floor() };
    Ok(Value::Float(rounded / power))
}

fn until(call: &Call<'_>) -> Result {
    let count = call.int(0)?;
    list(steps(call, 0, count, if count < 0 { -1 } else { 1 })?.into_iter().map(Value::Int))
}

/// Returns the numbers from `start` to before `stop`.
fn steps(call: &Call<'_>, start: i64, stop: i64, step: i64) -> std::result::Result<Vec<i64>, TemplateError> {
    const MOST: usize = 1 << 20;
    let down = stop < start;
    if (down && step >= 0) || (!down && step <= 0) {
        return Ok(Vec::new());
    }
    let numbers = std::iter::successors(Some(start), |at| at.checked_add(step));
    let numbers: Vec<i64> = numbers.take_while(|at| if down { *at > stop } else { *at < stop }).take(MOST + 1).collect();
    if numbers.len() > MOST { Err(call.fault("more than a million numbers")) } else { Ok(numbers) }
}

fn seq(call: &Call<'_>) -> Result {
    let (start, step, end) = match call.len() {
        1 => (1, None, call.int(0)?),
        2 => (call.int(0)?, None, call.int(1)?),
        3 => (call.int(0)?, Some(call.int(1)?), call.int(2)?),
        _ => return text(""),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return text("");
    }
    let numbers = steps(call, start, end.saturating_add(direction), step.unwrap_or(direction))?;
    text(numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

/// A decimal fraction: `0.1 + 0.2` is `0.3` in these functions.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    /// How many of the digits stand behind the point.
    scale: u32,
}

/// What Go's decimal package keeps behind the point in a division.
const DIVISION_SCALE: u32 = 16;

fn decimals(call: &Call<'_>, first: Option<f64>, join: fn(Decimal, Decimal) -> Option<Decimal>) -> Result {
    let mut numbers = first.into_iter().chain(floats(call));
    let start = numbers.next().and_then(Decimal::read);
    let joined = numbers.try_fold(start, |so_far, number| Some(Some(join(so_far?, Decimal::read(number)?)?)));
    let joined = joined.flatten().ok_or_else(|| call.fault("division by zero, or a number with too many digits"))?;
    Ok(Value::Float(joined.to_float()))
}

impl Decimal {
    fn read(number: f64) -> Option<Self> {
        let shown = number.to_string();
        let (whole, fraction) = shown.split_once('.').unwrap_or((&shown, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { digits, scale: fraction.len() as u32 })
    }

    fn to_float(self) -> f64 {
        format!("{}e-{}", self.digits, self.scale).parse().unwrap_or(f64::NAN)
    }

    fn at_scale(self, scale: u32) -> Option<i128> {
        self.digits.checked_mul(10i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        Some((self.at_scale(scale)?, other.at_scale(scale)?, scale))
    }

    fn add(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { digits: a.checked_add(b)?, scale })
    }

    fn sub(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { digits: a.checked_sub(b)?, scale })
    }

    fn mul(self, other: Self) -> Option<Self> {
        Some(Self { digits: self.digits.checked_mul(other.digits)?, scale: self.scale + other.scale })
    }

    fn div(self, other: Self) -> Option<Self> {
        let (a, b, _) = self.aligned(other)?;
        let a = a.checked_mul(10i128.pow(DIVISION_SCALE))?;
        let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
        let up = i128::from(rest.abs().checked_mul(2)? >= b.abs());
        let sign = if (a < 0) == (b < 0) { 1 } else { -1 };
        Some(Self { digits: quotient + sign * up, scale: DIVISION_SCALE })
    }
}
