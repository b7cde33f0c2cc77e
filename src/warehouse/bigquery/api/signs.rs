//! What only the text of BigQuery's message says: its reasons do not distinguish these cases.

use crate::warehouse::{sign::Sign, sql};

/// A statement lost against another one that changed the same table at the same time.
pub const CONCURRENT_UPDATE: Sign = Sign(&["concurrent update"]);
/// A table was changed too often within some seconds.
pub const CHANGED_TOO_OFTEN: Sign = Sign(&["Exceeded rate limits"]);
/// The organisation demands a key for encryption.
pub const NEEDS_KEY: Sign = Sign(&["restrictNonCmekServices", "requires that you specify an encryption key"]);
/// A service perimeter refuses it.
pub const PERIMETER: Sign = Sign(&["vpcServiceControls"]);
/// The organisation's policy or a service perimeter refuses it.
pub const POLICY: Sign = Sign(&["organization's policy", PERIMETER.0[0]]);
/// The project has no billing account.
pub const NO_BILLING: Sign = Sign(&["Billing has not been enabled", "not allowed in the free tier"]);
/// A dataset is not found. BigQuery now and then says so of one that was just created (ingestr#643).
pub const NO_DATASET: Sign = Sign(&["Not found: Dataset"]);
/// A dataset or a table is not found.
pub const NO_TABLE: Sign = Sign(&[NO_DATASET.0[0], "Not found: Table"]);
/// The files' columns are not those of the table.
pub const OTHER_COLUMNS: Sign =
    Sign(&["has changed type", "Cannot add fields", "Provided Schema does not match", "missing in new schema"]);
/// A Parquet column is named.
pub const PARQUET_COLUMN: Sign = Sign(&["Parquet column"]);
/// Two types differ.
pub const MISMATCH: Sign = Sign(&["does not match"]);
/// Parquet fields are REQUIRED, and the schema's are not (googleapis/java-bigquery#13, 2019).
pub const OTHER_MODES: Sign = Sign(&["is not compatible with the file"]);
/// The text of an amount is not read, as might happen to one with an exponent.
pub const AMOUNT_REFUSED: Sign = Sign(&["as BIGNUMERIC", "Invalid BIGNUMERIC"]);
/// A column takes no NULL.
pub const NULL_REFUSED: Sign = Sign(&["has changed mode", "Required column value", "Required field"]);
/// A copy is refused for the table's columns, which only this month's need be.
pub const SCHEMA: Sign = Sign(&["schema", "Schema", "SCHEMA"]);
/// A value cannot be converted: finops's own queries say so.
pub const NO_VALUE: Sign = Sign(&[sql::NO_VALUE]);
