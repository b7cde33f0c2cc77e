//! The kinds of errors.

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

impl ErrorKind {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Configuration => "configuration",
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::Storage => "storage",
            Self::Archived => "archived",
            Self::Manifest => "manifest",
            Self::Data => "data",
            Self::Schema => "schema",
            Self::Warehouse => "warehouse",
            Self::Quota => "quota",
            Self::Verification => "verification",
            Self::Stale => "stale",
            Self::Busy => "busy",
            Self::ForeignTable => "foreign_table",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_have_the_same_names_as_messages() {
        for kind in [ErrorKind::Usage, ErrorKind::Configuration, ErrorKind::NotFound, ErrorKind::ForeignTable] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
