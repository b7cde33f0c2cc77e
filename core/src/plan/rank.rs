//! Which of a month's deliveries counts.

use jiff::{Timestamp, civil::Date};

use crate::model::delivery::Delivery;

/// The greatest counts, whether its files are there or not.
pub fn rank(delivery: &Delivery) -> (bool, Date, Timestamp, &str) {
    (!delivery.is_empty(), delivery.reach(), delivery.issued_at(), &delivery.manifest_uri)
}
