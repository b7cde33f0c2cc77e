//! A load, a batch and a column for tests.

use finops_core::{files::file_type::FileType, model::column_type::ColumnType, schema::Column};

use crate::warehouse::LoadColumn;
pub use crate::warehouse::test::{batch, load};

/// A column that the files call the same in upper case.
pub fn column(name: &str, file_type: FileType, column_type: ColumnType) -> LoadColumn {
    let column = Column { name: name.to_owned(), column_type };
    LoadColumn { column, file_name: name.to_uppercase(), file_type }
}
