//! Rows that are not of the month in whose files they lie.

use super::MonthLoad;
use crate::error::{Error, Kind};

/// The error for files with such a row; `row` says what is known of it.
pub(super) fn another_month(load: &MonthLoad, row: &str) -> Error {
    let message = format!(
        "{} cannot be loaded: {row} (in {}). A month is replaced as a whole, and takes rows of its own only",
        load.billing_period,
        load.one_of_files()
    );
    Error::new(Kind::Data, message).hint(
        "nothing was changed. Where billing cycles do not follow the calendar month, as with some of Azure's agreements, \
         choose an export by calendar month, such as month to date; else compare the files with the provider's",
    )
}
