//! A row of the state table as text, read back the same from every warehouse.

use std::{fmt::Display, str::FromStr};

use finops_core::{
    BillingPeriod,
    state::{LoadRecord, LoadStatus, STATE_TABLE},
    text::short,
};
use jiff::{Timestamp, civil::Date};

use crate::error::{Error, Kind, Result};

/// One row of the state table: its values as text (`None` is NULL), in the order of `columns`.
pub(super) struct StateRow<'a> {
    /// The state table's column names.
    pub columns: &'a [&'a str],
    /// A value for each of them.
    pub values: &'a [Option<String>],
}

impl StateRow<'_> {
    /// The record; `moment` reads a time as the warehouse writes it.
    ///
    /// # Errors
    /// `Warehouse` naming row, column and value where a value is not what finops writes there.
    pub(super) fn read<E: Display>(&self, moment: impl Fn(&str) -> Result<Timestamp, E>) -> Result<LoadRecord> {
        let status = match self.text("status")?.as_str() {
            "loaded" => LoadStatus::Loaded,
            "unverified" => LoadStatus::Unverified,
            _ => return Err(self.unreadable("status", "expected loaded or unverified")),
        };
        Ok(LoadRecord {
            pipeline: self.text("pipeline")?,
            export_name: self.text("export_name")?,
            table_name: self.text("table_name")?,
            billing_period: BillingPeriod::containing(self.parsed::<Date>("billing_period")?),
            sequence: self.parsed("sequence")?,
            execution_id: self.text("execution_id")?,
            fingerprint: self.text("fingerprint")?,
            manifest_uri: self.text("manifest_uri")?,
            job_id: self.optional("job_id").map(str::to_owned),
            status,
            rows: self.parsed("rows")?,
            files: self.parsed("files")?,
            bytes: self.parsed("bytes")?,
            cost: serde_json::from_str(&self.text("cost")?).map_err(|error| self.unreadable("cost", error))?,
            previous_execution_id: self.optional("previous_execution_id").map(str::to_owned),
            run_id: self.text("run_id")?,
            loaded_at: moment(&self.text("loaded_at")?).map_err(|error| self.unreadable("loaded_at", error))?,
        })
    }

    fn optional(&self, name: &str) -> Option<&str> {
        let at = self.columns.iter().position(|column| *column == name)?;
        self.values.get(at)?.as_deref()
    }

    fn text(&self, name: &str) -> Result<String> {
        self.optional(name).map(str::to_owned).ok_or_else(|| self.unreadable(name, "it is never NULL"))
    }

    fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T> {
        self.optional(name).unwrap_or_default().parse().map_err(|error| self.unreadable(name, error))
    }

    fn unreadable(&self, name: &str, why: impl Display) -> Error {
        let value = |name: &str| short(self.optional(name).unwrap_or("NULL"));
        let (table, period, sequence) = (value("table_name"), value("billing_period"), value("sequence"));
        let message = format!(
            "{STATE_TABLE}, row of table {table}, billing period {period}, sequence {sequence}: column {name} holds \
             `{}`, which finops does not write there: {why}",
            value(name)
        );
        Error::new(Kind::Warehouse, message).hint(format!("repair or delete that row of {STATE_TABLE}"))
    }
}
