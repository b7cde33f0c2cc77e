//! The state table's columns, declared once: name, type, how a record is written and read.

use std::{fmt::Display, str::FromStr};

use finops_core::{
    BillingPeriod, Costs, hint,
    model::{
        load_record::{LoadRecord, LoadStatus, STATE_TABLE},
        text::excerpt,
    },
};
use jiff::{Timestamp, civil::Date, tz::Offset};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Whole,
    Day,
    Timestamp,
    Json,
}

/// A column of the state table.
pub(super) struct StateColumn {
    pub name: &'static str,
    pub of: Type,
    /// Its value as text that both warehouses can cast; `None` is NULL.
    pub write: fn(&LoadRecord) -> Option<String>,
}

const fn column(name: &'static str, of: Type, write: fn(&LoadRecord) -> Option<String>) -> StateColumn {
    StateColumn { name, of, write }
}

/// All columns in the contract's order. An older version's table lacks some of the last ones: they are added in place, and
/// every column is nullable.
pub(super) const COLUMNS: [StateColumn; 22] = [
    column("pipeline", Type::Text, |r| Some(r.pipeline.clone())),
    column("export_name", Type::Text, |r| Some(r.export_name.clone())),
    column("table_name", Type::Text, |r| Some(r.table_name.clone())),
    column("billing_period", Type::Day, |r| Some(r.billing_period.first_day().to_string())),
    column("sequence", Type::Whole, |r| Some(r.sequence.to_string())),
    column("execution_id", Type::Text, |r| Some(r.execution_id.clone())),
    column("fingerprint", Type::Text, |r| Some(r.fingerprint.clone())),
    column("manifest_uri", Type::Text, |r| Some(r.manifest_uri.clone())),
    column("job_id", Type::Text, |r| r.job_id.clone()),
    column("status", Type::Text, |r| Some(r.status.as_str().to_owned())),
    column("rows", Type::Whole, |r| Some(r.rows.to_string())),
    column("files", Type::Whole, |r| Some(r.files.to_string())),
    column("bytes", Type::Whole, |r| Some(r.bytes.to_string())),
    column("cost", Type::Json, |r| Some(costs(&r.cost))),
    column("previous_execution_id", Type::Text, |r| r.previous_execution_id.clone()),
    column("run_id", Type::Text, |r| Some(r.run_id.clone())),
    column("loaded_at", Type::Timestamp, |r| Some(utc(r.loaded_at))),
    column("kind", Type::Text, |r| r.kind.clone()),
    column("issued_at", Type::Timestamp, |r| r.issued_at.map(utc)),
    column("covers_until", Type::Day, |r| r.covers_until.map(|day| day.to_string())),
    column("cost_net", Type::Json, |r| r.cost_net.as_ref().map(costs)),
    column("scopes", Type::Json, |r| r.scopes.as_ref().and_then(|scopes| serde_json::to_string(scopes).ok())),
];

/// Every version wrote the first so many columns.
const FROM_THE_FIRST: usize = 17;
/// How many columns a message names.
const NAMED: usize = 4;

/// Refuses a state table that lacks a column which every version wrote, or has one of another type. `found` gives the type of
/// a column that the table has, and `expected` the type it must have, `None` where any type is accepted. `table` is the state
/// table's full name.
///
/// # Errors
/// `Schema` naming the columns.
pub(super) fn check_columns(
    table: &str,
    found: impl Fn(&str) -> Option<String>,
    expected: impl Fn(&StateColumn) -> Option<&'static str>,
) -> Result<()> {
    let lacks = COLUMNS[..FROM_THE_FIRST].iter().filter(|column| found(column.name).is_none());
    let lacks = lacks.map(|column| format!("the column {} is missing", column.name));
    let others = COLUMNS.iter().filter_map(|column| {
        let (found, expected) = (found(column.name)?, expected(column)?);
        (found != expected).then(|| format!("the column {} is {found}, expected {expected}", column.name))
    });
    let mut wrong: Vec<String> = lacks.chain(others).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(NAMED);
    wrong.truncate(NAMED);
    wrong.extend((more > 0).then(|| format!("and {more} more")));
    let message = format!("the state table {table} is not as finops creates it: {}", wrong.join("; "));
    Err(Error::new(ErrorKind::Schema, message).hint(hint::RESTORE_STATE))
}

/// Amounts as a JSON object of texts, so that no reader turns them into floating-point numbers.
fn costs(costs: &Costs) -> String {
    let texts = costs.iter().map(|(currency, amount)| (currency.clone(), Value::from(amount.to_string())));
    Value::Object(texts.collect()).to_string()
}

/// A timestamp as both warehouses read it as UTC, to the microsecond.
fn utc(timestamp: Timestamp) -> String {
    Offset::UTC.to_datetime(timestamp).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// One row of the state table: names of columns and values as text (`None` is NULL).
pub(super) struct StateRow<'a> {
    /// The names of the columns that the table has.
    pub names: &'a [String],
    /// A value for each of them.
    pub values: &'a [Option<String>],
}

impl StateRow<'_> {
    /// The record. `timestamp` reads a timestamp as the warehouse writes it. A column that the table lacks is NULL.
    ///
    /// # Errors
    /// `Warehouse` naming row, column and value, for a value that finops does not write.
    pub(super) fn read<E: Display>(&self, timestamp: impl Fn(&str) -> Result<Timestamp, E>) -> Result<LoadRecord> {
        let status = match self.text("status")?.as_str() {
            "loaded" => LoadStatus::Loaded,
            "unverified" => LoadStatus::Unverified,
            _ => return Err(self.unreadable("status", "expected loaded or unverified")),
        };
        let json = |error| self.unreadable("cost", error);
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
            cost: serde_json::from_str(&self.text("cost")?).map_err(json)?,
            previous_execution_id: self.optional("previous_execution_id").map(str::to_owned),
            run_id: self.text("run_id")?,
            loaded_at: timestamp(&self.text("loaded_at")?).map_err(|error| self.unreadable("loaded_at", error))?,
            kind: self.optional("kind").map(str::to_owned),
            issued_at: self.read_optional("issued_at", timestamp)?,
            covers_until: self.read_optional("covers_until", str::parse)?,
            cost_net: self.read_optional("cost_net", |text| serde_json::from_str(text))?,
            scopes: self.read_optional("scopes", |text| serde_json::from_str(text))?,
        })
    }

    fn optional(&self, name: &str) -> Option<&str> {
        let at = self.names.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        self.values.get(at)?.as_deref()
    }

    fn read_optional<T, E: Display>(&self, name: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>> {
        self.optional(name).map(read).transpose().map_err(|error| self.unreadable(name, error))
    }

    fn text(&self, name: &str) -> Result<String> {
        self.optional(name).map(str::to_owned).ok_or_else(|| self.unreadable(name, "it is never NULL"))
    }

    fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T> {
        self.optional(name).unwrap_or_default().parse().map_err(|error| self.unreadable(name, error))
    }

    fn unreadable(&self, name: &str, why: impl Display) -> Error {
        let value = |name: &str| excerpt(self.optional(name).unwrap_or("NULL"));
        let (table, period, sequence) = (value("table_name"), value("billing_period"), value("sequence"));
        let message = format!(
            "{STATE_TABLE}, row of table {table}, billing period {period}, sequence {sequence}: column {name} has \
             `{}`, which finops does not write: {why}",
            value(name)
        );
        Error::new(ErrorKind::Warehouse, message).hint(hint::REPAIR_STATE)
    }
}
