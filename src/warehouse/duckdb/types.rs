//! DuckDB's types of columns.

use finops_core::model::column_type::ColumnType;

/// Decimals of a new column, and the fewest that an amount column may have.
pub const SCALE: u8 = 18;
/// Digits of a decimal in all.
pub const DIGITS: u8 = 38;

/// DuckDB's type of a new column.
pub fn sql_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::String | ColumnType::Foreign => "VARCHAR",
        ColumnType::Int64 => "BIGINT",
        ColumnType::Decimal => "DECIMAL(38,18)",
        // Without a zone and always UTC: with a zone, DuckDB would show and group it by the reader's zone.
        ColumnType::Timestamp => "TIMESTAMP",
        ColumnType::Date => "DATE",
    }
}

/// The decimal type with so many decimals.
pub fn decimal_type(scale: u8) -> String {
    format!("DECIMAL({DIGITS},{scale})")
}

/// The decimals of a type that columns of amounts may have.
pub fn scale(sql_type: &str) -> Option<u8> {
    let scale = sql_type.strip_prefix("DECIMAL(38,")?.strip_suffix(')')?.parse().ok()?;
    (scale >= SCALE).then_some(scale)
}

/// The type for DuckDB's name.
pub fn column_type(sql_type: &str) -> ColumnType {
    match sql_type {
        "VARCHAR" => ColumnType::String,
        "BIGINT" => ColumnType::Int64,
        decimal if scale(decimal).is_some() => ColumnType::Decimal,
        "TIMESTAMP" => ColumnType::Timestamp,
        "DATE" => ColumnType::Date,
        _ => ColumnType::Foreign,
    }
}
