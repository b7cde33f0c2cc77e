//! Columns: their names, their types in files and tables, and one schema per table over many months.

mod changes;
mod column_values;
mod day_first;
mod dictionary;
mod file_type;
mod names;
mod table;
mod types;

/// BigQuery's limit of columns in a table.
pub const MOST_COLUMNS: usize = 10_000;

pub use changes::{ChangeKind, SchemaChange, additions, castings, refused};
pub use column_values::ColumnValues;
pub use day_first::{DayFirst, day_first};
pub use dictionary::{known_type, may_be_code};
pub use file_type::{FileType, MapForm, Reading, TimeForm};
pub use names::{RepeatedColumn, column_names, lower_column_names, spelled_column_names};
pub use table::{Column, FileColumn, MonthColumns, prepared, respell, union};
pub use types::ColumnType;
