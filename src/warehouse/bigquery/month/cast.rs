//! From a staging table to a month: the query that converts each value exactly, or fails.

use std::collections::HashMap;

use finops_core::{
    files::file_type::{Conversion, FileType, MapForm},
    formats::kinds,
    hint,
    model::{column_type::ColumnType, key_columns::KeyColumns},
};

use crate::warehouse::bigquery::api::model::Field;
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{
        Batch, LoadColumn, MonthLoad,
        cast_failure::Fallible,
        sql::{CODE, Dialect::BigQuery, EXPECTED_TIMESTAMP, NO_VALUE, TIMESTAMP, expected_no_code},
    },
};

const NANOSECONDS_OF_A_DAY: i64 = 86_400_000_000_000;
const EXPECTED_DAY: &str = "a date";

/// A column of the raw table, and how it is converted.
struct Cast {
    /// Its name in the raw table.
    name: String,
    /// Its values, or their text where they are converted through text.
    staged: String,
    /// The value of the table's type; NULL where there is no exact one.
    value: String,
    /// What the values must be, where not every one is.
    expected: Option<&'static str>,
}

impl Cast {
    fn new(column: &LoadColumn, load: &MonthLoad) -> Self {
        let name = BigQuery.quote(staged_name(column));
        let to = column.column.column_type;
        let itself = |value: String| Self { name: name.clone(), staged: name.clone(), value, expected: None };
        match (column.file_type, to) {
            // An empty text means no value. A load of CSV has read it as NULL.
            (FileType::String, ColumnType::String) => return itself(format!("NULLIF({name}, '')")),
            (FileType::LocalTimestamp, ColumnType::Timestamp) => {
                return Self { staged: format!("TIMESTAMP({name})"), ..itself(name.clone()) };
            }
            _ if column.reading() == Conversion::None && !is_staged_as_text(column, load) => {
                return itself(name.clone());
            }
            (FileType::Int64, ColumnType::Decimal) => return itself(format!("CAST({name} AS BIGNUMERIC)")),
            // BigQuery reads them as whole numbers.
            (FileType::Nanos, _) => {
                let timestamp = format!("TIMESTAMP_MICROS(DIV({name}, 1000))");
                let (unit, value, expected) = match to {
                    ColumnType::Date => (NANOSECONDS_OF_A_DAY, format!("CAST({timestamp} AS DATE)"), EXPECTED_DAY),
                    _ => (1000, timestamp, EXPECTED_TIMESTAMP),
                };
                let value = format!("IF(MOD({name}, {unit}) = 0, {value}, NULL)");
                return Self { expected: Some(expected), ..itself(value) };
            }
            (FileType::Date, ColumnType::Timestamp) => return itself(format!("CAST({name} AS TIMESTAMP)")),
            _ => {}
        }
        let staged = match column.file_type {
            // The text that CSV files have.
            FileType::Timestamp => format!("FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E*SZ', {name})"),
            FileType::LocalTimestamp => format!("FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E*SZ', TIMESTAMP({name}))"),
            // CSV files have nothing between the commas where there is no value.
            FileType::String | FileType::Text(_) | FileType::TimeText(_) => {
                let given = BigQuery.given(&name, &load.no_value.texts).unwrap_or_else(|| name.clone());
                format!("NULLIF({given}, '')")
            }
            FileType::Boolean => {
                let [yes, no] = kinds::columns(load.kind).booleans.map(|text| BigQuery.literal(text));
                format!("IF({name} IS NULL, NULL, IF({name}, {yes}, {no}))")
            }
            FileType::Double => shortest(&name),
            FileType::Map(form) => json_object(&name, form),
            _ => format!("CAST({name} AS STRING)"),
        };
        let (value, expected) = match to {
            ColumnType::String if column.file_type == FileType::Double => (plain(&name), None),
            ColumnType::String | ColumnType::Foreign => (name.clone(), None),
            ColumnType::Decimal => (exact_decimal(&name, 38), Some("a decimal with at most 38 digits on either side")),
            // The cast would take 0x10 too.
            ColumnType::Int64 => (
                format!("IF(REGEXP_CONTAINS({name}, '^[+-]?[0-9]+$'), SAFE_CAST({name} AS INT64), NULL)"),
                Some("a whole number of 64 bits"),
            ),
            ColumnType::Timestamp => (timestamp(&name), Some(EXPECTED_TIMESTAMP)),
            ColumnType::Date => (day(&name), Some(EXPECTED_DAY)),
        };
        if column.may_be_code() {
            let value = format!("IF(REGEXP_CONTAINS({name}, '^({CODE})'), NULL, {value})");
            return Self { name, staged, value, expected: Some(expected_no_code(to)) };
        }
        Self { name, staged, value, expected }
    }

