//! CSV files in which a program of another locale rewrote the days as `30/09/2025`.

use std::fmt;

use jiff::civil::Date;

use crate::{
    formats::dictionary::known_type,
    model::{column_type::ColumnType, period::BillingPeriod},
};

/// A day in the form `dd/MM/yyyy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayFirst {
    column: String,
    value: String,
}

impl fmt::Display for DayFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, value } = self;
        write!(
            f,
            "its days have the form dd/MM/yyyy, as `{value}` in column {column}: MM/dd/yyyy or yyyy-MM-dd was expected"
        )
    }
}

/// The start of the billing period in a file whose first row proves that its days are in the form `dd/MM/yyyy`. A day that is
/// valid in both forms proves nothing. Either some day of the row is not valid as `MM/dd/yyyy` (there is no 30th month), or the
/// period starts with the delivered month when read as `dd/MM/yyyy`, and more than a month away from it when read as
/// `MM/dd/yyyy`.
pub fn day_first(names: &[String], row: &[String], partition: &str, month: BillingPeriod) -> Option<DayFirst> {
    let values = || names.iter().zip(row);
    let (column, value) = values().find(|(name, _)| *name == partition)?;
    let month_first = |[first, second, year]: [i16; 3]| day(year, first, second);
    let of_period = numbers(value)?;
    let [first, second, year] = of_period;
    let reads_as_month = day(year, second, first).map(BillingPeriod::containing) == Some(month);
    let reads_otherwise = month_first(of_period).map(BillingPeriod::containing);
    let may_be_cycle = |other: BillingPeriod| other == month || other.end() == month.first_day();
    let is_date = |name: &str| matches!(known_type(name), Some(ColumnType::Date | ColumnType::Timestamp));
    let mut days = values().filter(|(name, _)| is_date(name)).filter_map(|(_, value)| numbers(value));
    let is_proved = reads_otherwise.is_none_or(|other| !may_be_cycle(other))
        || days.any(|[first, second, year]| {
            month_first([first, second, year]).is_none() && day(year, second, first).is_some()
        });
    (reads_as_month && is_proved).then(|| DayFirst { column: column.clone(), value: value.clone() })
}

/// The numbers of a text such as `30/09/2025`.
fn numbers(value: &str) -> Option<[i16; 3]> {
    let parts: Vec<&str> = value.split('/').collect();
    let [first, second, year] = parts.as_slice() else { return None };
    let fits = [(first, 2), (second, 2), (year, 4)]
        .iter()
        .all(|(part, length)| part.len() == *length && part.bytes().all(|b| b.is_ascii_digit()));
    fits.then_some([first.parse().ok()?, second.parse().ok()?, year.parse().ok()?])
}

fn day(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 4] = ["billingPeriodStartDate", "billingPeriodEndDate", "date", "costCenter"];

    fn found(month: &str, row: [&str; 4]) -> Option<String> {
        let names = COLUMNS.map(str::to_owned);
        day_first(&names, &row.map(str::to_owned), COLUMNS[0], month.parse().unwrap()).map(|day| day.value)
    }

    #[test]
    fn days_of_another_locale_are_recognised_in_every_month() {
        for month in 1..=12 {
            let (of, start) = (format!("2025-{month:02}"), format!("01/{month:02}/2025"));
            let end = format!("28/{month:02}/2025");
            assert_eq!(found(&of, [&start, &end, &start, ""]).as_ref(), Some(&start), "{of}");
        }
        // No day is valid in one form only: the distance from the month decides.
        assert_eq!(found("2025-09", ["01/09/2025", "", "", ""]).as_deref(), Some("01/09/2025"));
        assert_eq!(found("2025-09", ["01/09/2025", "", "02/09/2025", ""]).as_deref(), Some("01/09/2025"));
    }

    #[test]
    fn days_that_azure_writes_and_billing_cycles_are_not_mistaken_for_them() {
        for (month, row) in [
            ("2025-09", ["09/01/2025", "09/30/2025", "09/01/2025", "13/01/2025"]),
            ("2025-01", ["01/01/2025", "01/31/2025", "01/02/2025", ""]),
            // A billing cycle from the 9th on, month to date.
            ("2025-09", ["08/09/2025", "09/08/2025", "09/01/2025", "30/09/2025"]),
            ("2025-09", ["08/16/2025", "09/15/2025", "09/01/2025", ""]),
            // A billing cycle from 2 January on, in February.
            ("2025-02", ["01/02/2025", "02/01/2025", "02/01/2025", ""]),
            ("2025-09", ["2025-09-01", "2025-09-30", "2025-09-01", ""]),
            ("2025-09", ["", "", "", ""]),
            ("2025-09", ["1/9/2025", "30/9/2025", "1/9/2025", ""]),
            ("2025-09", ["01/08/2025", "31/08/2025", "01/08/2025", ""]),
        ] {
            assert_eq!(found(month, row), None, "{row:?}");
        }
    }
}
