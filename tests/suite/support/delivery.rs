//! Deliveries of one month, as CSV or Parquet files, for tests that speak to a warehouse without the flow around it.

use std::{collections::HashMap, io::Write};

use finops::warehouse::{Batch, LoadColumn, MonthLoad, NoValue};
use finops_core::{
    files::{
        column_values::ColumnValues,
        file_type::{FileType, TimeForm},
        parquet_footer::read_footer,
    },
    formats::dictionary::known_type,
    model::{column_type::ColumnType, digest::hash, kind::ExportKind, load_record::LoadedMonth, manifest::FileFormat},
    schema::{self, Column, FileColumn, MonthColumns},
};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;

use crate::support::tree;

/// The columns of [`line`].
pub const HEADER: &str = "identity_line_item_id,bill_billing_period_start_date,line_item_usage_start_date,\
                          line_item_usage_account_id,line_item_line_item_description,line_item_currency_code,\
                          line_item_unblended_cost";

/// A row of `month`, under [`HEADER`].
pub fn line(month: &str, id: &str, currency: &str, cost: &str) -> String {
    format!("{id},{month}-01T00:00:00Z,{month}-02T16:00:00Z,000123456789,Usage of {id},{currency},{cost}\n")
}

/// One delivery of one month.
#[derive(Clone, Debug)]
pub struct Delivery {
    month: String,
    execution_id: String,
    format: FileFormat,
    columns: Vec<FileColumn>,
    rows: Option<u64>,
    no_value: Vec<String>,
    values: HashMap<String, ColumnValues>,
    /// Name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Delivery {
    /// A delivery without files.
    pub fn new(month: &str, execution_id: &str) -> Self {
        let (month, execution_id) = (month.to_owned(), execution_id.to_owned());
        Self {
            month,
            execution_id,
            format: FileFormat::Csv,
            columns: Vec::new(),
            rows: None,
            no_value: Vec::new(),
            values: HashMap::new(),
            files: Vec::new(),
        }
    }

    /// A delivery of one compressed file, with a row in USD for each of `costs`.
    pub fn of_costs(month: &str, execution_id: &str, costs: &[&str]) -> Self {
        let lines: String =
            costs.iter().enumerate().map(|(number, cost)| line(month, &format!("li-{number}"), "USD", cost)).collect();
        Self::new(month, execution_id).csv(&format!("{HEADER}\n{lines}"))
    }

    /// With one more compressed file. Its header has the columns' final names; the dictionary gives the types, and
    /// the rest is text.
    #[must_use]
    pub fn csv(self, text: &str) -> Self {
        let columns = text.lines().next().unwrap().split(',').map(|name| FileColumn {
            name: name.to_owned(),
            file_name: name.to_owned(),
            file_type: FileType::Text(known_type(name)),
        });
        let columns = columns.collect();
        Self { columns, ..self }.file(gzip(text))
    }

    /// With one more file, of these bytes and the columns of the others.
    #[must_use]
    pub fn file(mut self, bytes: Vec<u8>) -> Self {
        let (month, execution_id, number) = (&self.month, &self.execution_id, self.files.len() + 1);
        let ending = if self.format == FileFormat::Csv { "csv.gz" } else { "snappy.parquet" };
        self.files.push((format!("cur/{month}/{execution_id}/cur-{number:05}.{ending}"), bytes));
        self
    }

    /// With one more Parquet file. DuckDB writes it with the rows of the query.
    #[must_use]
    pub fn parquet(mut self, query: &str) -> Self {
        let bytes = tree::parquet(query);
        let footer = read_footer(&bytes, bytes.len() as u64).unwrap();
        let column = |(name, file_type): (String, _)| FileColumn { file_name: name.clone(), name, file_type };
        for ((name, _), values) in footer.columns.iter().zip(&footer.values) {
            self.values.entry(name.clone()).and_modify(|of_all| *of_all = of_all.and(*values)).or_insert(*values);
        }
        for found in footer.columns.into_iter().map(column) {
            if !self.columns.contains(&found) {
                self.columns.push(found);
            }
        }
        self.rows = Some(self.rows.unwrap_or_default() + footer.rows);
        self.format = FileFormat::Parquet;
        self.file(bytes)
    }

