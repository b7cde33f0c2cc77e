//! How Parquet files are compressed.

/// How Parquet files are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Compression {
    /// Quick to read and write.
    Snappy,
    /// Smaller.
    Zstd,
}
