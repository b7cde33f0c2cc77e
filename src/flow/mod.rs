//! What a load is made of: the table is looked up and checked, each month is staged, checked and swapped.

pub mod check;
pub mod load;
pub mod replace;
pub mod silence;
pub mod table;
