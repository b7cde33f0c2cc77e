//! What Parquet footers tell of a column beside its type.

/// What the footers of all files tell of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each says another thing of the files")]
pub struct ColumnValues {
    /// All files say REQUIRED of it.
    pub required: bool,
    /// Of a map: all files say REQUIRED of its keys, and of its values.
    pub required_parts: [bool; 2],
    /// Statistics show a value; of a map, a key. Without statistics nothing is shown.
    pub has_values: bool,
    /// Statistics show that there is no value at all.
    pub is_null: bool,
    /// A text of it may be empty: statistics do not exclude it.
    pub may_be_empty: bool,
}

impl ColumnValues {
    /// What holds of this file's values and another's together.
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
