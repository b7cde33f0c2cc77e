//! What must hold of a month's staged rows before they may become the month. One place for all warehouses.

use finops_core::BillingPeriod;

use crate::{
    error::{Error, Kind, Result},
    warehouse::{Figures, MonthLoad, Target},
};

/// What helps where a warehouse does not find what is in a column.
const DELIVER_AS_CSV: &str =
    "nothing was changed; have the export delivered as CSV, and report it with the first kilobytes of a file's footer";
/// How many months of stray rows a message names.
const SHOWN: usize = 3;

/// Checks the figures of a month's staged rows against its delivery.
///
/// # Errors
/// `Data` for rows of another month or of none, and for no rows at all; `Verification` for counts that do not add up.
pub fn check(target: &Target, month: &MonthLoad, figures: &Figures) -> Result<()> {
    check_months(target.layout.partition, month, figures)?;
    let differences = differences(month, figures);
    if !differences.is_empty() {
        return Err(refused(month, Kind::Verification, &differences.join("; ")).hint(
            "nothing was changed; compare the files with the provider's, have the month delivered again where they are not \
             whole, then run again",
        ));
    }
    if !figures.lost.is_empty() {
        let why = format!("the files have values of {}, and none of them was read", figures.lost.join(", "));
        return Err(refused(month, Kind::Verification, &why).hint(DELIVER_AS_CSV));
    }
    if figures.rows() == 0 {
        let hint = "nothing was changed; compare the files with the provider's";
        return Err(refused(month, Kind::Data, "no rows were read").hint(hint));
    }
    Ok(())
}

fn refused(month: &MonthLoad, kind: Kind, why: &str) -> Error {
    Error::new(kind, format!("{} cannot be loaded: {why} (in {})", month.billing_period, month.one_of_files()))
}

/// A month is replaced as a whole, so that rows of another one would be lost or doubled.
fn check_months(column: &str, month: &MonthLoad, figures: &Figures) -> Result<()> {
    let stray = figures.rows_by_month.iter().filter(|(of, rows)| **of != Some(month.billing_period) && **rows > 0);
    let mut stray: Vec<String> =
        stray.map(|(of, rows)| format!("{} {}", counted(*rows), belongs(*rows, *of))).collect();
    if stray.is_empty() {
        return Ok(());
    }
    if stray.len() > SHOWN {
        let more = stray.len() - SHOWN;
        stray.truncate(SHOWN);
        stray.push(format!("and {more} more months"));
    }
    let stray = format!("{}, as {column} tells", stray.join(", "));
    Err(refused(month, Kind::Data, &stray).hint(
        "nothing was changed: a month is replaced as a whole, and takes rows of its own only. Where billing cycles do not follow the calendar month, as with some of Azure's agreements, \
         choose an export by calendar month, such as month to date; else compare the files with the provider's",
    ))
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

fn belongs(rows: u64, to: Option<BillingPeriod>) -> String {
    let verb = if rows == 1 { "belongs" } else { "belong" };
    to.map_or_else(|| format!("{verb} to no month"), |month| format!("{verb} to {month}"))
}

/// Every count that is not as expected, with expected and found.
fn differences(month: &MonthLoad, figures: &Figures) -> Vec<String> {
    let number = |found: Option<u64>| found.map_or_else(|| "an unknown number".to_owned(), |found| found.to_string());
    let (files, rows) = (month.files.len() as u64, figures.rows());
    let mut differences = Vec::new();
    if figures.files != Some(files) {
        differences.push(format!("expected {files} files, {} were read", number(figures.files)));
    }
    if let Some(expected) = month.rows.filter(|expected| *expected != rows) {
        differences
            .push(format!("{expected} rows were expected, as the files or their manifest say, and {rows} were read"));
    }
    if let Some(counted) = figures.counted.filter(|counted| *counted != rows) {
        differences.push(format!(
            "{rows} of the {counted} rows of the files were read: DuckDB skips rows of more than some 32 MB"
        ));
    }
    if figures.left_out > 0 {
        differences.push(format!("{} were left out", counted(figures.left_out)));
    }
    if figures.written != Some(rows) {
        differences.push(format!("the load wrote {} rows, {rows} are staged", number(figures.written)));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::test::{load, target};

    fn figures(files: u64, rows: u64) -> Figures {
        let rows_by_month = [(Some("2025-09".parse().unwrap()), rows)].into();
        Figures { files: Some(files), written: Some(rows), rows_by_month, ..Figures::default() }
    }

    fn message(month: &MonthLoad, figures: &Figures) -> String {
        check(&target(), month, figures).unwrap_err().full_message()
    }

    #[test]
    fn every_count_that_differs_is_named_with_expected_and_found() {
        let month = MonthLoad { files: vec!["1".to_owned(), "2".to_owned()], rows: Some(10), ..load() };
        check(&target(), &month, &figures(2, 10)).unwrap();
        check(&target(), &MonthLoad { rows: None, ..month.clone() }, &figures(2, 9)).unwrap();
        let found = Figures { counted: Some(12), left_out: 3, written: Some(8), ..figures(1, 9) };
        assert_eq!(
            message(&month, &found),
            "2025-09 cannot be loaded: expected 2 files, 1 were read; 10 rows were expected, as the files or \
             their manifest say, and 9 were read; 9 of the 12 rows of the files were read: DuckDB skips rows of more than some \
             32 MB; 3 rows were left out; the load wrote 8 rows, 9 are staged (in 1 or 2)"
        );
        let unknown = Figures { files: None, written: None, ..figures(2, 10) };
        assert!(message(&month, &unknown).contains("an unknown number were read"));
    }

    #[test]
    fn a_row_of_another_month_or_of_none_is_never_swapped() {
        let month = load();
        let mut found = figures(1, 10);
        found.rows_by_month.insert(None, 1);
        found.rows_by_month.insert(Some("2025-08".parse().unwrap()), 2);
        let told = message(&month, &found);
        assert!(
            told.contains(
                "1 row belongs to no month, 2 rows belong to 2025-08, as bill_billing_period_start_date tells"
            ),
            "{told}"
        );
        for other in 1..=9 {
            found.rows_by_month.insert(Some(format!("2024-0{other}").parse().unwrap()), 1);
        }
        assert!(message(&month, &found).contains("and 8 more months"));
    }

    #[test]
    fn a_column_whose_values_were_not_found_is_never_swapped() {
        let found = Figures { lost: vec!["resource_tags".to_owned()], ..figures(1, 10) };
        assert_eq!(
            message(&load(), &found),
            "2025-09 cannot be loaded: the files have values of resource_tags, and none of them was read (in gs://b/1)"
        );
    }

    #[test]
    fn no_rows_are_never_swapped() {
        assert!(message(&load(), &figures(1, 0)).contains("no rows were read"));
    }
}
