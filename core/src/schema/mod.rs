//! One schema per table over many months.

mod changes;
mod day_first;
mod table;

pub use changes::{ChangeKind, SchemaChange, conversions, refused, table_changes};
pub use day_first::{DayFirst, day_first};
pub use table::{Column, FileColumn, MonthColumns, columns_after, unify_case, union};
