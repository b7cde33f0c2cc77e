//! The forms in which files are loaded as they are, where BigQuery refuses the first.
//!
//! Whether it takes REQUIRED Parquet fields into NULLABLE columns, and exponents in CSV, is not known for sure (R1 and N1 of
//! emulator/SEMANTICS.md). A REQUIRED column over files that say OPTIONAL is no way out: BigQuery then puts values into other
//! rows and reports no error (python-bigquery#1692).

use finops_core::{
    files::file_type::FileType,
    model::{column_type::ColumnType, manifest::FileFormat},
};
use serde_json::Value;

use crate::warehouse::bigquery::api::{job_error::reports, model::ErrorProto, signs::Sign};
use crate::warehouse::{LoadColumn, MonthLoad};

/// How files are loaded as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RawForm {
    /// CSV amounts as amounts, and every column NULLABLE.
    #[default]
    Plain,
    /// CSV amounts as texts.
    AmountsAsText,
    /// A Parquet column is REQUIRED where all files say so of it.
    FilesModes,
}

impl RawForm {
    /// The form to try after a refusal; `None` where no form helps.
    pub fn after(self, load: &MonthLoad, error: &ErrorProto, all: &[ErrorProto]) -> Option<Self> {
        match (self, load.format) {
            (Self::Plain, FileFormat::Csv) if reports(error, all, Sign::AmountRefused) => Some(Self::AmountsAsText),
            (Self::Plain, FileFormat::Parquet) if reports(error, all, Sign::OtherModes) => Some(Self::FilesModes),
            _ => None,
        }
    }

    /// The form as far as files of this format have one.
    pub fn of(self, format: FileFormat) -> Self {
        match (self, format) {
            (Self::AmountsAsText, FileFormat::Csv) | (Self::FilesModes, FileFormat::Parquet) => self,
            _ => Self::Plain,
        }
    }

    /// What tells the tables and jobs of the forms apart.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "files",
            Self::AmountsAsText => "texts",
            Self::FilesModes => "modes",
        }
    }

    /// The load whose columns are as the raw table has them.
    pub fn load(self, load: &MonthLoad) -> MonthLoad {
        let mut load = load.clone();
        if self == Self::AmountsAsText {
            let is_amount = |column: &&mut LoadColumn| {
                matches!(column.file_type, FileType::Text(_)) && column.column.column_type == ColumnType::Decimal
            };
            for column in load.columns.iter_mut().filter(is_amount) {
                // CSV is read by position, under the table's names.
                column.file_name.clone_from(&column.column.name);
                column.file_type = FileType::String;
            }
        }
        load
    }

    /// Sets the modes of the raw table's `fields`, one for each column.
    pub fn set_modes(self, load: &MonthLoad, fields: &mut [Value]) {
        if self != Self::FilesModes {
            return;
        }
        for (column, field) in load.columns.iter().zip(fields) {
            let Some(values) = load.values.get(&column.file_name) else { continue };
            let [key, value] = values.required_parts;
            if values.required {
                field["mode"] = "REQUIRED".into();
            }
            if let FileType::Map(_) = column.file_type {
                let entry = &mut field["fields"][0]["fields"];
                for (at, _) in [key, value].into_iter().enumerate().filter(|(_, required)| *required) {
                    entry[at]["mode"] = "REQUIRED".into();
                }
            }
        }
    }
}
