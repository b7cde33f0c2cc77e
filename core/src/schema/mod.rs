//! One schema per table over many months.

mod changes;
mod columns;
mod day_first;
mod union;

pub use changes::{ChangeKind, SchemaChange, conversions, refused, table_changes};
pub use columns::{Column, FileColumn, MonthColumns};
pub use day_first::{DayFirst, day_first};
pub use union::{columns_after, unify_case, union};
