//! SQL for numbers in texts.

use super::types::{DIGITS, SCALE};

/// A decimal number in a text.
pub struct Number {
    /// Whether the text is a decimal number.
    pub form: String,
    /// Its digits without zeros at the end.
    pub significant: String,
    /// How many digits it needs after the point.
    pub fraction: String,
    /// How many digits it needs before the point.
    pub whole: String,
}

impl Number {
    /// Fractional digits = those written, less the exponent, less zeros at the end of all digits; whole digits = all but
    /// zeros at their start, less the fractional ones written, plus the exponent.
    pub fn of(text: &str) -> Self {
        let mantissa = format!("regexp_extract({text}, '^[^eE]*')");
        let exponent = format!("COALESCE(TRY_CAST(regexp_extract({text}, '[eE](.*)$', 1) AS INTEGER), 0)");
        let digits = format!("regexp_replace({mantissa}, '[^0-9]', '', 'g')");
        let significant = format!("rtrim({digits}, '0')");
        let written = format!("length(split_part({mantissa}, '.', 2))");
        let zeros = format!("(length({digits}) - length({significant}))");
        Self {
            form: format!("regexp_full_match({text}, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{{1,4}})?')"),
            fraction: format!("({written} - {exponent} - {zeros})"),
            whole: format!("(length(ltrim({digits}, '0')) - {written} + {exponent})"),
            significant,
        }
    }
}

/// Whether the text is a decimal number that fits: at most `scale` digits after the point, and at most the remaining digits
/// before it. The cast would round further digits and accept `1_000`. With an exponent it would accept one digit too many
/// before the point, and lose one (all seen on 1.5.6).
pub fn is_exact(text: &str, scale: u8) -> String {
    let Number { form, significant, fraction, whole } = Number::of(text);
    let room = DIGITS - scale;
    // A zero before the point needs no digit, and the cast refuses any other digit there.
    let written = room.max(1);
    format!(
        "CASE WHEN regexp_full_match({text}, '[+-]?[0-9]{{1,{written}}}([.][0-9]{{0,{scale}}})?') THEN TRUE \
         ELSE {form} AND ({significant} = '' OR ({fraction} <= {scale} AND {whole} <= {room})) END"
    )
}

/// The first of a double's texts of 15, 16 and 17 digits that reads back as the same number, as in BigQuery.
pub fn shortest(number: &str) -> String {
    let text = |digits: u8| format!("printf('%.{digits}g', {number})");
    let (first, second, last) = (text(15), text(16), text(17));
    format!(
        "CASE {number} WHEN CAST({first} AS DOUBLE) THEN {first} WHEN CAST({second} AS DOUBLE) THEN {second} ELSE {last} END"
    )
}

/// A number's text without exponent, as CSV files have rates, where a decimal of the table can store it; otherwise unchanged.
pub fn plain(number: &str) -> String {
    let decimal = without_zeros("CAST(TRY_CAST(t AS DECIMAL(38,18)) AS VARCHAR)");
    format!(
        "list_transform([{number}], lambda t: CASE WHEN NOT contains(t, 'e') THEN t WHEN {} THEN {decimal} ELSE t END)[1]",
        is_exact("t", SCALE)
    )
}

/// The text of a decimal without zeros at the end of its fraction.
pub fn without_zeros(decimal: &str) -> String {
    format!(r"regexp_replace({decimal}, '[.]0+$|([.][0-9]*[1-9])0+$', '\1')")
}
