//! The forms in which files are loaded into a raw table: another one where BigQuery refuses the first.
//!
//! It is not certain that BigQuery loads REQUIRED Parquet fields into NULLABLE columns, and amounts with exponents from CSV
//! (R1 and N1 of emulator/SEMANTICS.md). A REQUIRED column for OPTIONAL fields is not a solution: BigQuery then puts values
//! into other rows and reports no error (python-bigquery#1692).

use finops_core::{
    files::file_type::FileType,
    model::{column_type::ColumnType, manifest::FileFormat},
};
use serde_json::Value;

use crate::warehouse::bigquery::api::{job_error::reports, model::ErrorProto, signs};
use crate::warehouse::{Batch, LoadColumn};

/// How files are loaded into a raw table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RawForm {
    /// CSV amounts as amounts, and every column NULLABLE.
    #[default]
    Plain,
    /// CSV amounts as texts.
    AmountsAsText,
    /// A Parquet column is REQUIRED where it is in all files.
    FilesModes,
}

impl RawForm {
    /// The form to try after a refusal; `None` where no other form helps.
    pub fn after(self, batch: &Batch, error: &ErrorProto, all: &[ErrorProto]) -> Option<Self> {
        match (self, batch.format) {
            (Self::Plain, FileFormat::Csv) if reports(error, all, signs::AMOUNT_REFUSED) => Some(Self::AmountsAsText),
            (Self::Plain, FileFormat::Parquet) if reports(error, all, signs::OTHER_MODES) => Some(Self::FilesModes),
            _ => None,
        }
    }

    /// The form for files of this format.
    pub fn of(self, format: FileFormat) -> Self {
        match (self, format) {
            (Self::AmountsAsText, FileFormat::Csv) | (Self::FilesModes, FileFormat::Parquet) => self,
            _ => Self::Plain,
        }
    }

    /// Part of the names of tables and jobs of this form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "files",
            Self::AmountsAsText => "texts",
            Self::FilesModes => "modes",
        }
    }

    /// The batch with the raw table's columns.
    pub fn batch(self, batch: &Batch) -> Batch {
        let mut batch = batch.clone();
        if self == Self::AmountsAsText {
            let is_amount = |column: &&mut LoadColumn| {
                matches!(column.file_type, FileType::Text(_)) && column.column.column_type == ColumnType::Decimal
            };
            for column in batch.columns.iter_mut().filter(is_amount) {
                // CSV is read by position, under the table's names.
                column.file_name.clone_from(&column.column.name);
                column.file_type = FileType::String;
            }
        }
        batch
    }

    /// Sets the modes of the raw table's `fields`, one for each of the batch's columns.
    pub fn set_modes(self, batch: &Batch, fields: &mut [Value]) {
        if self != Self::FilesModes {
            return;
        }
        for (column, field) in batch.columns.iter().zip(fields) {
            let Some(values) = batch.values.get(&column.file_name) else { continue };
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
