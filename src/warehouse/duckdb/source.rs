//! The files of a batch as SQL.

use finops_core::{files::csv_header::is_gzip, model::manifest::FileFormat};

use crate::warehouse::{Batch, sql::Dialect::DuckDb as DIALECT};

/// The files as a list.
pub fn files(batch: &Batch) -> String {
    let files: Vec<String> = batch.files.iter().map(|file| DIALECT.literal(&exactly(file))).collect();
    format!("[{}]", files.join(", "))
}

/// The rows of the files. Without `parallel`, any number of empty lines may follow the rows of a CSV file.
pub fn source(batch: &Batch, parallel: bool) -> String {
    let files = files(batch);
    // By default DuckDB reads the text after a `?` in a path as a URL's query, and misses the ending; and it reads a folder's
    // name such as `a=b` as the value of column `a` in all rows (both seen on 1.5.6).
    if batch.format == FileFormat::Parquet {
        return format!("read_parquet({files}, union_by_name = true, hive_partitioning = false)");
    }
    let types: Vec<String> =
        batch.columns.iter().map(|column| format!("{}: 'VARCHAR'", DIALECT.literal(&column.column.name))).collect();
    let compression = if batch.files.iter().all(|file| is_gzip(file)) { "gzip" } else { "auto" };
    format!(
        "read_csv({files}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', \
         strict_mode = true, hive_partitioning = false, compression = '{compression}', parallel = {parallel}, columns = {{{}}})",
        types.join(", ")
    )
}

/// A path that DuckDB reads literally, not as a glob pattern. In a pattern a backslash ends a folder's name (seen on 1.5.6),
/// so it is written as a set that excludes all other ASCII characters.
fn exactly(path: &str) -> String {
    path.chars().fold(String::new(), |mut exact, c| {
        match c {
            '*' | '?' | '[' => exact.extend(['[', c, ']']),
            '\\' => exact.push_str("[!]-\u{7f}\u{1}-[]"),
            _ => exact.push(c),
        }
        exact
    })
}
