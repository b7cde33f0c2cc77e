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
use crate::warehouse::{LoadColumn, MonthLoad};

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
    pub fn after(self, load: &MonthLoad, error: &ErrorProto, all: &[ErrorProto]) -> Option<Self> {
        match (self, load.format) {
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

    /// The load with the raw table's columns.
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

    /// Sets the modes of the raw table's `fields`, one for each of the load's columns.
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
