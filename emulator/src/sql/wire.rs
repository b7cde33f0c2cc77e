//! Result values: read from DuckDB as text, and written in the JSON form of the API.

use serde_json::{Value, json};

use crate::types::{Field, Type};

/// The DuckDB expression for a column in the text form that [`row`] reads.
pub fn text_of(column: &str, ty: Type) -> String {
    match ty {
        Type::Timestamp => format!("epoch_us({column})::VARCHAR"),
        Type::BigNumeric => format!("bq_bignumeric_text({column})"),
        Type::Json => format!("json({column})::VARCHAR"),
        _ => format!("({column})::VARCHAR"),
    }
}

/// A row as `{"f":[{"v":...}]}`.
pub fn row(fields: &[Field], row: &[Option<String>], int64_timestamps: bool) -> Value {
    let cells = fields.iter().zip(row).map(|(field, value)| match (field.ty, value) {
        (Type::Timestamp, Some(micros)) if !int64_timestamps => json!({"v": seconds(micros)}),
        (_, value) => json!({"v": value}),
    });
    json!({"f": cells.collect::<Vec<_>>()})
}

/// Microseconds as exact seconds, in BigQuery's default form (`1.7569728E9`).
fn seconds(micros: &str) -> String {
    let (sign, digits) = micros.strip_prefix('-').map_or(("", micros), |digits| ("-", digits));
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return "0.0".to_owned();
    }
    // The last six digits are the fraction; one digit is before the point.
    let exponent = i64::try_from(digits.len()).unwrap_or(0) - 7;
    let fraction = digits[1..].trim_end_matches('0');
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{sign}{}.{fraction}E{exponent}", &digits[..1])
}
