//! What Parquet footers say about a column, except its type.

/// What the footers of all files say about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub struct ColumnValues {
    /// It is REQUIRED in all files.
    pub required: bool,
    /// Of a map: its keys, and its values, are REQUIRED in all files.
    pub required_parts: [bool; 2],
    /// Statistics show a value, or a key of a map.
    pub has_values: bool,
    /// Statistics show that there is no value at all.
    pub is_null: bool,
    /// It may have an empty text: statistics do not exclude it.
    pub may_be_empty: bool,
}

impl ColumnValues {
    /// The same for the values of both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let ([key, value], [other_key, other_value]) = (self.required_parts, other.required_parts);
        Self {
            required: self.required && other.required,
            required_parts: [key && other_key, value && other_value],
            has_values: self.has_values || other.has_values,
            is_null: self.is_null && other.is_null,
            may_be_empty: self.may_be_empty || other.may_be_empty,
        }
    }
}
