//! The text forms of values. They are checked here, because DuckDB's casts are lenient.

use jiff::{civil, tz::Offset};

use crate::types::Type;

/// 2^255 - 1, the largest BIGNUMERIC times 10^38.
pub const BIGNUMERIC_MAX: &str = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
const BIGNUMERIC_SCALE: usize = 38;

/// Reads `text` as a value of the type. Returns a text that DuckDB casts to [`Type::duckdb`] without ambiguity (for a
/// BIGNUMERIC, the scaled integer).
pub fn parse(ty: Type, text: &str) -> Result<String, String> {
    let trimmed = text.trim();
    let parsed = match ty {
        Type::String => Some(text.to_owned()),
        Type::Int64 => trimmed.parse::<i64>().ok().map(|value| value.to_string()),
        Type::Float64 => trimmed.parse::<f64>().ok().map(|value| value.to_string()),
        Type::BigNumeric => return bignumeric(trimmed),
        Type::Bool => boolean(trimmed),
        Type::Timestamp => timestamp(trimmed),
        Type::Date => date(trimmed).map(|date| date.to_string()),
        Type::Json => serde_json::from_str::<serde_json::Value>(text).ok().map(|_| text.to_owned()),
        Type::Datetime | Type::StringMap | Type::Float64Map => None,
    };
    parsed.ok_or_else(unable)
}

/// A `dateFormat` of numbers.
#[derive(Debug, Clone, Copy)]
pub struct DateFormat {
    pub separator: char,
    pub year_first: bool,
}

/// Reads a date in the format and returns it as [`parse`] does. Month and day have one or two digits, the year has one to
/// five (`ComputeDigitCountRanges` in GoogleSQL's `cast_date_time.cc`).
pub fn date_in(DateFormat { separator, year_first }: DateFormat, text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(separator).collect();
    let number = |text: &str, max_digits: usize| {
        let is_number = (1..=max_digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i16>().ok().filter(|_| is_number)
    };
    let date = || {
        let [first, second, third] = parts.as_slice() else { return None };
        let (year, month, day) = if year_first { (first, second, third) } else { (third, first, second) };
        let [year, month, day] = [number(year, 5)?, number(month, 2)?, number(day, 2)?];
        civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok().filter(|_| year > 0)
    };
    date().map(|date| date.to_string()).ok_or_else(unable)
}

fn unable() -> String {
    "Unable to parse".to_owned()
}

fn boolean(text: &str) -> Option<String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some("true".to_owned()),
        "false" | "f" | "no" | "n" | "0" => Some("false".to_owned()),
        _ => None,
    }
}

fn bignumeric(text: &str) -> Result<String, String> {
    let decimal = Decimal::parse(text).ok_or("Invalid BIGNUMERIC value")?;
    let scaled = decimal.scaled(BIGNUMERIC_SCALE).ok_or("Invalid BIGNUMERIC value: more than 38 decimal digits")?;
    if (scaled.len(), scaled.as_str()) > (BIGNUMERIC_MAX.len(), BIGNUMERIC_MAX) {
        return Err("Invalid BIGNUMERIC value: overflow".to_owned());
    }
    Ok(format!("{}{scaled}", if decimal.negative { "-" } else { "" }))
}

/// A decimal number as digits times a power of ten.
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{integer}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let exponent = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        let trailing = digits.len() - digits.trim_end_matches('0').len();
        if significant.is_empty() {
            return Some(Self { negative: false, digits: "0".to_owned(), exponent: 0 });
        }
        Some(Self { negative, digits: significant.to_owned(), exponent: exponent + i64::try_from(trailing).ok()? })
    }

    /// The digits of the value times 10^scale; `None` where that is not an integer, or far too long.
    fn scaled(&self, scale: usize) -> Option<String> {
        let zeros = usize::try_from(self.exponent + i64::try_from(scale).ok()?).ok()?;
        (zeros <= 200).then(|| {
            let text = format!("{}{}", self.digits, "0".repeat(zeros));
            if self.digits == "0" { "0".to_owned() } else { text }
        })
    }
}

/// A date `YYYY-[M]M-[D]D`.
fn date(text: &str) -> Option<civil::Date> {
    // Without this check, a year of two digits would be in the first century.
    (text.find('-') == Some(4)).then(|| civil::Date::strptime("%Y-%m-%d", text).ok())?
}

/// A date, or a date and a time `[H]H:[M]M:[S]S[.FFFFFF]` after a space or `T`.
fn datetime(text: &str) -> Option<civil::DateTime> {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "0:0:0"));
    if time.split_once('.').is_some_and(|(_, fraction)| fraction.len() > 6) {
        return None;
    }
    Some(date(day)?.to_datetime(civil::Time::strptime("%H:%M:%S%.f", time).ok()?))
}

/// A date and time with an optional zone: `Z`, `UTC` or `[+-]H[H][:MM]`. Without a zone it is UTC.
fn timestamp(text: &str) -> Option<String> {
    let (local, zone) = match ["Z", " UTC", "UTC"].iter().find_map(|zone| text.strip_suffix(zone)) {
        Some(local) => (local, "+0"),
        // A sign in the first ten characters belongs to the date.
        None => match text.get(10..).unwrap_or_default().rfind(['+', '-']) {
            Some(at) => text.split_at(at + 10),
            None => (text, "+0"),
        },
    };
    let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "0"));
    let seconds = i32::from(hours.parse::<u8>().ok()?) * 3600 + i32::from(minutes.parse::<u8>().ok()?) * 60;
    let offset = Offset::from_seconds(if zone.starts_with('-') { -seconds } else { seconds }).ok()?;
    let instant = offset.to_timestamp(datetime(local)?).ok()?;
    Some(Offset::UTC.to_datetime(instant).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string())
}
