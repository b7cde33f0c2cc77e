//! SQL that writes Parquet values as CSV files have them.

use finops_core::{
    files::file_type::{FileType, MapForm},
    formats::kinds,
    model::{column_type::ColumnType, kind::ExportKind},
};

use super::number_text::{plain, shortest, without_zeros};
use crate::warehouse::sql::Dialect::DuckDb as DIALECT;

/// The text of a Parquet value, as CSV files of the same export have it.
pub fn as_text(name: &str, file_type: FileType, to: ColumnType, kind: ExportKind) -> String {
    match file_type {
        FileType::Boolean => {
            let [yes, no] = kinds::columns(kind).booleans.map(|text| DIALECT.literal(text));
            format!("CASE {name} WHEN TRUE THEN {yes} WHEN FALSE THEN {no} END")
        }
        // With a fraction only where there is one.
        FileType::Timestamp | FileType::LocalTimestamp => {
            let timestamp = format!("CAST({name} AS TIMESTAMP)");
            format!("rtrim(rtrim(strftime({timestamp}, '%Y-%m-%dT%H:%M:%S.%f'), '0'), '.') || 'Z'")
        }
        FileType::Nanos => format!("strftime({name}, '%Y-%m-%dT%H:%M:%S.%n') || 'Z'"),
        FileType::Map(form) => json_object(name, form),
        FileType::Double if to == ColumnType::String => plain(&shortest(name)),
        // Without the zeros that the type's scale adds.
        FileType::Decimal | FileType::LongDecimal if to == ColumnType::String => {
            without_zeros(&format!("CAST({name} AS VARCHAR)"))
        }
        // CSV files have an empty text for no value.
        FileType::String if to != ColumnType::String => format!("NULLIF({name}, '')"),
        _ => format!("CAST({name} AS VARCHAR)"),
    }
}

/// A map as the text of a JSON object, in the map's order, equal to BigQuery's text. DuckDB's own text has other doubles, `NaN`
/// and `Infinity` without quotes, escapes in upper case, and U+2028 and U+2029 not escaped (seen on 1.5.6). A list of one
/// element makes DuckDB compute the text once. Almost no text has such characters.
fn json_object(map: &str, form: MapForm) -> String {
    let object = if form.numbers { numbers_object(map) } else { format!("CAST(to_json({map}) AS VARCHAR)") };
    let small = r"lambda p: CASE WHEN p[1:2] = '\u' THEN lower(p) ELSE p END";
    let parts = format!(r"list_transform(regexp_extract_all(o, '\\u....|\\.|[^\\]+'), {small})");
    let rewritten =
        format!(r"replace(replace(array_to_string({parts}, ''), chr(8232), '\u2028'), chr(8233), '\u2029')");
    format!(
        r"list_transform([{object}], lambda o: CASE WHEN regexp_matches(o, '\\u|\x{{2028}}|\x{{2029}}') THEN {rewritten} ELSE o END)[1]"
    )
}

/// A map of doubles as a JSON object.
fn numbers_object(map: &str) -> String {
    // JSON has no NaN and no infinity.
    let value = format!(r#"COALESCE(regexp_replace({}, '^-?[a-z]+$', '"\0"'), 'null')"#, plain(&shortest("e.value")));
    let entries =
        format!("list_transform(map_entries({map}), lambda e: CAST(to_json(e.key) AS VARCHAR) || ':' || {value})");
    format!("'{{' || array_to_string({entries}, ',') || '}}'")
}
