//! An export, and the report of a delivery.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use jiff::civil::Date;
use serde::Serialize;

use crate::{
    amount::Amount,
    bill,
    column::{Column, ColumnType},
    columns, csv_file,
    dialect::Dialect,
    line::{Line, Lines},
    month::Run,
    parquet_file,
};

/// The format of the data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Format {
    /// Plain CSV. Azure only.
    Csv,
    /// CSV, compressed with gzip.
    CsvGzip,
    /// Parquet, compressed with Snappy.
    Parquet,
}

/// The folders of a run's files below the folder of its month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Layout {
    /// Each run has its own folder; Azure's is `<yyyyMMddHHmm>/<run id>/`.
    Versioned,
    /// Each run has a folder `<run id>/`. Azure only.
    ByRun,
    /// Each run has a folder `<yyyyMMddHHmm>/`. Azure only.
    ByMinute,
    /// Each run overwrites the previous one; Azure's in one folder `<run id>/`. Parquet of AWS's CUR v1 has folders for Athena.
    Overwritten,
    /// Each run overwrites the previous one, in the folder of the month. Azure only.
    Flat,
}

/// The properties of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum ManifestForm {
    /// All known properties.
    Full,
    /// Without properties that some manifests lack: types of columns (CUR v1), the execution id (Data Exports), versions and
    /// totals (Azure). Azure's blob names also begin with a space.
    Sparse,
    /// Like `Sparse`, in a file called `_manifest.json`. Azure only.
    Underscored,
}

/// What the line items are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Content {
    /// Random amounts, and texts that are difficult for loaders.
    Random,
    /// The bill of a small company. Not of AWS's Data Exports. It ignores the number of rows.
    Bill,
}

/// One configured export. Equal exports write equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Provider and type of the export.
    pub dialect: Dialect,
    /// The format of the data files.
    pub format: Format,
    /// The folders of a run's files.
    pub layout: Layout,
    /// The properties of the manifest.
    pub manifest: ManifestForm,
    /// What the line items are.
    pub content: Content,
    /// The name of the export and of its folder.
    pub name: String,
    /// The seed of all amounts and ids.
    pub seed: u64,
    /// Rows of a whole month.
    pub rows: usize,
    /// Number of data files of a delivery.
    pub parts: usize,
    /// Currencies of the rows, in turn. An empty text leaves the field empty.
    pub currencies: Vec<String>,
    /// Whether every third row belongs to the previous billing period.
    pub two_periods: bool,
    /// Whether Azure's CSV files begin with a byte order mark.
    pub byte_order_mark: bool,
    /// Whether days in Azure's CSV files are `2025-09-30`, not `09/30/2025`.
    pub iso_dates: bool,
}

/// A data file of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// The path below the folder of the delivery.
    pub path: String,
    /// The size of the file.
    pub bytes: u64,
    /// The number of rows.
    pub rows: usize,
}

/// The figures of a delivery, which a loader must find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// The month, `2025-09`.
    pub billing_period: String,
    /// The path of the manifest below the folder of the delivery, not of its copies.
    pub manifest: String,
    /// AWS's assembly or execution id, or else the run's folder; Azure's run id. `None` where the delivery has none.
    pub execution_id: Option<String>,
    /// The last day covered.
    pub until: Date,
    /// The data files.
    pub files: Vec<DataFile>,
    /// The rows of all files.
    pub rows: usize,
    /// The exact cost of all files by currency, as plain decimal text without trailing zeros.
    pub cost: BTreeMap<String, String>,
    /// The columns of the table, in the order of the files.
    pub columns: Vec<(&'static str, ColumnType)>,
}

/// The paths of a run below the folder of the delivery.
pub(crate) struct RunPaths {
    /// The folder of the data files.
    pub data: String,
    /// The manifest, then its copies.
    pub manifests: Vec<String>,
    pub execution_id: Option<String>,
}

impl Export {
    /// An export `daily` with 20 rows of USD a month, in one file, with a folder for each run.
    pub fn new(dialect: Dialect, format: Format) -> Self {
        Self {
            dialect,
            format,
            layout: Layout::Versioned,
            manifest: ManifestForm::Full,
            content: Content::Random,
            name: "daily".to_owned(),
            seed: 1,
            rows: 20,
            parts: 1,
            currencies: vec!["USD".to_owned()],
            two_periods: false,
            byte_order_mark: false,
            iso_dates: false,
        }
    }

