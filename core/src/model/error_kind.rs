//! The kinds of errors.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of failure it is. Its name is part of the JSON report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A command line that is not understood.
    Usage,
    /// Wrong settings or arguments.
    Configuration,
    /// No usable credentials.
    Credentials,
    /// A permission is missing.
    Permission,
    /// A bucket, folder, dataset or object is missing.
    NotFound,
    /// Listing or reading failed.
    Storage,
    /// An archived object, which must be restored before it can be read.
    Archived,
    /// A manifest that cannot be used.
    Manifest,
    /// A data file that does not match its delivery.
    Data,
    /// The columns of the files do not fit the table.
    Schema,
    /// The warehouse refused a request or failed.
    Warehouse,
    /// A quota of the warehouse is used up.
    Quota,
    /// The staged rows do not match the delivery.
    Verification,
    /// A month waits longer than allowed.
    Stale,
    /// Another process changes or locks what is needed.
    Busy,
    /// A table that finops did not create.
    ForeignTable,
}

/// The name in reports.
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
