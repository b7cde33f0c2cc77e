//! The columns of CUR 2.0: those of a Cost and Usage Report, and maps.

use crate::{
    formats::{KindColumns, aws_cur::KEY_COLUMNS, names::lower_column_names},
    model::{column_type::ColumnType, text::is_in},
};

/// Its columns.
pub const COLUMNS: KindColumns =
    KindColumns { key: KEY_COLUMNS, names: lower_column_names, known_type, booleans: ["true", "false"] };

/// Each is the text of a JSON object.
const MAPS: &[&str] = &["cost_category", "discount", "product", "resource_tags"];

/// The type of a well-known column.
fn known_type(name: &str) -> Option<ColumnType> {
    is_in(name, MAPS).then_some(ColumnType::String)
}
