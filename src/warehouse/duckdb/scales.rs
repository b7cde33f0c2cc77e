//! How many decimals a table's columns have, and how many a month's values need.
//!
//! A decimal of DuckDB has 38 digits. The column's type says how many of them are after the point. New columns have 18. Where
//! a month's values need more, the column gets as many as needed, if all values still fit.

use std::collections::BTreeMap;

use duckdb::Connection;
use finops_core::{BillingPeriod, hint, model::column_type::ColumnType};

use super::{
    cast::Cast,
    catalog,
    failure::failed,
    prepare::Prepared,
    types::{DIGITS, SCALE, decimal_type, scale},
};
use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Batch, TableName, sql::Dialect::DuckDb as DIALECT},
};

/// The decimals of columns, by their names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Scales {
    of: BTreeMap<String, u8>,
    /// Columns of the table that need more, with the number they need.
    to_widen: BTreeMap<String, u8>,
}

impl Scales {
    /// The decimals of the table's columns.
    pub fn of_table(connection: &Connection, name: &TableName) -> Result<Self> {
        let columns = catalog::columns(connection, name)?;
        let of = columns.iter().filter_map(|(name, sql_type, _)| Some((name.to_lowercase(), scale(sql_type)?)));
        Ok(Self { of: of.collect(), to_widen: BTreeMap::new() })
    }

    /// The decimals of a column.
    pub fn of(&self, column: &str) -> u8 {
        self.of.get(&column.to_lowercase()).copied().unwrap_or(SCALE)
    }

    /// The exact sum of `amount`, which has the type of `column`, as text. DuckDB sums in 128 bits, and 18 rows of the largest
    /// decimals exceed them. So decimals with more than 29 digits are summed as whole numbers of any length, which takes a
    /// hundred times as long (measured on 1.5.6). Of the others there may be a billion.
    pub fn sum(&self, amount: &str, column: &str) -> String {
        let scale = self.of(column);
        let decimal = decimal_type(scale);
        // The smallest number of 30 digits, written without exponent, since some casts refuse one (seen on 1.5.6).
        let limit = match scale {
            ..=29 => format!("1{}", "0".repeat(usize::from(29 - scale))),
            _ => format!("0.{}1", "0".repeat(usize::from(scale - 30))),
        };
        let limit = format!("CAST('{limit}' AS {decimal})");
        let whole = |amount: &str| format!("CAST(replace(CAST({amount} AS VARCHAR), '.', '') AS BIGNUM)");
        let (small, large) = (format!("abs({amount}) < {limit}"), format!("abs({amount}) >= {limit}"));
        format!(
            "CAST({} + COALESCE(SUM(CASE WHEN {large} THEN {} END), 0::BIGNUM) AS VARCHAR) || 'e-{scale}'",
            whole(&format!("COALESCE(SUM(CASE WHEN {small} THEN {amount} END), 0::{decimal})")),
            whole(amount)
        )
    }

    /// Widens the table's columns that need more decimals.
    pub fn widen(&self, connection: &Connection, table: &str) -> Result<()> {
        for (column, scale) in &self.to_widen {
            let decimal = decimal_type(*scale);
            let sql = format!("ALTER TABLE {table} ALTER COLUMN {} SET DATA TYPE {decimal}", DIALECT.quote(column));
            tracing::info!(column, to = decimal, "the column gets more decimals");
            connection
                .execute_batch(&sql)
                .map_err(failed(format!("cannot change the type of column {column} of {table} to {decimal}")))?;
        }
        Ok(())
    }