    /// With these texts set to mean "no value".
    #[must_use]
    pub fn no_value(self, texts: &[&str]) -> Self {
        Self { no_value: texts.iter().map(|text| (*text).to_owned()).collect(), ..self }
    }

    /// With the files' column `file_name` going to the table's column `name`.
    #[must_use]
    pub fn renamed(mut self, file_name: &str, name: &str) -> Self {
        let column = self.columns.iter_mut().find(|column| column.file_name == file_name).unwrap();
        name.clone_into(&mut column.name);
        self
    }

    /// With `column` of this type, as in the manifest.
    #[must_use]
    pub fn typed(mut self, column: &str, column_type: ColumnType) -> Self {
        let named = self.columns.iter_mut().filter(|known| known.name == column);
        named.for_each(|known| known.file_type = FileType::Text(Some(column_type)));
        self
    }

    /// With `column` of the form that `first`, its value in the first row, has.
    #[must_use]
    pub fn formed(mut self, column: &str, first: &str) -> Self {
        let form = FileType::TimeText(TimeForm::of(first).unwrap());
        self.columns.iter_mut().filter(|known| known.name == column).for_each(|known| known.file_type = form);
        self
    }

    /// The month's columns in the files' order.
    pub fn columns(&self) -> MonthColumns {
        let (columns, rows, values) = (self.columns.clone(), self.rows, self.values.clone());
        MonthColumns { billing_period: self.month.parse().unwrap(), columns, rows, values }
    }

    /// The columns of a new table for it.
    pub fn table_columns(&self) -> Vec<Column> {
        schema::union(&[self.columns()], &[])
    }

    /// What a warehouse has to load into a table of `table_columns` when the files are at `files`.
    pub fn load(&self, files: Vec<String>, table_columns: &[Column], previous: Option<LoadedMonth>) -> MonthLoad {
        let columns = self.columns.iter().map(|column| LoadColumn {
            column: table_columns.iter().find(|of_table| of_table.name == column.name).unwrap().clone(),
            file_name: column.file_name.clone(),
            file_type: column.file_type,
        });
        let parts = self.files.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes.as_slice()]);
        let batch = Batch {
            files,
            format: self.format,
            columns: columns.collect(),
            fills_period: false,
            is_own: false,
            values: self.values.clone(),
        };
        MonthLoad {
            billing_period: self.month.parse().unwrap(),
            execution_id: self.execution_id.clone(),
            fingerprint: hash(parts),
            manifest_uri: format!("gs://billing/cur/{}/cur-Manifest.json", self.month),
            batches: vec![batch],
            bytes: self.files.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
            parts: Vec::new(),
            group_by: None,
            loaded_scopes: Vec::new(),
            neighbours: Vec::new(),
            cost: "line_item_unblended_cost",
            currency: "line_item_currency_code",
            no_value: NoValue { texts: self.no_value.clone(), setting: "AWS_NULL_VALUES".to_owned() },
            net_cost: None,
            kind: ExportKind::Cur,
            issued_at: Timestamp::UNIX_EPOCH,
            covers_until: None,
            rows: self.rows,
            previous,
            force: false,
            run_id: "20251005T060000Z-abcdef".to_owned(),
        }
    }
}

/// `text`, compressed.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// `first` and `rest` compressed into one file that ends where the compressed `first` ends: what can be inflated is
/// `first`, to its last byte.
pub fn gzip_cut_between(first: &str, rest: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(first.as_bytes()).unwrap();
    encoder.flush().unwrap();
    let cut = encoder.get_ref().len();
    encoder.write_all(rest.as_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(cut);
    bytes
}
