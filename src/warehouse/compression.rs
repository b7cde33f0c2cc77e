//! How Parquet files are compressed.

/// A compression that BigQuery reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Quick to read and write.
    Snappy,
    /// Smaller.
    Zstd,
}