    /// The table's value; a text that has none fails the query.
    fn checked(&self) -> String {
        let Self { name, value, expected, .. } = self;
        match expected {
            Some(_) => format!("IF({name} IS NULL, NULL, IFNULL({value}, ERROR('{NO_VALUE}')))"),
            None => value.clone(),
        }
    }
}

/// The shortest decimal text that reads back as the same number. A plain cast gives 15 digits, and where those do not
/// suffice 17 (GoogleSQL's source), where the last digit may not be one of the delivered number.
fn shortest(number: &str) -> String {
    let text = |digits: u8| format!("FORMAT('%.{digits}g', {number})");
    let (first, second, last) = (text(15), text(16), text(17));
    format!(
        "IF(SAFE_CAST({first} AS FLOAT64) = {number}, {first}, IF(SAFE_CAST({second} AS FLOAT64) = {number}, {second}, {last}))"
    )
}

/// A map as the text of a JSON object, in the map's order. `TO_JSON_STRING` would give a double up to 17 digits, as a
/// plain cast does. JSON has no number that is none or infinite: those are texts.
fn json_object(map: &str, form: MapForm) -> String {
    let value = if form.numbers {
        format!(r#"IFNULL(REGEXP_REPLACE({}, '^-?[a-z]+$', r'"\0"'), 'null')"#, plain(&shortest("`value`")))
    } else {
        "TO_JSON_STRING(`value`)".to_owned()
    };
    format!(
        "IF({map} IS NULL, NULL, CONCAT('{{', IFNULL((SELECT STRING_AGG(CONCAT(TO_JSON_STRING(`key`), ':', {value}), ',' \
         ORDER BY `at`) FROM UNNEST({map}.`key_value`) WITH OFFSET AS `at`), ''), '}}'))"
    )
}

/// A number's text without exponent, as CSV files have rates, where it has at most 20 digits before and 18 behind the
/// point; otherwise unchanged. DuckDB's decimals have the same limits.
fn plain(number: &str) -> String {
    format!(
        "IF(REGEXP_CONTAINS({number}, 'e(-[01]|[+]1)[0-9]$'), IFNULL(CAST({} AS STRING), {number}), {number})",
        exact_decimal(number, 18)
    )
}

/// The decimal of the text; NULL where it is not one, or has more than so many decimals: a cast alone
/// would round what is behind the 38th. Decimals = those written, less the exponent.
fn exact_decimal(text: &str, decimals: u8) -> String {
    format!(
        "IF(REGEXP_CONTAINS({text}, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{{1,4}})?$') AND \
         LENGTH(REGEXP_EXTRACT({text}, '^[^eE.]*[.]?([0-9]*)')) - \
         IFNULL(SAFE_CAST(REGEXP_EXTRACT({text}, '[eE](.*)$') AS INT64), 0) <= {decimals}, \
         SAFE_CAST({text} AS BIGNUMERIC), NULL)"
    )
}

/// The text's day: `2025-03-21`, `03/21/2025`, or a midnight such as `2025-03-21T00:00:00Z`; otherwise NULL. A cast might
/// accept other timestamps.
fn day(text: &str) -> String {
    let month_first = "([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})";
    let midnight = "[T ]00:00:00([.]0+)?(Z|[+]00:00)?";
    format!(
        "IF(REGEXP_CONTAINS({text}, '^([0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}({midnight})?|{month_first})$'), \
         SAFE_CAST(REGEXP_REPLACE(REGEXP_REPLACE({text}, '^{month_first}$', '\\\\3-\\\\1-\\\\2'), '{midnight}$', '') AS DATE), \
         NULL)"
    )
}

/// The text's timestamp, with or without seconds; otherwise NULL. Zeros after the microseconds are removed: the cast might
/// refuse them.
fn timestamp(text: &str) -> String {
    let minute = "([0-9-]+[T ][0-9]+:[0-9]+)([Z+-].*)?";
    format!(
        "IF(REGEXP_CONTAINS({text}, '^{TIMESTAMP}$'), SAFE_CAST(REGEXP_REPLACE(REGEXP_REPLACE({text}, \
         '^{minute}$', '\\\\1:00\\\\2'), '([.][0-9]{{6}})0+', '\\\\1') AS TIMESTAMP), NULL)"
    )
}

/// Whether a CSV column is loaded as text and converted by the query: a load reads days in one format only, not every format of
/// timestamps, and no texts that mean "no value".
pub fn is_staged_as_text(column: &LoadColumn, load: &MonthLoad) -> bool {
    let is_text = matches!(column.file_type, FileType::Text(_) | FileType::TimeText(_));
    is_text
        && (column.column.column_type == ColumnType::Date
            || column.reading() == Conversion::Cast
            || may_have_no_value(column, load))
}

/// Whether a text of the column may be one that means "no value".
pub fn may_have_no_value(column: &LoadColumn, load: &MonthLoad) -> bool {
    let is_text = matches!(column.file_type, FileType::Text(_) | FileType::TimeText(_));
    is_text && column.column.column_type != ColumnType::String && !load.no_value.texts.is_empty()
}

/// The column's name in the raw table. CSV has the table's names there.
pub fn staged_name(column: &LoadColumn) -> &str {
    match column.file_type {
        FileType::Text(_) | FileType::TimeText(_) => &column.column.name,
        _ => &column.file_name,
    }
}

/// The query whose result is the month: every column of the table, whose `fields` are given, in the table's order.
///
/// # Errors
/// `Schema` for a column of the table that cannot be left without a value.
pub fn month_query(
    load: &MonthLoad,
    batch: &Batch,
    key: &KeyColumns,
    fields: &[Field],
    staging: &str,
) -> Result<String> {
    let filled = batch.filled_period(key, load.billing_period);
    let loaded: HashMap<String, &LoadColumn> =
        batch.columns.iter().map(|loaded| (loaded.column.name.to_ascii_lowercase(), loaded)).collect();
    let value = |field: &Field| {
        let day = filled.as_ref().filter(|_| field.name.eq_ignore_ascii_case(key.partition));
        let value = match (loaded.get(&field.name.to_ascii_lowercase()), day) {
            (Some(loaded), Some(day)) => format!("IFNULL({}, {day})", Cast::new(loaded, load).checked()),
            (Some(loaded), None) => Cast::new(loaded, load).checked(),
            (None, Some(day)) => day.clone(),
            (None, None) => null_of(field)?,
        };
        Ok(format!("{value} AS {}", BigQuery.quote(&field.name)))
    };
    let values = fields.iter().map(value).collect::<Result<Vec<_>>>()?;
    Ok(format!("SELECT {} FROM {}", values.join(", "), texts(load, batch, staging)))
}

/// NULL of a column that finops may not have created.
///
/// # Errors
/// `Schema` for a column that cannot be left without a value.
pub fn null_of(field: &Field) -> Result<String> {
    Ok(format!("CAST(NULL AS {})", type_in_sql(field)?))
}

/// The SQL type of a column that finops may not have created: the API has other names for some.
fn type_in_sql(field: &Field) -> Result<String> {
    let name = match field.r#type.as_str() {
        "RECORD" | "STRUCT" => {
            let message = format!("column {} of the table is a record, and its month's files lack it", field.name);
            return Err(Error::new(ErrorKind::Schema, message).hint(hint::DROP_RECORD));
        }
        "INTEGER" => "INT64",
        "FLOAT" => "FLOAT64",
        "BOOLEAN" => "BOOL",
        other => other,
    };
    Ok(if field.mode.as_deref() == Some("REPEATED") { format!("ARRAY<{name}>") } else { name.to_owned() })
}

