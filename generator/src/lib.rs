//! Writes billing exports as AWS and Azure deliver them: data files and manifests. Reports the figures that a loader must
//! find in them. Equal settings write equal bytes.
//!
//! ```
//! use billing_exports::{Dialect, Export, Format, Run};
//!
//! let folder = tempfile::tempdir()?;
//! let export = Export { rows: 1_000, parts: 3, ..Export::new(Dialect::AzureFocus12, Format::Parquet) };
//! let delivered = export.deliver(folder.path(), &Run::of("2025-09".parse()?))?;
//! assert_eq!((delivered.rows, delivered.files.len()), (1_000, 3));
//! assert!(folder.path().join(&delivered.manifest).is_file());
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod amount;
mod aws_cur;
mod aws_data_exports;
mod azure;
mod bill;
mod column;
mod columns;
mod csv_file;
mod dialect;
mod export;
mod line;
mod month;
mod parquet_file;

pub use column::ColumnType;
pub use dialect::Dialect;
pub use export::{Content, DataFile, Delivered, Export, Format, Layout, ManifestForm};
pub use month::{Month, Run};