    /// Writes a run into the export's own folder below `folder`: data files first, then the manifest.
    ///
    /// # Errors
    /// Fails where the provider has no such export, or files cannot be written.
    pub fn deliver(&self, folder: &Path, run: &Run) -> io::Result<Delivered> {
        self.check()?;
        let paths = self.dialect.paths(self, run);
        let columns = self.columns();
        let (rows, mut lines) = self.lines(run);
        let mut cost: BTreeMap<String, Amount> = BTreeMap::new();
        let mut files = Vec::with_capacity(self.parts);
        for part in 0..self.parts {
            let path = format!("{}/{}", paths.data, self.file_name(part));
            let count = rows * (part + 1) / self.parts - rows * part / self.parts;
            let file = create(&folder.join(&path))?;
            let add = |line: &Line| *cost.entry(line.currency.clone()).or_default() += line.cost;
            let lines = lines.by_ref().take(count).inspect(add);
            match self.format {
                Format::Parquet => parquet_file::write(file, self.dialect.parquet_form(), &columns, lines)?,
                _ => csv_file::write(file, self.dialect.csv_form(self), &columns, lines)?,
            }
            files.push(DataFile { bytes: fs::metadata(folder.join(&path))?.len(), path, rows: count });
        }
        let manifest = format!("{:#}\n", self.dialect.manifest(self, run, &paths, &files));
        for path in &paths.manifests {
            create(&folder.join(path))?.write_all(manifest.as_bytes())?;
        }
        Ok(Delivered {
            billing_period: run.month.to_string(),
            manifest: paths.manifests[0].clone(),
            execution_id: paths.execution_id,
            until: run.until,
            files,
            rows,
            cost: cost.iter().map(|(currency, amount)| (currency.clone(), amount.to_string())).collect(),
            columns: columns.iter().map(|column| (column.name, column.column_type())).collect(),
        })
    }

    fn check(&self) -> io::Result<()> {
        let dialect = self.dialect;
        let wrong = if !dialect.formats().contains(&self.format) {
            format!("{dialect:?} has no format {:?}", self.format)
        } else if !dialect.layouts().contains(&self.layout) {
            format!("{dialect:?} has no layout {:?}", self.layout)
        } else if self.manifest == ManifestForm::Underscored && !dialect.is_azure() {
            format!("{dialect:?} has no _manifest.json")
        } else if self.content == Content::Bill && !dialect.is_azure() && dialect != Dialect::AwsCur {
            format!("{dialect:?} has no bill")
        } else if self.parts == 0 || self.currencies.is_empty() {
            "an export needs at least one part and one currency".to_owned()
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, wrong))
    }

    /// The columns of the files.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut columns = self.dialect.columns();
        if self.content == Content::Bill && self.dialect == Dialect::AwsCur {
            columns.extend(columns::aws::CUR_SAVINGS_PLAN);
        }
        columns
    }

    /// The number of line items, and at least as many.
    fn lines<'a>(&'a self, run: &'a Run) -> (usize, Box<dyn Iterator<Item = Line> + 'a>) {
        if self.content == Content::Bill {
            let lines = bill::lines(self, run);
            return (lines.len(), Box::new(lines.into_iter()));
        }
        let of = |day: i8| usize::from(day.unsigned_abs());
        let rows = if run.empty { 0 } else { self.rows * of(run.days()) / of(run.month.last_day().day()) };
        (rows, Box::new(Lines::new(self, run)))
    }

    fn file_name(&self, part: usize) -> String {
        let ending = match self.format {
            Format::Csv => "csv",
            Format::CsvGzip => "csv.gz",
            Format::Parquet => "snappy.parquet",
        };
        let stem = if self.dialect.is_azure() {
            format!("part_{part}_0001")
        } else {
            format!("{}-{:05}", self.name, part + 1)
        };
        format!("{stem}.{ending}")
    }

    /// The seed for `name` within this export.
    pub(crate) fn seed_of(&self, name: &str) -> u64 {
        fnv(&format!("{:?}/{}/{}/{name}", self.dialect, self.name, self.seed))
    }

    /// The UUID for `name` within this export.
    pub(crate) fn uuid(&self, name: &str) -> String {
        let hex = format!("{:032x}", fastrand::Rng::with_seed(self.seed_of(name)).u128(..));
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }
}

/// A hash of the text, by FNV-1a.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)
}
