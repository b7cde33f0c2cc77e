//! Cost and Usage Reports in the form that AWS delivers, with the content that a test needs.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

/// The report's name, and that of its folder.
pub const REPORT: &str = "report";

/// Columns that every delivery has, with the types of AWS's manifests.
const COLUMNS: [(&str, &str); 8] = [
    ("identity/LineItemId", "String"),
    ("bill/BillingPeriodStartDate", "DateTime"),
    ("bill/BillingPeriodEndDate", "DateTime"),
    ("lineItem/UsageStartDate", "DateTime"),
    ("lineItem/ProductCode", "String"),
    ("lineItem/UsageAmount", "BigDecimal"),
    ("lineItem/CurrencyCode", "OptionalString"),
    ("lineItem/UnblendedCost", "OptionalBigDecimal"),
];

/// One delivery of one month; its fields can be changed before it is written.
#[derive(Clone)]
pub struct Delivery {
    /// `2025-09`.
    pub month: String,
    /// The assembly id.
    pub assembly_id: String,
    /// Whether each delivery has a folder of its own; else it overwrites the one before.
    pub versioned: bool,
    /// The folder above the report's own in `reportKeys`; a mirror may have put the files elsewhere.
    pub key_head: String,
    /// The number of files. They keep the order of the rows.
    pub parts: usize,
    /// The CSV's header.
    pub header: Vec<String>,
    /// The CSV's rows.
    pub rows: Vec<Vec<String>>,
    /// The manifest without `reportKeys`, which are added when it is written.
    pub manifest: Value,
    /// Parquet in place of CSV: a DuckDB query for each file.
    pub parquet: Vec<String>,
}

impl Delivery {
    /// A versioned delivery with one row of `cost` USD for each of the costs.
    pub fn new(month: &str, assembly_id: &str, costs: &[&str]) -> Self {
        let (start, end) = bounds(month);
        let columns = COLUMNS.map(|(column, column_type)| {
            let (category, name) = column.split_once('/').unwrap();
            json!({"category": category, "name": name, "type": column_type})
        });
        let row = |(number, cost): (usize, &&str)| {
            let id = format!("{month}/{assembly_id}/{number}");
            let (first, next) = (format!("{start}T00:00:00Z"), format!("{end}T00:00:00Z"));
            [&id, &first, &next, &format!("{month}-02T03:00:00Z"), "AmazonEC2", "1", "USD", *cost].map(str::to_owned)
        };
        Self {
            month: month.to_owned(),
            assembly_id: assembly_id.to_owned(),
            versioned: true,
            key_head: "cur".to_owned(),
            parts: 1,
            header: COLUMNS.map(|(column, _)| column.to_owned()).to_vec(),
            rows: costs.iter().enumerate().map(|costs| row(costs).to_vec()).collect(),
            manifest: json!({
                "assemblyId": assembly_id,
                "account": "210987654321",
                "columns": columns,
                "charset": "UTF-8",
                "compression": "GZIP",
                "contentType": "text/csv",
                "reportName": REPORT,
                "billingPeriod": {"start": compact(&start) + "T000000.000Z", "end": compact(&end) + "T000000.000Z"},
                "bucket": "example-billing-bucket",
            }),
            parquet: Vec::new(),
        }
    }

    /// The same in the layout that overwrites.
    pub fn overwriting(self) -> Self {
        Self { versioned: false, ..self }
    }

    /// The same in `parts` files.
    pub fn in_parts(self, parts: usize) -> Self {
        Self { parts, ..self }
    }

    /// The same as Parquet: one file for each of the queries, which DuckDB runs; `{month}` in them is the month, and
    /// `{base}` the columns that every report has, with a cost of 1 USD.
    pub fn in_parquet(mut self, queries: &[&str]) -> Self {
        let base = "'x' AS identity_line_item_id, TIMESTAMP '{month}-01' AS bill_billing_period_start_date, \
                    TIMESTAMP '{month}-02' AS line_item_usage_start_date, 'USD' AS line_item_currency_code, \
                    1::DOUBLE AS line_item_unblended_cost";
        let query = |query: &&str| query.replace("{base}", base).replace("{month}", &self.month);
        self.parquet = queries.iter().map(query).collect();
        self.parts = self.parquet.len();
        self.with_manifest("contentType", "Parquet").with_manifest("compression", "Parquet")
    }

