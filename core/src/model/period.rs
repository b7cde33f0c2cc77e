//! A billing period: one calendar month.

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::model::{shown::shown, text::excerpt};

/// One calendar month, written `2025-09`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BillingPeriod {
    first_day: Date,
}

/// The text is not a month of the form `YYYY-MM`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a month of the form YYYY-MM, such as 2025-09", excerpt(&shown(.0)))]
pub struct InvalidBillingPeriod(String);

impl BillingPeriod {
    /// The month of `day`.
    pub fn containing(day: Date) -> Self {
        Self { first_day: day.first_of_month() }
    }

    /// The month's first day.
    pub fn first_day(self) -> Date {
        self.first_day
    }

    /// The month's last day.
    pub fn last_day(self) -> Date {
        self.first_day.last_of_month()
    }

    /// The month before.
    #[must_use]
    pub fn before(self) -> Self {
        Self::containing(self.first_day.yesterday().unwrap_or(Date::MIN))
    }

    /// The month after.
    #[must_use]
    pub fn after(self) -> Self {
        Self::containing(self.end())
    }

    /// The first day after the month.
    pub fn end(self) -> Date {
        self.first_day.last_of_month().tomorrow().unwrap_or(Date::MAX)
    }

    /// BigQuery's id of the month's partition, such as `202509`.
    pub fn partition_id(self) -> String {
        format!("{:04}{:02}", self.first_day.year(), self.first_day.month())
    }

    /// The month of a partition id; `None` for other ids, such as that of rows without a month.
    pub fn from_partition_id(id: &str) -> Option<Self> {
        compact_day(&format!("{id}01")).map(Self::containing)
    }
}

/// The day that eight digits name, `20250901`.
pub(crate) fn compact_day(text: &str) -> Option<Date> {
    let is_compact = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    is_compact.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for BillingPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first_day.year(), self.first_day.month())
    }
}

impl FromStr for BillingPeriod {
    type Err = InvalidBillingPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2);
        let period = parts.and_then(|(year, month)| Self::from_partition_id(&format!("{year}{month}")));
        period.ok_or_else(|| InvalidBillingPeriod(text.to_owned()))
    }
}

impl TryFrom<String> for BillingPeriod {
    type Error = InvalidBillingPeriod;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BillingPeriod> for String {
    fn from(period: BillingPeriod) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_prints_as_it_was_written() {
        let period: BillingPeriod = "2025-09".parse().unwrap();
        assert_eq!(period.to_string(), "2025-09");
        assert_eq!(period.partition_id(), "202509");
        assert_eq!(BillingPeriod::from_partition_id("202509"), Some(period));
        assert!(
            ["__NULL__", "__UNPARTITIONED__", "20250901", "202513", ""]
                .into_iter()
                .all(|id| BillingPeriod::from_partition_id(id).is_none())
        );
        assert_eq!(period.first_day().to_string(), "2025-09-01");
        assert_eq!("2025-12".parse::<BillingPeriod>().unwrap().end().to_string(), "2026-01-01");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "2025", "2025-13", "2025-9", "25-09", "2025-09-01", "+025-09", "2025-00"] {
            assert!(text.parse::<BillingPeriod>().is_err(), "{text}");
        }
    }
}
