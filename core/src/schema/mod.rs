//! One schema per table over many months.

mod changes;
mod day_first;
mod table;

pub use changes::{ChangeKind, SchemaChange, additions, castings, refused};
pub use day_first::{DayFirst, day_first};
pub use table::{Column, FileColumn, MonthColumns, prepared, respell, union};
