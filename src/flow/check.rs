//! The checks of a month's staged rows before they replace the month: one place for all warehouses.

use std::collections::BTreeMap;

use finops_core::{
    BillingPeriod,
    formats::azure::{
        self,
        account::{Account, lost, shorter},
    },
    hint,
    model::manifest::FileFormat,
};
use jiff::civil::Date;

use crate::{
    error::{Error, ErrorKind, Result},
    warehouse::{Batch, Figures, MonthLoad, Target},
};

/// How many other months a message names.
const SHOWN: usize = 3;

/// How many days outside the month a run without billing periods may have: for another time zone and late rows.
const MOST_DAYS_OUTSIDE: usize = 3;

/// Compares the figures of a month's staged rows with its delivery and with what is loaded. Returns notes for the report.
///
/// # Errors
/// `Data` for rows of another month or of none, for no rows at all, and where rows would be lost compared with what is loaded;
/// `Verification` for counts that differ.
pub fn check(target: &Target, month: &MonthLoad, figures: &Figures) -> Result<Vec<String>> {
    check_months(target.key_columns.partition, month, figures)?;
    let differences = differences(month, figures);
    if !differences.is_empty() {
        return Err(refused(month, ErrorKind::Verification, &differences.join("; ")).hint(hint::DELIVER_AGAIN));
    }
    if !figures.lost.is_empty() {
        let why = format!("the files have values of {}, and none of them was read", figures.lost.join(", "));
        return Err(refused(month, ErrorKind::Verification, &why).hint(hint::DELIVER_AS_CSV));
    }
    if figures.rows() == 0 {
        return Err(refused(month, ErrorKind::Data, "no rows were read").hint(hint::COMPARE_FILES));
    }
    check_parts(month, figures)
}

/// Checks that every run has its rows, and no fewer than what is loaded of its scope.
fn check_parts(month: &MonthLoad, figures: &Figures) -> Result<Vec<String>> {
    let account = month.account(figures);
    if !account.wrong.is_empty() {
        let wrong = some_of(&account.wrong, SHOWN);
        return Err(refused(month, ErrorKind::Verification, &wrong).hint(hint::ROWS_OF_OTHER_SCOPES));
    }
    let lost = lost(&account, &month.loaded_scopes);
    if let Some(why) = lost.or_else(|| shorter(&account, &month.loaded_scopes).filter(|_| !month.force)) {
        let message = format!("{} is not replaced: {why}", month.billing_period);
        return Err(Error::new(ErrorKind::Data, message).hint(hint::LESS_THAN_LOADED));
    }
    outside(month, &account)
}

/// Rows of days outside a month whose files have no billing period: a few days are accepted, for late rows or another time zone.
fn outside(month: &MonthLoad, account: &Account) -> Result<Vec<String>> {
    let is_loaded = |scope: &str, day: Date| {
        let of_scope = month.neighbours.iter().filter(|record| record.scope == scope);
        let mut ranges = of_scope.filter_map(|record| record.first_day.zip(record.last_day));
        ranges.any(|(first, last)| first <= day && day <= last)
    };
    let beside = [month.billing_period.before(), month.billing_period.after()];
    let (mut days, mut notes) = (BTreeMap::new(), Vec::new());
    for ((scope, day), sums) in &account.outside {
        let rows = counted(sums.rows);
        let of_scope: &mut usize = days.entry(scope).or_default();
        *of_scope += 1;
        let wrong = match day {
            None => format!("{rows} without a day"),
            Some(day) if !beside.contains(&BillingPeriod::containing(*day)) => format!("{rows} of {day}"),
            Some(day) if is_loaded(scope, *day) => {
                format!("{rows} of {day}, a day that is loaded with the month next to it")
            }
            Some(day) if *of_scope > MOST_DAYS_OUTSIDE => {
                format!("rows of more than {MOST_DAYS_OUTSIDE} days outside the month, such as {day}")
            }
            Some(day) => {
                let costs = sums.cost.iter().map(|(currency, amount)| format!("{amount} {currency}"));
                notes.push(format!("{rows} of {day}, outside the month ({})", costs.collect::<Vec<_>>().join(", ")));
                continue;
            }
        };
        return Err(refused(month, ErrorKind::Data, &wrong).hint(hint::ROWS_OUTSIDE));
    }
    Ok(notes)
}

fn some_of(texts: &[String], most: usize) -> String {
    let more = texts.len().saturating_sub(most);
    let first = texts.iter().take(most).cloned().collect::<Vec<_>>().join("; ");
    if more == 0 { first } else { format!("{first}; and {more} more") }
}

fn refused(month: &MonthLoad, kind: ErrorKind, why: &str) -> Error {
    let files = month.batches.first().map(Batch::one_of_files).unwrap_or_default();
    Error::new(kind, format!("{} cannot be loaded: {why} (in {files})", month.billing_period))
}

/// A month is replaced as a whole, so rows of another month would be lost or doubled.
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
    let stray = format!("{}, by {column}", stray.join(", "));
    let has_cycles = column == azure::KEY_COLUMNS.partition;
    let alone = hint::ROWS_OF_OTHER_MONTHS;
    let hint = if has_cycles { hint::both(alone, hint::WITHOUT_BILLING_PERIODS) } else { alone.to_owned() };
    Err(refused(month, ErrorKind::Data, &stray).hint(hint))
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

fn belongs(rows: u64, to: Option<BillingPeriod>) -> String {
    let verb = if rows == 1 { "belongs" } else { "belong" };
    to.map_or_else(|| format!("{verb} to no month"), |month| format!("{verb} to {month}"))
}

