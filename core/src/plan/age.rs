//! How old the newest delivery of an export is, and how old it may be: after a mirror has stopped, nothing new arrives, although
//! no loaded month is wrong.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::model::period::BillingPeriod;

/// How old an export's newest delivery may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxAge {
    /// The setting of the limit, for messages: it has one name in the environment and another one in `config.toml`.
    pub setting: &'static str,
    /// The limit; without one the age is reported only.
    pub limit: Option<SignedDuration>,
    /// The last month that counts, if one is set. Once it is over, no new delivery is due.
    pub last_month: Option<BillingPeriod>,
}

impl MaxAge {
    /// The limit, if the newest delivery is older at `now`.
    pub fn exceeded(&self, newest: Timestamp, now: Timestamp) -> Option<SignedDuration> {
        let this_month = BillingPeriod::containing(now.to_zoned(TimeZone::UTC).date());
        let is_past = self.last_month.is_some_and(|last| last < this_month);
        self.limit.filter(|limit| !is_past && now.duration_since(newest) > *limit)
    }
}

/// How old a delivery is, for people.
pub fn age(issued: Timestamp, now: Timestamp) -> String {
    match now.duration_since(issued).as_hours() {
        ..1 => "less than 1 h old".to_owned(),
        hours @ 1..48 => format!("{hours} h old"),
        hours => format!("{} days old", hours / 24),
    }
}

/// When a delivery was issued, and how old it is.
pub fn issued(at: Timestamp, now: Timestamp) -> String {
    format!("{}, {}", minute(at), age(at, now))
}

/// A time to the minute, for people.
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_delivery_may_be_as_old_as_the_limit_and_months_that_are_over_need_no_new_one() {
        let now = at("2025-10-04T06:00:00Z");
        let three_days = MaxAge { limit: Some(SignedDuration::from_hours(72)), ..MaxAge::default() };
        for (newest, is_too_old) in [
            ("2025-10-04T05:00:00Z", false),
            ("2025-10-01T06:00:00Z", false),
            ("2025-10-01T05:59:59Z", true),
            ("2024-10-01T06:00:00Z", true),
            // Clocks differ.
            ("2025-10-04T07:00:00Z", false),
        ] {
            assert_eq!(three_days.exceeded(at(newest), now), three_days.limit.filter(|_| is_too_old), "{newest}");
            assert_eq!(MaxAge::default().exceeded(at(newest), now), None);
        }
        for (last, is_too_old) in [("2025-09", false), ("2025-10", true), ("2025-11", true)] {
            let until = MaxAge { last_month: Some(last.parse().unwrap()), ..three_days };
            assert_eq!(until.exceeded(at("2025-09-01T00:00:00Z"), now).is_some(), is_too_old, "{last}");
        }
    }

    #[test]
    fn an_age_is_in_hours_and_after_two_days_in_days() {
        let now = at("2025-10-04T06:00:00Z");
        for (newest, text) in [
            ("2025-10-04T06:30:00Z", "2025-10-04 06:30 UTC, less than 1 h old"),
            ("2025-10-04T05:00:01Z", "2025-10-04 05:00 UTC, less than 1 h old"),
            ("2025-10-04T05:00:00Z", "2025-10-04 05:00 UTC, 1 h old"),
            ("2025-10-02T06:00:01Z", "2025-10-02 06:00 UTC, 47 h old"),
            ("2025-10-02T06:00:00Z", "2025-10-02 06:00 UTC, 2 days old"),
            ("2025-09-04T06:00:00Z", "2025-09-04 06:00 UTC, 30 days old"),
        ] {
            assert_eq!(issued(at(newest), now), text);
        }
    }
}
