//! A loaded month, compared with its record and with a delivery.

use jiff::civil::Date;

use super::reason::Reason;
use crate::model::{
    delivery::Delivery,
    load_record::{LoadRecord, LoadStatus, LoadedMonth},
};

/// Whether the table has what was loaded.
pub fn is_whole(loaded: &LoadedMonth) -> bool {
    loaded.record.status == LoadStatus::Loaded && loaded.record.rows == loaded.rows_in_table
}

/// How the table differs from what was loaded.
pub(super) fn damage(loaded: &LoadedMonth) -> Reason {
    match loaded.record.status {
        LoadStatus::Unverified => Reason::Unverified,
        LoadStatus::Loaded => Reason::RowsLost { loaded: loaded.record.rows, in_table: loaded.rows_in_table },
    }
}

/// The last days of the delivery and of the one that was loaded, if both are known and it ends before that one.
pub(super) fn reaches_less(delivery: &Delivery, record: &LoadRecord) -> Option<(Date, Date)> {
    delivery.manifest.covers_until.zip(record.covers_until).filter(|(until, covered)| until < covered)
}