/// Every count that differs, with expected and found.
fn differences(month: &MonthLoad, figures: &Figures) -> Vec<String> {
    let number = |found: Option<u64>| found.map_or_else(|| "an unknown number".to_owned(), |found| found.to_string());
    let (files, rows) = (month.file_count(), figures.rows());
    let mut differences = Vec::new();
    if figures.files != Some(files) {
        differences.push(format!("expected {files} files, {} were read", number(figures.files)));
    }
    if let Some(expected) = month.rows.filter(|expected| *expected != rows) {
        // Parquet files contain their number of rows.
        let counted_by = match month.batches.first().map(|batch| batch.format) {
            Some(FileFormat::Parquet) => "the files say".to_owned(),
            _ => format!("the manifest {} counts", month.manifest_uri),
        };
        differences.push(format!("{expected} rows were expected, as {counted_by}, and {rows} were read"));
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
    use finops_core::{
        formats::azure::account::Part,
        model::groups::{Groups, Sums},
    };

    use super::*;
    use crate::warehouse::test::{batch, load, target};

    fn figures(files: u64, rows: u64) -> Figures {
        let rows_by_month = [(Some("2025-09".parse().unwrap()), rows)].into();
        Figures { files: Some(files), written: Some(rows), rows_by_month, ..Figures::default() }
    }

    fn message(month: &MonthLoad, figures: &Figures) -> String {
        check(&target(), month, figures).unwrap_err().full_message()
    }

    #[track_caller]
    fn assert_hint(month: &MonthLoad, figures: &Figures, hint: &str) {
        let error = check(&target(), month, figures).unwrap_err();
        assert_eq!(error.next_step(), Some(hint), "{error:?}");
    }

    /// One row of each of the days.
    fn of_days(days: impl IntoIterator<Item = &'static str>) -> Figures {
        let sums = Sums { rows: 1, cost: [("USD".to_owned(), "1".parse().unwrap())].into() };
        let groups: Groups = days.into_iter().map(|day| ((vec![], Some(day.parse().unwrap())), sums.clone())).collect();
        Figures { groups: groups.clone(), ..figures(1, groups.len() as u64) }
    }

    fn of_part(part: Part) -> MonthLoad {
        MonthLoad { parts: vec![Part { execution_id: "run".to_owned(), ..part }], ..load() }
    }

    #[test]
    fn every_count_that_differs_is_named_with_expected_and_found() {
        let batches = vec![Batch { files: vec!["1".to_owned(), "2".to_owned()], ..batch() }];
        let month = MonthLoad { batches, rows: Some(10), ..load() };
        check(&target(), &month, &figures(2, 10)).unwrap();
        check(&target(), &MonthLoad { rows: None, ..month.clone() }, &figures(2, 9)).unwrap();
        let found = Figures { counted: Some(12), left_out: 3, written: Some(8), ..figures(1, 9) };
        assert_eq!(
            message(&month, &found),
            "2025-09 cannot be loaded: expected 2 files, 1 were read; 10 rows were expected, as the manifest \
             gs://b/m counts, and 9 were read; 9 of the 12 rows of the files were read: DuckDB skips rows of more than some \
             32 MB; 3 rows were left out; the load wrote 8 rows, 9 are staged (in 1 or 2)"
        );
        let unknown = Figures { files: None, written: None, ..figures(2, 10) };
        assert!(message(&month, &unknown).contains("an unknown number were read"));
    }

    #[test]
    fn a_month_without_rows_is_never_swapped() {
        let error = check(&target(), &MonthLoad { rows: None, ..load() }, &figures(1, 0)).unwrap_err();
        assert!(error.full_message().contains("no rows were read"), "{}", error.full_message());
        assert_eq!(error.next_step(), Some(hint::COMPARE_FILES));
    }

    #[test]
    fn a_row_of_another_month_or_of_none_is_never_swapped() {
        let month = load();
        let mut found = figures(1, 10);
        found.rows_by_month.insert(None, 1);
        found.rows_by_month.insert(Some("2025-08".parse().unwrap()), 2);
        let found_message = message(&month, &found);
        assert!(
            found_message
                .contains("1 row belongs to no month, 2 rows belong to 2025-08, by bill_billing_period_start_date"),
            "{found_message}"
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
        assert_hint(&load(), &found, hint::DELIVER_AS_CSV);
    }

    #[test]
    fn a_row_of_a_day_that_no_run_covers_is_never_swapped() {
        let days = Some(("2025-09-01".parse().unwrap(), "2025-09-10".parse().unwrap()));
        let month = of_part(Part { days, ..Part::default() });
        check(&target(), &month, &of_days(["2025-09-10"])).unwrap();
        assert_hint(&month, &of_days(["2025-09-10", "2025-09-11"]), hint::ROWS_OF_OTHER_SCOPES);
    }

    #[test]
    fn a_usage_month_takes_rows_of_a_few_days_outside_and_not_of_more() {
        let month = of_part(Part { usage_month: true, ..Part::default() });
        let days = ["2025-09-01", "2025-08-31", "2025-10-01", "2025-10-02", "2025-10-03"];
        assert_eq!(check(&target(), &month, &of_days(days.into_iter().take(4))).unwrap().len(), 3);
        assert_hint(&month, &of_days(days), hint::ROWS_OUTSIDE);
    }

    #[test]
    fn a_run_without_a_loaded_day_replaces_it_only_by_force() {
        let month = of_part(Part::default());
        let whole = of_days(["2025-09-01", "2025-09-02"]);
        let again = MonthLoad { loaded_scopes: month.account(&whole).scopes, ..month };
        check(&target(), &again, &whole).unwrap();
        let less = of_days(["2025-09-02"]);
        assert_hint(&again, &less, hint::LESS_THAN_LOADED);
        check(&target(), &MonthLoad { force: true, ..again }, &less).unwrap();
    }
}
