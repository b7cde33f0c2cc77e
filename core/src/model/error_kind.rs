//! The kinds of errors.

use serde::{Deserialize, Serialize};

/// What kind of thing went wrong. Its name is part of the JSON report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A command line that is not understood.
    Usage,
    /// Settings or arguments that cannot work.
    Configuration,
    /// No usable credentials.
    Credentials,
    /// The credentials are not allowed to do this.
    Permission,
    /// A bucket, folder, dataset or object is not there.
    NotFound,
    /// Listing or reading failed.
    Storage,
    /// An object is in an archive, from which nothing is read before it is restored.
    Archived,
    /// A manifest that cannot be used.
    Manifest,
    /// A data file that is not what its delivery says.
    Data,
    /// The table's columns cannot take the files.
    Schema,
    /// The warehouse refused or failed.
    Warehouse,
    /// A quota of the warehouse is used up.
    Quota,
    /// The load is in the table but does not add up.
    Verification,
    /// A month waits longer than allowed.
    Stale,
    /// Something else holds what is needed.
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
