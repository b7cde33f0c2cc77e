//! Columns: their names, their types in files and tables, and one schema per table over many months.

mod changes;
mod column_values;
mod dictionary;
mod file_type;
mod names;
mod table;
mod types;

/// BigQuery's limit of columns in a table.
pub const MOST_COLUMNS: usize = 10_000;

pub use changes::{ChangeKind, SchemaChange, additions, castings, refused};
pub use column_values::ColumnValues;
pub use dictionary::known_type;
pub use file_type::{FileType, MapForm, Reading, TimeForm};
pub use names::{RepeatedColumn, column_names, spelled_column_names};
pub use table::{Column, FileColumn, MonthColumns, prepared, respell, union};
pub use types::ColumnType;
