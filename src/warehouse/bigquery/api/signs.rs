//! What only the text of BigQuery's message says: its reasons do not distinguish these cases.

use crate::warehouse::sql::NO_VALUE;

/// A case that a message's text reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A statement lost against another one that changed the same table at the same time.
    ConcurrentUpdate,
    /// A table was changed too often within some seconds.
    ChangedTooOften,
    /// The organisation demands a key for encryption.
    NeedsKey,
    /// A service perimeter refuses it.
    Perimeter,
    /// The organisation's policy refuses it.
    Policy,
    /// The project has no billing account.
    NoBilling,
    /// A dataset is not found. BigQuery now and then says so of one that was just created (ingestr#643).
    NoDataset,
    /// A table is not found. The same.
    NoTable,
    /// The files' columns are not those of the table, or their types not those of its columns.
    OtherColumns,
    /// Parquet fields are REQUIRED, and the schema's are not (googleapis/java-bigquery#13, 2019).
    OtherModes,
    /// The text of an amount is not read, as might happen to one with an exponent.
    AmountRefused,
    /// A column takes no NULL.
    NullRefused,
    /// A copy is refused for the table's columns, which only this month's need be.
    Schema,
    /// A value cannot be converted: our own queries say so.
    NoValue,
}

impl Sign {
    fn texts(self) -> &'static [&'static str] {
        match self {
            Self::ConcurrentUpdate => &["concurrent update"],
            Self::ChangedTooOften => &["Exceeded rate limits"],
            Self::NeedsKey => &["restrictNonCmekServices", "requires that you specify an encryption key"],
            Self::Perimeter => &["vpcServiceControls"],
            Self::Policy => &["organization's policy"],
            Self::NoBilling => &["Billing has not been enabled", "not allowed in the free tier"],
            Self::NoDataset => &["Not found: Dataset"],
            Self::NoTable => &["Not found: Table"],
            Self::OtherColumns => {
                &["has changed type", "Cannot add fields", "Provided Schema does not match", "missing in new schema"]
            }
            Self::OtherModes => &["is not compatible with the file"],
            Self::AmountRefused => &["as BIGNUMERIC", "Invalid BIGNUMERIC"],
            Self::NullRefused => &["has changed mode", "Required column value", "Required field"],
            Self::Schema => &["schema", "Schema", "SCHEMA"],
            Self::NoValue => &[NO_VALUE],
        }
    }

    /// Whether the message reports it.
    pub fn is_in(self, message: &str) -> bool {
        let of_parquet = || message.contains("Parquet column") && message.contains("does not match");
        self.texts().iter().any(|text| message.contains(text)) || (self == Self::OtherColumns && of_parquet())
    }
}
