//! The text forms of values, checked here and never left to DuckDB's lenient casts.

use jiff::{civil, tz::Offset};

use crate::types::Type;

/// 2^255 - 1, the largest BIGNUMERIC times 10^38.
const BIGNUMERIC_MAX: &str = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
const BIGNUMERIC_SCALE: usize = 38;
const NUMERIC_SCALE: usize = 9;
const NUMERIC_INTEGER_DIGITS: usize = 29;

/// Reads `text` as a value of the type and returns the text that DuckDB casts to [`Type::duckdb`]
/// without a further choice (for a BIGNUMERIC, the scaled integer).
pub fn parse(ty: Type, text: &str) -> Result<String, String> {
    match ty {
        Type::String => Ok(text.to_owned()),
        Type::Int64 => integer(text).ok_or_else(|| "Unable to parse".to_owned()),
        Type::Float64 => float(text).ok_or_else(|| "Unable to parse".to_owned()),
        Type::Numeric => numeric(text),
        Type::BigNumeric => bignumeric(text),
        Type::Bool => boolean(text).ok_or_else(|| "Unable to parse".to_owned()),
        Type::Timestamp => timestamp(text).ok_or_else(|| "Unable to parse".to_owned()),
        Type::Date => date(text).map(|date| date.to_string()).ok_or_else(|| "Unable to parse".to_owned()),
        Type::Json => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(format!("Invalid JSON: {error}")),
        },
    }
}

fn integer(text: &str) -> Option<String> {
    text.trim().parse::<i64>().ok().map(|value| value.to_string())
}

fn float(text: &str) -> Option<String> {
    text.trim().parse::<f64>().ok().map(|value| value.to_string())
}

fn boolean(text: &str) -> Option<String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some("true".to_owned()),
        "false" | "f" | "no" | "n" | "0" => Some("false".to_owned()),
        _ => None,
    }
}

fn numeric(text: &str) -> Result<String, String> {
    let decimal = Decimal::parse(text).ok_or("Invalid NUMERIC value")?;
    let scaled = decimal.scaled(NUMERIC_SCALE).ok_or("Invalid NUMERIC value: more than 9 decimal digits")?;
    if scaled.len() > NUMERIC_INTEGER_DIGITS + NUMERIC_SCALE {
        return Err("Invalid NUMERIC value: overflow".to_owned());
    }
    let padded = format!("{scaled:0>width$}", width = NUMERIC_SCALE + 1);
    let (integer, fraction) = padded.split_at(padded.len() - NUMERIC_SCALE);
    Ok(format!("{}{integer}.{fraction}", decimal.sign()))
}

fn bignumeric(text: &str) -> Result<String, String> {
    let decimal = Decimal::parse(text).ok_or("Invalid BIGNUMERIC value")?;
    let scaled = decimal.scaled(BIGNUMERIC_SCALE).ok_or("Invalid BIGNUMERIC value: more than 38 decimal digits")?;
    if (scaled.len(), scaled.as_str()) > (BIGNUMERIC_MAX.len(), BIGNUMERIC_MAX) {
        return Err("Invalid BIGNUMERIC value: overflow".to_owned());
    }
    Ok(format!("{}{scaled}", decimal.sign()))
}

/// A decimal number as digits times a power of ten.
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
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

    /// The digits of the value times 10^scale; `None` where that is no integer or absurdly long.
    fn scaled(&self, scale: usize) -> Option<String> {
        let zeros = usize::try_from(self.exponent + i64::try_from(scale).ok()?).ok()?;
        (zeros <= 200).then(|| {
            let text = format!("{}{}", self.digits, "0".repeat(zeros));
            if self.digits == "0" { "0".to_owned() } else { text }
        })
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }
}