    /// The same with one more column, of the same value in each row; the manifest does not know it.
    pub fn with_column(mut self, name: &str, value: &str) -> Self {
        self.header.push(name.to_owned());
        self.rows.iter_mut().for_each(|row| row.push(value.to_owned()));
        self
    }

    /// The same with another value in the manifest.
    pub fn with_manifest(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.manifest[key] = value.into();
        self
    }

    /// The month's folder, such as `20250901-20251001`.
    pub fn period_folder(&self) -> String {
        let (start, end) = bounds(&self.month);
        format!("{}-{}", compact(&start), compact(&end))
    }

    /// The manifest that finops reads: below the report's folder.
    pub fn manifest_key(&self) -> String {
        format!("{}/{REPORT}-Manifest.json", self.period_folder())
    }

    /// The data files: path below the report's folder, and content.
    pub fn data_files(&self) -> Vec<(String, Vec<u8>)> {
        if !self.parquet.is_empty() {
            let file = |(number, query): (usize, &String)| (self.data_key(number), parquet(query));
            return self.parquet.iter().enumerate().map(file).collect();
        }
        let size = self.rows.len().div_ceil(self.parts.max(1)).max(1);
        let part = |number: usize| {
            let rows = self.rows.iter().skip(number * size).take(size);
            let lines: Vec<String> = std::iter::once(&self.header).chain(rows).map(|row| line(row)).collect();
            gzip(lines.concat().as_bytes())
        };
        (0..self.parts).map(|number| (self.data_key(number), part(number))).collect()
    }

    /// All files: data first, as AWS does it, then the manifest, and its copy where the layout has one.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = self.data_files();
        let key = |file: &(String, Vec<u8>)| format!("{}/{REPORT}/{}", self.key_head, file.0);
        let mut manifest = self.manifest.clone();
        manifest["reportKeys"] = files.iter().map(key).collect();
        files.push((self.manifest_key(), manifest.to_string().into()));
        if self.versioned {
            let copy = format!("{}/{}/{REPORT}-Manifest.json", self.period_folder(), self.assembly_id);
            files.push((copy, manifest.to_string().into()));
        }
        files
    }

    /// Writes the delivery below the folder that has the report's folder.
    pub fn write(&self, above: &Path) {
        for (key, bytes) in self.files() {
            write(&above.join(REPORT).join(key), &bytes);
        }
    }

    /// A written data file.
    pub fn data_path(&self, above: &Path, number: usize) -> PathBuf {
        above.join(REPORT).join(self.data_key(number))
    }

    fn data_key(&self, number: usize) -> String {
        let folder = if self.versioned { format!("{}/", self.assembly_id) } else { String::new() };
        let ending = if self.parquet.is_empty() { "csv.gz" } else { "snappy.parquet" };
        format!("{}/{folder}{REPORT}-{:05}.{ending}", self.period_folder(), number + 1)
    }
}

/// The rows of a DuckDB query as a Parquet file.
pub fn parquet(query: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.parquet");
    let copy = format!("COPY ({query}) TO '{}' (FORMAT parquet, COMPRESSION snappy)", path.display());
    duckdb::Connection::open_in_memory().unwrap().execute_batch(&copy).unwrap();
    fs::read(path).unwrap()
}

/// A row of CSV; values with a comma, a quote or a line break are quoted.
fn line(row: &[String]) -> String {
    let quoted = |value: &String| {
        let needs_quotes = value.contains([',', '"', '\n', '\r']);
        if needs_quotes { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.clone() }
    };
    row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

/// `text` as a gzip file.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Copies a file, or a folder with everything in it, over existing files.
pub fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The month's first day, and that of the next.
fn bounds(month: &str) -> (String, String) {
    let period: finops_core::BillingPeriod = month.parse().unwrap();
    (period.first_day().to_string(), period.end().to_string())
}

fn compact(day: &str) -> String {
    day.replace('-', "")
}

/// Writes other bytes of the same length, and restores the file's time.
pub fn change_unseen(path: &Path) {
    let (mut bytes, time) = (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap());
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}