/// The raw table, with a text for each value that is converted through text.
fn texts(load: &MonthLoad, batch: &Batch, staging: &str) -> String {
    let columns = batch
        .columns
        .iter()
        .map(|column| Cast::new(column, load))
        .map(|Cast { name, staged, .. }| if staged == name { name } else { format!("{staged} AS {name}") });
    format!("(SELECT {} FROM {staging})", columns.collect::<Vec<_>>().join(", "))
}

/// A query that counts, for each of the returned columns, the values that cannot be converted, and selects one of them.
pub(in crate::warehouse) fn refused_query(load: &MonthLoad, batch: &Batch, staging: &str) -> (String, Vec<Fallible>) {
    let casts = batch.columns.iter().filter_map(|column| {
        let cast = Cast::new(column, load);
        Some((cast.expected?, cast, column))
    });
    let (columns, counts): (Vec<_>, Vec<_>) = casts
        .enumerate()
        .map(|(at, (expected, Cast { name, value, .. }, column))| {
            let refused = format!("IF({value} IS NULL, {name}, NULL)");
            ((column.column.name.clone(), expected), format!("COUNT({refused}) AS n{at}, MIN({refused}) AS v{at}"))
        })
        .unzip();
    (format!("SELECT {} FROM {}", counts.join(", "), texts(load, batch, staging)), columns)
}

