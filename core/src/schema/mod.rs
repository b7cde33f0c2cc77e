//! Columns: their names, their types, and one schema per table over many months.

mod dictionary;
mod names;
mod table;
mod types;

pub use dictionary::known_type;
pub use names::{RepeatedColumn, column_names};
pub use table::{ChangeKind, Column, MonthColumns, SchemaChange, changes, refused, union};
pub use types::ColumnType;