/// A date `YYYY-[M]M-[D]D`.
fn date(text: &str) -> Option<civil::Date> {
    let mut parts = text.trim().split('-');
    let year = number(parts.next()?, 4, 4)?;
    let month = number(parts.next()?, 1, 2)?;
    let day = number(parts.next()?, 1, 2)?;
    if parts.next().is_some() {
        return None;
    }
    civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// A date, or a date and a time `[H]H:[M]M:[S]S[.FFFFFF]` after a space or `T`.
fn datetime(text: &str) -> Option<civil::DateTime> {
    let text = text.trim();
    let Some((day, time)) = text.split_once(['T', 't', ' ']) else {
        return Some(date(text)?.to_datetime(civil::Time::midnight()));
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    if time.contains('.') && fraction.is_empty() || fraction.len() > 6 {
        return None;
    }
    let mut parts = clock.split(':');
    let mut part = || number(parts.next()?, 1, 2).and_then(|value| i8::try_from(value).ok());
    let (hour, minute, second) = (part()?, part()?, part()?);
    if clock.split(':').count() != 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse::<i32>().ok()?;
    Some(date(day)?.to_datetime(civil::Time::new(hour, minute, second, nanos).ok()?))
}

/// A date and time with an optional zone: `Z`, `UTC` or `[+-]H[H][:MM]`; without one it is UTC.
fn timestamp(text: &str) -> Option<String> {
    let text = text.trim();
    let local = ["Z", "z", " UTC", "UTC"].iter().find_map(|zone| text.strip_suffix(zone));
    if let Some(local) = local {
        return datetime(local).map(duckdb_time);
    }
    // A sign before the time of day belongs to the date.
    let zone_at = text.get(10..).unwrap_or_default().rfind(['+', '-']).map(|at| at + 10);
    let Some(zone_at) = zone_at else {
        return datetime(text).map(duckdb_time);
    };
    let (local, zone) = text.split_at(zone_at);
    let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "00"));
    let seconds = i32::from(number(hours, 1, 2)?) * 3600 + i32::from(number(minutes, 2, 2)?) * 60;
    let offset = Offset::from_seconds(if zone.starts_with('-') { -seconds } else { seconds }).ok()?;
    let instant = offset.to_timestamp(datetime(local)?).ok()?;
    Some(duckdb_time(Offset::UTC.to_datetime(instant)))
}

fn duckdb_time(time: civil::DateTime) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

fn number(text: &str, min: usize, max: usize) -> Option<i16> {
    ((min..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(digits: &str) -> String {
        format!("{digits}{}", "0".repeat(38))
    }

    #[test]
    fn bignumeric_keeps_every_digit() {
        assert_eq!(parse(Type::BigNumeric, "1E-10"), Ok(format!("1{}", "0".repeat(28))));
        assert_eq!(parse(Type::BigNumeric, "-12"), Ok(scaled("-12")));
        assert_eq!(
            parse(Type::BigNumeric, "12345678.123456789012"),
            Ok(format!("12345678123456789012{}", "0".repeat(26)))
        );
        assert_eq!(parse(Type::BigNumeric, "0.00000000000000000000000000000000000001"), Ok("1".to_owned()));
        assert_eq!(parse(Type::BigNumeric, "-0.0"), Ok("0".to_owned()));
        assert_eq!(parse(Type::BigNumeric, "1e3"), Ok(scaled("1000")));
    }

    #[test]
    fn bignumeric_refuses_what_it_cannot_hold() {
        for text in ["0.000000000000000000000000000000000000001", "1e39", "abc", "", ".", "1.2.3", "0x10", "1,000"] {
            assert!(parse(Type::BigNumeric, text).is_err(), "{text}");
        }
    }

    #[test]
    fn numeric_has_nine_decimals() {
        assert_eq!(parse(Type::Numeric, "-0.000000001"), Ok("-0.000000001".to_owned()));
        assert!(parse(Type::Numeric, "0.0000000001").is_err());
        assert!(parse(Type::Numeric, "123456789012345678901234567890").is_err());
    }

    #[test]
    fn timestamps_of_all_documented_forms_become_utc() {
        for (text, expected) in [
            ("2018-08-19T12:11:35.220Z", "2018-08-19 12:11:35.220000"),
            ("2025-08-02 16:00:00+00:00", "2025-08-02 16:00:00.000000"),
            ("2025-08-02 16:00:00+02", "2025-08-02 14:00:00.000000"),
            ("2025-08-02 16:00:00-05:30", "2025-08-02 21:30:00.000000"),
            ("2025-08-01 00:00:00 UTC", "2025-08-01 00:00:00.000000"),
            ("2025-08-01", "2025-08-01 00:00:00.000000"),
            ("2025-8-1", "2025-08-01 00:00:00.000000"),
            ("2025-8-1 0:0:0", "2025-08-01 00:00:00.000000"),
        ] {
            assert_eq!(parse(Type::Timestamp, text), Ok(expected.to_owned()), "{text}");
        }
        for text in ["2025-02-30", "08/01/2025", "2025-08-01T00:00", "2025-08-01T00:00:00.1234567Z", "20250801T000000Z"]
        {
            assert!(parse(Type::Timestamp, text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_grammars() {
        assert_eq!(parse(Type::Int64, "-7"), Ok("-7".to_owned()));
        assert!(parse(Type::Int64, "1.5").is_err());
        assert_eq!(parse(Type::Bool, "TRUE"), Ok("true".to_owned()));
        assert!(parse(Type::Date, "2025-13-01").is_err());
        assert!(parse(Type::Json, "{").is_err());
    }
}