    /// The decimals that the table's columns need for the files' values, which `casts` could not convert; `None` where more
    /// decimals do not help.
    ///
    /// # Errors
    /// `Data` naming a column that would need more than 38 digits.
    pub fn needed(
        &self,
        reader: &Connection,
        table: &Prepared,
        period: BillingPeriod,
        batch: &Batch,
        casts: &[Cast],
        source: &str,
    ) -> Result<Option<Self>> {
        let decimals = batch
            .columns
            .iter()
            .zip(casts)
            .filter(|(column, cast)| column.column.column_type == ColumnType::Decimal && cast.refused().is_some());
        let (columns, digits): (Vec<&str>, Vec<String>) =
            decimals.map(|(column, cast)| (column.column.name.as_str(), cast.digits().join(", "))).unzip();
        if columns.is_empty() {
            return Ok(None);
        }
        let sql = format!("SELECT {} FROM {source}", digits.join(", "));
        let read = |row: &duckdb::Row<'_>| (0..2 * columns.len()).map(|at| row.get(at)).collect();
        let found: Vec<Option<i64>> =
            reader.query_row(&sql, [], read).map_err(failed(format!("cannot read the files of {period}")))?;
        let mut wider = Self { of: self.of.clone(), to_widen: self.to_widen.clone() };
        for (column, digits) in columns.into_iter().zip(found.chunks_exact(2)) {
            let [fraction, whole] = [digits[0], digits[1]].map(|digits| digits.unwrap_or_default().max(0));
            let (had, fraction) = (self.of(column), u8::try_from(fraction).unwrap_or(DIGITS));
            let scale = had.max(fraction);
            let of_table = if scale > had { whole_digits(reader, table, column)? } else { 0 };
            if whole.max(of_table) > i64::from(DIGITS - scale) {
                return Err(no_room(period, batch, column, scale, whole, of_table));
            }
            if scale > had {
                wider.of.insert(column.to_lowercase(), scale);
                wider.to_widen.insert(column.to_owned(), scale);
            }
        }
        Ok((wider.to_widen != self.to_widen).then_some(wider))
    }
}

/// The most digits before the point in the table's values.
fn whole_digits(reader: &Connection, Prepared { path, .. }: &Prepared, column: &str) -> Result<i64> {
    let sql = format!("SELECT CAST(max(abs({})) AS VARCHAR) FROM {path}", DIALECT.quote(column));
    let largest: Option<String> = reader
        .query_row(&sql, [], |row| row.get(0))
        .map_err(failed(format!("cannot read the largest value of column {column} of {path}")))?;
    let largest = largest.unwrap_or_default();
    let whole = largest.split('.').next().unwrap_or_default().trim_start_matches('0');
    Ok(i64::try_from(whole.len()).unwrap_or(i64::MAX))
}

fn no_room(period: BillingPeriod, batch: &Batch, column: &str, scale: u8, whole: i64, of_table: i64) -> Error {
    let (before, whose) = if of_table > whole { (of_table, " for rows of the table") } else { (whole, "") };
    let message = format!(
        "{period} cannot be loaded: column {column} needs {before} digits before the point{whose} and {scale} after it, and \
         DuckDB's decimals have {DIGITS} in all (in {})",
        batch.one_of_files()
    );
    Error::new(ErrorKind::Data, message).hint(if of_table > whole {
        hint::BIGQUERY_OR_ANOTHER_TABLE
    } else {
        hint::LOAD_INTO_BIGQUERY
    })
}

#[cfg(test)]
mod tests {
    use finops_core::{Amount, model::amount::add_to};
    use proptest::{
        collection::vec,
        prop_assert_eq,
        test_runner::{Config, TestRunner},
    };

    use super::*;

    #[test]
    fn any_sum_of_decimals_is_exact_and_none_overflows() {
        let connection = Connection::open_in_memory().unwrap();
        let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
        let rows = vec(proptest::option::of("-?[0-9]{1,30}|9[0-9]{37}"), 0..30);
        let exact = |(scale, rows): (u8, Vec<Option<String>>)| {
            let scales = Scales { of: [("x".to_owned(), scale)].into(), ..Scales::default() };
            let mut sum = [("x".to_owned(), "0".parse::<Amount>().unwrap())].into();
            let mut values = vec![format!("(NULL::{})", decimal_type(scale))];
            for row in &rows {
                let text = row.as_ref().map(|digits| format!("{digits}e-{scale}"));
                if let Some(text) = &text {
                    add_to(&mut sum, "x", &text.parse().unwrap());
                }
                values.push(text.map_or("(NULL)".to_owned(), |text| {
                    let plain = text.parse::<Amount>().unwrap().to_string();
                    format!("(CAST('{plain}' AS {}))", decimal_type(scale))
                }));
            }
            let sql = format!("SELECT {} FROM (VALUES {}) t(x)", scales.sum("x", "X"), values.join(", "));
            let found: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            prop_assert_eq!(found.parse::<Amount>().unwrap(), sum["x"].clone(), "{}", sql);
            Ok(())
        };
        TestRunner::new(config).run(&(SCALE..=DIGITS, rows), exact).unwrap();
    }
}
