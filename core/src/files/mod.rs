//! Reads the first and the last bytes of data files.

pub mod column_values;
pub mod csv_header;
pub mod csv_rows;
pub mod file_type;
pub mod parquet_footer;
