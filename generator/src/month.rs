//! Billing months, and the runs of an export in one.

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

    /// The first day of the month after.
    pub fn end(self) -> Date {
        self.0.saturating_add(1.month())
    }

    /// The first day of the month before.
    pub(crate) fn before(self) -> Date {
        self.0.saturating_sub(1.month())
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = (text.len() == 7).then(|| format!("{text}-01").parse().ok()).flatten();
        day.map(Self).ok_or_else(|| format!("`{text}` is no month: expected one such as 2025-09"))
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
    /// Tells the runs of a month apart: each has ids and amounts of its own.
    pub number: u32,
    /// When the provider began it.
    pub submitted: DateTime,
    /// The last day that it covers. The rows grow with the days.
    pub until: Date,
    /// Whether it delivers a file without rows.
    pub empty: bool,
}

impl Run {
    /// The first run of the whole month, on the second day of the next.
    pub fn of(month: Month) -> Self {
        Self::again(month, 1)
    }

    /// The `number`th run of the whole month, one day after another.
    pub fn again(month: Month, number: u32) -> Self {
        let submitted = month.end().at(12, 1, 25, 516_000_000).saturating_add(i64::from(number).days());
        Self { month, number, submitted, until: month.last_day(), empty: false }
    }

    /// One run each day of the month while it lasts, each covering a day more: what Azure leaves there in a month.
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

    /// The same, covering the month only until this day of it.
    #[must_use]
    pub fn until(self, day: i8) -> Self {
        Self { until: self.month.0.saturating_add((day - 1).days()), ..self }
    }

    /// The same without a row.
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