#[cfg(test)]
mod tests {
    const KEY: KeyColumns = finops_core::formats::aws_cur::KEY_COLUMNS;

    use super::*;
    use crate::warehouse::bigquery::test::{batch, column, load};

    fn batch_of(columns: &[(&str, FileType, ColumnType)]) -> Batch {
        let columns = columns.iter().map(|(name, from, to)| column(name, *from, *to)).collect();
        Batch { columns, ..batch() }
    }

    fn field(name: &str, field_type: &str, mode: Option<&str>) -> Field {
        Field {
            name: name.to_owned(),
            r#type: field_type.to_owned(),
            mode: mode.map(str::to_owned),
            ..Field::default()
        }
    }

    #[test]
    fn every_column_of_the_table_is_in_the_result_also_those_of_others() {
        let batch =
            batch_of(&[("a", FileType::String, ColumnType::String), ("n", FileType::Int64, ColumnType::Decimal)]);
        let fields = [
            field("note", "FLOAT", None),
            field("n", "BIGNUMERIC", Some("NULLABLE")),
            field("a", "STRING", None),
            field("gone", "TIMESTAMP", None),
            field("list", "INTEGER", Some("REPEATED")),
        ];
        assert_eq!(
            month_query(&load(), &batch, &KEY, &fields, "`s`").unwrap(),
            "SELECT CAST(NULL AS FLOAT64) AS `note`, CAST(`N` AS BIGNUMERIC) AS `n`, NULLIF(`A`, '') AS `a`, \
             CAST(NULL AS TIMESTAMP) AS `gone`, CAST(NULL AS ARRAY<INT64>) AS `list` FROM (SELECT `A`, `N` FROM `s`)"
        );
        assert!(refused_query(&load(), &batch, "`s`").1.is_empty(), "no value of these is refused");
        let error = month_query(&load(), &batch, &KEY, &[field("extra", "RECORD", None)], "`s`").unwrap_err();
        assert!(error.full_message().contains("column extra"), "{error:?}");
        assert_eq!(error.next_step(), Some(hint::DROP_RECORD));
    }

    #[test]
    fn a_map_becomes_a_text_entry_by_entry() {
        let map = |numbers| FileType::Map(MapForm { numbers, by_the_book: true });
        let batch = batch_of(&[("tags", map(false), ColumnType::String), ("rates", map(true), ColumnType::String)]);
        let query = month_query(&load(), &batch, &KEY, &[field("tags", "STRING", None)], "`s`").unwrap();
        assert!(
            query.contains(
                "IF(`TAGS` IS NULL, NULL, CONCAT('{', IFNULL((SELECT STRING_AGG(CONCAT(TO_JSON_STRING(`key`), ':', \
                 TO_JSON_STRING(`value`)), ',' ORDER BY `at`) FROM UNNEST(`TAGS`.`key_value`) WITH OFFSET AS `at`), ''), \
                 '}')) AS `TAGS`"
            ),
            "{query}"
        );
        assert!(query.contains("FORMAT('%.17g', `value`)") && !query.contains("{}"), "{query}");
    }

    #[test]
    fn a_double_goes_through_its_text() {
        let batch = batch_of(&[("cost", FileType::Double, ColumnType::Decimal)]);
        let query = month_query(&load(), &batch, &KEY, &[field("cost", "BIGNUMERIC", None)], "`s`").unwrap();
        assert!(query.contains("FORMAT('%.17g', `COST`))) AS `COST` FROM `s`)"), "{query}");
    }
}
