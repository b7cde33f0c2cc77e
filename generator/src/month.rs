//! Billing months, and the runs of an export in a month.

use std::{fmt, str::FromStr};

use jiff::{
    ToSpan,
    civil::{Date, DateTime},
};

/// A calendar month, `2025-09`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// Its first day.
    pub fn first_day(self) -> Date {
        self.0
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.0.last_of_month()
    }

    /// The first day of the next month.
    pub fn end(self) -> Date {
        self.0.saturating_add(1.month())
    }

    /// The first day of the previous month.
    pub(crate) fn previous(self) -> Date {
        self.0.saturating_sub(1.month())
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = (text.len() == 7).then(|| format!("{text}-01").parse().ok()).flatten();
        day.map(Self).ok_or_else(|| format!("`{text}` is not a month: expected a text such as 2025-09"))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m"))
    }
}

/// One delivery of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The month.
    pub month: Month,
    /// The number of the run. Each run of a month has its own ids and amounts.
    pub number: u32,
    /// When the provider started the run.
    pub submitted: DateTime,
    /// The last day that the run covers. The number of rows grows with the days.
    pub until: Date,
    /// Whether the files have no rows.
    pub empty: bool,
}

impl Run {
    /// The first run of the whole month, on the second day of the next.
    pub fn of(month: Month) -> Self {
        Self::again(month, 1)
    }

    /// The `number`th run of the whole month. Each comes a day after the one before.
    pub fn again(month: Month, number: u32) -> Self {
        let submitted = month.end().at(12, 1, 25, 516_000_000).saturating_add(i64::from(number).days());
        Self { month, number, submitted, until: month.last_day(), empty: false }
    }

    /// One run for each day of the month, each covering one more day, as Azure delivers them.
    pub fn daily(month: Month) -> Vec<Self> {
        let run = |day: i8| {
            let until = month.0.saturating_add((day - 1).days());
            Self {
                number: day.unsigned_abs().into(),
                submitted: until.at(21, 4, 6, 523_000_000),
                until,
                ..Self::of(month)
            }
        };
        (1..=month.0.days_in_month()).map(run).collect()
    }

    /// The same run, covering the month until this day.
    #[must_use]
    pub fn until(self, day: i8) -> Self {
        Self { until: self.month.0.saturating_add((day - 1).days()), ..self }
    }

    /// The same run without rows.
    #[must_use]
    pub fn without_rows(self) -> Self {
        Self { empty: true, ..self }
    }

    pub(crate) fn days(&self) -> i8 {
        self.until.day()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daily_runs_cover_a_day_more_each_time() {
        let runs = Run::daily("2024-02".parse().unwrap());
        assert_eq!(runs.len(), 29);
        assert!(runs.windows(2).all(|pair| pair[0].until < pair[1].until && pair[0].submitted < pair[1].submitted));
        assert_eq!(runs[28].until.to_string(), "2024-02-29");
    }

    #[test]
    fn text_that_is_not_a_month_is_refused() {
        for text in ["2025-13", "2025-9", "2025-09-01", "september", ""] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
