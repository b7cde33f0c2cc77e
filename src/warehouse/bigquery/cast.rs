//! From a staging table to a month: the query that converts each value exactly, or fails.

use finops_core::schema::{Column, ColumnType, FileType, Reading};

use super::schema::sql_type;
use crate::{
    error::Result,
    warehouse::{
        LoadColumn, MonthLoad,
        sql::{Dialect::BigQuery, NO_VALUE},
    },
};

/// A staging column on its way into the table's.
struct Cast {
    /// The value as text.
    text: String,
    /// The value of the table's type; NULL where the text has none that is exact.
    value: String,
    /// What the values must be, where not every one is.
    expected: Option<&'static str>,
}

impl Cast {
    fn new(column: &LoadColumn) -> Self {
        let name = BigQuery.quote(staged_name(column));
        let to = column.column.column_type;
        if column.reading() == Reading::AsIs {
            return Self { text: name.clone(), value: name, expected: None };
        }
        let text = match column.file_type {
            // What CSV files have where they would hold the moment.
            FileType::Timestamp => format!("FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E*SZ', {name})"),
            FileType::String if to == ColumnType::String => name.clone(),
            // CSV files have nothing between the commas where there is no value.
            FileType::String => format!("NULLIF({name}, '')"),
            // Of a FLOAT64 the shortest that reads back as the same number.
            _ => format!("CAST({name} AS STRING)"),
        };
        let (value, expected) = match (column.file_type, to) {
            (_, ColumnType::String | ColumnType::Foreign) => (text.clone(), None),
            (FileType::Int64, ColumnType::Decimal) => (format!("CAST({name} AS BIGNUMERIC)"), None),
            (FileType::Date, ColumnType::Timestamp) => (format!("CAST({name} AS TIMESTAMP)"), None),
            (_, ColumnType::Decimal) => (exact_decimal(&text), Some("a decimal with at most 38 digits on either side")),
            (_, ColumnType::Int64) => (format!("SAFE_CAST({text} AS INT64)"), Some("a whole number of 64 bits")),
            (_, ColumnType::Timestamp) => (format!("SAFE_CAST({text} AS TIMESTAMP)"), Some("a timestamp")),
            (_, ColumnType::Date) => (format!("SAFE_CAST({text} AS DATE)"), Some("a date")),
        };
        Self { text, value, expected }
    }

    /// The table's value; a text that has none fails the query.
    fn checked(&self) -> String {
        let Self { text, value, expected } = self;
        match expected {
            Some(_) => format!("IF({text} IS NULL, NULL, IFNULL({value}, ERROR('{NO_VALUE}')))"),
            None => value.clone(),
        }
    }
}

/// The decimal that the text stands for; NULL where it stands for none, or has more than 38 decimals: a cast alone
/// would round them. Decimals = those written, less the exponent.
fn exact_decimal(text: &str) -> String {
    format!(
        "IF(REGEXP_CONTAINS({text}, '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{{1,4}})?$') AND \
         LENGTH(REGEXP_EXTRACT({text}, '^[^eE.]*[.]?([0-9]*)')) - \
         IFNULL(CAST(REGEXP_EXTRACT({text}, '[eE](.*)$') AS INT64), 0) <= 38, \
         SAFE_CAST({text} AS BIGNUMERIC), NULL)"
    )
}

/// What a staging table calls the column: CSV has no names of its own there.
pub(super) fn staged_name(column: &LoadColumn) -> &str {
    match column.file_type {
        FileType::Text(_) => &column.column.name,
        _ => &column.file_name,
    }
}

/// The query whose result is the month: every column of the table, in the table's order.
///
/// # Errors
/// `Schema` for a column of the table that finops does not write.
pub(super) fn month_query(load: &MonthLoad, staging: &str) -> Result<String> {
    let value = |column: &Column| {
        let loaded = load.columns.iter().find(|loaded| loaded.column.name == column.name);
        let value = match loaded {
            Some(loaded) => Cast::new(loaded).checked(),
            None => format!("CAST(NULL AS {})", sql_type(column)?),
        };
        Ok(format!("{value} AS {}", BigQuery.quote(&column.name)))
    };
    let values = load.table_columns.iter().map(value).collect::<Result<Vec<_>>>()?;
    Ok(format!("SELECT {} FROM {staging}", values.join(", ")))
}

/// A column whose values may have no counterpart in the table, and what they must be.
pub(super) type Fallible = (String, &'static str);

/// A query that counts, of each of the columns that come with it, the values that the table's type does not have, and
/// gives one of them.
pub(super) fn refused_query(load: &MonthLoad, staging: &str) -> (String, Vec<Fallible>) {
    let casts = load.columns.iter().filter_map(|column| {
        let cast = Cast::new(column);
        Some((cast.expected?, cast, column))
    });
    let (columns, counts): (Vec<_>, Vec<_>) = casts
        .enumerate()
        .map(|(at, (expected, Cast { text, value, .. }, column))| {
            let refused = format!("IF({value} IS NULL, {text}, NULL)");
            ((column.column.name.clone(), expected), format!("COUNT({refused}) AS n{at}, MIN({refused}) AS v{at}"))
        })
        .unzip();
    (format!("SELECT {} FROM {staging}", counts.join(", ")), columns)
}

#[cfg(test)]
mod tests {
    use super::{
        super::test::{column, load},
        *,
    };

    fn load_of(columns: &[(&str, FileType, ColumnType)]) -> MonthLoad {
        let columns: Vec<_> = columns.iter().map(|(name, from, to)| column(name, *from, *to)).collect();
        let gone = Column { name: "gone".to_owned(), column_type: ColumnType::Decimal };
        let table_columns = columns.iter().map(|column| column.column.clone()).chain([gone]).collect();
        MonthLoad { columns, table_columns, ..load() }
    }

    #[test]
    fn every_column_of_the_table_is_in_the_result_under_its_name() {
        let load = load_of(&[("a", FileType::String, ColumnType::String), ("n", FileType::Int64, ColumnType::Decimal)]);
        assert_eq!(
            month_query(&load, "`s`").unwrap(),
            "SELECT `A` AS `a`, CAST(`N` AS BIGNUMERIC) AS `n`, CAST(NULL AS BIGNUMERIC) AS `gone` FROM `s`"
        );
        assert!(refused_query(&load, "`s`").1.is_empty(), "no value of these is refused");
    }

    #[test]
    fn a_double_goes_through_its_text() {
        let load = load_of(&[("cost", FileType::Double, ColumnType::Decimal)]);
        let query = month_query(&load, "`s`").unwrap();
        assert!(query.contains("SAFE_CAST(CAST(`COST` AS STRING) AS BIGNUMERIC)"), "{query}");
        assert!(!query.contains("CAST(`COST` AS BIGNUMERIC)"), "{query}");
    }
}
