//! A manifest: what the provider says it delivered, in one form for every provider.

use crate::{period::BillingPeriod, schema::ColumnType};

/// A column as the manifest names it; its type where the manifest gives one that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestColumn {
    /// The name as the CSV header writes it, such as `lineItem/UnblendedCost`.
    pub name: String,
    /// `None` where the manifest is silent.
    pub column_type: Option<ColumnType>,
}

/// The form of a delivery's data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Text with a header, mostly compressed by gzip.
    Csv,
    /// Columns with types of their own.
    Parquet,
}

/// One delivery of one billing period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The report's name at the provider.
    pub export_name: String,
    /// The month that is billed.
    pub billing_period: BillingPeriod,
    /// AWS: the assembly id.
    pub execution_id: String,
    /// The data files' form.
    pub format: FileFormat,
    /// Of CSV files only. May be empty or narrower than their headers: the header decides which columns there are.
    pub columns: Vec<ManifestColumn>,
    /// Where each data file lies, relative to the export's folder: the tail that a mirror keeps.
    pub files: Vec<String>,
}

/// Why a manifest cannot be used. Each text names what was found and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or JSON of another form.
    #[error("it is not a Cost and Usage Report manifest: {0}")]
    Malformed(String),
    /// A delivery that no warehouse here can read.
    #[error("{0}")]
    Unsupported(String),
    /// The manifest contradicts the folder that it lies in, or itself.
    #[error("{0}")]
    Contradiction(String),
}

impl ManifestError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Contradiction(_) => {
                "compare the object with the one in the provider's bucket; the month that is loaded stays as it is"
            }
            Self::Unsupported(_) => "change the report's settings at the provider",
        }
    }
}
